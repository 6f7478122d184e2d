#!/bin/bash
# Packs the extension for every target, from a placeholder for each program, and looks what is in the packages.
# Environment: OUT, EXTENSION and scenario.sh's variables; node on PATH.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$ROOT/editors/vscode"
for target in {x86_64,aarch64}-{unknown-linux-musl,apple-darwin,pc-windows-msvc} armv7-unknown-linux-musleabihf; do
  case $target in *windows*) program=stopleak.exe ;; *) program=stopleak ;; esac
  mkdir -p "$OUT/servers/$target"
  echo "the program for $target" >"$OUT/servers/$target/$program" # not executable: packing has to see to that
done
npm run package -- --servers "$OUT/servers" --out "$OUT/packages"
python3 "$here/packages.py" "$OUT/packages"

# What cannot be packed is said.
rm "$OUT/servers/aarch64-apple-darwin/stopleak"
refused() { # MESSAGE ARGUMENTS
  ! npm run package -- "${@:2}" >"$OUT/refused" 2>&1 || { echo "packed: ${*:2}"; exit 1; }
  grep -F -- "$1" "$OUT/refused"
}
refused 'unknown target linux-mips' --target linux-mips --server "$STOPLEAK"
refused '--target and --server belong together' --target linux-x64
