# SPDX-License-Identifier: MIT
"""Rungs on this machine: userspace, built by meson. Its tests are run one by one, for a line each."""

import json
import os
import shutil

from common import CHECKOUT, cache, missing
from report import run, simple, tap

# Generous: under sanitizers a test takes several times as long, and this machine may be busy.
TIMEOUT_FACTOR = 5


def _build(report, name, *options):
    """Returns the build directory, or None."""
    why = missing("meson", "ninja", "cc", "pkg-config")
    if why:
        report.skip(f"{name}/build", why)
        return None
    path = cache(name)
    if not os.path.exists(os.path.join(path, "build.ninja")):
        shutil.rmtree(path)
        done = run(["meson", "setup", *options, path, CHECKOUT])
        if done.returncode:
            report.fail(f"{name}/setup", done.stdout)
            return None
    if not simple(report, f"{name}/build", ["ninja", "-C", path]):
        return None
    return path


def _tests(path):
    done = run(["meson", "introspect", "--tests", path])
    found = json.loads(done.stdout[done.stdout.index("["):])
    for test in found:
        test["suite"] = test["suite"][0].split(":")[-1]
    return sorted(found, key=lambda t: (t["suite"] != "unit", t["suite"]))


def _run(report, name, path, env, wanted):
    tests = [t for t in _tests(path) if wanted(t)]
    for suite in ("unit", "placement", "captured", "cli", "daemon"):
        if not any(t["suite"] == suite for t in tests):
            report.skip(f"{name}/{suite}", "meson built no test of this suite (see its setup)")
    for test in tests:
        method = tap if test["protocol"] == "tap" else simple
        method(report, f"{name}/{test['suite']}/{test['name']}", test["cmd"],
               test["timeout"] * TIMEOUT_FACTOR, cwd=test["workdir"] or path,
               env={**os.environ, **test["env"], **env})


def run_plain(report):
    path = _build(report, "host")
    if path:
        _run(report, "host", path, {"CK_TIMEOUT_MULTIPLIER": "5"}, lambda t: True)


def run_asan(report):
    path = _build(report, "asan", "-Db_sanitize=address,undefined", "-Db_lundef=false")
    if path:
        _run(report, "asan", path, {
            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:strict_string_checks=1",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
            "CK_TIMEOUT_MULTIPLIER": "10",
            # Programs only: headers and exports are the same without.
        }, lambda t: not (t["suite"] == "unit" and t["protocol"] == "exitcode"))


def run_ndebug(report):
    _build(report, "ndebug", "-Db_ndebug=true")
