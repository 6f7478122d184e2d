#!/bin/bash
# usage: run.sh [show TEXT | evidence]: one Helix run, in a tmux of its own; to `show` is to see TEXT on the screen and to leave.
# Environment: DIR, WORKSPACE, OUT and scenario.sh's variables; CONFIG, for a configuration other than the one here.
set -euo pipefail
kit=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ "${1:-}" != evidence ] || exec "$kit/helix/evidence.sh"
tm() { tmux -L "helix-$$" -f /dev/null "$@"; }
keys() { tm send-keys -t helix "$@"; }
screen() { # shows|lacks TEXT: wait for it
  local seen=
  for _ in $(seq 600); do
    seen=$(tm capture-pane -p -t helix) || { echo "Helix has ended"; exit 1; }
    case $seen in *"$2"*) [ "$1" = lacks ] || return 0 ;; *) [ "$1" = shows ] || return 0 ;; esac
    sleep 0.1
  done
  printf '%s\n' "timeout: screen $1 $2" "$seen"; exit 1
}
trap 'tm kill-server 2>/dev/null || true' EXIT
export XDG_CONFIG_HOME=${CONFIG:-$kit} XDG_CACHE_HOME=$OUT/cache TERM=xterm-256color  # Helix reads $XDG_CONFIG_HOME/helix
tm -u new-session -d -s helix -x 240 -y 80 -c "$WORKSPACE" "$DIR/bin/hx" -v --log "$OUT/helix.log" "$FILE"

if [ "${1:-}" = show ]; then
  screen shows "$2"; tm capture-pane -p -t helix | grep -F -- "$2"
  keys ':'; keys -l 'q!'; keys Enter
  exit 0
fi
screen shows "$MESSAGE"
keys ']' d;   screen shows " ${AT%:*}:"   # next diagnostic: the status line shows its line
keys Space a; screen shows "$TITLE"       # the wanted action must be the first
keys Enter;   screen lacks "$MESSAGE"
keys ':' ;    keys -l wq; keys Enter
for _ in $(seq 50); do tm has-session -t helix 2>/dev/null || exit 0; sleep 0.1; done
echo "Helix did not end"; exit 1
