# SPDX-License-Identifier: MIT
"""tools/check: the rungs, in order. Each says aloud what it leaves out and why."""

import argparse
import os
import sys
import time

import bench
import host
import guest
import style
from report import Report

RUNGS = {
    "style": ("sources: formatting, licences, kernel style", style.run_style),
    "host": ("userspace on this machine: plain build, all its tests", host.run_plain),
    "asan": ("the same with address and undefined-behaviour sanitizers", host.run_asan),
    "ndebug": ("compiles without assertions", host.run_ndebug),
    "kmod": ("what guests run is built in the Debian tree; sparse and W=1 on the modules", guest.run_build),
    "rig": ("the rig itself, with planted faults", guest.run_rig),
    "kernel": ("tests/vm in guests, as tests/vm/tests.list says", guest.run_kernel),
    "bench": ("tools/bench runs, and its output is well-formed; nothing is timed", bench.run_bench),
    "demo": ("the demonstration, also with a planted corruption", guest.run_demo),
}

DEBUG_RUNGS = {"debug": ("tests/vm on a debug kernel: KASAN, lockdep, kmemleak and more", guest.run_debug)}


def parse():
    parser = argparse.ArgumentParser(
        prog="tools/check", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs every test: a line for each, and the count at the end. As root, on Debian 12 or 13;\n"
                    "installs the packages that it needs.",
        epilog="rungs, in this order:\n" + "".join(f"  {n:8} {about}\n" for n, (about, _) in RUNGS.items())
               + "\nTEST_SEED=N in the environment repeats a run's random choices; each run prints its own.\n"
                 "exit status: 0 all passed or skipped   1 a test failed   2 wrong usage\n"
                 "             77 nothing that was asked for can run here")
    parser.add_argument("--soak", action="store_true", help="kernel tests with full counts (SOAK=1): hours")
    parser.add_argument("--debug", action="store_true",
                        help="the kernel tests on a debug kernel, with short loops, and nothing else: an hour or "
                        "two under TCG, 10 minutes more the first time")
    parser.add_argument("--no-install", action="store_true", help="install nothing")
    parser.add_argument("rungs", nargs="*", metavar="RUNG", help="only these; default: all")
    args = parser.parse_args()
    rungs = DEBUG_RUNGS if args.debug else RUNGS
    for name in args.rungs:
        if name not in rungs:
            parser.error(f"no rung '{name}'; there are {', '.join(rungs)}")
    return args


def main():
    args = parse()
    report = Report()
    seed = os.environ.setdefault("TEST_SEED", str(time.time_ns() % (1 << 32)))
    os.environ.setdefault("FABRIC_SEED", seed)  # what the unit tests call it
    report.say(f"seed {seed} (TEST_SEED={seed} repeats it)")
    if args.soak:
        os.environ["SOAK"] = "1"
    rungs = DEBUG_RUNGS if args.debug else RUNGS
    for name, (about, run) in rungs.items():
        if args.rungs and name not in args.rungs:
            continue
        report.say(f"{name}: {about}")
        start = time.monotonic()
        run(report)
        report.say(f"{name}: {time.monotonic() - start:.0f} s")
    return report.finish()


if __name__ == "__main__":
    # The reader of our output may be a pipe: lines as they come.
    sys.stdout.reconfigure(line_buffering=True)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
