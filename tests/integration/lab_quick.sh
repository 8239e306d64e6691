#!/bin/bash
# The shortest way through everything: up, submit, get, tail, a proof from every node checked in an
# empty directory by a process without environment, a forged one refused, two labs side by side,
# down without a trace.
# timeout: 400
. "$(dirname "$0")/lab_lib.sh"

lab=$work/lab
lab_up "$lab"
cp "$lab/genesis" "$work/genesis.first"
node_pids=$(cat "$lab"/node*/quorated.pid)
lab_up "$lab"
cmp -s "$lab/genesis" "$work/genesis.first" || fail "a second lab up made another chain"
[ "$node_pids" = "$(cat "$lab"/node*/quorated.pid)" ] || fail "a second lab up started nodes anew"
say "up, and up again changes nothing"

quorate submit --wait --json --dir "$lab" "one transaction" >"$work/submit.json" ||
	fail "submit --wait: exit $?"
txid=$(json_of "$work/submit.json" 'd["txid"]')
[ "$(json_of "$work/submit.json" 'd["state"]')" = final ] ||
	fail "submit: $(cat "$work/submit.json")"
settle "$lab" 60
for node in 0 1 2 3; do
	quorate get "$txid" --node "$lab/node$node" --json >"$work/get.json" ||
		fail "node $node does not know $txid"
	[ "$(json_of "$work/get.json" 'd["payload"]')" = "one transaction" ] ||
		fail "node $node has another payload: $(cat "$work/get.json")"
	quorate tail --node "$lab/node$node" --json >"$work/tail$node" || fail "tail of node $node"
	grep -q "$txid" "$work/tail$node" || fail "tail of node $node lacks $txid"
	cmp -s "$work/tail0" "$work/tail$node" || fail "node $node has another order than node 0"
	quorate status --node "$lab/node$node" >/dev/null || fail "node $node is not ready"
done
say "final; four nodes show the same order"

for node in 0 1 2 3; do
	mkdir "$work/alone$node"
	quorate prove "$txid" --node "$lab/node$node" --out "$work/alone$node/proof" >/dev/null ||
		fail "node $node proves nothing"
	cp "$lab/genesis" "$work/alone$node/"
	(cd "$work/alone$node" && env -i "$build/quorate" verify proof --genesis genesis) \
		>"$work/verify" 2>&1 || fail "the proof of node $node: $(cat "$work/verify")"
done
say "four proofs hold, with nothing but the genesis"

# One bit anywhere spoils it; a sample, the first and the last byte among them.
bytes=$(stat -c %s "$work/alone0/proof")
for at in 0 $((bytes / 7)) $((bytes / 3)) $((bytes / 2)) $((bytes - 40)) $((bytes - 1)); do
	python3 - "$work/alone0/proof" "$at" "$work/alone0/forged" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[2])] ^= 1
open(sys.argv[3], "wb").write(data)
END
	(cd "$work/alone0" && env -i "$build/quorate" verify forged --genesis genesis) \
		>"$work/verify" 2>&1
	code=$?
	[ $code -eq 1 ] || fail "a proof with byte $at changed: exit $code: $(cat "$work/verify")"
done
head -c $((bytes - 1)) "$work/alone0/proof" >"$work/alone0/forged"
(cd "$work/alone0" && env -i "$build/quorate" verify forged --genesis genesis) >/dev/null 2>&1 &&
	fail "a proof cut short was accepted"
say "forged proofs are refused"

http_port=21100 lab_up "$work/other" --nodes 1
quorate submit --wait --dir "$work/other" "elsewhere" >/dev/null || fail "the other lab is no lab"
quorate submit --wait --dir "$lab" "here" >/dev/null || fail "the first lab stopped"
(cd "$work/alone0" && env -i "$build/quorate" verify proof --genesis "$work/other/genesis") \
	>"$work/verify" 2>&1
code=$?
[ $code -ne 0 ] || fail "a proof of another chain was accepted"
say "two labs side by side, two chains"

quorate lab down --dir "$work/other" >/dev/null || fail "lab down of the other: exit $?"
[ ! -e "$work/other" ] || fail "lab down left: $(ls -R "$work/other")"
left=$(processes_of "$work/other")
[ -z "$left" ] || fail "lab down left processes: $left"
quorate submit --wait --dir "$lab" "still here" >/dev/null || fail "one lab's end ended the other"
quorate lab down --dir "$lab" >/dev/null || fail "lab down: exit $?"
left=$(processes_of "$work/")
[ -z "$left" ] || fail "lab down left processes: $left"
[ ! -e "$lab" ] || fail "lab down left: $(ls -R "$lab")"
echo passed
