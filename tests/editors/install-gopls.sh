#!/bin/bash
# usage: install-gopls.sh DIR
# Installs gopls by the go command into DIR, in a fixed version, unless it is there. $STOPLEAK_GO is the go command, if it is not `go`.
set -euo pipefail
GOPLS=v0.23.0 # the newest that Go 1.26 builds
mkdir -p "${1:?usage: install-gopls.sh DIR}"
DIR=$(cd "$1" && pwd)
[ "$(cat "$DIR/gopls.done" 2>/dev/null)" != $GOPLS ] || exit 0
cd "$DIR" # outside of any module
GOTOOLCHAIN=local GOFLAGS= GOBIN=$DIR "${STOPLEAK_GO:-go}" install "golang.org/x/tools/gopls@$GOPLS"
echo $GOPLS >"$DIR/gopls.done"
