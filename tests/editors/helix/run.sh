#!/bin/bash
# usage: run.sh [journey | evidence]: one Helix run. Environment: DIR, WORKSPACE, OUT, STOPLEAK and scenario.sh's variables.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../scenario.sh"
. "$KIT/helix/common.sh"
[ $# = 0 ] || { . "$KIT/helix/$1.sh"; exit 0; }
start "$FILE"
screen shows "$MESSAGE"
keys ']' d;   screen shows " ${AT%:*}:"   # next diagnostic: the status line shows its line
keys Space a; screen shows "$TITLE"       # the wanted action must be the first
keys Enter;   screen lacks "$MESSAGE"
leave wq
