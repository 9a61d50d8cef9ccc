#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a driver needs to join the fabric is in one file of it, and for a device without memory it is small.

usage: drivers.py SOURCE-ROOT

Prints how many lines each driver has, and of these the file that joins. A driver whose other files call a function of
the core's, or any of whose files calls drm_pagemap or drm_gpusvm or looks into what belongs to them, is an error.
"""

import os
import re
import sys

# Driver -> the file that joins, and how many lines all of the driver may have (None: any).
DRIVERS = {"softgpu": ("fabric.c", None), "softdma": ("softdma.c", 300)}

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
# Their types are part of the operations (struct drm_pagemap_addr); their functions and members are not.
CORE = re.compile(r"\bdrm_fabric_\w+(?=\s*\()|\bdrm_fabric_\w+_ops\b")
BELOW = re.compile(r"\b(?:drm_pagemap|drm_gpusvm|hmm|migrate_vma)_\w+(?=\s*\()|\bsvm\b|\bnotifier_lock\b")


def code_of(path):
    """The text of a file without comments and strings, line by line as it was."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for pattern in (COMMENT, STRING):
        text = pattern.sub(lambda match: "\n" * match.group().count("\n"), text)
    return text


def n_lines(path):
    with open(path, "rb") as file:
        return file.read().count(b"\n")


def check(root, driver, joins, most, complain):
    folder = os.path.join(root, "kmod", driver)
    files = sorted(name for name in os.listdir(folder) if name.endswith((".c", ".h")))
    if joins not in files:
        complain(f"{driver}: {joins} is absent")
        return
    total = sum(n_lines(os.path.join(folder, name)) for name in files)
    print(f"{driver}: {total} lines, of these {joins} {n_lines(os.path.join(folder, joins))}")
    if most is not None and total > most:
        complain(f"{driver}: {total} lines: at most {most}")
    for name in files:
        for number, line in enumerate(code_of(os.path.join(folder, name)).splitlines(), 1):
            for match in BELOW.finditer(line):
                complain(f"kmod/{driver}/{name}:{number}: {match.group()} is the core's to use")
            for match in () if name == joins else CORE.finditer(line):
                complain(f"kmod/{driver}/{name}:{number}: {match.group()}: only {joins} calls the core")


def main():
    root, wrong = sys.argv[1], []
    for driver in sorted(os.listdir(os.path.join(root, "kmod"))):
        if driver in ("core", "include") or not os.path.isdir(os.path.join(root, "kmod", driver)):
            continue
        if driver in DRIVERS:
            check(root, driver, *DRIVERS[driver], wrong.append)
        else:
            wrong.append(f"{driver} is not in the list of {os.path.basename(__file__)}")
    for text in wrong:
        print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
