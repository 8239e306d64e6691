#!/bin/sh
# A disk fills up: appends stop, the safety log and reads go on; room is made: appends resume.
set -eu

worker=$1
work=$(mktemp -d ./store-full-XXXXXX)
mounted=""
finish()
{
	# The kernel lets go of a ring's files a moment after its process.
	tries=0
	while [ -n "$mounted" ] && ! umount "$work/disk" 2>/dev/null && [ $tries -lt 50 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	rm -rf "$work"
}
trap finish EXIT

fail()
{
	echo "store_full: $*" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || { echo "needs root for a small disk of its own"; exit 77; }
command -v mkfs.ext4 >/dev/null || { echo "needs mkfs.ext4"; exit 77; }
truncate -s 40M "$work/image"
mkfs.ext4 -q -m 0 "$work/image"
mkdir "$work/disk"
mount -o loop "$work/image" "$work/disk" 2>"$work/errors" || {
	echo "cannot mount a loop device: $(cat "$work/errors")"
	exit 77
}
mounted=yes
dd if=/dev/zero of="$work/disk/ballast" bs=1M count=12 status=none

mkfifo "$work/say"
"$worker" fill "$work/disk/store" <"$work/say" >"$work/said" 2>"$work/errors" &
pid=$!
exec 3>"$work/say"
tries=0
until grep -q full "$work/said"; do
	tries=$((tries + 1))
	kill -0 $pid 2>/dev/null || fail "the worker ended: $(cat "$work/errors")"
	[ $tries -lt 600 ] || fail "the disk does not fill"
	sleep 0.1
done
rm "$work/disk/ballast"
echo go >&3
exec 3>&-
wait $pid || fail "$(cat "$work/errors")"
grep -q resumed "$work/said" || fail "appends did not resume"
: >"$work/acknowledged"
"$worker" check "$work/disk/store" "$work/acknowledged" || fail "the store is not whole afterwards"
