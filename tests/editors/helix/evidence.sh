#!/bin/bash
# One Helix run with evidence: profiles of a folder that the settings name are loaded, and the finding that they confirm says so. Helix
# shows no code lenses. Environment: DIR, WORKSPACE, OUT and scenario.sh's variables.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$OUT/config/helix" "$WORKSPACE/profiles"
cp "$here/config.toml" "$OUT/config/helix"
sed '/^\[language-server.stopleak\]/a config = { evidence = { folders = ["profiles"] } }' "$here/languages.toml" \
  >"$OUT/config/helix/languages.toml"
cp "$PROFILES"/*.pb.gz "$WORKSPACE/profiles"
export CONFIG=$OUT/config
exec "$here/run.sh" show '(confirmed: 64 goroutines'
