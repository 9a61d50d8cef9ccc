#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fabricctl on trees that are made here, without kernel part and daemon.

usage: test_fabricctl.py FABRICCTL SOURCE-ROOT
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile

FABRICCTL, SOURCE_ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
VERBS = ["topo", "devices", "place", "run-check", "remove", "bring-back", "events"]
ENVIRONMENT = {
    **os.environ,
    "FABRICD_SOCKET": "/nonexistent/fabric",
    "FABRICD_ADMIN_SOCKET": "/nonexistent/admin",
    "LC_ALL": "C",
}

TOPO = """\
              40:00  41:00  42:00  43:00  NUMA  STATE     GROUP                     VRAM FREE
0000:40:00.0  X      SW     hb     hb     0     online    pcie_switch-0000:40:00.0  240.0 MiB of 256.0 MiB
0000:41:00.0  SW     X      hb     hb     0     draining  pcie_switch-0000:40:00.0  240.0 MiB of 256.0 MiB
0000:42:00.0  hb     hb     X      XG     -     online    -                         240.0 MiB of 256.0 MiB
0000:43:00.0  hb     hb     XG     X      -     online    -                         240.0 MiB of 256.0 MiB

Legend: row = reads and writes, column = whose memory it is
  X   the device itself
  XG  XGMI
  SW  PCIe, below one switch
  hb  PCIe, through the host bridge, down: memory goes to system memory first

Groups: devices that links of one type join
  pcie_switch-0000:40:00.0: 0000:40:00.0 0000:41:00.0

Down:
  0000:40:00.0 -> 0000:42:00.0: another root port
"""


def name(index):
    return f"0000:{0x40 + index:02x}:00.0"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")


def make_tree(root):
    """Four devices: two below a switch, two joined by XGMI; one drains."""
    for index in range(4):
        device = root / f"devices/pci0000:00/{name(index)}/drm_fabric/{name(index)}"
        values = {"state": "draining" if index == 1 else "online", "incarnation": 1, "driver": "softgpu",
                  "render_node": f"renderD{128 + index}", "handles": 2, "regions/vram0/size_bytes": 256 << 20,
                  "regions/vram0/free_bytes": 240 << 20, "regions/vram0/resident_bytes": 16 << 20,
                  "regions/vram0/pagemap_state": "active", "regions/vram0/pagemap_refs_handles": 2,
                  "regions/vram0/pagemap_refs_pages": 4096, "regions/vram0/pagemap_refs_mappings": 1}
        if index < 2:
            values["numa_node"] = 0
        for peer in set(range(4)) - {index}:
            link = f"links/{name(peer)}"
            if peer // 2 == index // 2:
                values |= {f"{link}/type": "pcie_switch" if index < 2 else "xgmi", f"{link}/state": "up",
                           f"{link}/read_bandwidth": 13000 + index, f"{link}/write_bandwidth": 12500}
            else:
                values |= {f"{link}/type": "pcie_host_bridge", f"{link}/state": "down"}
                if (index, peer) == (0, 2):
                    values[f"{link}/why_not"] = "another root port"
        for key, value in values.items():
            write(device / key, value)
        entry = root / f"class/drm_fabric/{name(index)}"
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.symlink_to(f"../../devices/pci0000:00/{name(index)}/drm_fabric/{name(index)}")
    write(root / "class/drm_fabric/generation", 9)
    group = root / f"class/drm_fabric_group/pcie_switch-{name(0)}"
    write(group / "link_type", "pcie_switch")
    write(group / "members", f"{name(0)} {name(1)}")


def run(*words):
    return subprocess.run([FABRICCTL, *words], capture_output=True, text=True, check=False, env=ENVIRONMENT)


def expect(done, code, stdout=None, stderr=None):
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    if stdout is not None:
        assert done.stdout == stdout, done.stdout
    if stderr is not None:
        assert stderr in done.stderr, done.stderr


def validate(document, schema):
    try:
        import jsonschema
    except ImportError:
        print("# no python3-jsonschema: the schema is not tried")
        return
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


def help_and_version_are_no_failure(_):
    expect(run("--version"), 0, stderr="")
    done = run("--help")
    expect(done, 0)
    for verb in VERBS:
        assert f"  {verb} " in done.stdout, verb
        done_verb = run(verb, "--help")
        expect(done_verb, 0)
        assert done_verb.stdout.startswith(f"usage: fabricctl {verb} "), done_verb.stdout
        expect(run("help", verb), 0, stdout=done_verb.stdout)
    expect(run("help"), 0, stdout=done.stdout)


def wrong_usage_is_2(_):
    for words in ([], ["dance"], ["topo", "--tango"], ["topo", "x"], ["place"], ["place", "0", "--bytes", "1"],
                  ["place", "2"], ["place", "2", "--bytes", "1KB"], ["place", "-1", "--bytes", "1"],
                  ["place", "2", "--bytes", "99999999999999999999"], ["remove"], ["remove", "a", "b"],
                  ["remove", "a", "--drain-ms", "-1"], ["remove", "a", "--cancel", "--drain-ms", "5"],
                  ["remove", "a", "--cancel", "--keep-bound"], ["remove", "a", "--abandon", "--cancel"], ["remove", "a", "--cancel", "--json"],
                  ["help", "dance"], ["help", "topo", "x"], ["bring-back"], ["events", "--count", "0"],
                  ["run-check", "--devices", "0"], ["run-check", "--bytes", "0"], ["run-check", "x"]):
        done = run(*words)
        expect(done, 2, stdout="", stderr="fabricctl: ")
        assert "--help" in done.stderr, done.stderr


def topo_prints_a_matrix(root):
    expect(run("topo", "--root", root), 0, stdout=TOPO)


def topo_json_fits_its_schema(root):
    done = run("topo", "--json", "--root", root)
    expect(done, 0)
    document = json.loads(done.stdout)
    schema = json.loads((SOURCE_ROOT / "uapi/fabric-topology.schema.json").read_text(encoding="utf-8"))
    validate(document, schema)
    assert list(document) == list(schema["properties"])
    assert document["generation"] == 9 and len(document["links"]) == 12
    # The schema's required keys are what is written, everywhere.
    for kind in ("devices", "links", "groups"):
        assert list(document[kind][0]) == list(schema["$defs"][kind[:-1]]["properties"]), kind
    assert list(document["devices"][0]["regions"][0]) == list(schema["$defs"]["region"]["properties"])


def topo_bandwidth(root):
    done = run("topo", "--bandwidth", "--root", root)
    expect(done, 0)
    assert "0000:40:00.0  X      12500  -      -" in done.stdout, done.stdout


NCCL = """\
<system version="2">
  <cpu numaid="0" vendor="AuthenticAMD" familyid="175" modelid="1">
    <pci busid="0000:03:00.0" class="0x038000" link_speed="16.0 GT/s PCIe" link_width="16">
      <gpu sm="104" gcn="910"><xgmi target="0000:26:00.0" count="4" tclass="0x038000"/></gpu>
    </pci>
    <pci busid="0000:26:00.0" class="0x038000" link_speed="16.0 GT/s PCIe" link_width="16">
      <gpu sm="104" gcn="910"><xgmi target="0000:03:00.0" tclass="0x038000"/></gpu>
    </pci>
    <pci busid="0000:43:00.0" class="0x038000" link_speed="8.0 GT/s PCIe" link_width="8">
      <gpu sm="104" gcn="910"><xgmi target="0000:99:00.0" count="4"/></gpu>
    </pci>
  </cpu>
</system>
"""

PAIRS = """\
MB/s          0000:03:00.0  0000:26:00.0  0000:43:00.0  NUMA
0000:03:00.0  X             36000?        6000          0
0000:26:00.0  36000?        X             6000          0
0000:43:00.0  6000          6000          X             0

Pairs of 3 devices, by rule version 1 of pair bandwidth:
MB/s    PAIRS  BY      SOURCE
36000?  1      direct  nccl
6000    2      pci     nccl
"""


def topo_of_a_file(root):
    with tempfile.TemporaryDirectory() as folder:
        xml, saved = pathlib.Path(folder, "topo.xml"), pathlib.Path(folder, "saved.json")
        xml.write_text(NCCL, encoding="utf-8")
        done = run("topo", "--topology", xml)
        if "built without expat" in done.stderr:
            print("# built without expat: XML is not tried")
        else:
            expect(done, 0, stderr="warning: dangling target: 0000:43:00.0 -> 0000:99:00.0")
            assert done.stdout.startswith(PAIRS), done.stdout
            # What it says as JSON fits the schema, and says the same when it is read again.
            saved.write_text(run("topo", "--topology", xml, "--json").stdout, encoding="utf-8")
            schema = json.loads((SOURCE_ROOT / "uapi/fabric-topology.schema.json").read_text(encoding="utf-8"))
            validate(json.loads(saved.read_text(encoding="utf-8")), schema)
            again = run("topo", "--topology", saved)
            assert again.stdout == done.stdout and again.stderr == done.stderr, again.stdout
        # A captured tree of sysfs, and the very file that --json writes of it.
        done = run("topo", "--topology", root)
        expect(done, 0)
        saved.write_text(run("topo", "--json", "--root", root).stdout, encoding="utf-8")
        assert run("topo", "--topology", saved).stdout == done.stdout
        xml.write_text(NCCL[:-20], encoding="utf-8")
        done = run("topo", "--topology", xml)
        expect(done, 1, stdout="")
        assert f"fabricctl: topo: {xml}: XML: " in done.stderr, done.stderr
        expect(run("topo", "--topology", folder + "/none"), 1, stdout="", stderr="none: No such file or directory")
        expect(run("topo", "--topology", xml, "--root", root), 2, stdout="", stderr="one of them")


def topo_without_the_kernel_part(_):
    with tempfile.TemporaryDirectory() as empty:
        expect(run("topo", "--root", empty), 0, stdout="no devices\n", stderr="modprobe drm_fabric")
        document = json.loads(run("topo", "--json", "--root", empty).stdout)
        assert document["source"] == "partial" and document["devices"] == []
    expect(run("topo", "--root", "/nonexistent"), 1, stdout="", stderr="/nonexistent: No such file or directory")


def devices_are_listed(root):
    done = run("devices", "--root", root)
    expect(done, 0)
    lines = done.stdout.splitlines()
    assert len(lines) == 5, done.stdout
    for word in ("0000:41:00.0", "draining", "softgpu", "renderD129", "vram0", "256.0 MiB", "16.0 MiB",
                 "active: handles 2, pages 4096, mappings 1"):
        assert word in lines[2], (word, lines[2])
    document = json.loads(run("devices", "--json", "--root", root).stdout)
    assert document["schema"] == "fabric.devices/1" and document["devices"][0]["holders"] is None


def holders_of_this_machine(_):
    done = run("devices", "--holders", "--json")
    expect(done, 0)
    assert json.loads(done.stdout)["schema"] == "fabric.devices/1"


UNMANAGED = """\
Not in the fabric, GPUs or accelerators by their class:
DEVICE        STATE      DRIVER     CLASS     NUMA  BRIDGE        DISTANCE
0000:05:00.0  unmanaged  bochs-drm  0x038000  1     0000:02:02.0  4: 0000:40:00.0 0000:42:00.0
0000:07:00.0  unmanaged  -          0x120000  -     -             -
"""


def make_unmanaged(root):
    """One with all that there can be, one with nothing."""
    folder = root / "class/drm_fabric_unmanaged"
    for key, value in {"pci_class": "0x038000", "driver": "bochs-drm", "numa_node": 1, "upstream_bridge": "0000:02:02.0",
                       f"distances/{name(0)}": 4, f"distances/{name(1)}": 7, f"distances/{name(2)}": 4}.items():
        write(folder / "0000:05:00.0" / key, value)
    write(folder / "0000:07:00.0/pci_class", "0x120000")
    (folder / "0000:07:00.0/distances").mkdir()


def unmanaged_are_listed_apart(_):
    with tempfile.TemporaryDirectory() as root:
        make_unmanaged(pathlib.Path(root))
        make_tree(pathlib.Path(root))
        expect(run("topo", "--root", root), 0, stdout=TOPO + "\n" + UNMANAGED)
        done = run("devices", "--root", root)
        expect(done, 0)
        assert done.stdout.endswith("\n\n" + UNMANAGED) and len(done.stdout.splitlines()) == 10, done.stdout
        document = json.loads(run("topo", "--json", "--root", root).stdout)
        schema = json.loads((SOURCE_ROOT / "uapi/fabric-topology.schema.json").read_text(encoding="utf-8"))
        validate(document, schema)
        assert [device["managed"] for device in document["devices"]] == [False, False, True, True, True, True]
        first = document["devices"][0]
        assert first["state"] == "unmanaged" and first["upstream_bridge"] == "0000:02:02.0", first
        assert list(first["distances"][0]) == list(schema["$defs"]["distance"]["properties"])
        assert [entry["distance"] for entry in first["distances"]] == [4, 7, 4], first
        listed = json.loads(run("devices", "--json", "--root", root).stdout)["devices"]
        assert [device["managed"] for device in listed] == [False, False, True, True, True, True]
    with tempfile.TemporaryDirectory() as root:
        make_unmanaged(pathlib.Path(root))
        write(pathlib.Path(root) / "class/drm_fabric/generation", 3)
        (pathlib.Path(root) / "class/drm_fabric_group").mkdir(parents=True)
        alone = UNMANAGED.replace("4: 0000:40:00.0 0000:42:00.0", "-")
        for verb in ("topo", "devices"):
            expect(run(verb, "--root", root), 0, stdout=alone, stderr="")


def measured_figures_are_told(_):
    with tempfile.TemporaryDirectory() as root:
        make_tree(pathlib.Path(root))
        link = f"devices/pci0000:00/{name(0)}/drm_fabric/{name(0)}/links/{name(1)}"
        write(pathlib.Path(root) / link / "provenance", "measured")
        write(pathlib.Path(root) / link / "measured_at_s", 1795257688)
        done = run("topo", "--bandwidth", "--root", root)
        expect(done, 0)
        assert done.stdout.endswith(f"\nMeasured, MB/s:\n  {name(0)} -> {name(1)}: reads 13000, writes 12500, "
                                    "2026-11-21 10:41:28 UTC\n"), done.stdout
        assert "Measured" not in run("topo", "--root", root).stdout
        links = json.loads(run("topo", "--json", "--root", root).stdout)["links"]
        assert [entry["measured_at_s"] for entry in links[:2]] == [1795257688, None], links


def unknown_counts_are_told(_):
    with tempfile.TemporaryDirectory() as root:
        make_tree(pathlib.Path(root))
        device = pathlib.Path(root) / f"devices/pci0000:00/{name(0)}/drm_fabric/{name(0)}"
        (device / "handles").unlink()
        (device / "incarnation").unlink()
        done = run("devices", "--root", root)
        expect(done, 0, stderr=f"{name(0)}: handles: unknown")
        assert done.stdout.splitlines()[1].split()[:6] == [name(0), "online", "softgpu", "renderD128", "0", "-"], \
            done.stdout
        for verb in ("devices", "topo"):
            listed = json.loads(run(verb, "--json", "--root", root).stdout)["devices"][0]
            assert listed["n_handles"] is None and listed["incarnation"] is None, listed


class Daemon:
    """Something on a socket that takes one request and, if it has one, gives a reply; then it is silent."""

    def __init__(self, reply=None):
        self.folder = tempfile.TemporaryDirectory()
        self.path = f"{self.folder.name}/socket"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.settimeout(20)
        self.reply = reply
        self.connection = None

    def start(self, *words):
        """The program, when its request is here."""
        program = subprocess.Popen([FABRICCTL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**ENVIRONMENT, "FABRICD_SOCKET": self.path, "FABRICD_ADMIN_SOCKET": self.path})
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(20)
        assert self.connection.recv(4096), "no request"
        if self.reply:
            self.connection.sendall(json.dumps(self.reply).encode() + b"\0")
        return program

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection:
            self.connection.close()
        self.listener.close()
        self.folder.cleanup()


def interrupt_ends_the_watching_of_a_silent_daemon(_):
    progress = {"step": "draining", "total_bytes": None, "resident_bytes": None, "elapsed_ms": 0, "blocked": "none"}
    for reply in (None, {"parameters": {"progress": progress}, "continues": True}):
        for number in (signal.SIGINT, signal.SIGTERM):
            with Daemon(reply) as daemon:
                program = daemon.start("remove", name(0))
                if reply:
                    line = program.stdout.readline()
                    assert "draining" in line and "- of - still there" in line, line
                program.send_signal(number)
                try:
                    _, words = program.communicate(timeout=20)
                except subprocess.TimeoutExpired as error:
                    program.kill()
                    program.communicate()
                    raise AssertionError("not ended by the signal") from error
                assert program.returncode == 1 and "interrupted while" in words, (program.returncode, words)


def place_on_a_file(root):
    """The set, its value and bound, and the refusals, of a machine that is a file: XGMI joins 3, 26; 43 has PCI only."""
    a, b, c = "0000:03:00.0", "0000:26:00.0", "0000:43:00.0"
    links = [{"accessor": x, "owner": y, "link_type": "xgmi", "up": True, "why_not": None, "read_bandwidth_mbps": 36000,
              "write_bandwidth_mbps": 36000, "read_latency_ns": None, "write_latency_ns": None, "hops": None,
              "provenance": None, "measured_at_s": None} for x, y in ((a, b), (b, a))]
    devices = [{"name": x, "driver": None, "state": "unmanaged", "incarnation": None, "numa_node": 0,
                "render_node": None, "n_handles": None, "regions": []} for x in (a, b, c)]
    text = json.dumps({"schema": "fabric.topology/1", "generation": 0, "source": "partial", "devices": devices,
                       "links": links, "groups": [], "warnings": []})
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "topology.json")
        path.write_text(text, encoding="utf-8")

        def place(*words):
            done = run("place", "--topology", path, "--json", *words)
            return done, json.loads(done.stdout)

        done, answer = place("--count", "2")
        expect(done, 0)
        assert answer["found"] is True and answer["set"] == [a, b], answer
        assert answer["value"] == {"bottleneck_mbps": 36000, "sum_mbps": 36000} == answer["bound"], answer
        assert answer["proved"] is True and answer["tie_rule"] == "remainder-cut-names", answer
        assert answer["objective"] == "bottleneck-then-sum" and answer["assumed_pairs"] == [], answer
        assert answer["reason"] is None and answer["placements"][0]["region"] is None, answer
        keys = set(answer) - {"generation", "linked", "bottleneck_mbps", "exact"}
        done, answer = place("--count", "2", "--busy", a, "--objective", "sum")
        assert answer["set"] == [b, c] and answer["value"]["sum_mbps"] == 12000, answer
        assert answer["bound"] == {"bottleneck_mbps": None, "sum_mbps": 12000}, answer
        assert answer["assumed_pairs"] == [[b, c]] and answer["n_assumed_pairs"] == 1, answer
        assert place("3", "--require", c)[1]["set"] == [a, b, c]
        assert place("2", "--linked=prefer", "--exclude", b)[1]["set"] == [a, c]
        assert run("place", "--topology", path, "2").stdout.endswith("All linked, bottleneck 36000 MB/s\n")
        # Refusals are JSON with the same keys, and words.
        done, answer = place("--count", "3", "--link-type", "xgmi")
        expect(done, 1, stderr="place: 3 devices: 3 devices free, but no 3 that xgmi links join")
        assert answer["found"] is False and answer["set"] == [] and set(answer) == keys, answer
        assert answer["proved"] is True, answer
        assert answer["reason"].endswith(f"largest such set: {a}, {b}"), answer
        done, answer = place("--count", "2", "--busy", f"{a},{b}")
        assert answer["reason"] == (f"1 device free, 2 asked: {a} (busy), {b} (busy); "
                                    f"largest linked free set: {c}"), answer
        expect(run("place", "--topology", path, "--count", "1", "--busy", "x"), 1, stdout="",
               stderr=f"no such device: x; there are {a}, {b}, {c}")
        done, answer = place("--count", "1", "--busy", "x")
        expect(done, 1, stderr="no such device: x")
        assert answer["found"] is False and set(answer) == keys, answer
        assert answer["reason"] == f"no such device: x; there are {a}, {b}, {c}", answer
        expect(run("place", "--topology", path, "1", "--busy", "26:00.0"), 1, stdout="", stderr=f"is {b} meant?")
        expect(run("place", "--topology", path, "1", "--objective", "most"), 2, stdout="",
               stderr="--objective most: not bottleneck-then-sum, sum or bottleneck")
        expect(run("place", "--topology", path, "1", "--link-type", "rope"), 2, stdout="",
               stderr="--link-type rope: not xgmi, nvlink,")
        done, answer = place("--count", "3", "--min-mbps", "30000")
        assert answer["reason"].endswith("; the best 3 have 12000 MB/s"), answer
        # Limits say what they are.
        devices = [{**devices[0], "name": f"{i >> 16:04x}:{i >> 8 & 255:02x}:{i >> 3 & 31:02x}.{i & 7}"}
                   for i in range(1201)]
        names = [device["name"] for device in devices]
        links = [{**links[0], "accessor": names[x], "owner": names[y], "read_bandwidth_mbps": 20000 + i}
                 for i in range(1201) for x, y in ((i, i - 1), (i - 1, i))]
        for keep, words in ((1201, "1201 devices, and their links form no tree of small parts"), (1200, None)):
            left = set(names[:keep])
            path.write_text(json.dumps({
                "schema": "fabric.topology/1", "generation": 0, "source": "partial", "devices": devices[:keep],
                "links": [link for link in links if {link["accessor"], link["owner"]} <= left], "groups": [],
                "warnings": []}), encoding="utf-8")
            done = run("place", "--topology", path, "2")
            expect(done, 1 if words else 0, stderr=words)
            assert "Argument list" not in done.stderr, done.stderr
            done, answer = place("--count", "2")
            assert answer["found"] is (words is None) and (words or "") in (answer["reason"] or ""), answer
            # Who does not fit is named, and can be done without.
            assert not words or f"({names[0]}: " in answer["reason"] or f"({names[0]} beside" in answer["reason"], answer
            assert place("--count", "2", "--exclude", names[0])[1]["found"] is True
        path.write_text(json.dumps({"schema": "fabric.topology/1", "generation": 0, "source": "partial",
                                    "devices": [None] * 16385, "links": [], "groups": [], "warnings": []}),
                        encoding="utf-8")
        expect(run("place", "--topology", path, "2"), 1, stdout="",
               stderr="devices: 16385 of them, and at most 16384 are read")
        for kind in ("xz", "gz", "bz2", "w"):
            with tarfile.open(path, f"w:{kind}" if kind != "w" else "w") as archive:
                archive.add(__file__, "tree")
            expect(run("place", "--topology", path, "2"), 1, stdout="", stderr="unpack it first")
        path.write_text("{}", encoding="utf-8")
        for words in (["--count", "0"], ["--count", "1", "2"], [], ["1", "--objective", "most"],
                      ["1", "--linked=no"], ["1", "--link-type", "rope"], ["1", "--min-mbps", "-1"],
                      ["1", "--numa-node", "x"]):
            expect(run("place", "--topology", path, *words), 2, stdout="")


def place_tells_of_warnings_in_a_line(_):
    """One is told, more are counted, with those that name what was chosen, and `topo` has them all."""
    devices = [{"name": name(i) + part, "driver": None, "state": "unmanaged", "incarnation": None, "numa_node": 0,
                "render_node": None, "n_handles": None, "regions": []}
               for i, part in ((0, ""), (1, "/p0"), (1, "/p1"), (2, ""))]
    warnings = [f"odd: {name(0)} -> {name(2)}: it is", f"odd: {name(1)}/p1", f"odd: x{name(1)}/p0", "odd: all of it"]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "topology.json")

        def place(n, *words):
            path.write_text(json.dumps({"schema": "fabric.topology/1", "generation": 0, "source": "partial",
                                        "devices": devices, "links": [], "groups": [], "warnings": warnings[:n]}),
                            encoding="utf-8")
            return run("place", "--topology", path, *words)

        expect(place(0, "1"), 0)
        assert place(0, "1").stderr == ""
        assert place(1, "1").stderr == f"fabricctl: place: warning: {warnings[0]}\n"
        all_of_them = f"('fabricctl topo --topology {path}' tells them)\n"
        for required, about in (((name(0), name(1) + "/p1"), ", 2 of them about chosen devices"),
                                ((name(1) + "/p0",), ""), ((name(2),), ", 1 of them about chosen devices")):
            done = place(4, str(len(required)), "--require", ",".join(required), "--json")
            expect(done, 0)
            assert done.stderr == f"fabricctl: place: 4 warnings about the topology{about} {all_of_them}", done.stderr
        done = place(4, "5")
        expect(done, 1, stdout="", stderr="5 devices: 4 devices free")
        assert done.stderr.startswith(f"fabricctl: place: 4 warnings about the topology {all_of_them}"), done.stderr
        told = run("topo", "--topology", path).stderr
        assert told == "".join(f"fabricctl: topo: warning: {warning}\n" for warning in warnings), told


def place_by_a_daemon_tells_whether_it_is_exact(_):
    chosen = [{"device": name(i), "region": "vram0", "free_bytes": 9, "reason": "why"} for i in range(2)]
    for exact in (True, False):
        reply = {"parameters": {"generation": 1, "placements": chosen, "linked": True, "exact": exact}}
        for form in ([], ["--json"]):
            with Daemon(reply) as daemon:
                program = daemon.start("place", "2", "--bytes", "1", *form)
                text, words = program.communicate(timeout=20)
                assert program.returncode == 0, words
                if form:
                    assert json.loads(text).get("exact") is exact, text
                else:
                    assert ("there may be a better one" in text) is not exact, text


def socket_that_is_none_is_an_error(root):
    environment = {**ENVIRONMENT, "FABRICD_SOCKET": root, "FABRICD_ADMIN_SOCKET": "/dev/null"}
    for words in (["place", "1", "--bytes", "1"], ["events"], ["remove", name(0)], ["bring-back", name(0)]):
        done = subprocess.run([FABRICCTL, *words], capture_output=True, text=True, check=False, env=environment)
        expect(done, 1, stdout="", stderr="Socket operation on non-socket")
        assert "no daemon" not in done.stderr, done.stderr


def place_without_a_daemon_says_so(_):
    done = run("place", "99", "--bytes", "1K")
    expect(done, 1, stdout="", stderr="no daemon: decided here")
    assert "99 devices: " in done.stderr, done.stderr
    assert "no daemon" not in run("place", "99", "--bytes", "1K", "--local").stderr
    done = run("place", "99", "--bytes", "1K", "--local", "--json")
    expect(done, 1)
    assert json.loads(done.stdout)["found"] is False, done.stdout


def no_daemon_no_kernel_is_a_clean_failure(_):
    expect(run("events"), 1, stdout="", stderr="is fabricd running?")
    if not os.path.exists("/sys/class/drm_fabric"):
        expect(run("remove", name(0)), 1, stdout="", stderr="modprobe drm_fabric")
        expect(run("place", "2", "--bytes", "1", "--local"), 1, stdout="",
               stderr="2 devices: the kernel part is absent (as root: modprobe drm_fabric)")
        expect(run("run-check"), 1, stdout="")
    expect(run("remove", "../../x", "--no-daemon"), 1, stdout="")
    expect(run("bring-back", "ffff:ff:1f.7"), 1, stdout="", stderr="no such PCI function")


def closed_stdout_is_a_failure(root):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([FABRICCTL, "topo", "--root", root], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1, done


def manual_has_every_verb_and_option(_):
    manual = (SOURCE_ROOT / "tools/fabricctl/fabricctl.1").read_text(encoding="utf-8").replace("\\-", "-")
    for verb in VERBS:
        assert f".SS {verb}" in manual, verb
        for word in run(verb, "--help").stdout.split():
            option = word.strip("[],|")
            if option.startswith("--"):
                assert option in manual, f"{verb} {option}"


def main():
    tests = [help_and_version_are_no_failure, wrong_usage_is_2, topo_prints_a_matrix, topo_json_fits_its_schema,
             topo_bandwidth, topo_of_a_file, topo_without_the_kernel_part, devices_are_listed,
             holders_of_this_machine,
             unmanaged_are_listed_apart, measured_figures_are_told, unknown_counts_are_told,
             interrupt_ends_the_watching_of_a_silent_daemon,
             place_on_a_file, place_tells_of_warnings_in_a_line, place_by_a_daemon_tells_whether_it_is_exact, socket_that_is_none_is_an_error,
             place_without_a_daemon_says_so, no_daemon_no_kernel_is_a_clean_failure, closed_stdout_is_a_failure,
             manual_has_every_verb_and_option]
    failed = 0
    print(f"1..{len(tests)}")
    with tempfile.TemporaryDirectory() as root:
        make_tree(pathlib.Path(root))
        for number, test in enumerate(tests, 1):
            try:
                test(root)
                print(f"ok {number} {test.__name__}")
            except AssertionError as error:
                failed += 1
                print(f"not ok {number} {test.__name__}")
                print("".join(f"# {line}\n" for line in str(error).splitlines()), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
