#!/bin/sh
# Runs each fuzz target over its corpus for FUZZ_SECONDS, with a fixed seed. What it finds
# new goes to $B/corpus; crashing inputs stay in $B/crash. Prints what failed and
# "fuzz: N passed, N failed".
pass=0 fail=0
mkdir -p "$B/crash"
for t in "$@"; do
	name=$(basename "$t" | sed 's/^fuzz_//')
	seeds=tests/corpus/$name
	mkdir -p "$B/corpus/$name"
	[ -d "$seeds" ] || seeds=
	# shellcheck disable=SC2086
	if "$t" -seed=1 -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 \
		-max_len=65536 -print_final_stats=0 -verbosity=0 -artifact_prefix="$B/crash/$name-" \
		"$B/corpus/$name" $seeds >"$t.log" 2>&1; then
		pass=$((pass + 1))
	else
		fail=$((fail + 1))
		tail -n 40 "$t.log"
		echo "FAILED: $t (input in $B/crash, log $t.log)"
	fi
done
echo "fuzz: $pass passed, $fail failed"
[ "$fail" -eq 0 ] && [ "$pass" -gt 0 ]
