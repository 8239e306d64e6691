#!/bin/sh
# Installs the Debian packages of tools/packages.txt that are missing; needs root only then.
set -eu

list=$(dirname "$0")/packages.txt
missing=$(grep -v '^#' "$list" | while read -r package; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
		echo "$package"
done | tr '\n' ' ')

[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "missing packages: $missing" >&2
	echo "install them as root: apt-get install $missing" >&2
	exit 1
fi
echo "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 ||
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; }
