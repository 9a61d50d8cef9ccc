#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`fabricctl place --topology FILE` about synthetic machines: has each answer the value that the oracles know?

usage: test_command_line.py FABRICCTL GENERATE
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

FABRICCTL, GENERATE = sys.argv[1:3]
SEED = os.environ.get("FABRIC_SEED", "1")
SOAK = "SOAK" in os.environ
OBJECTIVES = ["sum", "bottleneck", "bottleneck-then-sum"]
# Kinds of machines and sizes of sets.
MACHINES = {
    "classes": [1, 2, 5, 11, 12],
    "ring": [2, 3, 7],
    "noise": [2, 5],
    "tree": [2, 7, 20],
    "hives": [2, 4, 5, 16],
    "partitions": [2, 8, 9, 32],
    "rack": [4, 69, 70, 72],
    "racks8": [8, 73],
    "meshes128": [4, 12],
    **({"racks140": [8, 72, 512]} if SOAK else {}),
}


def run(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


def generate(*argv):
    done = run(GENERATE, *map(str, argv))
    assert done.returncode == 0, done.stderr
    return done.stdout


def place(path, count, *options):
    return run(FABRICCTL, "place", "--topology", str(path), "--count", str(count), *options)


def value(answer, objective):
    """As generate writes it."""
    bottleneck = "-" if objective == "sum" else answer["value"]["bottleneck_mbps"]
    total = "-" if objective == "bottleneck" else answer["value"]["sum_mbps"]
    return f"{bottleneck} {total}"


def best_value(path, kind, count, objective):
    """The value of every answer is the best, is proved, and is the bound; the same question has the same answer."""
    done = place(path, count, "--objective", objective, "--json")
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    answer = json.loads(done.stdout)
    best = generate(kind, SEED, count, objective).strip()
    assert answer["proved"] is True
    assert len(answer["set"]) == count
    assert value(answer, objective) == best, f"{value(answer, objective)}, the best is {best}"
    assert place(path, count, "--objective", objective, "--json").stdout == done.stdout


def one_too_many(path, kind):
    """Refused, with how many there are."""
    count = len(json.loads(path.read_text(encoding="utf-8"))["devices"])
    assert generate(kind, SEED, count + 1, "sum").strip() == "none"
    done = place(path, count + 1)
    assert done.returncode == 1, f"exit status {done.returncode}"
    assert str(count) in done.stderr and str(count + 1) in done.stderr, done.stderr
    assert place(path, count).returncode == 0


def busy_and_excluded(path):
    """What is busy or excluded is in no answer; what is required, in each."""
    names = [d["name"] for d in json.loads(path.read_text(encoding="utf-8"))["devices"]]
    done = place(path, 2, "--busy", ",".join(names[:3]), "--exclude", names[3], "--require", names[5], "--json")
    chosen = json.loads(done.stdout)["set"]
    assert names[5] in chosen and not set(chosen) & set(names[:4]), chosen


def main():
    n = 0
    failed = 0
    print(f"# FABRIC_SEED={SEED}")
    with tempfile.TemporaryDirectory() as folder:
        for kind, sizes in MACHINES.items():
            path = pathlib.Path(folder) / f"synthetic-{kind}-seed{SEED}.json"
            path.write_text(generate(kind, SEED), encoding="utf-8")
            tests = [(f"{kind}: {count} devices by {objective}", best_value, (path, kind, count, objective))
                     for count, objective in itertools.product(sizes, OBJECTIVES)]
            tests.append((f"{kind}: one too many", one_too_many, (path, kind)))
            tests.append((f"{kind}: busy, excluded, required", busy_and_excluded, (path,)))
            for name, test, arguments in tests:
                n += 1
                try:
                    test(*arguments)
                    print(f"ok {n} - {name}", flush=True)
                except (AssertionError, KeyError, ValueError) as error:
                    failed += 1
                    print(f"# {type(error).__name__}: {error}")
                    print(f"not ok {n} - {name}", flush=True)
    print(f"1..{n}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
