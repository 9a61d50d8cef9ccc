# SPDX-License-Identifier: MIT
"""That the benchmarks run, that what they write is what they say, and that every row did its work. Not how fast: that
is for tools/bench without --short, and for people."""

import json
import os
import subprocess

from common import CHECKOUT, missing
from guest import build_or_skip
from report import SKIPPED

TIMEOUT_S = 900
NUMBER = (int, float)
NONE = type(None)

KERNEL_KEYS = {"name": str, "value": NUMBER, "unit": str, "peer": str, "peer_value": NUMBER, "ratio": NUMBER}
PLACEMENT_KEYS = {"name": str, "instance": str, "seed": (int, NONE), "n": int, "k": int, "objective": str, "busy": str,
                  "samples": int}
# Of one question, and of many in turn.
ANSWER_KEYS = {"set": list, "found": dict, "bound": dict, "refused": (str, NONE), "proved": bool,
               "gap_percent": (*NUMBER, NONE), "optimum": (dict, NONE), "p50_us": NUMBER, "p99_us": NUMBER,
               "limit_us": (*NUMBER, NONE), "holds": (bool, NONE), "peer": (str, NONE), "peer_us": (*NUMBER, NONE),
               "ratio": (*NUMBER, NONE)}
MEMORY_KEYS = {"initiator": str, "bytes": int, "set": list, "p50_us": NUMBER, "p99_us": NUMBER}
LOAD_KEYS = {"name": str, "instance": str, "seed": NONE, "n": int, "links": int, "p50_us": NUMBER, "p99_us": NUMBER,
             "samples": int, "limit_us": NUMBER, "holds": bool}
CHURN_KEYS = {"value": NUMBER, "unit": str, "limit": NUMBER, "holds": bool, "rss_before_kib": int,
              "rss_after_kib": int}
OTHER_KEYS = {"placement.m1": MEMORY_KEYS, "placement.churn_per_s": CHURN_KEYS}


def _kernel_keys(_row):
    return KERNEL_KEYS


def _placement_keys(row):
    if row.get("name") == "placement.load":
        return LOAD_KEYS
    return PLACEMENT_KEYS | OTHER_KEYS.get(row.get("name"), ANSWER_KEYS)


def _is_well_formed(row, keys):
    return all(key in row and isinstance(row[key], kind) for key, kind in keys.items())


def _bad_lines(text, keys_of):
    lines = text.splitlines()
    bad = [] if lines else ["no line of output"]
    for line in lines:
        try:
            row = json.loads(line)
            if not _is_well_formed(row, keys_of(row)) or row.get("valid") is not True:
                bad.append(line)
        except (ValueError, AttributeError, TypeError):
            bad.append(line)
    return bad


def _run(report, suite, keys_of, *options):
    name = f"bench/{suite}"
    done = subprocess.run([os.path.join(CHECKOUT, "tools", "bench"), "--short", *options, suite],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode == SKIPPED:
        report.skip(name, done.stderr.strip().splitlines()[-1])
        return
    bad = _bad_lines(done.stdout, keys_of)
    if done.returncode or bad:
        report.fail(name, "\n".join([*bad, done.stderr, f"exit status {done.returncode}"]))
    else:
        report.passed(name)


def run_bench(report):
    why = missing("meson", "ninja", "cc", "pkg-config")
    if why:
        report.skip("bench/placement", why)
    else:
        _run(report, "placement", _placement_keys)
    if build_or_skip(report, "bench/kernel"):
        _run(report, "kernel", _kernel_keys, "--no-build")
