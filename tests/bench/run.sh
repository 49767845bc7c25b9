#!/bin/sh
# run.sh [PART...] - mox beside Postfix on this machine, in one run: make bench.
# Parts: accept relay dane idle tls million log pages; all of them when none is named.
# COUNT (messages a measurement), REPEATS, IDLE (sessions), RECIPIENTS can be set; QUICK=1
# is a short run that only shows that it works. Ends with a table. Part auth: what it costs to
# find out who sent a message, in CPU time.
set -e
here=$(cd "$(dirname "$0")" && pwd)
load=${B:-$here/../../build}/load
mkdir -p "$(dirname "$load")"
if [ ! -x "$load" ] || [ "$here/load.c" -nt "$load" ]; then
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -o "$load" "$here/load.c" -lssl -lcrypto -lpthread
fi
sink=$(dirname "$load")/sink
if [ ! -x "$sink" ] || [ "$here/sink.c" -nt "$sink" ]; then
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -o "$sink" "$here/sink.c" -lssl -lcrypto -lpthread
fi
auth=${B:-$here/../../build}/bench/auth
case " $* " in
"  " | *" auth "*) "$auth" ${QUICK:+100} >/dev/null ;;
esac
if [ "$*" = auth ]; then
	exit 0
fi
for part in "$@"; do
	shift
	[ "$part" = auth ] || set -- "$@" "$part"
done
exec python3 "$here/bench.py" --mox "${MOX:-$here/../../mox}" --load "$load" "$@"
