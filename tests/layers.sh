#!/bin/sh
# layers.sh FLOOR0 FLOOR1 ... - each argument holds the folders of one floor. A file may
# include its own folder and folders of lower floors; never up, never sideways.
# main.c alone is exempt: it is the composition root.
bad=0 below=""
for floor in "$@"; do
	for dir in $floor; do
		for file in "$dir"/*.c "$dir"/*.h; do
			[ -f "$file" ] || continue
			[ "$file" = server/daemon/main.c ] && continue
			for inc in $(sed -n 's/^[ \t]*#[ \t]*include "\([^"]*\)".*/\1/p' "$file"); do
				case $inc in */*) ;; *) echo "$file: include \"$inc\" without its folder"; bad=1; continue ;; esac
				target=server/${inc%/*}
				[ "${inc%/*}" = webui ] && target=webui
				ok=0
				for d in $below "$dir"; do [ "$d" = "$target" ] && ok=1; done
				[ $ok -eq 1 ] || { echo "$file: must not see $inc"; bad=1; }
			done
		done
	done
	below="$below $floor"
done
[ $bad -eq 0 ] && echo "layers: ok"
exit $bad
