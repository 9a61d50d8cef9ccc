# SPDX-License-Identifier: MIT
"""Where Debian packages come from: this machine's own apt configuration.

Nothing about archives is written down in the project. A machine behind a mirror
or a proxy has said so to its apt; the guest's packages take the same road.
"""

import glob
import os
import re
import shutil
import subprocess

from .common import EXIT_SKIPPED, RigError

SOURCES = "/etc/apt/sources.list"
SOURCES_DIR = "/etc/apt/sources.list.d"


class Source:
    """One archive: an URI, its suites and components, and who signs it."""

    def __init__(self, uri, suites, components, signed_by=None, trusted=False):
        self.uri = uri
        self.suites = suites
        self.components = components
        self.signed_by = signed_by
        self.trusted = trusted

    def line(self, suite):
        options = []
        if self.signed_by:
            options.append(f"signed-by={self.signed_by}")
        if self.trusted:
            options.append("trusted=yes")
        prefix = f"deb [{' '.join(options)}]" if options else "deb"
        return f"{prefix} {self.uri} {suite} main"


def _parse_deb822(text):
    for paragraph in re.split(r"\n\s*\n", text):
        fields, key = {}, None
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in " \t" and key:
                fields[key] += "\n" + line.strip()
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        signed_by = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            # A key may also stand in the file itself; then the machine's
            # default keyring has to do.
            yield Source(uri, fields.get("suites", "").split(),
                         fields.get("components", "").split(),
                         signed_by if signed_by.startswith("/") else None,
                         fields.get("trusted", "").lower() == "yes")


def _parse_one_line(text):
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if not match:
            continue
        options = dict(o.split("=", 1) for o in (match[1] or "").split() if "=" in o)
        yield Source(match[2], [match[3]], match[4].split(),
                     options.get("signed-by"), options.get("trusted") == "yes")


def _machine_sources():
    files = [SOURCES] + sorted(glob.glob(f"{SOURCES_DIR}/*.list"))
    for path in files:
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as f:
                yield from _parse_one_line(f.read())
    for path in sorted(glob.glob(f"{SOURCES_DIR}/*.sources")):
        with open(path, encoding="utf-8", errors="replace") as f:
            yield from _parse_deb822(f.read())


def _codename():
    with open("/etc/os-release", encoding="utf-8") as f:
        match = re.search(r'^VERSION_CODENAME="?([a-z]+)', f.read(), re.M)
    return match[1] if match else "stable"


def archive_lines(suite):
    """sources.list lines for @suite, its updates, backports and security."""
    names = {_codename(), suite, "stable", "testing", "unstable", "sid"}
    archive = security = None
    for source in _machine_sources():
        if "main" not in source.components:
            continue
        if names & set(source.suites):
            archive = archive or source
        elif any(s.endswith(("-security", "/updates")) for s in source.suites):
            security = security or source
    if not archive:
        raise RigError("no Debian archive in this machine's apt sources "
                       f"({SOURCES}, {SOURCES_DIR}); add one, the rig uses the same",
                       EXIT_SKIPPED)
    lines = [archive.line(s) for s in (suite, f"{suite}-updates", f"{suite}-backports")]
    if security:
        lines.append(security.line(f"{suite}-security"))
    return lines


def options():
    """apt options of this machine that say how to reach an archive."""
    if not shutil.which("apt-config"):
        raise RigError("no apt-config: the rig needs a Debian machine", EXIT_SKIPPED)
    dump = subprocess.run(["apt-config", "dump", "Acquire"], check=True,
                          capture_output=True, text=True).stdout
    wanted = re.compile(r"Acquire::((http|https|ftp)::|Retries |Check-Valid-Until |Max-Default-Age)")
    return [line for line in dump.splitlines()
            if wanted.match(line) and not line.endswith('"";')]
