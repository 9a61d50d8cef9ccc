# SPDX-License-Identifier: MIT
"""Reads the TAP of many tests (as it comes, in pieces) and writes one stream."""

import re
import sys

_POINT = re.compile(r"(not )?ok\b\s*(\d+)?\s*(?:- )?(.*?)\s*(?:#\s*(TODO|SKIP\S*)\b\s*(.*))?$", re.I)
_PLAN = re.compile(r"1\.\.(\d+)\s*(?:#\s*(.*))?$")


class Writer:
    """The combined stream: numbered through, the plan at the end."""

    def __init__(self, out=None):
        self._out = out or sys.stdout
        self.n_points = 0
        self.n_failed = 0
        self._line("TAP version 13")

    def _line(self, text):
        print(text, file=self._out, flush=True)

    def comment(self, text):
        self._line(f"# {text}")

    def point(self, ok, name, directive=None, reason=""):
        self.n_points += 1
        todo = directive and directive.upper().startswith("TODO")
        if not ok and not todo:
            self.n_failed += 1
        suffix = f" # {directive} {reason}".rstrip() if directive else ""
        self._line(f"{'ok' if ok else 'not ok'} {self.n_points} - {name}{suffix}")

    def finish(self):
        self._line(f"1..{self.n_points}")


class Reader:
    """One test's output. Everything that makes its TAP worthless is a failed point."""

    def __init__(self, name, writer):
        self._name = name
        self._writer = writer
        self._pending = b""
        self._planned = None
        self._n_seen = 0
        self._skipped_all = None
        self._bailed = None

    def feed(self, data):
        self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").rstrip("\r"))

    def _take(self, line):
        plan, point = _PLAN.match(line), _POINT.match(line)
        if plan:
            self._planned = int(plan[1])
            if not self._planned:
                self._skipped_all = re.sub(r"(?i)^skip\S*\s*", "", plan[2] or "") or "no reason given"
        elif point:
            self._n_seen += 1
            self._writer.point(not point[1], f"{self._name}: {point[3] or point[2] or '?'}",
                               point[4], point[5] or "")
        elif line.startswith("Bail out!"):
            self._bailed = line
        elif not line.startswith("TAP version") and line:
            self._writer.comment(line.removeprefix("# "))

    def finish(self, failure=None, code=0):
        """@failure: why the test did not come to its own end, if so."""
        if self._pending:
            self.feed(b"\n")
        problems = [failure] if failure else []
        if self._bailed:
            problems.append(self._bailed)
        if code == 77 and not self._n_seen and not problems:
            self._writer.point(True, self._name, "SKIP", "exit status 77")
            return
        if not failure:
            if self._planned is None:
                problems.append("no plan")
            elif self._planned != self._n_seen:
                problems.append(f"planned {self._planned} test(s), saw {self._n_seen}")
            if code:
                problems.append(f"exit status {code}")
        for problem in problems:
            self._writer.point(False, f"{self._name}: {problem}")
        if not problems and self._skipped_all is not None:
            self._writer.point(True, self._name, "SKIP", self._skipped_all)
