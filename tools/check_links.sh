#!/bin/sh
# What a program may link: check_links.sh PROGRAM. DPDK is inside or absent, never loaded; the
# control plane and the command line hold nothing of DPDK or liburing at all.
set -eu

program=$1
if ldd "$program" | grep 'librte_'; then
	echo "$program loads DPDK libraries"
	exit 1
fi
case $(basename "$program") in
quorate | quorate-mgmtd) ;;
*) exit 0 ;;
esac
if ldd "$program" | grep 'liburing'; then
	echo "$program links liburing"
	exit 1
fi
if nm "$program" | awk '{ print $NF }' | grep -E '^(rte_|io_uring_)' | head -n 5 | grep .; then
	echo "$program holds functions of DPDK or liburing"
	exit 1
fi
