# SPDX-License-Identifier: MIT
"""What the verbs run, test and shell do with a guest, and how they judge it."""

import os
import re
import shutil
import signal
import sys
import termios
import tty

from . import klog, leaks, tap
from .common import (CHECKOUT, EXIT_BOOT, EXIT_FAILED, EXIT_TIMEOUT, EXIT_USAGE, RigError, say)
from .guest import BootFailed, Guest, GuestDied, Timeout

BOOT_ATTEMPTS = 3


class Options:
    """How guests are made, from the command line."""

    def __init__(self, machine, build, accel, icount=False, keep_log=None):
        self.machine = machine
        self.build = build
        self.accel = accel
        self.icount = icount
        self.keep_log = keep_log
        self.load = False  # tests: modprobe softgpu first
        self.env = []      # tests: NAME=VALUE


def _booted(options, for_a_person=False):
    """A guest that said hello. A death before that is the rig's trouble, not the
    test's: it is said, tried again, and has an exit code of its own."""
    # For the rig's own tests: a first process that does not exist.
    init = os.environ.get("FABRIC_RIG_RDINIT")
    for attempt in range(1, BOOT_ATTEMPTS + 1):
        guest = Guest(options.machine, options.build, options.accel, options.icount, init)
        try:
            guest.start(on_log=lambda text: say(f"guest: {text}"))
            if leaks.are_found(guest) and not for_a_person:
                why = leaks.baseline(guest)
                if why:
                    raise RigError(why)
            return guest
        except BootFailed as error:
            more = "trying again" if attempt < BOOT_ATTEMPTS else "giving up"
            say(f"boot failed (attempt {attempt} of {BOOT_ATTEMPTS}): {error}; {more}")
            last = guest.last_words()
            _keep(options, guest.klog)
            guest.__exit__()
        except BaseException:
            guest.__exit__()
            raise
    raise RigError("the guest died before its init each time; no test ran. End of its log:\n"
                   + last, EXIT_BOOT)


def _keep(options, log):
    if options.keep_log:
        with open(options.keep_log, "w", encoding="utf-8") as f:
            f.write(log)


def _end_of_log(guest):
    """Powers the guest off, so that the log is whole; returns it."""
    guest.stop()
    return guest.klog


def _complain(options, log, taint):
    """Says what is wrong in a kernel log; returns whether anything is."""
    bad = klog.scan(log)
    for line in bad:
        say(f"kernel log: {line.kind}: {line}")
    letters = klog.unexpected_taint(taint)
    if letters:
        say(f"kernel log: the kernel is tainted: {letters} (loading our modules explains O and E only)")
    if (bad or letters) and not options.keep_log:
        say("--keep-log FILE keeps the whole kernel log")
    return bool(bad or letters)


# -- run -------------------------------------------------------------------------

def run(options, argv, timeout):
    taint, code = 0, None

    def output(stream, data):
        target = sys.stdout.buffer if stream == 1 else sys.stderr.buffer
        target.write(data)
        target.flush()

    with _booted(options) as guest:
        say(f"booted in {guest.boot_seconds:.1f} s")
        try:
            result = guest.run(argv, output, timeout)
            code, taint = result.code, result.taint
        except Timeout as error:
            say(f"timed out after {timeout} s" + ("; not even SIGKILL ended it" if error.stuck else ""))
            code = EXIT_TIMEOUT
        except GuestDied:
            guest.wait_dead()
            say("the guest died while the command ran. End of its kernel log:\n" + guest.last_words())
            code = EXIT_FAILED
        leaked = leaks.final(guest) if leaks.are_found(guest) and guest.alive else None
        log = _end_of_log(guest)
    _keep(options, log)
    if leaked:
        say(f"left behind:\n{leaked}")
        code = code or EXIT_FAILED
    if _complain(options, log, taint) and not code:
        code = EXIT_FAILED
    return code


# -- test ------------------------------------------------------------------------

class Test:
    def __init__(self, name, path, timeout):
        self.name = name
        self.path = path  # in the guest
        self.timeout = timeout


def find_tests(build, names, timeout):
    """By checkout path (tests/vm/x), by name in tests/vm or the meson build, or by
    absolute path in the guest. A script may say `# rig: timeout=SECONDS` near its top."""
    tests = []
    for name in names:
        inside = os.path.relpath(os.path.abspath(name), CHECKOUT)
        candidates = [f"fabric/build/{name}", f"fabric/tests/{name}", name.lstrip("/")]
        if inside.startswith("tests/vm/"):
            candidates.insert(0, "fabric/tests/" + inside.removeprefix("tests/vm/"))
        for candidate in candidates:
            path = os.path.join(build.stage, candidate)
            if os.path.isfile(path) or name.startswith("/") and candidate == candidates[-1]:
                break
        else:
            raise RigError(f"no test '{name}' in tests/vm or the meson build", EXIT_USAGE)
        if os.path.isfile(path) and not os.access(path, os.X_OK):
            raise RigError(f"test '{name}' is not executable; chmod +x it", EXIT_USAGE)
        own = timeout
        if os.path.isfile(path):
            with open(path, "rb") as f:
                said = re.search(rb"^\W*rig: timeout=(\d+)", f.read(2048), re.M)
            own = int(said[1]) if said else timeout
        label, n_same = os.path.basename(name), 1
        while any(t.name == label for t in tests):  # markers in the log need a name each
            n_same += 1
            label = f"{os.path.basename(name)}#{n_same}"
        tests.append(Test(label, "/" + candidate, own * build.kernel.slowness))
    return tests


def test(options, tests):
    writer = tap.Writer()
    waiting = list(tests)
    n_deaths = 0
    log = ""
    while waiting:
        with _booted(options) as guest:
            writer.comment(f"booted {options.machine.name} in {guest.boot_seconds:.1f} s")
            if options.load:
                _load(guest, writer)
            while waiting:
                one = waiting.pop(0)
                if not _run_one(guest, one, writer, options.env):
                    # The others deserve a guest of their own; but not for ever.
                    n_deaths += 1
                    break
            else:
                if leaks.are_found(guest):
                    _report_leaks(writer, leaks.final(guest))
            _report(writer, _end_of_log(guest), None)
            log += guest.klog
        if n_deaths > BOOT_ATTEMPTS:
            for one in waiting:
                writer.point(False, f"{one.name}: not run: {n_deaths} guests died before it")
            break
    writer.finish()
    _keep(options, log)
    return EXIT_FAILED if writer.n_failed else 0


def _load(guest, writer):
    said = []
    try:
        code = guest.run(["modprobe", "softgpu"], lambda _stream, data: said.append(data),
                         60 * guest.kernel.slowness).code
    except (Timeout, GuestDied) as error:
        code = type(error).__name__
    if code:
        writer.point(False, f"modprobe softgpu: {code}: {b''.join(said).decode(errors='replace').strip()}")


def _run_one(guest, one, writer, env):
    """Returns whether the guest is still of use."""
    reader = tap.Reader(one.name, writer)
    failure, code, alive, taint = None, 0, True, 0

    def output(stream, data):
        if stream == 1:
            reader.feed(data)
        else:
            sys.stderr.buffer.write(data)
            sys.stderr.flush()

    # The taint stays once it is there: only what this test adds is its fault.
    before = getattr(guest, "taint", 0)
    try:
        guest.mark(f"begin {one.name}")
        result = guest.run(["env", *env, one.path] if env else [one.path], output, one.timeout)
        code, taint = result.code, result.taint
        guest.taint = taint
        guest.mark(f"end {one.name}")
        guest.wait_klog(f"rig: end {one.name}")
    except Timeout as error:
        failure = f"timed out after {one.timeout} s"
        alive = not error.stuck
        if alive:
            guest.mark(f"end {one.name}")
            guest.wait_klog(f"rig: end {one.name}")
    except GuestDied:
        guest.wait_dead()
        failure, alive = "the guest died", False
    reader.finish(failure, code)
    n_before = writer.n_failed
    _report(writer, guest.klog, one.name)
    letters = klog.unexpected_taint(taint & ~before)
    if letters and writer.n_failed == n_before:
        writer.point(False, f"{one.name}: the kernel became tainted: {letters}")
    if not alive:
        for line in guest.last_words().splitlines():
            writer.comment(line)
    return alive


def _report(writer, log, owner):
    """Failed points for bad lines while test @owner ran (None: while none did)."""
    for line in klog.scan(log):
        if line.owner == owner:
            where = owner or (f"after {line.after}" if line.after else "before the first test")
            writer.point(False, f"{where}: kernel log: {line}")


def _report_leaks(writer, leaked):
    if leaked:
        for line in leaked.splitlines():
            writer.comment(line)
        writer.point(False, "memory or modules are left behind")


# -- shell -----------------------------------------------------------------------

LEAVE = b"\x1d"  # Ctrl-]
LOGIN = ["bash", "-l"]


def shell(options, argv):
    if not sys.stdin.isatty():
        raise RigError("shell needs a terminal; for scripts there is 'tools/vm run'", EXIT_USAGE)
    with _booted(options, for_a_person=True) as guest:
        say(f"booted in {guest.boot_seconds:.1f} s; leave with 'exit' or Ctrl-]. "
            + ("Modules are not loaded: modprobe softgpu. " if argv == LOGIN else "")
            + "The host's side: rig --help")
        stdin = sys.stdin.fileno()
        saved = termios.tcgetattr(stdin)
        left = []

        def size():
            columns, rows = shutil.get_terminal_size()
            return rows, columns

        def typed():
            data = os.read(stdin, 4096)
            if not data or LEAVE in data:
                left.append(True)
                raise GuestDied
            guest.send_input(data)

        def output(_stream, data):
            sys.stdout.buffer.write(data)
            sys.stdout.flush()

        signal.signal(signal.SIGWINCH, lambda *_: guest.resize(*size()))
        try:
            tty.setraw(stdin)
            guest.run(argv, output, terminal=size(), watch=(stdin, typed))
        except GuestDied:
            pass
        finally:
            signal.signal(signal.SIGWINCH, signal.SIG_DFL)
            termios.tcsetattr(stdin, termios.TCSADRAIN, saved)
        if not left and not guest.alive:
            say("the guest died. End of its kernel log:\n" + guest.last_words())
        log = _end_of_log(guest)
    _keep(options, log)
    _complain(options, log, 0)
    return 0
