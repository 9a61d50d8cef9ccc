# SPDX-License-Identifier: MIT
"""The debug kernel: Debian's own source of the very version that the root's stock kernel
has, built with what finds fault (debug.config).

It is built in a Debian tree of its own, made for that and thrown away: the host needs
nothing, and guests do not carry flex and bison. What stays is in the cache:
  bzImage      lib/modules/RELEASE/      build/  what modules are built against
keyed by its recipe: debug.config, the script and lists below, the package's version. It is built under
another name and renamed when whole, as a root is.
"""

import os
import re
import shutil
import subprocess
import time

from . import root as debian
from .common import RIG, RigError, cache_dir, digest, locked, read_bytes, replace_file, say

CONFIG = os.path.join(RIG, "debug.config")

# KASAN, lockdep and kmemleak, under TCG: a boot takes 8 to 12 times as long as the stock
# kernel's, tests 3 to 10 times.
SLOWNESS = 8

PACKAGES = """
gcc libc6-dev make flex bison bc kmod pahole xz-utils libelf-dev libssl-dev python3-minimal cpio rsync
""".split()
# Nothing of these is compiled, and they are a third of the source.
UNPACK_EXCLUDED = ("drivers/gpu/drm/amd/include/asic_reg", "Documentation/translations",
                   "tools/testing/selftests/bpf", "tools/perf")

# DRM_GPUSVM has no prompt: a driver selects it, and the only ones that do cannot be in a guest.
BUILD = r"""
cd /build/source
sed -i '/^config DRM_GPUSVM$/,/^config /s/^\ttristate$/\ttristate "GPU SVM helper"/' drivers/gpu/drm/Kconfig
run() { nice make -s -j"$JOBS" "$@"; }
KCONFIG_ALLCONFIG=/rig/debug.config run allnoconfig
# Whatever does not hold in the result was refused: a name that is gone, or a dependency.
grep -E '^(CONFIG_|# CONFIG_)' /rig/debug.config | while read -r line; do
	case $line in
	*" is not set") ! grep -q "^$(echo "$line" | cut -d' ' -f2)=" .config ;;
	*) grep -qxF -- "$line" .config ;;
	esac || echo "$line"
done >/build/refused
[ ! -s /build/refused ] || { echo "Kconfig does not take these lines of debug.config:"; cat /build/refused; exit 1; }
run bzImage modules
run modules_install INSTALL_MOD_PATH=/build/result
run run-command KBUILD_RUN_COMMAND='+$(srctree)/scripts/package/install-extmod-build /build/result/build'
cp .config /build/result/build/
cp arch/x86/boot/bzImage System.map /build/result/
rm -f /build/result/lib/modules/*/build
make -s kernelrelease >/build/result/release
"""


def _source_package(release):
    """linux-source-7.3 for 7.3.4+deb13-amd64."""
    return "linux-source-" + re.match(r"\d+\.\d+", release)[0]


def _step(tree, what, script, binds=()):
    done = tree.chroot(["sh", "-euc", script], binds, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        raise RigError(f"the debug kernel: {what} failed:\n"
                       + "\n".join(done.stdout.splitlines()[-40:]))


def _build(temporary, release, version):
    tree = debian.Root(temporary)
    package = _source_package(release)
    try:
        debian.bootstrap(tree.tree, [*PACKAGES, f"{package}={version}"], ["path-exclude=/usr/share/doc/*"])
    except RigError as error:
        if package in str(error):
            error.args = (f"{error}\nIf the archive has a newer version than the guests' kernel "
                          f"({version}), 'tools/vm build --refresh' takes that for both.",)
        raise
    for inside in ("build/source", "rig"):
        os.makedirs(f"{tree.tree}/{inside}")
    excluded = " ".join(f"--exclude='*/{path}'" for path in UNPACK_EXCLUDED)
    _step(tree, "unpacking", f"tar -xf /usr/src/{package}.tar.xz -C /build/source "
                             f"--strip-components=1 {excluded}")
    _step(tree, "the build", f"JOBS={os.cpu_count()}\n{BUILD}", [(RIG, "/rig", False)])
    result = os.path.join(temporary, "tree", "build", "result")
    for name in os.listdir(result):
        os.rename(os.path.join(result, name), os.path.join(temporary, name))
    shutil.rmtree(tree.tree)


def get(root):
    """The debug kernel for @root; built if there is none (10 minutes on two processors)."""
    version = root.stock_version()
    cache = cache_dir()
    key = digest(version, read_bytes(CONFIG), PACKAGES, UNPACK_EXCLUDED, BUILD)
    path = os.path.join(cache, "kernel-" + key)
    with locked(os.path.join(cache, "kernel.lock"), "building the debug kernel"):
        if not os.path.exists(path):
            debian.clean(cache, "kernel-", path)
            say(f"building a debug kernel from Debian's source {version} into {path} "
                "(once; some 10 minutes on two processors)")
            start = time.monotonic()
            temporary = path + ".tmp"
            os.mkdir(temporary)
            try:
                _build(temporary, root.stock_kernel().release, version)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            os.rename(temporary, path)
            say(f"built it in {time.monotonic() - start:.0f} s")
        replace_file(os.path.join(path, "used"), "")
    release = read_bytes(os.path.join(path, "release")).decode().strip()
    return debian.Kernel("debug", release, f"{path}/bzImage", f"{path}/lib/modules/{release}",
                         "/opt", [(f"{path}/build", "/opt", False)], SLOWNESS)
