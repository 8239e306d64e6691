#!/bin/bash
# A hostile client at a node's local socket and at a DPDK client port: malformed, truncated,
# oversized, replayed, forged, foreign, expired, unknown, ahead of its window, and all of it as a
# flood. The node answers as promised, counts each under its own name, keeps its memory, and the
# honest client beside it becomes final all the time.
# timeout: 400
. "$(dirname "$0")/lab_lib.sh"

hostile=$build/tests/integration/hostile
[ -x "$hostile" ] || {
	echo "SKIP: $hostile is not built"
	exit 77
}
lab=$work/lab
flood=${FLOOD:-4000}

# The lab's chain, with two registered clients: the honest one and the hostile one.
lab_up "$lab"
quorate lab down --keep-data --dir "$lab" >/dev/null || fail "lab down --keep-data"
quorate keygen "$work/hostile.key" >/dev/null || fail "keygen"
"$hostile" genesis "$lab/genesis" "$work/genesis" "$lab/client.key.pub" "$work/hostile.key.pub" ||
	fail "no genesis with registered clients"
cp "$work/genesis" "$lab/genesis"
for node in 0 1 2 3; do
	cp "$work/genesis" "$lab/node$node/genesis"
	rm -rf "$lab/node$node/store"
	quorate-store format --dir "$lab/node$node/store" --genesis "$work/genesis" --id $node \
		--segment-mib 16 --allow-buffered >/dev/null || fail "node $node: no store"
done
lab_up "$lab"
wait_height "$lab" 0 3 60
before_pids=$(cat "$lab"/node*/quorated.pid)

resident_kib() {
	awk '/^VmRSS/ { print $2 }' "/proc/$(cut -d' ' -f1 "$lab/node$1/quorated.pid")/status"
}

# counted NODE BEFORE METRIC REASON...: each reason grew.
counted() {
	local node=$1 before=$2 name=$3 reason was is
	shift 3
	for reason in "$@"; do
		was=$(sed -n "s/^$name{reason=\"$reason\".*} //p" "$before")
		is=$(sed -n "s/^$name{reason=\"$reason\".*} //p" "$work/metrics$node")
		[ "${is:-0}" -gt "${was:-0}" ] ||
			fail "$name $reason did not count: ${was:-none}, ${is:-none}"
		echo "  $name $reason $((is - was))"
	done
}

snapshot() {
	local port
	port=$(sed -n 's/.*"http_port": *\([0-9]*\).*/\1/p' "$lab/lab.json")
	sleep 0.3 # housekeeping publishes
	python3 -c 'import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())' \
		"http://127.0.0.1:$((port + $1))/metrics" >"$work/metrics$1" ||
		fail "no metrics of node $1"
}

# While the hostile client holds every connection, for a moment, a new one is turned away.
honest() {
	local at=0 tries=0
	while [ ! -e "$work/enough" ]; do
		at=$((at + 1))
		until quorate submit --wait --node "$lab/node0" --key "$lab/client.key" \
			"honest $at" >/dev/null; do
			tries=$((tries + 1))
			[ "$tries" -le 3 ] || return 1
			sleep 0.3
		done
		echo $at
	done
}

snapshot 0
cp "$work/metrics0" "$work/first0"
snapshot 1
cp "$work/metrics1" "$work/first1"
background "$work/honest.log" honest
honest_pid=$pid

"$hostile" local "$lab/node0/run/ingress" "$lab/genesis" "$work/hostile.key" "$flood" \
	>"$work/local.log" 2>&1 || fail "local: $(tail -n 3 "$work/local.log")"
cat "$work/local.log"
snapshot 0
counted 0 "$work/first0" quorate_gate_drops_total malformed truncated oversize wrong_chain \
	bad_signature unknown_client expired expires_far
counted 0 "$work/first0" quorate_ingress_drops_total malformed connections_full answers_lost
say "local: every fault refused and counted"

client=$(sed -n '/^\[port client\]/,$s/^socket = @//p' "$lab/node1/node.conf")
bell=$(sed -n '/^\[cores\]/,/^\[/s/^bell = @//p' "$lab/node1/node.conf")
quorate submit --wait --node "$lab/node1" --key "$work/hostile.key" "finds its numbers" \
	>/dev/null || fail "the hostile client is no client"
next=$(cut -d' ' -f1 "$work/hostile.key.seq")
"$hostile" port "$client" "$bell" 1 10.78.1.1 10.78.1.2 "$lab/genesis" "$work/hostile.key" \
	2 "$lab/node2/session.key" "$flood" "$next" >"$work/port.log" 2>&1 ||
	fail "port: $(tail -n 3 "$work/port.log")"
cat "$work/port.log"
snapshot 1
counted 1 "$work/first1" quorate_net_drops_total short ethertype not_for_us ip_header ip_checksum \
	ip_fragment ip_protocol udp_length udp_port udp_checksum icmp arp arp_unasked packet chain \
	unknown_peer handshake replay tag no_session
counted 1 "$work/first1" quorate_gate_drops_total malformed truncated oversize wrong_chain \
	bad_signature unknown_client expired expires_far
say "port: every fault counted under its name"

touch "$work/enough"
wait "$honest_pid" || fail "the honest client was held up: $(tail -n 2 "$work/honest.log")"
done_honestly=$(tail -n 1 "$work/honest.log")
[ "${done_honestly:-0}" -ge 3 ] || fail "only ${done_honestly:-0} honest transactions"
[ "$before_pids" = "$(cat "$lab"/node*/quorated.pid)" ] || fail "a node was replaced"
for node in 0 1 2 3; do
	quorate status --node "$lab/node$node" >/dev/null || fail "node $node is not ready"
	lines=$(wc -l <"$lab/node$node/quorated.log")
	[ "$lines" -lt 12 ] || fail "node $node wrote $lines lines: one a packet?"
	echo "figure: node $node holds $(resident_kib $node) KiB"
done
settle "$lab" 60
quorate tail --node "$lab/node0" --json >"$work/order0" || fail "tail of node 0"
for node in 1 2 3; do
	quorate tail --node "$lab/node$node" --json >"$work/order" || fail "tail of node $node"
	cmp -s "$work/order0" "$work/order" || fail "node $node has another order"
done
grep -q "hostile client" "$work/order0" || fail "the hostile client's good ones are missing"
twice=$(sed 's/.*"txid":"\([0-9a-f]*\)".*/\1/' "$work/order0" | sort | uniq -d | wc -l)
[ "$twice" -eq 0 ] || fail "$twice transactions are in the order twice"
echo "figure: $done_honestly honest transactions became final meanwhile"
echo passed
