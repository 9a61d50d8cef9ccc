# SPDX-License-Identifier: MIT
"""Which accelerator QEMU gets: KVM where a guest really boots under it.

A /dev/kvm that can be opened proves little (nested, filtered, broken); so a guest
is booted once with it, and the answer is kept until this host boots again.
"""

import os
import subprocess

from .common import cache_dir, die_with_parent, read_bytes, replace_file, say

PROBE_TIMEOUT_S = 20

# Never thread=multi: on QEMU 7.2 two vCPU threads race on patched kernel text, and
# 1 boot in 20 panics at 1.2 s with "int3" (none in 25 single-threaded boots). The
# speed is the same here: guests are mostly serial.
TCG = "tcg,thread=single"


def _kvm_boots(build):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = ["qemu-system-x86_64", "-M", "q35", "-accel", "kvm", "-cpu", "host", "-m", "512M",
               "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
               "-serial", "stdio", "-kernel", build.kernel.image, "-initrd", build.initramfs,
               "-append", "console=ttyS0 panic=-1 rig.probe"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PROBE_TIMEOUT_S, preexec_fn=die_with_parent)
    except subprocess.TimeoutExpired:
        return False
    return b"rig: probe: booted" in done.stdout


def choose(build):
    """The argument of -accel."""
    boot_id = read_bytes("/proc/sys/kernel/random/boot_id").decode().strip()
    path = os.path.join(cache_dir(), "kvm")
    if os.path.exists(path):
        words = read_bytes(path).decode().split()
        if len(words) == 2 and words[0] == boot_id:
            return "kvm" if words[1] == "yes" else TCG
    answer = _kvm_boots(build)
    replace_file(path, f"{boot_id} {'yes' if answer else 'no'}\n")
    say("guests run under KVM" if answer else
        "KVM does not boot a guest here; guests run under TCG (about ten times slower)")
    return "kvm" if answer else TCG
