# SPDX-License-Identifier: MIT
"""One guest: a QEMU process and the agent in it."""

import os
import selectors
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from . import klog
from .common import EXIT_FAILED, RigError, die_with_parent, read_bytes
from .control import Control, vram_backend, vram_file

BOOT_TIMEOUT_S = {"kvm": 60, "tcg": 180}
KILL_GRACE_S = 10
FRAME_MAX = 65536
PREFIX = "fabric-vm-"


class BootFailed(Exception):
    """The guest ended, or was silent for too long, before its agent said hello."""


class GuestDied(Exception):
    """The guest ended while it was wanted."""


class Timeout(Exception):
    def __init__(self, stuck):
        super().__init__("timed out")
        self.stuck = stuck  # even SIGKILL did not end it: the guest is of no more use


class Result:
    def __init__(self, status, signal, taint):
        self.status = status
        self.signal = signal
        self.taint = taint

    @property
    def code(self):
        """As a shell says it."""
        return 128 + self.signal if self.signal else self.status


def vram_of(machine):
    return {name: vram_file(gpu) for name, gpu in machine.gpus.items()}


def command_line(machine, build, accel, directory, vram_fds, icount=False, init=None):
    """QEMU's argument vector."""
    base = ["qemu-system-x86_64", "-name", f"fabric-{machine.name}",
            "-M", "q35,sata=off,smbus=off,usb=off", "-accel", accel,
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    if icount:
        # One instruction is one nanosecond, and idle time is skipped: guest time
        # no longer depends on this host.
        base += ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]

    words = ["console=ttyS0", "loglevel=8", "printk.devkmsg=on", "panic=-1",
             # What runs after an oops proves nothing and often hangs.
             "oops=panic"]
    if build.kernel.slowness > 1:
        # For timeouts inside the guest. An emulated processor is slow, not stuck. And each
        # fault is to be told, not the first alone.
        words += [f"rig.slowness={build.kernel.slowness}", "watchdog_thresh=60", "kasan_multi_shot",
                  # A cache without checks keeps free objects in sheaves (mm/slub.c), whose used
                  # slots go on pointing at what was allocated: kmemleak would find hardly a leak.
                  "slab_debug=F"]
    words += machine.append
    if init:
        words.append(f"rdinit={init}")
    base += ["-kernel", build.kernel.image, "-initrd", build.initramfs, "-append", " ".join(words)]

    base += machine.qemu_arguments()
    for gpu in machine.gpus.values():
        if gpu.absent:
            continue
        backend = vram_backend(gpu, f"{gpu.name}-vram", vram_fds[gpu.name])
        kind = backend.pop("qom-type")
        properties = ",".join(f"{k}={'on' if v is True else v}" for k, v in backend.items())
        base += ["-object", f"{kind},{properties}", "-device",
                 f"ivshmem-plain,id={gpu.name},bus={gpu.port},memdev={gpu.name}-vram"]

    # The kernel log has the serial port to itself (it must work in a panic); all
    # else goes over virtio, for a serial port traps on each byte.
    base += ["-chardev", f"file,id=klog,path={directory}/klog", "-serial", "chardev:klog"]
    base += root_arguments(build)
    base += ["-device", "virtio-rng-pci,bus=pcie.0,addr=0x1b",
             "-device", "virtio-serial-pci,id=ports,bus=pcie.0,addr=0x1c"]
    for name in ("agent", "rig"):
        base += ["-chardev", f"socket,id={name},path={directory}/{name},server=on,wait=off",
                 "-device", f"virtserialport,bus=ports.0,chardev={name},name=fabric.{name}"]
    base += ["-chardev", f"socket,id=qmp,path={directory}/qmp,server=on,wait=off",
             "-mon", "chardev=qmp,mode=control"]
    return base


def root_arguments(build):
    """The Debian tree and the stage, as images.

    QEMU start to agent, TCG single-threaded, machine `one`, median of 4: erofs 5.2 s
    (704 MiB), erofs with lz4 5.1 s (404 MiB, twice the time to write), ext4 5.2 s,
    9p of the tree 5.6 s. Of that, 2.0 s are firmware and kernel up to the mount; the
    rest is udev. 9p moreover pays a round trip for each file opened later.
    """
    args = []
    for i, image in enumerate((build.root.image, build.image)):
        args += ["-drive", f"if=none,id=disk{i},file={image},format=raw,readonly=on",
                 "-device", f"virtio-blk-pci,drive=disk{i},bus=pcie.0,addr={0x19 + i:#x}"]
    return args


def _remove_stale_directories():
    """Of rigs that were killed: the pid in the name is of nobody."""
    base = tempfile.gettempdir()
    for name in os.listdir(base):
        pid = name.removeprefix(PREFIX).split("-")[0]
        if name.startswith(PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)


class Guest:
    """Used as a context: the process and its files are gone afterwards."""

    def __init__(self, machine, build, accel, icount=False, init=None):
        self.machine = machine
        self.kernel = build.kernel
        self._icount = icount
        self._accel = accel
        # Short: the path of a unix socket has 107 bytes.
        _remove_stale_directories()
        self._directory = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        self._vram_fds = vram_of(machine)
        self._arguments = command_line(machine, build, accel, self._directory, self._vram_fds,
                                       icount, init)
        self._process = None
        self._agent = None
        self._control = None
        self._buffer = b""
        self.boot_seconds = None
        self.reports = []  # of `rig log`

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        for fd in self._vram_fds.values():
            os.close(fd)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def alive(self):
        return self._process is not None and self._process.poll() is None

    @property
    def klog(self):
        path = f"{self._directory}/klog"
        return read_bytes(path).decode(errors="replace") if os.path.exists(path) else ""

    # -- start and stop --------------------------------------------------------

    def start(self, on_log=None):
        begin = time.monotonic()
        limit = BOOT_TIMEOUT_S["kvm" if self._accel == "kvm" else "tcg"]
        limit *= self.kernel.slowness * (3 if self._icount else 1)
        limit = int(os.environ.get("FABRIC_BOOT_TIMEOUT_S", limit))
        self._stderr = open(f"{self._directory}/stderr", "wb")
        self._process = subprocess.Popen(
            self._arguments, stdin=subprocess.DEVNULL, stdout=self._stderr, stderr=self._stderr,
            pass_fds=list(self._vram_fds.values()), preexec_fn=die_with_parent)
        self._agent = self._connect("agent")
        self._control = Control(self.machine, self._vram_fds, self._connect("qmp"),
                                self._connect("rig"), on_log or self.reports.append,
                                self.kernel.slowness)
        self._control.start()
        try:
            kind, _ = self._read_frame(begin + limit)
        except GuestDied as error:
            raise BootFailed("the guest ended before its init") from error
        except TimeoutError as error:
            raise BootFailed(f"the guest said nothing for {limit} s") from error
        if kind != b"H":
            raise BootFailed("the agent did not start with hello")
        self.boot_seconds = time.monotonic() - begin

    def _connect(self, name):
        sock = socket.socket(socket.AF_UNIX)
        for _ in range(500):
            try:
                sock.connect(f"{self._directory}/{name}")
                return sock
            except (FileNotFoundError, ConnectionRefusedError):
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)
        message = read_bytes(f"{self._directory}/stderr").decode(errors="replace").strip()
        raise RigError(f"QEMU did not start: {message or 'no message'}", EXIT_FAILED)

    def stop(self):
        """Asks the guest to power off; ends it if it does not, or never came up."""
        if not self._process:
            return
        if self._process.poll() is None and self.boot_seconds is not None:
            try:
                self._send(b"P")
                self._process.wait(KILL_GRACE_S * self.kernel.slowness)
            except (OSError, subprocess.TimeoutExpired, GuestDied):
                pass
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._control:
            self._control.stop()
        self._stderr.close()
        self._process = None

    # -- frames ----------------------------------------------------------------

    def _send(self, kind, payload=b""):
        try:
            self._agent.sendall(kind + struct.pack("<I", len(payload)) + payload)
        except OSError as error:
            raise GuestDied from error

    def _receive(self):
        try:
            data = self._agent.recv(1 << 18)
        except TimeoutError:
            raise
        except OSError as error:
            raise GuestDied from error
        if not data:
            raise GuestDied
        self._buffer += data

    def _frames(self):
        """The frames that are complete in the buffer, each taken out before it is given
        away: the caller may stop in the middle."""
        while len(self._buffer) >= 5:
            end = 5 + struct.unpack_from("<I", self._buffer, 1)[0]
            if len(self._buffer) < end:
                return
            frame, self._buffer = self._buffer[:end], self._buffer[end:]
            yield frame[:1], frame[5:]

    def _read_frame(self, deadline):
        """One frame, while nothing else can come (before the first command)."""
        while True:
            for frame in self._frames():
                return frame
            self._agent.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                self._receive()
            finally:
                self._agent.settimeout(None)

    # -- commands --------------------------------------------------------------

    def mark(self, text):
        """A line in the kernel log; see klog.py."""
        self._send(b"M", f"<6>rig: {text}\n".encode())

    def sysrq(self, key):
        self._send(b"S", key.encode())

    def resize(self, rows, columns):
        self._send(b"W", struct.pack("<HH", rows, columns))

    def send_input(self, data):
        for i in range(0, len(data), 4096):
            self._send(b"I", data[i:i + 4096])

    def run(self, argv, on_output, timeout=None, terminal=None, watch=None):
        """Runs one command.

        @on_output: called with 1 or 2 and bytes. @terminal: (rows, columns) for a
        pty. @watch: (fd, callable) to serve meanwhile. Return: a Result. Raises
        Timeout (the command was killed) or GuestDied.
        """
        rows, columns = terminal or (0, 0)
        payload = struct.pack("<BHH", bool(terminal), rows, columns)
        payload += b"".join(os.fsencode(a) + b"\0" for a in argv)
        if len(payload) > FRAME_MAX:
            raise RigError("the command is too long for the agent (64 KiB)")
        self._send(b"X", payload)

        selector = selectors.DefaultSelector()
        selector.register(self._agent, selectors.EVENT_READ)
        if watch:
            selector.register(watch[0], selectors.EVENT_READ)
        deadline = time.monotonic() + timeout if timeout else None
        timed_out = False
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                if timed_out:
                    raise Timeout(stuck=True)
                timed_out = True
                # What everybody waits for, before it goes.
                self.sysrq("w")
                self._send(b"K", b"\x0f")
                time.sleep(0.5 * self.kernel.slowness)
                self._send(b"K", b"\x09")
                deadline = time.monotonic() + KILL_GRACE_S * self.kernel.slowness
                continue
            for key, _ in selector.select(left):
                if watch and key.fd == watch[0]:
                    watch[1]()
                    continue
                self._receive()
            for kind, data in self._frames():
                if kind == b"O":
                    on_output(1, data)
                elif kind == b"E":
                    on_output(2, data)
                elif kind == b"F":
                    raise RigError(f"the agent refused: {data.decode()}")
                elif kind == b"C":
                    if timed_out:
                        raise Timeout(stuck=False)
                    how, number, _, taint = data.decode().split()
                    return Result(int(number) if how == "exit" else None,
                                  int(number) if how == "signal" else None,
                                  int(taint) if taint.isdigit() else 0)

    def wait_klog(self, text, seconds=5):
        """The log is written by QEMU, beside the agent's port: wait for a marker."""
        end = time.monotonic() + seconds * self.kernel.slowness
        while text not in self.klog and time.monotonic() < end:
            time.sleep(0.02)

    def wait_dead(self, seconds=10):
        """After GuestDied: let QEMU write the rest of the log."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def last_words(self):
        return klog.tail(self.klog)
