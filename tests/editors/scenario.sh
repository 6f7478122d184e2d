# What every editor has to do: open FILE of a fresh copy of SAMPLE, see the finding MESSAGE at AT, apply the code action TITLE, save;
# then the file contains EXPECT. Source this file; set any of these beforehand to test another file.
KIT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$KIT/../.." && pwd)
export ROOT
export SAMPLE=${SAMPLE:-$ROOT/tests/sample}   # folder
export FILE=${FILE:-internal/store/store.go}  # file in it
export AT=${AT:-34:15}                        # line:column of the finding's start, both from 1
export MESSAGE=${MESSAGE:-'`rows` is not closed on every path'}     # how its message begins
export TITLE=${TITLE:-'stopleak: defer `rows.Close()`'}             # how the title of the wanted action begins
export EXPECT=${EXPECT:-defer rows.Close()}
# The evidence that is loaded in a copy of SERVICE: SERVICE_FILE has a line that it is about.
export SERVICE=$ROOT/tests/service
export SERVICE_FILE=internal/batch/batch.go LINE=9
export PROFILES=$KIT/evidence
export LC_ALL=C.UTF-8
