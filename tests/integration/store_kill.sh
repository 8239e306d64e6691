#!/bin/sh
# A writer is killed -9 twenty times, on io_uring and on the fallback in turn: nothing that it said
# was durable is lost, no byte is wrong, and a reader written from docs/log-format.md agrees.
set -eu

worker=$1
reader=$(dirname "$0")/store_reader.py
work=$(mktemp -d ./store-kill-XXXXXX)
trap 'rm -rf "$work"' EXIT

fail()
{
	echo "store_kill: $*" >&2
	exit 1
}

: >"$work/acknowledged"
round=0
while [ $round -lt 20 ]; do
	round=$((round + 1))
	kind=uring
	[ $((round % 4)) -ne 0 ] || kind=fallback
	"$worker" write "$work/store" $kind >>"$work/acknowledged" 2>"$work/errors" &
	pid=$!
	sleep "0.$((round * 7 % 4 + 1))"
	kill -9 $pid 2>/dev/null || {
		wait $pid || code=$?
		[ "${code:-0}" -ne 77 ] || exit 77
		fail "round $round: the writer ended by itself: $(cat "$work/errors")"
	}
	wait $pid 2>/dev/null || true
	# The last line may be half written.
	sed -i -e '/^[012] [0-9][0-9]*$/!d' "$work/acknowledged"
	"$worker" check "$work/store" "$work/acknowledged" >"$work/checked" ||
		fail "round $round: something acknowledged is missing"
done
cat "$work/checked"

lines=$(wc -l <"$work/acknowledged")
[ "$lines" -gt 500 ] || fail "only $lines acknowledged: the test proves nothing"
"$reader" "$work/store" >"$work/read" || fail "the independent reader finds damage"
lane=$(grep -c '^lane ' "$work/read")
block=$(grep -c '^block ' "$work/read")
grep -q " $lane lane and $block block records" "$work/checked" ||
	fail "the independent reader counts $lane lane and $block block records"

# One flipped bit in the middle is found by the reader and refused by the store, never cut.
python3 - "$work/store/lane-00000000.log" <<'END'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(30000)
    byte = file.read(1)[0] ^ 4
    file.seek(30000)
    file.write(bytes([byte]))
END
if "$reader" "$work/store" lane >/dev/null 2>&1; then
	fail "the independent reader does not see a flipped bit"
fi
if "$worker" check "$work/store" "$work/acknowledged" >/dev/null 2>&1; then
	fail "the store does not see a flipped bit"
fi
