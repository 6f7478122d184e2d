#!/bin/bash
# Makes PICTURE: Neovim in a terminal with a profile loaded: code lenses, the confirmed finding, the list.
# Environment: DIR, WORKSPACE, OUT, PICTURE and scenario.sh's variables. Needs tmux and Python 3.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export XDG_STATE_HOME=$OUT/state XDG_CACHE_HOME=$OUT/cache TERM=xterm-256color
tm() { tmux -L "nvim-$$" -f /dev/null "$@"; }
trap 'tm kill-server 2>/dev/null || true' EXIT
shows() {
  local seen=
  for _ in $(seq 150); do
    seen=$(tm capture-pane -p -t nvim)
    case $seen in *"$1"*) return 0 ;; esac
    sleep 0.1
  done
  printf '%s\n' "timeout: $1" "$seen"; exit 1
}
tm -u new-session -d -s nvim -x 118 -y 32 -c "$WORKSPACE" "$DIR/bin/nvim" --clean -u "$here/init.lua" \
  -c 'set notermguicolors tabstop=4 number laststatus=0 noruler shortmess+=FW signcolumn=yes' \
  -c 'lua vim.diagnostic.config({ virtual_lines = { current_line = true } })' "$FILE"
shows 'for job := range jobs'
tm send-keys -t nvim -l ":StopleakEvidence $PROFILES/goroutineleak.pb.gz $PROFILES/heap.pb.gz"
tm send-keys -t nvim Enter
shows '64 goroutines stuck for ever'
tm send-keys -t nvim -l ":StopleakEvidenceList"
tm send-keys -t nvim Enter
shows 'still in use'
tm send-keys -t nvim C-w k
tm send-keys -t nvim -l "$LINE"
tm send-keys -t nvim -l G
sleep 2
tm capture-pane -e -p -t nvim | python3 "$here/../../pictures/terminal.py" 118 32 - "$PICTURE"
