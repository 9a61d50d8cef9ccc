#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No include goes upward: uapi <- libfabricmap <- {fabricd, tools}, and within the library as listed here.

usage: layering.py SOURCE-ROOT
"""

import os
import re
import sys

# Folder of the library -> folders of the library that it may include.
LIBRARY = {
    "base": set(),
    "model": {"base"},
    "source": {"base", "model"},
    "map": {"base", "model"},
    "place": {"base", "model"},
    "wire": {"base", "model"},
    "public": {"base", "model", "source", "place"},
    "devmem": {"base", "model", "source", "public"},
    "client": {"base", "model", "map", "wire", "public"},
    # In the programs only.
    "import": {"base"},
}
# These may include <fabricmap.h>.
PUBLIC_HEADER = {"public", "devmem", "client"}
# The only parts that talk to the kernel.
UAPI = {"devmem"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def includes(path):
    with open(path, encoding="utf-8") as file:
        return INCLUDE.findall(file.read())


def sources(root):
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.join(folder, name)


def check_library(root, complain):
    for path in sources(os.path.join(root, "libfabricmap/src")):
        part = os.path.relpath(path, os.path.join(root, "libfabricmap/src")).split(os.sep)[0]
        if part not in LIBRARY:
            complain(path, f"folder {part} is not in the list of {os.path.basename(__file__)}")
            continue
        for name in includes(path):
            other = name.split("/")[0] if "/" in name else None
            if other in LIBRARY and other != part and other not in LIBRARY[part]:
                complain(path, f"{part} includes {name}")
            if name == "fabricmap.h" and part not in PUBLIC_HEADER:
                complain(path, f"{part} includes the public header")
            if name.startswith("drm/") and part not in UAPI:
                complain(path, f"{part} includes {name}")


def check_above(root, complain):
    inside = set(LIBRARY)
    for path in sources(os.path.join(root, "uapi")):
        for name in includes(path):
            if name != "drm.h" and not name.startswith(("linux/", "drm/", "libdrm/", "uapi/drm/")):
                complain(path, f"uapi includes {name}")
    for path in sources(os.path.join(root, "libfabricmap/include")):
        for name in includes(path):
            if name not in ("stddef.h", "stdint.h"):
                complain(path, f"the public header includes {name}")
    for path in sources(os.path.join(root, "tools/fabricctl")):
        for name in includes(path):
            if "/" in name and name.split("/")[0] in inside and name != "import/import.h":
                complain(path, f"fabricctl includes {name}: it uses the public library only")
    for folder in ("libfabricmap", "tools/fabricctl", "fabricd"):
        for path in sources(os.path.join(root, folder)):
            for name in includes(path):
                if ".." in name.split("/"):
                    complain(path, f"includes {name}")


def main():
    root = sys.argv[1]
    wrong = []

    def complain(path, text):
        wrong.append(path)
        print(f"{os.path.relpath(path, root)}: {text}")

    check_library(root, complain)
    check_above(root, complain)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
