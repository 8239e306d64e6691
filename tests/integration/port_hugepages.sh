#!/bin/sh
# One end of a link with hugepages, the other without; and what is said when there are none.
set -eu

probe=$1
in_namespace=""
. "$(dirname "$0")/port_lib.sh"
pages=/proc/sys/vm/nr_hugepages
before=$(cat $pages)
trap 'end_probes; echo "$before" >$pages 2>/dev/null || true; rm -rf "$work"' EXIT

lab=port-huge-$$
free=$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)
if [ "$free" -lt 32 ]; then
	if "$probe" 0 2 memif=@$lab,server,1 huge=required >"$work/none.log" 2>&1; then
		fail "hugepages required, none there, and yet it runs"
	fi
	grep -q "no memory for DPDK: 64 MiB of hugepages" "$work/none.log" ||
		fail "no cause and remedy without hugepages"
fi

echo $((before + 40)) >$pages 2>/dev/null || { echo "SKIP: hugepages cannot be reserved"; exit 77; }
if [ "$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)" -lt 36 ]; then
	echo "SKIP: not enough contiguous memory for hugepages"
	exit 77
fi
start_probe huge 0 2 memif=@$lab,server,1,@$lab-1 bell=@$lab-0 rate=300 huge=required
huge_pid=$pid
start_probe plain 1 2 memif=@$lab,client,0,@$lab-0 bell=@$lab-1 rate=300 huge=never
wait_lines huge "^READY hugepages=yes" 1
wait_lines plain "^READY hugepages=no" 1
wait_lines huge "^UP 1" 1
wait_lines plain "^UP 0" 1
sleep 1
[ "$(status_of huge "$huge_pid" received)" -gt 0 ] || fail "nothing received"
[ "$(status_of huge "$huge_pid" damaged)" = 0 ] || fail "damaged messages"
kill -9 "$huge_pid"
wait "$huge_pid" 2>/dev/null || true
waited=0
while [ "$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)" -lt 36 ]; do
	waited=$((waited + 1))
	[ $waited -le 100 ] || fail "hugepages of a killed process are not free again"
	sleep 0.05
done

# Three at once, pages for one: one gets them, nobody fails.
for i in 0 1 2; do
	start_probe auto$i $i 3 memif=@$lab-auto$i,server,-1 huge=auto
done
for i in 0 1 2; do
	wait_lines auto$i "^READY" 1
done
got=$(cat "$work"/auto?.log | grep -c "hugepages=yes" || true)
[ "$got" = 1 ] || fail "$got of three got the hugepages of one"
for left in /var/run/dpdk/quorate-probe-*; do
	[ ! -e "$left" ] || fail "left behind: $left"
done
echo "both kinds of memory, on one link"
