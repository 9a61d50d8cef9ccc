# SPDX-License-Identifier: MIT
"""Memory that nobody can free any more, by kmemleak; on the debug kernel only.

What boot leaves is the distribution's: it is looked for before the first test and
forgotten. At the end the modules are taken out as well, so that what only they knew
is lost and found.
"""

from . import klog
from .guest import GuestDied, Timeout

# An object is reported when it is 5 s old, and not by the first scan that does not reach it: that one notes
# its checksum (mm/kmemleak.c, MSECS_MIN_AGE and update_checksum()). What rests in RCU or a queue has gone by then.
SCAN = """
leaks=/sys/kernel/debug/kmemleak
sleep 6
echo scan >$leaks
echo scan >$leaks
"""
BASELINE = SCAN + "echo clear >$leaks"
UNLOAD = """
for module in plant softdma softgpu drm_fabric; do
	if [ -d /sys/module/$module ]; then
		rmmod $module || exit 3
	fi
done
"""
# Twice: while the modules are there, their functions have names.
FINAL = SCAN + "cat $leaks\necho clear >$leaks\n" + UNLOAD + SCAN + "cat $leaks"
TIMEOUT_S = 60


def _run(guest, script):
    """Returns what it said, and what went wrong or None."""
    said = []
    try:
        code = guest.run(["sh", "-ec", script], lambda _stream, data: said.append(data),
                         TIMEOUT_S * guest.kernel.slowness).code
        why = f"exit status {code}" if code else None
    except (Timeout, GuestDied) as error:
        why = f"{type(error).__name__}"
    return b"".join(said).decode(errors="replace"), why


def are_found(guest):
    return guest.kernel.name == "debug"


def baseline(guest):
    """After the boot, before anything of ours is loaded. Returns what went wrong, or None."""
    guest.mark(f"begin {klog.LEAKS_OF_BOOT}")
    said, why = _run(guest, BASELINE)
    guest.mark(f"end {klog.LEAKS_OF_BOOT}")
    return f"kmemleak: {why}: {said.strip()}" if why else None


def final(guest):
    """After the last test. Returns a report, or None. The log says as well that there are leaks."""
    said, why = _run(guest, FINAL)
    if why:
        return f"unloading, or kmemleak: {why}: {said.strip()}"
    return said.strip() or None
