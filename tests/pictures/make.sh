#!/usr/bin/env bash
# Makes the pictures of docs/evidence.md: a service that leaks runs, `stopleak watch` looks at it, and its series becomes a report.
# Needs Go, Python 3, Chromium ($CHROMIUM) and a built stopleak ($STOPLEAK).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
stopleak=${STOPLEAK:-$root/target/release/stopleak}
chromium=${CHROMIUM:-chromium}
images=$root/docs/images
work=$(mktemp -d)
trap 'kill "${service:-}" 2>/dev/null || true; rm -rf "$work"' EXIT

cp -r "$here/shop" "$work/shop"
cd "$work/shop"
# An experiment in Go 1.26; later ones always have the profile of leaked goroutines.
case $(go env GOVERSION) in go1.26*) export GOEXPERIMENT=goroutineleakprofile ;; esac
go build -o "$work/service" .
"$work/service" 127.0.0.1:6161 &
service=$!
sleep 1

python3 "$here/terminal.py" 150 44 "${SECONDS_TO_WATCH:-32}" "$images/watch.svg" \
  "$stopleak" watch localhost:6161 --every 2s --save seen
"$stopleak" profile seen --format html --output "$work/report.html" --exit-zero

picture() { # NAME HEIGHT FLAG...
  local name=$1 height=$2
  shift 2
  "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="1200,$height" --virtual-time-budget=3000 \
    "$@" --screenshot="$images/$name.png" "file://$work/report.html" 2>"$work/chromium.log" || { cat "$work/chromium.log"; exit 1; }
}
picture report 1240
picture report-dark 1240 --force-dark-mode
[ -z "${KEEP:-}" ] || cp "$work/report.html" "$KEEP"
