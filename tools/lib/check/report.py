# SPDX-License-Identifier: MIT
"""A line per test, what a failed one said, and the count at the end."""

import re
import subprocess
import time

_POINT = re.compile(r"(not )?ok\b\s*(\d+)?\s*(?:- )?(.*?)\s*(?:#\s*(TODO|SKIP\S*)\b:?\s*(.*))?$", re.I)
_PLAN = re.compile(r"1\.\.(\d+)\s*(?:#\s*SKIP\S*:?\s*(.*))?", re.I)
_SEED = re.compile(r"seed", re.I)
SKIPPED = 77
SAID_LINES = 40


class Report:
    def __init__(self):
        self.n_passed = self.n_skipped = 0
        self.failed = []
        self._start = time.monotonic()

    def _print(self, text):
        print(text, flush=True)

    def _line(self, word, name, why=""):
        self._print(f"{word:8}{name}" + (f": {why}" if why else ""))

    def say(self, text):
        self._print(f"# {text}")

    def absorb(self, part):
        """What a Part has to say, and its counts."""
        for line in part.lines:
            self._print(line)
        self.n_passed += part.n_passed
        self.n_skipped += part.n_skipped
        self.failed += part.failed

    def passed(self, name):
        self.n_passed += 1
        self._line("ok", name)

    def skip(self, name, why):
        self.n_skipped += 1
        self._line("skipped", name, why)

    def fail(self, name, said=""):
        self.failed.append(name)
        self._line("FAILED", name)
        lines = said.rstrip().splitlines()
        if len(lines) > SAID_LINES:
            self._print(f"          ({len(lines) - SAID_LINES} lines before these)")
        for line in lines[-SAID_LINES:]:
            self._print(f"          {line}")

    def finish(self):
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        for name in self.failed:
            self._line("FAILED", name)
        self.say(f"{minutes} min {seconds} s")
        self._print(f"{self.n_passed} passed, {len(self.failed)} failed, {self.n_skipped} skipped")
        return 1 if self.failed else 0 if self.n_passed else SKIPPED


class Part(Report):
    """Of a report, by one of several at work: kept until it is whole."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def _print(self, text):
        self.lines.append(text)


def run(argv, timeout=None, **options):
    """Both outputs as one text; the exit status is 124 after @timeout seconds."""
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=timeout, **options)
    except subprocess.TimeoutExpired as error:
        said = error.stdout.decode(errors="replace") if error.stdout else ""
        return subprocess.CompletedProcess(argv, 124, f"{said}\ntimed out after {timeout} s")
    except OSError as error:
        return subprocess.CompletedProcess(argv, 127, f"{argv[0]}: {error.strerror}")


def simple(report, name, argv, timeout=None, **options):
    """A test that only has an exit status. Returns whether it passed."""
    done = run(argv, timeout, **options)
    if done.returncode == SKIPPED:
        last = done.stdout.strip().splitlines()[-1:] or [""]
        report.skip(name, re.sub(r"^1\.\.0\s*#\s*SKIP\S*\s*", "", last[0], flags=re.I) or "no reason given")
    elif done.returncode:
        report.fail(name, f"{done.stdout}\nexit status {done.returncode}")
    else:
        report.passed(name)
    return not done.returncode


def tap(report, name, argv, timeout=None, prefix="", **options):
    """A test that writes TAP on stdout, shown as it comes; a line for each of its points, without @prefix."""
    said, planned, n_seen, skipped_all, seen = [], None, 0, None, {}
    n_failed_before = len(report.failed)
    try:
        process = subprocess.Popen(["timeout", "--kill-after=10", str(timeout or 0), *argv],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    except OSError as error:
        report.fail(name, str(error))
        return
    for line in process.stdout:
        line = line.rstrip("\n")
        plan, point = _PLAN.match(line), _POINT.match(line)
        if plan:
            planned = int(plan[1])
            skipped_all = plan[2]
        elif point:
            n_seen += 1
            label = f"{name}: {_label(point[3].removeprefix(prefix)) or point[2] or '?'}"
            seen[label] = seen.get(label, 0) + 1
            if seen[label] > 1:
                label += f" [{seen[label]}]"
            if point[4] and point[4].upper().startswith("SKIP"):
                report.skip(label, point[5] or "no reason given")
            elif point[1] and not point[4]:
                report.fail(label, "\n".join([*said, line]))
            else:
                report.passed(label)
            said.clear()
        else:
            if line.startswith("#") and _SEED.search(line):
                report.say(f"{name}: {line.lstrip('# ')}")
            said.append(line)
    code = process.wait()
    if code == SKIPPED or (planned == 0 and not n_seen and not code):
        report.skip(name, skipped_all or (said[-1] if said else "no reason given"))
    elif code == 124:
        report.fail(name, "\n".join([*said, f"timed out after {timeout} s"]))
    elif planned is None or planned != n_seen:
        report.fail(name, "\n".join([*said, f"planned {planned} tests, saw {n_seen}; exit status {code}"]))
    elif code and len(report.failed) == n_failed_before:
        report.fail(name, "\n".join([*said, f"exit status {code}"]))


def _label(text):
    """Check says file:case:test: message; only the case and the test are a name."""
    match = re.match(r"\S+\.c(?::\d+)?:([^:\s]+):([^:\s]+):", text)
    return f"{match[1]}/{match[2]}" if match else text
