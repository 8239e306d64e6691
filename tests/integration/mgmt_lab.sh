#!/bin/sh
# The life of a lab through the command line alone: up, submit, prove, kill, start, down; what each
# command promises about exit codes, output and what it leaves behind.
#
# usage: mgmt_lab.sh QUORATE (quorated, quorate-mgmtd and quorate-store lie beside it)
set -eu

quorate=$(realpath "$1")
bin=$(dirname "$quorate")
for program in quorated quorate-mgmtd quorate-store; do
	[ -x "$bin/$program" ] || { echo "SKIP: $program is not built"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }

dir=$(mktemp -d)
finish() {
	"$quorate" lab down --dir "$dir/lab" >/dev/null 2>&1 || true
	"$quorate" lab down --dir "$dir/two" >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap finish EXIT
cd "$dir"

fail() {
	echo "FAILED: $1"
	tail -n 3 "$dir"/lab/node*/quorated.log 2>/dev/null || true
	exit 1
}

# Runs quorate with the arguments after CODE; output in $dir/out, errors in $dir/err.
expect() {
	code=$1
	shift
	set +e
	timeout 120 "$quorate" "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	set -e
	[ "$got" = "$code" ] ||
		fail "quorate $*: exit $got, not $code: $(cat "$dir/out" "$dir/err" | tail -n 4)"
}

says() {
	grep -q -- "$1" "$dir/out" "$dir/err" || fail "no '$1' in: $(cat "$dir/out" "$dir/err")"
}

expect 2
expect 2 dance
expect 0 --help
expect 0 lab down
says "no lab"
expect 3 status
expect 3 lab status
expect 2 lab up --nodes 5

# Up, twice; nothing changes the second time.
expect 0 lab up
says "lab ready"
cp lab/genesis genesis.first
expect 0 lab up
cmp -s lab/genesis genesis.first || fail "a second lab up made a new chain"
expect 0 lab status --json
says '"orders":true'
expect 0 status
says "^HEALTHY"

# Data: final means final, and every way to name it works.
expect 0 lab submit hello --json
says '"state":"final"'
txid=$(sed -n 's/.*"txid":"\([0-9a-f]*\)".*/\1/p' out)
client=$(cat lab/client.key.pub)
expect 0 get "$txid"
says "hello"
expect 0 get "$client:1"
says "$txid"
expect 1 get "$client:77"
expect 2 get nonsense
expect 0 prove "$txid" --out hello.proof
expect 0 verify hello.proof --genesis lab/genesis
says "checked offline"
printf '\377' | dd of=hello.proof bs=1 seek=200 conv=notrunc 2>/dev/null
expect 1 verify hello.proof --genesis lab/genesis
expect 4 verify hello.proof --genesis /etc/hostname

# Many, with and without waiting; from lines; too large.
expect 0 submit line --count 3000 --wait
says "3000 final"
expect 0 submit alone
expect 0 submit after-it --wait
printf 'one\ntwo\nthree\n' >lines
expect 0 submit --file lines --lines --wait
says "^final .*seq 3006 "
head -c 2000 /dev/zero | tr '\0' x >large
expect 4 submit --file large
says "limit is 1268"

# A key that lost its numbers finds them again: nothing is taken for final that is not.
rm lab/client.key.seq
expect 0 submit found-again --wait --json
says '"seq":3007,"state":"final"'
# Numbers an earlier command left open and that never came are used again.
echo "3008 3011" >lab/client.key.seq
expect 0 submit fills-the-gap --wait
says "seq 3008 "
[ "$(cat lab/client.key.seq)" = "3009 3011" ] || fail "numbers: $(cat lab/client.key.seq)"

# A reader with a cursor misses nothing and sees nothing twice.
"$quorate" tail --cursor cur --limit 1000 --json >part1
"$quorate" tail --cursor cur --json >part2
"$quorate" tail --json >whole
cat part1 part2 | cmp -s - whole || fail "tail with a cursor is not the whole"
[ "$(wc -l <whole)" = 3008 ] || fail "the order has $(wc -l <whole) records"
[ "$(sed 's/.*"txid":"\([0-9a-f]*\)".*/\1/' whole | sort -u | wc -l)" = 3008 ] || fail "twice"

# A killed node: the lab orders on; a started one comes back; every node has the same order.
expect 0 lab kill 2
expect 0 lab kill 2
says "was not running"
expect 0 lab status
says "n2 .*stopped"
expect 1 status --node lab/node2
expect 0 lab submit without-n2
expect 0 lab start 2
expect 0 status --node lab/node2
for node in 0 1 2 3; do
	"$quorate" tail --json --node lab/node$node >order$node
	cmp -s order0 order$node || fail "n$node has another order"
done

# The control plane dies; nobody minds, and `lab up` brings it back.
kill -KILL "$(cut -d' ' -f1 lab/node0/mgmtd.pid)"
expect 0 lab submit without-mgmtd
expect 0 lab up
expect 4 lab kill 9 --dir nowhere
expect 2 lab kill 9

# A second lab beside it.
expect 0 lab up --dir two --nodes 1
expect 0 lab submit there --dir two
expect 0 lab down --dir two
[ ! -e two ] || fail "lab down left something behind: $(ls -R two)"

# Down with data, up again: the same chain goes on. Then down for good, twice.
expect 0 lab down --keep-data
expect 0 lab up
expect 0 get "$txid"
expect 0 lab submit goes-on
touch lab/of-the-user
expect 0 lab down
[ "$(ls -A lab)" = of-the-user ] || fail "lab down left: $(ls -A lab)"
expect 0 lab down

# Birth of a real node: keys, genesis, store; nothing is ever made twice.
for node in a b c d; do
	expect 0 init $node
done
expect 4 init a
expect 4 genesis create a/member.json b/member.json
expect 0 genesis create a/member.json b/member.json c/member.json d/member.json --out g
expect 4 genesis create a/member.json b/member.json c/member.json d/member.json --out g
expect 0 genesis show g
says '"name": "c"'
expect 0 init b --genesis g
says "^node 1 "
[ -s b/node.conf ] && [ -d b/store ] || fail "init made no store"
expect 4 init b --genesis g
says "a lost store means a new key"
rm -rf b/store
expect 4 init b --genesis g
expect 0 keygen k
expect 4 keygen k
chmod 644 k
expect 4 submit x --key k --node b
echo "passed"
