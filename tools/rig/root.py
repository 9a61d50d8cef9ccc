# SPDX-License-Identifier: MIT
"""The Debian root: one tree, compiler and guest at once.

The project is compiled inside the tree (chroot), against the very headers and
libraries that the guest then runs. The guest sees the tree as a read-only erofs
image: that has no size limit to guess and takes a second to write, and a guest
reads only what it uses, so a compiler inside it costs no boot time.

How fast it boots, and what else was tried, stands at root_arguments() in guest.py.

A root is keyed by its recipe: this file and the suite. It is built under another
name and renamed when whole, so a half-built one is never used.
"""

import glob
import lzma
import os
import re
import shutil
import subprocess
import time

from . import apt
from .common import (EXIT_SKIPPED, NAMESPACE, RigError, cache_dir, die_with_parent,
                     digest, locked, read_bytes, replace_file, say)

SUITE = "trixie"

PACKAGES = """
linux-image-amd64 linux-headers-amd64
gcc libc6-dev make meson ninja-build pkgconf sparse erofs-utils
libevent-dev libudev-dev libdrm-dev libjson-c-dev libexpat1-dev libxml2-dev libnuma-dev check libsubunit-dev
systemd udev kmod pciutils procps iproute2 util-linux socat jq python3 strace numactl
busybox-static less bash
""".split()

# The kernel comes from backports, with all that it pulls in.
PREFERENCES = f"""Package: linux-*
Pin: release n={SUITE}-backports
Pin-Priority: 990
"""

# Modules that no guest here can use. Without them depmod takes 1 s and not 6, and
# udev finds less to load at boot.
MODULES_KEPT = """
acpi base block char cxl dax dma dma-buf gpu i2c infiniband iommu md misc nvdimm nvme
pci vfio vhost virtio
""".split()
MODULES_DROPPED = """
sound drivers/gpu/drm/amd drivers/gpu/drm/i915 drivers/gpu/drm/nouveau drivers/gpu/drm/xe
drivers/gpu/drm/radeon drivers/infiniband/hw drivers/i2c/busses net/netfilter net/mac80211
net/bluetooth net/wireless net/sched arch/x86/kvm
""".split()

DPKG_OPTIONS = [
    "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/locale/*",
    # The rig makes its own, smaller initramfs.
    "path-exclude=/etc/kernel/postinst.d/initramfs-tools",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/*",
    *(f"path-include=/usr/lib/modules/*/kernel/drivers/{d}/*" for d in MODULES_KEPT),
    *(f"path-exclude=/usr/lib/modules/*/kernel/{d}/*" for d in MODULES_DROPPED),
]

UNUSED_DAYS = 1


class Kernel:
    """A kernel to build for and to boot: the stock one, or an own build (debug.py)."""

    def __init__(self, name, release, image, modules, headers, binds=(), slowness=1):
        self.name = name
        self.release = release    # as uname -r
        self.image = image        # bzImage, on the host
        self.modules = modules    # its modules directory, on the host
        self.headers = headers    # what kbuild wants after -C, inside the root
        self.binds = list(binds)  # what the root lacks for that: as for Root.chroot()
        self.slowness = slowness  # how many times as long as on the stock one all takes


class Root:
    def __init__(self, path):
        self.path = path
        self.tree = os.path.join(path, "tree")
        self.image = os.path.join(path, "root.erofs")

    def stock_kernel(self):
        releases = sorted(os.listdir(f"{self.tree}/usr/lib/modules"))
        release = releases[-1]
        return Kernel("stock", release, f"{self.tree}/boot/vmlinuz-{release}",
                      f"{self.tree}/usr/lib/modules/{release}",
                      f"/usr/src/linux-headers-{release}")

    def stock_version(self):
        """The version of the source that the stock kernel was built from."""
        headers = f"linux-headers-{self.stock_kernel().release}"
        with open(f"{self.tree}/var/lib/dpkg/status", encoding="utf-8") as f:
            for package in f.read().split("\n\n"):
                if package.startswith(f"Package: {headers}\n"):
                    return re.search(r"^Version: (\S+)", package, re.M)[1]
        raise RigError(f"no package {headers} in {self.tree}")

    def chroot(self, argv, binds, **options):
        """Runs @argv inside the tree, in namespaces of its own.

        @binds: (host path, path inside, writable). The mount commands run in a
        shell inside the namespace, so they vanish with it.
        """
        script = ["set -e", "umask 022", f"cd {_q(self.tree)}",
                  "mount -t proc proc proc", "mount --rbind /dev dev",
                  "mount -t tmpfs -o mode=1777 tmpfs tmp"]
        for host, inside, writable in binds:
            target = _q("." + inside)
            script.append(f"mount --bind {_q(host)} {target}")
            if not writable:
                script.append(f"mount -o remount,bind,ro {target}")
        script.append('exec chroot . "$@"')
        command = NAMESPACE + ["sh", "-c", "\n".join(script), "sh"] + argv
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8",
               "TERM": os.environ.get("TERM", "dumb")}
        return subprocess.run(command, env=env, preexec_fn=die_with_parent, **options)


def _q(text):
    return "'" + text.replace("'", "'\\''") + "'"


def require_tools():
    missing = [t for t in ("mmdebstrap", "qemu-system-x86_64", "unshare") if not shutil.which(t)]
    if missing:
        raise RigError(f"skipped: not installed here: {', '.join(missing)} "
                       "(Debian packages mmdebstrap, qemu-system-x86, util-linux)", EXIT_SKIPPED)
    if os.geteuid():
        raise RigError("skipped: the rig builds in a chroot and so needs root", EXIT_SKIPPED)


def bootstrap(tree, packages, dpkg_options=()):
    """Makes a Debian tree; what is pinned to backports and the archives are the same for all."""
    command = [*NAMESPACE, "mmdebstrap", "--variant=apt", "--mode=root", "--format=directory",
               "--architectures=amd64",
               '--aptopt=Apt::Install-Recommends "false"',
               '--aptopt=Acquire::Languages "none"']
    command += [f"--aptopt={o.rstrip(';')}" for o in apt.options()]
    command += [f"--dpkgopt={o}" for o in dpkg_options]
    preferences = PREFERENCES.replace("\n", "\\n")
    command += ['--setup-hook=mkdir -p "$1/etc/apt/preferences.d" && '
                f'printf "{preferences}" > "$1/etc/apt/preferences.d/rig"',
                "--include=" + ",".join(packages), SUITE, tree]
    command += apt.archive_lines(SUITE)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", preexec_fn=die_with_parent)
    if done.returncode:
        raise RigError("mmdebstrap failed:\n" + "\n".join(done.stdout.splitlines()[-25:]))


def _finish(path):
    """Unpacked modules load faster under TCG; their paths change, so depmod."""
    root = Root(path)
    kernel = root.stock_kernel()
    for packed in glob.glob(f"{kernel.modules}/**/*.ko.xz", recursive=True):
        with open(packed[:-3], "wb") as f:
            f.write(lzma.decompress(read_bytes(packed)))
        os.unlink(packed)
    for inside in ("src", "out", "fabric"):
        os.mkdir(f"{root.tree}/{inside}")
    os.mkdir(f"{kernel.modules}/updates")
    script = (f"depmod -a {kernel.release} && mkfs.erofs --quiet --exclude-regex="
              "'^(out|src|proc|sys|dev|tmp|var/lib/apt|var/cache)/.*' /out/root.erofs /")
    done = root.chroot(["sh", "-c", script], [(path, "/out", True)], capture_output=True, text=True)
    if done.returncode:
        raise RigError(f"the root image could not be written:\n{done.stderr}")


def clean(cache, prefix, keep):
    """With the lock held: leftovers of killed builds, and roots or kernels out of use."""
    for name in os.listdir(cache):
        path = os.path.join(cache, name)
        if not name.startswith(prefix) or path == keep or not os.path.isdir(path):
            continue
        used = os.path.join(path, "used")
        age = time.time() - (os.path.getmtime(used) if os.path.exists(used) else 0)
        if ".tmp" in name or age > UNUSED_DAYS * 86400:
            say(f"removing {path}")
            shutil.rmtree(path, ignore_errors=True)


def get(refresh=False):
    """The root of this recipe; bootstrapped if there is none (about a minute)."""
    require_tools()
    cache = cache_dir()
    path = os.path.join(cache, "root-" + digest(SUITE, read_bytes(__file__)))
    with locked(os.path.join(cache, "root.lock"), "bootstrapping a root"):
        if refresh or not os.path.exists(path):
            clean(cache, "root-", None if refresh else path)
            say(f"bootstrapping Debian {SUITE} into {path} (once; about a minute)")
            start = time.monotonic()
            temporary = path + ".tmp"
            os.mkdir(temporary)
            try:
                bootstrap(os.path.join(temporary, "tree"), PACKAGES, DPKG_OPTIONS)
                _finish(temporary)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            if os.path.exists(path):
                shutil.rmtree(path)
            os.rename(temporary, path)
            say(f"bootstrapped in {time.monotonic() - start:.0f} s")
        replace_file(os.path.join(path, "used"), "")
    return Root(path)
