# SPDX-License-Identifier: MIT
"""What in a kernel log fails a run.

The log is the guest's first serial port, written to a file as it comes. The rig
writes marker lines into it (through /dev/kmsg), so that a line can be laid at the
door of the test that was running.
"""

import re

BAD = [(name, re.compile(pattern)) for name, pattern in (
    ("lockdep", r"WARNING: (possible|inconsistent|bad|suspicious|held|lock|nested)"
                r"|possible (recursive|circular) locking|inconsistent lock state"
                r"|suspicious RCU usage|Invalid wait context|DEBUG_LOCKS_WARN_ON|INFO: lockdep"
                r"|lock held when returning to user space|INFO: trying to register non-static key"),
    ("page", r"BUG: Bad (page|rss)|Bad page (state|map)|bad pte|page dumped because"),
    ("KASAN", r"KASAN|KFENCE: |KCSAN|KMSAN"),
    ("slab", r"BUG \S+.*(Not tainted|Tainted)|Objects remaining|Poison overwritten"
             r"|Slab corruption"),
    ("lockup", r"soft lockup|hard LOCKUP|watchdog: BUG|Watchdog detected"),
    ("atomic", r"scheduling while atomic|sleeping function called from invalid context"),
    ("warning", r"WARNING: "),
    ("bad access", r"general protection fault|unable to handle|NULL pointer dereference"
                   r"|invalid opcode:|stack segment:|double fault:|int3: |divide error:"),
    ("bug", r"\bBUG: |kernel BUG at|BUG\("),
    ("oops", r"\bOops\b"),
    ("panic", r"Kernel panic"),
    ("stack", r"stack overflow|stack guard page was hit|stack-protector: |corrupted stack end"),
    ("UBSAN", r"UBSAN"),
    ("refcount", r"refcount_t: "),
    ("list", r"list_(add|del) corruption|list_(add|del)_corruption"),
    # Also that it gave up: what did not look has not found nothing.
    ("leak", r"kmemleak: \d+ new suspected|kmemleak: (Kernel memory leak detector disabled|Memory pool empty"
             r"|Cannot )|DMA-API: "),
    ("objects", r"ODEBUG: "),
    ("hung", r"blocked (for more than|in I/O wait for more than) \d+ seconds"),
    ("RCU", r"rcu: INFO: .*(stall|detected)|self-detected stall"),
    ("module", r"disagrees about version|Unknown symbol"),
)]

# Lines that match above and mean no harm, each with the reason. Nothing of ours
# belongs here: a test that expects a bad line has to be thought over.
HARMLESS = [(re.compile(pattern), reason) for pattern, reason in (
    (r"[Cc]ommand line: ", "the kernel repeats its command line, which may name any option"),
)]

# Set by loading our modules: O (out of tree) and E (unsigned).
TAINT_EXPECTED = (1 << 12) | (1 << 13)
TAINT_LETTERS = "PFSRMBUDAWCIOELKXTNJ"

# Leaks that are reported while a "test" of this name "runs" are the boot's: see leaks.py.
LEAKS_OF_BOOT = "leaks of the boot"

_MARK = re.compile(r"rig: (begin|end) (\S.*?)\s*$")


class BadLine:
    def __init__(self, kind, text, owner, after):
        self.kind = kind
        self.text = text
        self.owner = owner  # the test that ran, by the markers; None: none did
        self.after = after  # the test that had ended last

    def __str__(self):
        return self.text


def _strip(line):
    return re.sub(r"^(<\d+>)?\[\s*[\d.]+\](\[\s*[TC]\d+\])?\s*", "", line.rstrip("\r\n"))


def scan(text):
    """All bad lines, one for each report: what follows within a trace is part of it."""
    found, owner, after, cut, in_trace = [], None, None, False, False
    booting = False
    for line in text.splitlines():
        mark = _MARK.search(line)
        if mark and mark[2] == LEAKS_OF_BOOT:
            booting = mark[1] == "begin"
            continue
        if mark:
            owner, after = (mark[2], after) if mark[1] == "begin" else (None, mark[2])
            cut = in_trace = False
            continue
        if "---[ end " in line:
            cut = in_trace = False
            continue
        if "[ cut here ]" in line:
            cut, in_trace = True, False
            continue
        kind = classify(line)
        if kind == "leak" and booting:
            continue
        if kind and (not in_trace or kind == "panic"):
            found.append(BadLine(kind, _strip(line), owner, after))
            in_trace = cut or kind == "oops"
    return found


def classify(line):
    for name, pattern in BAD:
        if pattern.search(line):
            if any(harmless.search(line) for harmless, _ in HARMLESS):
                return None
            return name
    return None


def unexpected_taint(value):
    """Letters of taint flags that loading our modules does not explain."""
    rest = value & ~TAINT_EXPECTED
    return "".join(letter for bit, letter in enumerate(TAINT_LETTERS) if rest >> bit & 1)


def tail(text, n_lines=25):
    return "\n".join(text.splitlines()[-n_lines:])
