#!/bin/bash
# Bad configuration, keys, genesis, stores, ports and memory: the node says one line with cause and
# remedy, ends with the documented exit code, and leaves everything as it was.
# timeout: 400
. "$(dirname "$0")/lab_lib.sh"

lab=$work/lab
lab_up "$lab"
quorate submit --wait --dir "$lab" "so that the stores hold something" >/dev/null || fail "submit"
quorate lab down --keep-data --dir "$lab" >/dev/null || fail "lab down --keep-data"
good=$lab/node0/node.conf
bad=$work/bad.conf
cases=0
times='%p %y %m %s %T@\n'

# Everything in the lab; what a running node writes to, and the page that tells mgmtd why one
# failed, only by name and mode.
listing() {
	(cd "$lab" && find . \( -path '*/run*' -o -name lock \) -printf '%p %y %m\n' \
		-o -printf "$times" | sort)
	ls -d /run/dpdk/quorated-0-* /var/run/dpdk/quorated-0-* 2>/dev/null
	grep -o '@qr-[0-9a-f]*-.*' /proc/net/unix | sort
}

# expect CODE TEXT REMEDY: runs the node with $bad as it is now. TEXT and REMEDY are extended
# regular expressions that the one line must contain.
expect() {
	listing >"$work/before"
	timeout -s KILL 60 "${command[@]}" --config "$bad" >"$work/out" 2>"$work/err"
	local code=$?
	listing >"$work/after"
	cases=$((cases + 1))
	[ $code -eq "$1" ] || fail "'$2': exit code $code, not $1: $(cat "$work/err")"
	[ "$(wc -l <"$work/err")" -eq 1 ] || fail "'$2': not one line: $(cat "$work/err")"
	[ ! -s "$work/out" ] || fail "'$2': standard output says $(cat "$work/out")"
	grep -Eq -- "$2" "$work/err" || fail "the cause '$2' is not in: $(cat "$work/err")"
	grep -Eq -- "$3" "$work/err" || fail "the remedy '$3' is not in: $(cat "$work/err")"
	cmp -s "$work/before" "$work/after" ||
		fail "'$2' left a trace: $(diff "$work/before" "$work/after" | head -n 6)"
	echo "  $(cut -c1-170 "$work/err")"
}

# with SED: the good configuration, changed.
with() {
	sed "$@" "$good" >"$bad"
}
command=("$build/quorated")

# ---- the file ----
rm -f "$bad"
expect 3 "cannot be opened" "bad.conf"
mkdir "$bad"
expect 3 "cannot be read" "bad.conf"
rmdir "$bad"
: >"$bad"
expect 3 "key 'id' in \[node\] is missing" "number in the genesis"
with 's/^id = 0$/id = zero/'
expect 3 "bad.conf:[0-9]+: key 'id'" "not a whole number"
with 's/^id = 0$/id = 100/'
expect 3 "key 'id': 100" "outside 0 to 99"
with 's/^id = 0$/id = 0\nid = 0/'
expect 3 "key 'id'" "given twice"
with 's/^id = 0$/idd = 0/'
expect 3 "key 'idd' is unknown" "--help-config"
with 's/^\[store\]$/[stor]/'
expect 3 "section \[stor\] is unknown" "bad.conf:[0-9]+"
with 's/^segment_mib = .*/segment_mib = 3/'
expect 3 "segment_mib" "not a power of two"
with 's/^mode = shared/mode = fast/'
expect 3 "say shared or spread" "key 'mode'"
with 's/^bell = @\(.*-b0\)$/bell = \1/'
expect 3 "key 'bell'" "begins with @"
with '/^\[port/,$d'
expect 3 "no \[port NAME\]" "at least one"
with 's/^port = peer1$/port = peer9/'
expect 3 "no port 'peer9'" "\[peer 1\]"
with 's/^address = 10.77.0.2.*/address = 10.77.0.900/'
expect 3 "key 'address'" "not a valid value"
with 's/^kind = memif$/kind = carrier_pigeon/'
expect 3 "carrier_pigeon" "not a valid value"
printf '[node]\nid = \0 0\n' >"$bad"
expect 3 "zero byte" "bad.conf:2"

# ---- who we are ----
with "s,^genesis = .*,genesis = $work/nothing,"
expect 3 "genesis .*nothing: No such file" "quorate genesis create"
head -c 100 "$lab/genesis" >"$work/short"
with "s,^genesis = .*,genesis = $work/short,"
expect 3 "genesis .*short" "quorate genesis create"
with 's/^id = 0$/id = 7/'
expect 3 "id 7" "only members 0 to 3"
with 's/^id = 0$/id = 1/;s/^\[peer 1\]/[peer 0]/'
expect 3 "signing key .*not the key of member 1" "check 'id'"
with "s,^signing_key = .*,signing_key = $work/nothing,"
expect 3 "signing key .*does not exist" "quorate keygen|quorate init"
with "s,^session_key = .*,session_key = $lab/node1/session.key,"
expect 3 "session key .*not the key of member 0" "check 'id'"
cp -p "$lab/node0/signing.key" "$work/open.key"
chmod 644 "$work/open.key"
with "s,^signing_key = .*,signing_key = $work/open.key,"
expect 3 "signing key .*0600" "chmod 600"
head -c 5 "$lab/node0/signing.key" >"$work/cut.key"
chmod 600 "$work/cut.key"
with "s,^signing_key = .*,signing_key = $work/cut.key,"
expect 3 "signing key .*cut.key" "quorate keygen|quorate init|bytes"

# ---- the store ----
with "s,^data_dir = .*,data_dir = $work/nothing,"
expect 5 "nothing" "quorate init"
mkdir -m 700 "$work/empty"
with "s,^data_dir = .*,data_dir = $work/empty,"
expect 5 "empty" "quorate init"
[ -z "$(ls -A -I lock "$work/empty")" ] || fail "half a store was made: $(ls "$work/empty")"
with "s,^data_dir = .*,data_dir = $lab/node1/store,"
expect 5 "belongs to another chain or node" "member 0"
quorate genesis create "$lab"/node*/member.json --chain other --out "$work/other" >/dev/null ||
	fail "genesis create"
with "s,^genesis = .*,genesis = $work/other,"
expect 5 "belongs to another chain or node" "other"
cp -a "$lab/node0/store" "$work/loose"
chmod 755 "$work/loose"
with "s,^data_dir = .*,data_dir = $work/loose,"
expect 3 "loose" "chmod|0700"
chmod 700 "$work/loose"
dd if=/dev/zero of="$work/loose/superblock" bs=4096 count=64 conv=notrunc 2>/dev/null
expect 5 "loose" "quorate-store verify|superblock"

# ---- what others hold ----
lab_up "$lab"
times='%p %y %m\n'
cp "$good" "$bad"
expect 4 "another node runs there" "stop it"
with "s,^run_dir = .*,run_dir = $work/run,;
	s,^socket = .*/run/ingress,socket = $work/run/ingress,"
mkdir "$work/run"
expect 4 "store" "pid [0-9]+|stop"
cp -a "$lab/node0" "$work/twin"
with "s,^run_dir = .*,run_dir = $work/run,;s,^data_dir = .*,data_dir = $work/twin/store,;
	s,^socket = .*/run/ingress,socket = $work/run/ingress,"
expect 4 "\[port peer1\].*is taken|\[port peer1\].*in use" "port|socket|stop"
quorate lab down --keep-data --dir "$lab" >/dev/null || fail "lab down --keep-data"
times='%p %y %m %s\n'
bell=$(sed -n 's/^bell = @\(.*-b0\)$/\1/p' "$good" | head -n 1)
background "$work/holder.log" python3 -c "
import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\0$bell')
print('held', flush=True)
time.sleep(300)"
holder=$pid
for _ in $(seq 100); do grep -q held "$work/holder.log" && break; sleep 0.1; done
cp "$good" "$bad"
expect 4 "doorbell @$bell" "taken|stop|other|uses"
kill "$holder"

# ---- what the system does not give ----
with "s/^kind = memif$/kind = af_packet/;s/^socket = @.*/interface = qr-none0/;\
/^memif_role/d;/^bell/d"
expect 6 "qr-none0" "interface"
with "s,^run_dir = .*,run_dir = $work/no/such,"
expect 3 "run_dir .*no/such: No such file" "make the directory"
: >"$work/plain"
with "s,^run_dir = .*,run_dir = $work/plain,"
expect 3 "run_dir .*plain" "directory"
cp "$good" "$bad"
for mib in 60 290 310 330 350 400 440; do
	command=(bash -c 'ulimit -v '$((mib * 1024))'; exec "$@"' memory "$build/quorated")
	expect 6 "memory|address space" "needed|raise|memory_mib"
done
command=("$build/quorated")

# After all that the lab is as good as before.
lab_up "$lab"
quorate submit --wait --dir "$lab" "still good" >/dev/null || fail "the lab does not order any more"
echo "$cases bad inputs, each with one line and nothing left behind"
echo passed
