# Profiles of a folder that the settings name are loaded, and the finding that they confirm says so. Helix shows no code lenses.
mkdir -p "$WORKSPACE/profiles"
cp "$PROFILES"/*.pb.gz "$WORKSPACE/profiles"
start "$FILE" '{ evidence = { folders = ["profiles"] } }'
screen shows '(confirmed: 64 goroutines'
seen | grep -F '(confirmed: 64 goroutines'
leave q
