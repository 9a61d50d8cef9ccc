# SPDX-License-Identifier: MIT
"""Places."""

import hashlib
import os
import shutil

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
VM = os.path.join(CHECKOUT, "tools", "vm")


def cache(name):
    """A directory of this checkout's for @name, beside those of the rig."""
    base = os.environ.get("FABRIC_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "drm-fabric")
    key = hashlib.sha256(CHECKOUT.encode()).hexdigest()[:8]
    path = os.path.join(base, "check", f"{os.path.basename(CHECKOUT)}-{key}", name)
    os.makedirs(path, exist_ok=True)
    return path


def missing(*tools):
    """Words for a skip, or None."""
    absent = [t for t in tools if not shutil.which(t)]
    return f"not installed here: {', '.join(absent)}" if absent else None
