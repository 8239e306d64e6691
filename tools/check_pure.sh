#!/bin/sh
# A pure library asks of the world only what stands here: check_pure.sh LIBRARY LOWER_LIBRARY...
# Every undefined symbol must be on the list or be defined by the library or one below it.
set -eu

# Nothing that reads a clock, draws a number, allocates, logs or touches a file.
allowed='^(mem(cpy|set|cmp|move|chr)|str(len|cmp|ncmp|nlen)|__mem(cpy|set|move)_chk)$'
# The bounded, stateless part of xxHash.
allowed="$allowed"'|^(XXH3_(64|128)bits(_withSeed|_withSecret)?|XXH(32|64|128))$'
# The compiler's own, and the sanitizers'.
allowed="$allowed"'|^(__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__popcountdi2|__u?(div|mod)ti3)$'
allowed="$allowed"'|^__(asan|ubsan|sanitizer|sancov|gcov|llvm)_'
# Lower libraries hold a few functions that only programs may call.
for_programs='^crypto_(random|secret_.*|start)$'

if [ $# -lt 1 ]; then
	echo "usage: $0 LIBRARY [LOWER_LIBRARY...]" >&2
	exit 2
fi
library=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# symbols defined|undefined LIBRARY: in files, because a failed nm must not look like an empty list.
symbols() {
	nm "--$1-only" --extern-only --format=posix "$2" >"$work/nm" 2>"$work/errors" || {
		cat "$work/errors" >&2
		exit 1
	}
	awk 'NF >= 2 && $2 ~ /^[A-Za-z]$/ { print $1 }' "$work/nm"
}

symbols defined "$library" >"$work/defined"
if ! [ -s "$work/defined" ]; then
	echo "$library defines nothing"
	exit 1
fi
for lower in "$@"; do
	symbols defined "$lower" >"$work/lower"
	grep -Ev "$for_programs" "$work/lower" >>"$work/defined" || true
done
symbols undefined "$library" >"$work/undefined"
sort -u "$work/undefined" | grep -Ev "$allowed" >"$work/wanted" || true
sort -u "$work/defined" >"$work/known"

if comm -23 "$work/wanted" "$work/known" | grep . >"$work/foreign"; then
	while read -r symbol; do
		file=$(nm --undefined-only --print-file-name "$library" 2>/dev/null |
			awk -v s="$symbol" '$NF == s { print $1; exit }' | sed 's,:$,,; s,.*[/:],,')
		echo "${file:-$library}: a pure file may not use $symbol"
	done <"$work/foreign"
	exit 1
fi
echo "$(basename "$library"): $(wc -l <"$work/wanted") symbols of lower folders, none of the world"
