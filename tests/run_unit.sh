#!/bin/sh
# Runs the unit test programs named; prints what failed and "unit: N passed, N failed".
pass=0 fail=0
for t in "$@"; do
	out=$("$t" 2>&1)
	rc=$?
	p=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
	f=$(printf '%s\n' "$out" | grep '^\[  FAILED  \] [a-z_0-9]*$' | sort -u | wc -l)
	if [ $rc -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi # a crash has no FAILED line
	pass=$((pass + p)) fail=$((fail + f))
	if [ $rc -ne 0 ]; then printf '%s\n' "$out"; echo "FAILED: $t (status $rc)"; fi
done
echo "unit: $pass passed, $fail failed"
[ "$fail" -eq 0 ] && [ "$pass" -gt 0 ]
