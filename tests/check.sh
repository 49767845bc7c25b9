#!/bin/sh
# check.sh - every stage of "make check". Each prints "STAGE: N passed, N failed" or
# "STAGE: ok"; the last line sums them up. Status 1 when anything failed, or when a stage
# ran nothing.
cd "$(dirname "$0")/.." || exit 1
make="${MAKE:-make} --no-print-directory"
jobs=$(nproc 2>/dev/null || echo 2)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0

# stage NAME COMMAND...: counts what its last "NAME: ..." line says
stage() {
	name=$1
	shift
	echo "== $name"
	: >"$out"
	"$@" 2>&1 | tee "$out"
	line=$(grep "^$name: " "$out" | tail -n 1)
	case $line in
	"$name: ok") p=1 f=0 ;;
	*" passed, "*" failed"*)
		p=$(echo "$line" | sed 's/^[^:]*: \([0-9]*\) passed.*/\1/')
		f=$(echo "$line" | sed 's/.* passed, \([0-9]*\) failed.*/\1/')
		;;
	*) p=0 f=1 ;;
	esac
	if [ "$((p + f))" -eq 0 ]; then
		echo "$name: ran nothing"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f))
}

built() {
	$make -s -j"$jobs" mox && echo "build: ok"
}

stage build built
if [ "$failed" -gt 0 ]; then
	echo "$passed passed, $failed failed"
	exit 1
fi
stage layers $make layers
stage format $make fmt-check
stage unit $make -j"$jobs" unit
stage fuzz $make -j"$jobs" fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-2}"
stage e2e $make e2e
stage browser $make browser
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
