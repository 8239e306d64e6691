#!/bin/sh
# Every header compiles alone: check_headers.sh [ROOT]. CC names the compiler.
set -eu

root=${1:-$(dirname "$0")/..}
cd "$root"
compiler=${CC:-cc}
failed=0
count=0

headers() {
	if [ -e .git ]; then
		git -c safe.directory='*' ls-files '*.h'
	else
		find . -name '*.h' -not -path './build*' | sed 's,^\./,,'
	fi
}

for header in $(headers | sort); do
	[ -e "$header" ] || continue
	count=$((count + 1))
	case $header in
	tests/*) system=-D_GNU_SOURCE ;; # fixtures make directories and processes
	*) system= ;;
	esac
	# Twice: a header without a guard shows here.
	if ! printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
		"$compiler" -std=c11 -Wall -Wextra -Wconversion -Werror -I. $system \
			-fsyntax-only -x c - 2>&1; then
		echo "$header: does not compile alone"
		failed=$((failed + 1))
	fi
done
echo "headers: $count compiled alone, $failed failed"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
