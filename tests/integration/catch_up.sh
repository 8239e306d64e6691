#!/bin/bash
# A node misses BLOCKS blocks (default 10 000) and comes back: it fetches them by itself, takes part
# again and votes again. How long that takes is printed.
# timeout: 600
. "$(dirname "$0")/lab_lib.sh"

lab=$work/lab
blocks=${BLOCKS:-10000}
lab_up "$lab"
quorate lab down --keep-data --dir "$lab" >/dev/null || fail "lab down --keep-data"
# An empty block every two milliseconds or as fast as three nodes can.
for node in 0 1 2 3; do
	printf '\n[timers]\nheartbeat_ms = 2\nblock_interval_min_us = 500\n' \
		>>"$lab/node$node/node.conf"
done
lab_up "$lab"
victim=3
quorate lab kill $victim --dir "$lab" >/dev/null || fail "node $victim could not be killed"
from=$(height_of "$lab" 0)
start=$SECONDS
say "node $victim is away from height $from on"
while [ $(($(height_of "$lab" 0) - from)) -lt "$blocks" ]; do
	[ $((SECONDS - start)) -lt 300 ] ||
		fail "only $(($(height_of "$lab" 0) - from)) blocks in 300 s"
	quorate submit --wait --dir "$lab" "while away $SECONDS" >/dev/null ||
		fail "three do not order"
	sleep 1
done
say "three nodes made $(($(height_of "$lab" 0) - from)) blocks in $((SECONDS - start)) s"

goal=$(height_of "$lab" 0)
begin_ms=$(date +%s%3N)
lab_start "$lab" $victim
wait_height "$lab" $victim "$goal" 240
took_ms=$(($(date +%s%3N) - begin_ms))
echo "figure: $((goal - from)) blocks caught up in $took_ms ms"

# It votes: with another node away only its votes make a quorum.
settle "$lab" 120
quorate lab kill 1 --dir "$lab" >/dev/null || fail "node 1 could not be killed"
quorate submit --wait --timeout 120 --dir "$lab" "needs the vote of node $victim" >/dev/null ||
	fail "nothing is ordered with node $victim as third: it does not vote"
[ "$(status_of "$lab" $victim 'd["node"]["observer"]')" = False ] ||
	fail "node $victim only observes"
lab_start "$lab" 1
settle "$lab" 120
quorate tail --node "$lab/node0" --json >"$work/order0" || fail "tail of node 0"
[ "$(wc -l <"$work/order0")" -ge 2 ] || fail "the order holds too little"
for node in 1 2 3; do
	quorate tail --node "$lab/node$node" --json >"$work/order" || fail "tail of node $node"
	cmp -s "$work/order0" "$work/order" || fail "node $node has another order than node 0"
done
echo passed
