# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Debian packages that a script needs; to be sourced. Names are the same in Debian 12 and 13.

# The rig: a Debian tree, a compiler inside it, QEMU.
PACKAGES_RIG="qemu-system-x86 mmdebstrap python3 util-linux"
# Building and testing userspace on this machine, and looking at the sources.
PACKAGES_HOST="build-essential meson ninja-build pkg-config check libevent-dev libudev-dev libdrm-dev libjson-c-dev
	libexpat1-dev git clang-format"

# packages_missing NAME...: those that are not installed
packages_missing() {
	local name
	for name in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
	done
}

# packages_install WHO NAME...: installs what is missing, and says what. Asks nothing.
packages_install() {
	local who=$1 log missing
	shift
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "$who: this is no Debian machine: cannot look for or install: $*" >&2
		return 1
	fi
	mapfile -t missing < <(packages_missing "$@")
	[ "${#missing[@]}" -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "$who: not installed: ${missing[*]} (run it as root and it installs them)" >&2
		return 1
	fi
	echo "$who: installing ${missing[*]}" >&2
	log=$(mktemp)
	if ! { DEBIAN_FRONTEND=noninteractive apt-get update &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
		>"$log" 2>&1 </dev/null; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		echo "$who: apt-get could not install them" >&2
		return 1
	fi
	rm -f "$log"
}
