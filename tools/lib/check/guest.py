# SPDX-License-Identifier: MIT
"""Rungs in guests, through tools/vm: as many at a time as the machine has processors and memory for."""

import concurrent.futures
import os
import re
import subprocess
import time

from common import CHECKOUT, VM
from report import SKIPPED, Part, run, tap

LIST = os.path.join(CHECKOUT, "tests", "vm", "tests.list")
TEST_TIMEOUT_S = 300
SOAK_FACTOR = 40
# Three attempts, and the way down.
BOOT_TIMEOUT_S = 600
DATA_BYTES = 256 << 20
# Of the largest machine, with what QEMU takes for itself.
GUEST_BYTES = 5 << 30
# The debug kernel: an upper bound of what the rig makes of a timeout there, and short loops.
DEBUG_FACTOR = 10
DEBUG_ENV = ["TEST_LOOPS=5", "REMOVALS=5"]
# They share a guest, for a boot takes over a minute; not all of a machine, so that guests can run side by side.
DEBUG_TESTS_A_GUEST = 5

# Sparse has the modules' sources in a copy: the checkout is read-only there. Two things that are not of ours are put
# right on the way: Debian's kbuild leaves out a script that only asks whether sparse can do anything, and sparse 0.6.4
# does not know __typeof_unqual__.
SPARSE = r"""
set -e
command -v sparse >/dev/null || { echo "no sparse in the Debian tree"; exit 77; }
mkdir /tmp/modules /tmp/scripts
cp -r /src/kmod /src/uapi /tmp/modules/
scripts=$(echo /usr/lib/linux-kbuild-*/scripts)
if [ ! -e "$scripts/checker-valid.sh" ]; then
	cp -a "$scripts/." /tmp/scripts/
	printf '#!/bin/sh\necho 1\n' >/tmp/scripts/checker-valid.sh
	chmod +x /tmp/scripts/checker-valid.sh
	mount --bind /tmp/scripts "$scripts"
fi
make -s -C "$(echo /usr/src/linux-headers-*-amd64)" M=/tmp/modules/kmod C=2 W=1 \
	CF=-D__typeof_unqual__=__typeof__ modules 2>&1
"""


def _sparse_is_behind(line):
    """The macros of module information assert with __builtin_strlen(), which is no constant for sparse 0.6.4."""
    match = re.match(r"(\S+):(\d+):\d+: error: bad constant expression", line)
    if not match:
        return False
    with open(os.path.join(CHECKOUT, "kmod", match[1]), encoding="utf-8") as f:
        return f.read().splitlines()[int(match[2]) - 1].startswith(("MODULE_", "module_param"))


_built = []


def _build(report, *options):
    """Once: what guests run. Returns whether it is there."""
    if not _built:
        done = run([VM, "build", *options])
        why = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no reason given"
        if done.returncode == SKIPPED:
            report.skip("guest/build", why)
        elif done.returncode:
            report.fail("guest/build", done.stdout)
        else:
            report.passed("guest/build")
        _built.append(not done.returncode)
        _built.append(why)
    return _built[0]


def build_or_skip(report, name, *options):
    if _build(report, *options):
        return True
    report.skip(name, f"guests have nothing to run: {_built[1]}")
    return False


def run_build(report):
    _build(report)
    done = run([VM, "chroot", "--", "sh", "-c", SPARSE])
    ours = [line for line in done.stdout.splitlines()
            if re.search(r"\b(warning|error):", line) and not _sparse_is_behind(line)]
    if done.returncode == SKIPPED:
        report.skip("kmod/sparse and W=1", done.stdout.strip())
    elif ours or done.returncode:
        report.fail("kmod/sparse and W=1", "\n".join(ours) or done.stdout)
    else:
        report.passed("kmod/sparse and W=1")


def run_rig(report):
    if build_or_skip(report, "rig"):
        tap(report, "rig", [os.path.join(CHECKOUT, "tests", "rig", "test-rig")], 1800)


def _listed():
    """(machine, test, options, NAME=VALUE...) of tests.list; options: cpu, timeout, nodebug."""
    with open(LIST, encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].split()
            if not words:
                continue
            machine, test, *rest = words
            options = {w.partition("=")[0]: w.partition("=")[2] for w in rest
                       if w.startswith(("cpu=", "timeout=")) or w == "nodebug"}
            yield machine, test, options, [w for w in rest if w.partition("=")[0] not in options]


def _all_listed(report, listed):
    """A test that nobody runs is no test."""
    folder = os.path.join(CHECKOUT, "tests", "vm")
    there = {f.removesuffix(".c") for f in os.listdir(folder) if f.startswith("test-")}
    forgotten = sorted(there - {test for _, test, _, _ in listed})
    if forgotten:
        report.fail("kernel/every test is in tests.list", "\n".join(forgotten))
    else:
        report.passed("kernel/every test is in tests.list")


def _n_at_a_time():
    """A guest has two processors. Without KVM they take turns on one."""
    n_processors = len(os.sched_getaffinity(0))
    if re.search(r"^accel +kvm", run([VM, "where"]).stdout, re.M):
        n_processors //= 2
    with open("/proc/meminfo", encoding="ascii") as f:
        available = int(re.search(r"^MemAvailable: +([0-9]+)", f.read(), re.M)[1]) << 10
    return max(1, min(n_processors, available // GUEST_BYTES))


def _tap_all(report, jobs):
    """Runs all of (name, argv, timeout, prefix) through tap(). Each reports when it has ended, as a whole."""
    def one(name, argv, timeout, prefix):
        part = Part()
        start = time.monotonic()
        tap(part, name, argv, timeout, prefix, cwd=CHECKOUT)
        part.say(f"{name}: {time.monotonic() - start:.0f} s")
        return part

    with concurrent.futures.ThreadPoolExecutor(_n_at_a_time()) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, *job) for job in jobs]):
            report.absorb(done.result())


def run_kernel(report):
    if not os.path.exists(LIST):
        report.fail("kernel/tests.list", "tests/vm/tests.list is missing")
        return
    listed = list(_listed())
    _all_listed(report, listed)
    if not build_or_skip(report, "kernel"):
        return
    soak = "SOAK" in os.environ
    jobs = []
    for machine, test, options, env in listed:
        cpu, timeout = options.get("cpu"), int(options.get("timeout", TEST_TIMEOUT_S))
        if soak:
            timeout *= SOAK_FACTOR
        name = f"kernel/{machine}{'/' + cpu if cpu else ''}/{test}" + "".join(f" {e}" for e in env)
        env = [*env, f"TEST_SEED={os.environ['TEST_SEED']}", *(["SOAK=1"] if soak else [])]
        jobs.append((name, [VM, "test", "--no-build", "--load", *(["--cpu", cpu] if cpu else []),
                            *(f"--env={e}" for e in env), "--timeout", str(timeout), machine,
                            os.path.join("tests", "vm", test)],
                     timeout + BOOT_TIMEOUT_S, f"{test}: "))
    _tap_all(report, jobs)


def run_debug(report):
    """Faults planted in a debug kernel, then tests.list on one. Lines that follow each other and have machine, processor
    and environment in common share a guest."""
    if not build_or_skip(report, "debug", "--debug"):
        return
    tap(report, "debug/rig", [os.path.join(CHECKOUT, "tests", "rig", "test-rig"), "--debug"], 3600)
    groups = []
    for machine, test, options, env in _listed():
        if "nodebug" in options:
            continue
        key = (machine, options.get("cpu"), env)
        if not groups or groups[-1][0] != key or len(groups[-1][1]) == DEBUG_TESTS_A_GUEST:
            groups.append((key, []))
        groups[-1][1].append((test, int(options.get("timeout", TEST_TIMEOUT_S))))
    jobs = []
    for (machine, cpu, env), tests in groups:
        name = f"debug/{machine}{'/' + cpu if cpu else ''}" + "".join(f" {e}" for e in env)
        # The rig knows how much slower the kernel is; here it is only that nothing hangs for ever.
        timeout = max(t for _, t in tests)
        env = [*env, *DEBUG_ENV, f"TEST_SEED={os.environ['TEST_SEED']}"]
        jobs.append((name, [VM, "test", "--debug", "--no-build", "--load", *(["--cpu", cpu] if cpu else []),
                            *(f"--env={e}" for e in env), "--timeout", str(timeout), machine,
                            *(os.path.join("tests", "vm", test) for test, _ in tests)],
                     DEBUG_FACTOR * (timeout * len(tests) + BOOT_TIMEOUT_S), ""))
    _tap_all(report, jobs)


def _demo(report, name, arguments, code, last):
    start = time.monotonic()
    done = run([os.path.join(CHECKOUT, "tools", "demo"), "--no-install", *arguments], 900)
    line = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    if done.returncode == SKIPPED:
        report.skip(name, line)
    elif done.returncode != code or not re.fullmatch(last, line):
        report.fail(name, f"{done.stdout}\nexit status {done.returncode}, expected {code}; expected last line: {last}")
    else:
        report.passed(name)
    report.say(f"{name}: {line} ({time.monotonic() - start:.0f} s)")


def run_demo(report):
    if not build_or_skip(report, "demo"):
        return
    figures = r"devices=4 groups=2 moved_bytes=\d+ lost_bytes={} remove_ms=\d+ unplug_ms=\d+"
    _demo(report, "demo/passes", [], 0, "demo: PASS " + figures.format(0))
    _demo(report, "demo/passes on EPYC", ["--cpu", "EPYC"], 0, "demo: PASS " + figures.format(0))
    _demo(report, "demo/a planted corruption fails it", ["--sabotage"], 1,
          "demo: FAIL " + figures.format(1) + rf": 1 of {DATA_BYTES} bytes differ after the removal of \S+")
