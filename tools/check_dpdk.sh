#!/bin/sh
# The drivers in use are inside the program, no DPDK library is loaded, and EAL starts with them.
set -eu

program=$1
if ldd "$program" | grep 'librte_'; then
	echo "$program loads DPDK libraries"
	exit 1
fi
"$program" 2>&1
