# SPDX-License-Identifier: MIT
"""The command line of tools/vm."""

import argparse
import os
import shlex
import signal
import sys

from . import accel, build as builder, guest, machine as machines, session
from .common import EXIT_FAILED, RigError, cache_dir, say

DESCRIPTION = """\
Builds the checkout inside a Debian tree and runs it in QEMU guests on Debian's kernel.

  tools/vm build                             first time: about a minute for the Debian tree
  tools/vm run -- fabricctl topology         one command in a fresh guest
  tools/vm run --machine mixed -- sh -c 'modprobe softgpu && ls /sys/class/drm_fabric'
  tools/vm test demo tests/vm/migrate evict  several TAP programs in one guest
  tools/vm shell --machine hotplug-fast      for people
  tools/vm machine demo                      what a machine file comes to
"""

EPILOG = """\
in the guest:
  /usr                what 'meson install' put there, over a Debian trixie; modules of kmod/
                      are in /usr/lib/modules/*/updates: modprobe drm_fabric (none is loaded,
                      and udev does not load them)
  /fabric/tests       tests/vm of the checkout     /fabric/tools   scripts of tools/
  /fabric/build       programs of the meson build, by their path in it
  rig                 speaks to the host: hot-plug and the like; see rig --help there
  All is writable and forgotten at the end. No network but loopback; systemd-udevd runs, systemd
  does not. What a command leaves running is killed when it ends.

exit status:
  that of the command (128 + N for signal N), or
  0 done   1 failed: a test, the kernel log, a leak (--debug), a build   2 wrong usage or machine file
  75 the guest died before its init, three times       77 skipped: a tool or right is absent
  124 timed out

environment:
  FABRIC_CACHE            where trees, kernels and builds are kept; default ~/.cache/drm-fabric
  FABRIC_BOOT_TIMEOUT_S   silence after which a boot counts as failed; default 60 KVM, 180 TCG
"""


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog):
        super().__init__(prog, width=100, max_help_position=28)


def _parser():
    parser = argparse.ArgumentParser(prog="tools/vm", description=DESCRIPTION, epilog=EPILOG,
                                     formatter_class=_Help)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, words, **options):
        return verbs.add_parser(name, help=words, description=words, formatter_class=_Help, **options)

    def building(p):
        p.add_argument("--debug", action="store_true",
                       help="on a debug kernel (KASAN, lockdep, kmemleak, fault injection), which is built "
                            "once, in some 10 minutes; timeouts grow with it")
        p.add_argument("--parts", default=",".join(builder.PARTS), metavar="LIST",
                       help="what to build: kmod,user (default both); a part left out keeps "
                            "the state of its last build")
        # The rig's own tests: with the module that misbehaves.
        p.add_argument("--plant", action="store_true", help=argparse.SUPPRESS)

    def booting(p, with_machine=True):
        building(p)
        if with_machine:
            p.add_argument("--machine", default="one", metavar="FILE",
                           help="name in tests/vm/machines or a path; default: one")
        p.add_argument("--cpu", metavar="MODEL", help="instead of the machine file's, e.g. EPYC")
        p.add_argument("--icount", action="store_true",
                       help="deterministic guest time: one instruction is one nanosecond (slower)")
        p.add_argument("--no-build", action="store_true", help="use what the last build left")
        p.add_argument("--keep-log", metavar="FILE", help="write the kernel log there")

    p = verb("build", "make the Debian tree if there is none, compile the checkout inside it")
    building(p)
    p.add_argument("--refresh", action="store_true",
                   help="make the Debian tree anew, for newer packages or a newer kernel")

    p = verb("run", "run one command in a fresh guest; its output and exit status are this one's")
    booting(p)
    p.add_argument("--timeout", type=float, metavar="S", help="for the command; default: none")
    p.add_argument("command", nargs="+", metavar="COMMAND [ARG...]", help="after --")

    p = verb("test", "run TAP programs in one guest, one after another; TAP comes out",
             epilog="A script may ask for more time by a line '# rig: timeout=SECONDS' near its top. "
                    "If a test takes the guest down, the rest runs in a new one.")
    booting(p, with_machine=False)
    p.add_argument("--timeout", type=float, default=120, metavar="S",
                   help="for each test that does not say its own; default 120")
    p.add_argument("--load", action="store_true", help="modprobe softgpu before the first test")
    p.add_argument("--env", action="append", default=[], metavar="NAME=VALUE",
                   help="in the tests' environment; may be given more than once")
    p.add_argument("machine", metavar="MACHINE")
    p.add_argument("tests", nargs="+", metavar="TEST",
                   help="tests/vm/NAME, NAME there, a path in the meson build, or an absolute "
                        "path in the guest")

    p = verb("shell", "a root shell in a guest; Ctrl-] leaves")
    booting(p)
    p.add_argument("--load", action="store_true", help="modprobe softgpu first")
    p.add_argument("command", nargs="*", metavar="COMMAND [ARG...]",
                   help="in place of a login shell, on the terminal, after --")

    p = verb("machine", "show a machine: its tree, and QEMU's command line",
             epilog=machines.SYNTAX)
    p.add_argument("machine", nargs="?", metavar="FILE", help="default: list the names")
    p.add_argument("--cpu", metavar="MODEL", help="instead of the machine file's")

    p = verb("chroot", "run a command in the Debian tree on this host: checkout at /src "
                       "(read-only), build output at /out; for checks such as sparse")
    building(p)
    p.add_argument("command", nargs="+", metavar="COMMAND [ARG...]", help="after --")
    p = verb("where", "print the Debian tree, the build output, the kernel's headers, QEMU's accelerator")
    building(p)
    return parser


def _parts(args):
    parts = [x for x in args.parts.split(",") if x]
    for part in parts:
        if part not in builder.PARTS:
            raise RigError(f"--parts: unknown part '{part}'; known are {', '.join(builder.PARTS)}", 2)
    return parts


def _options(args):
    machine = machines.load(args.machine)
    if args.cpu:
        machine.cpu = args.cpu
    build = builder.prepare(args.debug, args.plant)
    if args.no_build:
        build.require()
    else:
        build.update(_parts(args))
    # Instructions are only counted under TCG.
    chosen = accel.TCG if args.icount else accel.choose(build)
    return session.Options(machine, build, chosen, args.icount, args.keep_log)


def verb_build(args):
    builder.prepare(args.debug, args.plant, args.refresh).update(_parts(args))
    return 0


def verb_run(args):
    return session.run(_options(args), args.command, args.timeout)


def verb_test(args):
    options = _options(args)
    options.load, options.env = args.load, args.env
    return session.test(options, session.find_tests(options.build, args.tests, args.timeout))


def verb_shell(args):
    command = args.command or session.LOGIN
    if args.load:
        command = ["sh", "-c", 'modprobe softgpu; exec "$@"', "sh"] + command
    return session.shell(_options(args), command)


def verb_machine(args):
    if not args.machine:
        for name in sorted(os.listdir(machines.MACHINES)):
            print(f"{name:14} {machines.load(name).about}")
        return 0
    machine = machines.load(args.machine)
    if args.cpu:
        machine.cpu = args.cpu
    print(machine.tree() + "\n")

    class Shown:
        """Names in place of files: nothing has to be built to be read."""
        image, initramfs = "STAGE.erofs", "INITRAMFS"
        root = kernel = type("", (), {"image": "ROOT.erofs"})
    Shown.kernel = type("", (), {"image": "BZIMAGE", "slowness": 1})

    argv = guest.command_line(machine, Shown, "ACCELERATOR", "DIRECTORY",
                              {name: f"FD_{name}" for name in machine.gpus})
    line = argv[0]
    for word in argv[1:]:
        line += (" \\\n  " if word.startswith("-") else " ") + shlex.quote(word)
    print(line)
    return 0


def verb_chroot(args):
    return builder.prepare(args.debug, args.plant).run(args.command).returncode


def verb_where(args):
    build = builder.prepare(args.debug, args.plant)
    print(f"tree    {build.root.tree}\noutput  {build.path}\n"
          f"kernel  {build.kernel.release}\nheaders {build.kernel.headers} (in the tree)\n"
          f"cache   {cache_dir()}\naccel   {accel.choose(build)}")
    return 0


def main():
    args = _parser().parse_args()
    # An end by signal must still stop the guest and remove its files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
    try:
        return globals()[f"verb_{args.verb}"](args)
    except RigError as error:
        say(str(error))
        return error.code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output left, e.g. head(1).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
