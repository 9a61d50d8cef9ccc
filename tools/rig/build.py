# SPDX-License-Identifier: MIT
"""From a checkout to what a guest sees.

Each checkout has a directory in the cache (so the checkout stays clean) with:
  kmod/   output of kbuild (MO=)      meson/       output of meson
  stage/  the tree laid over the Debian root in the guest, and stage.erofs, the same as an image
  initramfs.cpio                      build.log    of the last build

Everything is incremental; with nothing changed a build is a few stat calls, one
no-op make and one no-op ninja.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import time

from . import debug as debug_kernel, root as debian
from .common import (CHECKOUT, GUEST, EXIT_FAILED, RigError, cache_dir, digest, locked,
                     read_bytes, replace_file, say)
from .cpio import Cpio

PARTS = ("kmod", "user")
INITRAMFS_MODULES = ("virtio_blk", "virtio-rng", "erofs", "overlay")

# udev would load softgpu for the device ids that it finds at boot; tests decide
# themselves. `modprobe softgpu` is not affected by a blacklist line.
MODPROBE_CONF = "blacklist drm_fabric\nblacklist softgpu\n"


class Build:
    def __init__(self, root, kernel, checkout=CHECKOUT, plant=False):
        self.root = root
        self.kernel = kernel
        self.checkout = checkout
        # The rig's own tests add a module that misbehaves; it stays out of
        # everybody else's guest.
        self.plant = plant
        name = os.path.basename(checkout) + "-" + digest(checkout, kernel.name, plant)[:8]
        self.path = os.path.join(cache_dir(), "trees", name)
        os.makedirs(self.path, exist_ok=True)
        self.stage = os.path.join(self.path, "stage")
        self.image = os.path.join(self.path, "stage.erofs")
        self.initramfs = os.path.join(self.path, "initramfs.cpio")
        self.log = os.path.join(self.path, "build.log")
        # There while the meson build is whole; else a guest gets no userspace.
        self._installable = os.path.join(self.path, "meson.whole")

    def update(self, parts=PARTS):
        with locked(os.path.join(self.path, "lock"), "building this checkout"):
            start = time.monotonic()
            replace_file(self.log, "")
            self._forget_other_root()
            self._agent()
            self._initramfs()
            if "kmod" in parts:
                self._kmod("kmod", "kmod")
                self._kmod("tests/bench/module", "bench")
            if "user" in parts:
                self._meson()
            if self.plant:
                self._kmod("tests/rig/plant", "plant")
            changed = self._stage()
            say(f"built in {time.monotonic() - start:.1f} s"
                + ("" if changed else " (nothing changed)"))

    def require(self):
        """For --no-build: what the last build left."""
        if not (os.path.exists(self.image) and os.path.exists(self.initramfs)):
            raise RigError("nothing is built yet; run 'tools/vm build'")

    # -- steps ---------------------------------------------------------------

    def run(self, argv, **options):
        """Runs @argv in the Debian root: checkout at /src (read-only), output at /out."""
        binds = [(self.checkout, "/src", False), (self.path, "/out", True), *self.kernel.binds]
        return self.root.chroot(argv, binds, **options)

    def _step(self, what, argv):
        done = self.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, text=True, errors="replace")
        # Compilers know the checkout as /src; people and editors do not.
        output = re.sub(r"(?<![\w/.])((\.\./)+|/)src/|^src/", "", done.stdout, flags=re.M)
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(argv)}\n{output}\n")
        if done.returncode:
            tail = "\n".join(output.splitlines()[-60:])
            raise RigError(f"{what} failed (all of it in {self.log}):\n{tail}", EXIT_FAILED)
        for line in output.splitlines():
            if "warning: " in line or "WARNING: " in line:
                say(f"{what}: {line}")
        return output

    def _forget_other_root(self):
        """Objects of another compiler or other headers are of no use."""
        marker = os.path.join(self.path, "root")
        key = " ".join([self.root.path, self.kernel.release, *(
            str(os.stat(f).st_ino) for f in (self.root.image, self.kernel.image))])
        if not os.path.exists(marker) or read_bytes(marker).decode() != key:
            for name in ("kmod", "bench", "plant", "meson", "meson.whole", "stage", "stage.key"):
                path = os.path.join(self.path, name)
                if os.path.isdir(path):
                    shutil.rmtree(path)
                elif os.path.exists(path):
                    os.unlink(path)
            replace_file(marker, key)

    def _agent(self):
        source, program = os.path.join(GUEST, "agent.c"), os.path.join(self.path, "agent")
        key, marker = digest(read_bytes(source)), os.path.join(self.path, "agent.key")
        if os.path.exists(marker) and read_bytes(marker).decode() == key and os.path.exists(program):
            return
        self._step("agent", ["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-static",
                             "/src/" + os.path.relpath(source, self.checkout), "-o", "/out/agent"])
        replace_file(marker, key)

    def _initramfs(self):
        """busybox, the modules between the kernel and the root, and a script."""
        script = read_bytes(os.path.join(GUEST, "initramfs-init"))
        busybox = read_bytes(f"{self.root.tree}/usr/bin/busybox")
        modules = [(os.path.basename(p), read_bytes(os.path.join(self.kernel.modules, p)))
                   for p in module_order(self.kernel.modules, INITRAMFS_MODULES)]
        cpio = Cpio()
        for name in ("bin", "dev", "proc", "modules"):
            cpio.directory(name)
        cpio.character_device("dev/console", 5, 1)
        cpio.file("init", script, 0o755)
        cpio.file("bin/busybox", busybox, 0o755)
        for name, content in modules:
            cpio.file(f"modules/{name}", content)
        cpio.file("modules/order", "".join(f"{n}\n" for n, _ in modules).encode())
        data = cpio.finish()
        if not os.path.exists(self.initramfs) or read_bytes(self.initramfs) != data:
            replace_file(self.initramfs, data)

    def _kmod(self, source, output):
        if not any(os.path.exists(os.path.join(self.checkout, source, f))
                   for f in ("Kbuild", "Makefile")):
            say(f"no {source}/Kbuild: no modules are built")
            return
        os.makedirs(os.path.join(self.path, output), exist_ok=True)
        self._step(source, ["make", "-C", self.kernel.headers, f"-j{os.cpu_count()}",
                            "--no-print-directory", f"M=/src/{source}", f"MO=/out/{output}",
                            "modules"])

    def _meson(self):
        if not os.path.exists(os.path.join(self.checkout, "meson.build")):
            say("no meson.build: no userspace is built")
            return
        # Without dpkg-dev meson would guess lib64, where no program looks.
        setup = ["meson", "setup", "--prefix=/usr", "--libdir=lib/x86_64-linux-gnu",
                 "/out/meson", "/src"]
        output, marker = os.path.join(self.path, "meson"), os.path.join(self.path, "meson.key")
        if not os.path.exists(marker) or read_bytes(marker).decode() != repr(setup):
            shutil.rmtree(output, ignore_errors=True)
        replace_file(marker, repr(setup))
        if not os.path.exists(os.path.join(output, "build.ninja")):
            self._step("meson", setup)
        if os.path.exists(self._installable):
            os.unlink(self._installable)
        self._step("ninja", ["ninja", "-C", "/out/meson"])
        replace_file(self._installable, "")

    # -- stage ---------------------------------------------------------------

    def _modules(self):
        """What kbuild built last, which excludes leftovers of sources that are gone."""
        for output in ("kmod", "bench", "plant"):
            order = os.path.join(self.path, output, "modules.order")
            if os.path.exists(order):
                for line in read_bytes(order).decode().split():
                    path = os.path.join(self.path, output, line.removesuffix(".o") + ".ko")
                    if os.path.exists(path):
                        yield path

    def _programs(self):
        """Programs and libraries of the meson build, by their place in it."""
        base = os.path.join(self.path, "meson")
        for folder, folders, names in os.walk(base):
            folders[:] = sorted(f for f in folders if not f.endswith(".p")
                                and not f.startswith("meson-"))
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.islink(path) or os.stat(path).st_mode & stat.S_IXUSR:
                    yield path, os.path.relpath(path, base)

    def _scripts(self):
        """Files of the checkout that guests run: (path, place below /fabric)."""
        places = [("tests/vm", "tests"), ("tools", "tools")]
        if self.plant:
            places.append(("tests/rig/guest", "tests/rig"))
        for source, target in places:
            for folder, folders, names in os.walk(os.path.join(self.checkout, source)):
                folders[:] = sorted(f for f in folders if f != "__pycache__" and
                                    os.path.join(folder, f) != os.path.join(self.checkout, "tools/rig"))
                for name in sorted(set(names) - {"vm", "meson.build"}):
                    if name.endswith((".c", ".h")):
                        continue
                    path = os.path.join(folder, name)
                    inside = os.path.relpath(path, os.path.join(self.checkout, source))
                    yield path, os.path.join(target, inside)

    def _stage_key(self):
        plan = os.path.join(self.path, "meson", "meson-info", "intro-installed.json")
        installed = []
        if os.path.exists(plan):
            with open(plan, encoding="utf-8") as f:
                installed = [p.replace("/src/", self.checkout + "/", 1).replace(
                    "/out/", self.path + "/", 1) for p in json.load(f)]
        paths = [self._installable, *self._modules(), *(p for p, _ in self._programs()),
                 *(p for p, _ in self._scripts()), *installed,
                 os.path.join(self.path, "agent"), __file__,
                 *(os.path.join(GUEST, n) for n in sorted(os.listdir(GUEST)))]
        facts = []
        for path in paths:
            try:
                s = os.stat(path)
            except FileNotFoundError:
                continue
            facts.append((path, s.st_mtime_ns, s.st_size, s.st_mode))
        return digest(repr(facts))

    def _stage(self):
        """Lays the stage out anew if one of its sources changed; returns whether."""
        key, marker = self._stage_key(), os.path.join(self.path, "stage.key")
        if os.path.exists(marker) and read_bytes(marker).decode() == key and \
                os.path.exists(self.image):
            return False
        if os.path.exists(marker):
            os.unlink(marker)
        shutil.rmtree(self.stage, ignore_errors=True)
        fabric = os.path.join(self.stage, "fabric")
        for name in ("tests", "build", "tools", "rig/bin"):
            os.makedirs(os.path.join(fabric, name))
        if os.path.exists(self._installable):
            self._step("meson install", ["env", "DESTDIR=/out/stage", "meson", "install",
                                         "-C", "/out/meson", "--no-rebuild", "--quiet"])
        for path, inside in self._programs():
            _copy(path, os.path.join(fabric, "build", inside))
        for path, inside in self._scripts():
            _copy(path, os.path.join(fabric, inside))
        _copy(os.path.join(self.path, "agent"), os.path.join(fabric, "rig/agent"))
        _copy(os.path.join(GUEST, "init"), os.path.join(fabric, "rig/init"))
        _copy(os.path.join(GUEST, "rig"), os.path.join(fabric, "rig/bin/rig"))
        os.makedirs(os.path.join(self.stage, "etc/modprobe.d"), exist_ok=True)
        replace_file(os.path.join(self.stage, "etc/modprobe.d/rig.conf"), MODPROBE_CONF)
        self._stage_modules()
        # A guest keeps the image that it opened; the next one gets the new.
        self._step("stage image", ["mkfs.erofs", "--quiet", "/out/stage.erofs.tmp", "/out/stage"])
        os.rename(self.image + ".tmp", self.image)
        replace_file(marker, key)
        return True

    def _stage_modules(self):
        """The modules, and indexes of all modules that count ours too."""
        modules = list(self._modules())
        release = self.kernel.release
        target = os.path.join(self.stage, "usr/lib/modules", release)
        updates = os.path.join(target, "updates")
        inside = f"/usr/lib/modules/{release}/updates"
        if not os.path.exists(f"{self.root.tree}/usr/lib/modules/{release}"):
            # A kernel that is not of the root: its own modules are on the stage as well.
            shutil.copytree(self.kernel.modules, target, symlinks=True)
            inside = "/usr/lib/modules"
        if not modules:
            return
        for path in modules:
            _copy(path, os.path.join(updates, os.path.basename(path)))
        staged = f"/out/stage{inside}"
        key = digest(staged, *(read_bytes(p) for p in modules))
        index, marker = os.path.join(self.path, "depmod"), os.path.join(self.path, "depmod.key")
        if not os.path.exists(marker) or read_bytes(marker).decode() != key:
            shutil.rmtree(index, ignore_errors=True)
            os.mkdir(index)
            self._step("depmod", ["sh", "-ec", f"""
                mount --bind {staged} {inside}
                depmod -a -o /out/depmod {release}"""])
            replace_file(marker, key)
        for folder, _, names in os.walk(index):
            for name in names:
                _copy(os.path.join(folder, name), os.path.join(os.path.dirname(updates), name))


def _copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def module_order(modules, names):
    """Paths of the modules @names and what they need, in loading order."""
    needs, by_name = {}, {}
    with open(os.path.join(modules, "modules.dep"), encoding="utf-8") as f:
        for line in f:
            path, _, rest = line.partition(":")
            needs[path] = rest.split()
            by_name[os.path.basename(path).removesuffix(".ko").replace("_", "-")] = path
    with open(os.path.join(modules, "modules.builtin"), encoding="utf-8") as f:
        builtin = {os.path.basename(p.strip()).removesuffix(".ko").replace("_", "-") for p in f}

    order = []

    def add(path):
        for need in reversed(needs[path]):
            add(need)
        if path not in order:
            order.append(path)

    for name in (n.replace("_", "-") for n in names):
        if name in by_name:
            add(by_name[name])
        elif name not in builtin:
            raise RigError(f"the kernel in {modules} has no module {name}")
    return order


def prepare(debug=False, plant=False, refresh=False):
    """The root, the kernel and the build directory of this checkout."""
    root = debian.get(refresh)
    if debug:
        return Build(root, debug_kernel.get(root), plant=plant)
    return Build(root, root.stock_kernel(), plant=plant)
