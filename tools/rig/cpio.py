# SPDX-License-Identifier: MIT
"""Writes a cpio archive in the form that the kernel unpacks as initramfs
(Documentation/driver-api/early-userspace/buffer-format.rst, "newc")."""

import stat


class Cpio:
    def __init__(self):
        self._data = bytearray()
        self._n_entries = 0

    def _entry(self, name, mode, content=b"", rdev=(0, 0)):
        self._n_entries += 1
        fields = (self._n_entries, mode, 0, 0, 1, 0, len(content), 0, 0, *rdev, len(name) + 1, 0)
        self._data += b"070701" + b"".join(b"%08x" % f for f in fields)
        self._data += name.encode() + b"\0"
        self._pad()
        self._data += content
        self._pad()

    def _pad(self):
        self._data += bytes(-len(self._data) % 4)

    def directory(self, name):
        self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, content, mode=0o644):
        self._entry(name, stat.S_IFREG | mode, content)

    def character_device(self, name, major, minor):
        self._entry(name, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def finish(self):
        self._entry("TRAILER!!!", 0)
        return bytes(self._data)
