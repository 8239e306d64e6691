#!/bin/sh
# Two af_packet ports and the kernel on one bridge in a network namespace: sessions stand, an
# operator's ping is answered, noise and a lost link are survived.
set -eu

probe=$1
. "$(dirname "$0")/port_lib.sh"
namespace=qport$$
in_namespace="ip netns exec $namespace"
trap 'end_probes; ip netns del $namespace 2>/dev/null || true; rm -rf "$work"' EXIT

for tool in ip ping; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
ip netns add $namespace 2>/dev/null || { echo "SKIP: no network namespaces"; exit 77; }
inside() {
	ip netns exec $namespace "$@"
}
inside sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
inside ip link set lo up
inside ip link add br0 type bridge forward_delay 0
for i in 0 1; do
	inside ip link add v$i type veth peer name p$i
	inside ip link set p$i master br0
	inside ip link set p$i up
	inside ip link set v$i up
done
inside ip addr add 10.77.0.9/24 dev br0
inside ip link set br0 up

if inside "$probe" 0 2 af_packet=nosuch,1 >"$work/nosuch.log" 2>&1; then
	fail "a port on an interface that does not exist"
fi
grep -q "there is no interface 'nosuch'" "$work/nosuch.log" || fail "no cause for nosuch"

start_probe zero 0 2 af_packet=v0,1 rate=300 huge=never
zero_pid=$pid
start_probe one 1 2 af_packet=v1,0 rate=300 huge=never
one_pid=$pid
wait_lines zero "^UP 1" 1
wait_lines one "^UP 0" 1
sleep 1
[ "$(status_of zero "$zero_pid" received)" -gt 0 ] || fail "nothing received at zero"
[ "$(status_of one "$one_pid" damaged)" = 0 ] || fail "damaged messages"
[ "$(status_of zero "$zero_pid" sleeps)" -gt 0 ] || fail "zero never slept"

inside ping -n -q -c 5 -i 0.2 -W 2 10.77.0.1 >"$work/ping.log" || fail "zero does not answer a ping"
inside ping -n -q -c 5 -i 0.2 -W 2 -s 1400 10.77.0.2 >>"$work/ping.log" ||
	fail "one does not answer a long ping"
grep -q " 0% packet loss" "$work/ping.log" || fail "pings lost"
grep rtt "$work/ping.log" | head -1

# What is not for a node: other ports, fragments. Named, never fatal.
inside sh -c 'echo noise | timeout 1 bash -c "cat >/dev/udp/10.77.0.1/9" 2>/dev/null' || true
inside ping -n -q -c 1 -W 1 -s 4000 10.77.0.1 >/dev/null 2>&1 || true
[ -n "$(status_of zero "$zero_pid" UDP_PORT)$(status_of zero "$zero_pid" UDP_CHECKSUM)" ] ||
	fail "noise was not counted"
# A bridge that filters puts fragments together first: then it is a frame beyond the MTU.
[ -n "$(status_of zero "$zero_pid" IP_FRAGMENT)$(status_of zero "$zero_pid" OVERSIZE)" ] ||
	fail "fragments were not counted"

# The link goes and comes; so does the session.
ups=$(count_lines zero "^UP 1")
inside ip link set p1 down
wait_lines zero "^DOWN 1" 1
inside ip link set p1 up
wait_lines zero "^UP 1" $((ups + 1))
kill -9 "$one_pid"
wait "$one_pid" 2>/dev/null || true
ups=$(count_lines zero "^UP 1")
start_probe again 1 2 af_packet=v1,0 rate=300 huge=never
wait_lines again "^UP 0" 1
wait_lines zero "^UP 1" $((ups + 1))
kill -TERM "$zero_pid"
wait "$zero_pid" || fail "an orderly end is not exit code 0"
echo "af_packet: sessions, pings, noise and a lost link survived"
