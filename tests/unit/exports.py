#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the shared library exports is what its symbol file lists and what the public header declares.

usage: exports.py LIBRARY SYMBOL-FILE HEADER
"""

import re
import subprocess
import sys


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    # The node of the version script is an absolute symbol of its own.
    symbols = (line.split() for line in lines.splitlines())
    return {fields[2].split("@")[0] for fields in symbols if fields[1] != "A"}


def listed(path):
    text = re.sub(r"/\*.*?\*/", "", open(path, encoding="utf-8").read(), flags=re.S)
    return set(re.findall(r"^\s*(\w+);", text, flags=re.M))


def declared(path):
    text = re.sub(r"/\*.*?\*/", "", open(path, encoding="utf-8").read(), flags=re.S)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.M)
    return set(re.findall(r"\b(fabricmap_\w+)\s*\(", text))


def documented(path):
    """Names in 'fabricmap_x() - ...' and '* fabricmap_x() -' must exist."""
    return set(re.findall(r"^/?\s*\*+ (fabricmap_\w+)\(\) -", open(path, encoding="utf-8").read(), flags=re.M))


def main():
    library, symbol_file, header = sys.argv[1:4]
    sets = {"library": exported(library), "symbol file": listed(symbol_file), "header": declared(header)}
    everything = set.union(*sets.values())
    failed = False
    for name in sorted(everything):
        for where, names in sets.items():
            if name not in names:
                print(f"{name}: not in the {where}")
                failed = True
    for name in sorted(documented(header) - sets["header"]):
        print(f"{name}: documented, not declared")
        failed = True
    print(f"{len(everything)} functions")
    return 1 if failed or not everything else 0


if __name__ == "__main__":
    sys.exit(main())
