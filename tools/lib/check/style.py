# SPDX-License-Identifier: MIT
"""Sources: what can be said of them without running them."""

import glob
import os
import re
import shutil

from common import CHECKOUT, missing
from report import run

# clang-format's output differs from release to release: the sources are as this one has them.
CLANG_FORMAT_MAJOR = "14"
# No place for a licence line, or not ours to word.
NO_SPDX = re.compile(r"^LICENSE$|^tests/fuzz/corpus/|/golden/|\.(tar\.xz|json)$|^\.gitignore$|\.list$|^\.clang-format$")


def _sources():
    """Files of the checkout, or None without git."""
    done = run(["git", "-c", f"safe.directory={CHECKOUT}", "-C", CHECKOUT, "ls-files", "-co",
                "--exclude-standard"])
    if done.returncode:
        return None
    return sorted(f for f in done.stdout.splitlines() if os.path.isfile(os.path.join(CHECKOUT, f)))


def _spdx(report, files):
    lacking = []
    for name in files:
        with open(os.path.join(CHECKOUT, name), "rb") as f:
            head = f.read(400)
        if head and not NO_SPDX.search(name) and b"SPDX-License-Identifier:" not in head:
            lacking.append(name)
    if lacking:
        report.fail("style/licence line in every file", "\n".join(lacking))
    else:
        report.passed("style/licence line in every file")


def _format(report, files):
    why = missing("clang-format")
    if not why:
        version = run(["clang-format", "--version"]).stdout
        major = re.search(r"version (\d+)", version)
        if not major or major[1] != CLANG_FORMAT_MAJOR:
            why = f"this is {version.strip()}; the sources are formatted with {CLANG_FORMAT_MAJOR}"
    if why:
        report.skip("style/clang-format", why)
        return
    # Kernel code is checkpatch's, and the two disagree.
    sources = [f for f in files if f.endswith((".c", ".h")) and not f.startswith(("kmod/", "uapi/"))]
    done = run(["clang-format", "--dry-run", *sources], cwd=CHECKOUT)
    bad = sorted({line.split(":")[0] for line in done.stdout.splitlines() if "warning:" in line})
    if bad or done.returncode:
        report.fail("style/clang-format", "\n".join(bad) or done.stdout)
    else:
        report.passed("style/clang-format")


def _checkpatch(report, files):
    found = [os.environ.get("CHECKPATCH", "")] + glob.glob("/usr/src/*/scripts/checkpatch.pl")
    script = next((f for f in found if f and os.path.isfile(f)), None)
    if not script or not shutil.which("perl"):
        report.skip("style/checkpatch --strict", "no checkpatch.pl in /usr/src (Debian's kernel headers leave it out; "
                    "CHECKPATCH=FILE names one)")
        return
    for name in (f for f in files if f.startswith(("kmod/", "uapi/drm/")) and f.endswith((".c", ".h"))):
        # Tables in what programs include are as wide as those programs' code.
        width = 120 if name.startswith("uapi/") else 100
        done = run(["perl", script, "--strict", "--no-tree", "--terse", "--no-summary", f"--max-line-length={width}",
                    "--file", name], cwd=CHECKOUT)
        if done.returncode or done.stdout.strip():
            report.fail(f"style/checkpatch --strict: {name}", done.stdout)
        else:
            report.passed(f"style/checkpatch --strict: {name}")


def run_style(report):
    files = _sources()
    if files is None:
        report.skip("style", "git does not list the files here: no git, or no repository")
        return
    _spdx(report, files)
    _format(report, files)
    _checkpatch(report, files)
