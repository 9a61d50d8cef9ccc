#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fabricd --topology: a machine of which only a file knows, and files that are none.

usage: test_topology_file.py FABRICD
"""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
NCCL = """\
<system version="2"><cpu numaid="0" vendor="AuthenticAMD" modelid="1">
<pci busid="0000:03:00.0" class="0x030200" link_speed="16 GT/s" link_width="16">
<gpu sm="90"><nvlink target="fffffff:ff:ff.0" count="18" tclass="0x068000"/></gpu></pci>
<pci busid="0000:26:00.0" class="0x030200" link_speed="16 GT/s" link_width="16">
<gpu sm="90"><nvlink target="fffffff:ff:ff.0" count="17" tclass="0x068000"/></gpu></pci>
</cpu></system>
"""


def call(path, method):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(json.dumps({"method": method}).encode() + b"\0")
        answer = b""
        while not answer.endswith(b"\0"):
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError(answer)
            answer += piece
    return json.loads(answer[:-1])


def run(fabricd, folder, path):
    return [fabricd, "--root", folder / "root", "--socket", folder / "public", "--admin-socket", folder / "admin",
            "--topology", path]


def main():
    fabricd = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "root").mkdir()
        good, bad = folder / "good.xml", folder / "bad.xml"
        good.write_text(NCCL, encoding="utf-8")
        bad.write_text(NCCL[:-10], encoding="utf-8")

        done = subprocess.run(run(fabricd, folder, bad), capture_output=True, text=True, timeout=60, check=False)
        if "built without expat" in done.stderr:
            print("built without expat")
            return SKIPPED
        assert done.returncode == 1 and f"{bad}: XML: " in done.stderr, done.stderr

        with subprocess.Popen(run(fabricd, folder, good), stderr=subprocess.DEVNULL) as daemon:
            try:
                end = time.monotonic() + 30
                while not (folder / "public").exists() and time.monotonic() < end:
                    time.sleep(0.05)
                topology = call(folder / "public", "org.drmfabric.Fabric.GetTopology")["parameters"]["topology"]
            finally:
                daemon.terminate()
        assert daemon.returncode == 0, daemon.returncode
        assert [device["name"] for device in topology["devices"]] == ["0000:03:00.0", "0000:26:00.0"], topology
        assert [attachment["count"] for attachment in topology["attachments"]] == [18, 17], topology
        assert topology["attachments"][0]["source"] == "nccl" and topology["source"] == "partial", topology
        assert any(warning.startswith("kernel part absent") for warning in topology["warnings"]), topology["warnings"]
    return 0


if __name__ == "__main__":
    sys.exit(main())
