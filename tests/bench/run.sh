#!/bin/sh
# run.sh [PART...] - mox beside Postfix on this machine, in one run: make bench.
# Parts: accept relay idle tls million log pages; all of them when none is named.
# COUNT (messages a measurement), REPEATS, IDLE (sessions), RECIPIENTS can be set; QUICK=1
# is a short run that only shows that it works. Ends with a table.
set -e
here=$(cd "$(dirname "$0")" && pwd)
load=${B:-$here/../../build}/load
mkdir -p "$(dirname "$load")"
if [ ! -x "$load" ] || [ "$here/load.c" -nt "$load" ]; then
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -o "$load" "$here/load.c" -lssl -lcrypto -lpthread
fi
exec python3 "$here/bench.py" --mox "${MOX:-$here/../../mox}" --load "$load" "$@"
