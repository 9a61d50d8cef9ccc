# SPDX-License-Identifier: MIT
"""What all parts of the rig share: errors, exit codes, places, locks, and
child processes that cannot outlive the rig."""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import signal
import sys

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BOOT = 75      # the guest died before its init, in every attempt (EX_TEMPFAIL)
EXIT_SKIPPED = 77   # a tool or a right that the rig needs is absent
EXIT_TIMEOUT = 124  # as timeout(1)

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
RIG = os.path.dirname(os.path.realpath(__file__))
GUEST = os.path.join(RIG, "guest")


class RigError(Exception):
    """Ends the rig with one message and an exit code."""

    def __init__(self, message, code=EXIT_FAILED):
        super().__init__(message)
        self.code = code


def say(text):
    """Words go to stderr; stdout belongs to the command in the guest."""
    print(f"tools/vm: {text}", file=sys.stderr, flush=True)


def cache_dir():
    base = os.environ.get("FABRIC_CACHE")
    if not base:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        base = os.path.join(home, "drm-fabric")
    os.makedirs(base, exist_ok=True)
    return base


def digest(*parts):
    state = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        state.update(b"%d:" % len(data) + data)
    return state.hexdigest()[:16]


def read_bytes(path):
    with open(path, "rb") as f:
        return f.read()


def replace_file(path, data):
    """Readers see the old file or the new one, never half of one."""
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.rename(temporary, path)


@contextlib.contextmanager
def locked(path, purpose):
    """An exclusive lock; says so when it has to wait, for the wait can be a
    whole bootstrap. The kernel drops it however the holder dies."""
    # Close-on-exec (Python's default): a child left behind must not hold it.
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another tools/vm is {purpose}; waiting for it")
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent():
    """For preexec_fn: the child is killed when the rig dies, even by SIGKILL."""
    parent = os.getppid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


# A mount namespace, so that no mount is ever visible outside; a pid namespace
# whose first process dies with unshare(1), so that killing the rig (which kills
# unshare, see die_with_parent) takes every compiler along and frees the mounts.
NAMESPACE = ["unshare", "--mount", "--propagation", "private",
             "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
