# SPDX-License-Identifier: MIT
"""Machine files: a guest's processors, memory and PCI tree, line by line.

SYNTAX below is the whole language; `tools/vm machine --help` prints it.
"""

import os
import re

from .common import CHECKOUT, EXIT_USAGE, RigError

MACHINES = os.path.join(CHECKOUT, "tests", "vm", "machines")

SYNTAX = """\
A machine file is lines of a noun and its words; # starts a comment. SIZE is 64M or 2G.

  about TEXT                    what the machine is for (in listings)
  cpu MODEL                     QEMU's -cpu; default qemu64
  memory SIZE                   main memory; default 2G; not with nodes
  node N memory SIZE            a NUMA node with one processor and that memory, N from 0;
                                a machine has two processors, or one for each node if more
  hotplug acpi|native           who does hot-plug below pcie.0: ACPI (the default; 0.2 s) or
                                the ports themselves (6 s, has surprise removal). Ports on
                                extra host bridges are always native.
  bridge NAME [node N]          an extra PCI host bridge (pxb-pcie)
  port NAME on BRIDGE           a PCIe root port; BRIDGE is pcie.0 or an extra one
  switch NAME on PORT ports N   a PCIe switch; its downstream ports are NAME.0 .. NAME.(N-1)
  gpu NAME on PLACE vram SIZE [absent]
                                a software GPU (ivshmem-plain, VRAM = BAR 2). PLACE is a root
                                port, a downstream port, or a switch (its next free port).
                                SIZE is a power of two. absent: the port starts empty, the
                                GPU comes by `rig plug NAME`
  device NAME on PLACE MODEL[,PROPERTY=VALUE...]
                                any other device of QEMU, e.g. edu or pci-testdev
  append ARGUMENT...            words for the kernel's command line

A name is used once. What a line refers to stands above it.
"""

# The rig's own devices sit on high slots of pcie.0, ports of a machine from here.
FIRST_SLOT = 2
LAST_SLOT = 0x0f


class Place:
    """A bus that takes one device: a root port or a downstream port."""

    def __init__(self, name, user=None):
        self.name = name
        self.user = user


class Gpu:
    def __init__(self, name, port, vram, absent):
        self.name = name
        self.port = port
        self.vram = vram
        self.absent = absent


class Machine:
    def __init__(self, name):
        self.name = name
        self.about = ""
        self.cpu = "qemu64"
        self.memory = None
        self.nodes = []
        self.hotplug = "acpi"
        self.bridges = {}    # name: node or None
        self.ports = {}      # name: bridge; root ports
        self.switches = {}   # name: (root port, number of ports)
        self.gpus = {}
        self.devices = {}    # name: (port, model)
        self.append = []
        self.places = {}

    @property
    def n_cpus(self):
        return max(len(self.nodes), 2)

    @property
    def memory_bytes(self):
        return sum(self.nodes) if self.nodes else self.memory or 2 << 30

    # -- QEMU ----------------------------------------------------------------

    def qemu_arguments(self):
        """Everything but the VRAM objects and the GPUs on them."""
        args = ["-cpu", self.cpu, "-m", f"{self.memory_bytes >> 20}M"]
        # One socket per node: a socket across two nodes makes the kernel warn
        # (topology_sane), which would count as a failure.
        n, sockets = self.n_cpus, max(len(self.nodes), 1)
        args += ["-smp", f"{n},sockets={sockets},cores={n // sockets},threads=1"]
        for i, size in enumerate(self.nodes):
            cpus = f"cpus={i}" if len(self.nodes) > 1 else "cpus=0-1"
            args += ["-object", f"memory-backend-ram,id=node{i},size={size >> 20}M",
                     "-numa", f"node,nodeid={i},{cpus},memdev=node{i}"]
        if self.hotplug == "native":
            args += ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]

        slot = FIRST_SLOT
        step = 256 // max(len(self.bridges) + 1, 4)
        for i, (name, node) in enumerate(self.bridges.items()):
            numa = "" if node is None else f",numa_node={node}"
            args += ["-device", f"pxb-pcie,id={name},bus=pcie.0,addr={slot:#x},"
                                f"bus_nr={step * (i + 1)}{numa}"]
            slot += 1
        chassis = 1
        bridge_slots = {}
        for name, bridge in self.ports.items():
            if bridge == "pcie.0":
                address, slot = slot, slot + 1
            else:
                address = bridge_slots[bridge] = bridge_slots.get(bridge, -1) + 1
            args += ["-device", f"pcie-root-port,id={name},bus={bridge},addr={address:#x},"
                                f"chassis={chassis},slot=1"]
            chassis += 1
        for name, (port, n_ports) in self.switches.items():
            args += ["-device", f"x3130-upstream,id={name},bus={port}"]
            for i in range(n_ports):
                args += ["-device", f"xio3130-downstream,id={name}.{i},bus={name},"
                                    f"chassis={chassis},slot={i}"]
            chassis += 1
        for name, (port, model) in self.devices.items():
            kind, *properties = model.split(",")
            args += ["-device", ",".join([kind, f"id={name}", f"bus={port}", *properties])]
        return args

    # -- for people ----------------------------------------------------------

    def tree(self):
        lines = [f"{self.name}: {self.about}" if self.about else self.name]
        lines.append(f"cpu {self.cpu}, {self.n_cpus} processor(s), {self.memory_bytes >> 20} MiB; "
                     f"hot-plug below pcie.0: {self.hotplug}")
        lines += [f"node {i}: {size >> 20} MiB" for i, size in enumerate(self.nodes)]
        hosts = {"pcie.0": None, **self.bridges}
        for host, node in hosts.items():
            lines.append(host + ("" if node is None else f" (node {node})"))
            ports = [p for p, bridge in self.ports.items() if bridge == host]
            for port in ports:
                lines.append(f"  root port {port}" + self._user(port))
                for name, (above, n_ports) in self.switches.items():
                    if above == port:
                        lines.append(f"    switch {name}")
                        lines += [f"      {name}.{i}" + self._user(f"{name}.{i}")
                                  for i in range(n_ports)]
        return "\n".join(lines)

    def _user(self, port):
        user = self.places[port].user
        if user in self.gpus:
            gpu = self.gpus[user]
            return f": {user}, {gpu.vram >> 20} MiB" + (", absent at first" if gpu.absent else "")
        if user in self.devices:
            return f": {user}, {self.devices[user][1]}"
        return "" if user else ": empty"


class _Parser:
    def __init__(self, path, name):
        self.path = path
        self.machine = Machine(name)
        self.line = 0

    def fail(self, problem, remedy):
        raise RigError(f"{self.path}:{self.line}: {problem}; {remedy}", EXIT_USAGE)

    def parse(self, text):
        nouns = [m[6:] for m in dir(self) if m.startswith("parse_")]
        for self.line, raw in enumerate(text.splitlines(), 1):
            words = raw.split("#", 1)[0].split()
            if not words:
                continue
            if words[0] not in nouns:
                self.fail(f"unknown noun '{words[0]}'", f"known are {', '.join(nouns)}")
            getattr(self, "parse_" + words[0])(words[1:])
        if self.machine.nodes and self.machine.memory:
            self.fail("both memory and node lines", "remove the memory line: nodes have their own")
        return self.machine

    def match(self, words, pattern, form):
        match = re.fullmatch(pattern, " ".join(words))
        if not match:
            self.fail("this line is not understood", f"its form is '{form}'")
        return match

    def size(self, text):
        match = re.fullmatch(r"([0-9]+)([MG])", text)
        if not match or not int(match[1]):
            self.fail(f"'{text}' is not a size", "write a number and M or G, e.g. 512M")
        return int(match[1]) << (20 if match[2] == "M" else 30)

    def new_name(self, name):
        m = self.machine
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
            self.fail(f"'{name}' is not a name", "use a-z, 0-9, - and _, a letter first")
        if name in m.places or any(name in d for d in (m.bridges, m.switches, m.gpus, m.devices)):
            self.fail(f"the name '{name}' is used already", "choose another")
        return name

    def take(self, name, user):
        """A free place for @user: a port, or the next free one of a switch."""
        m = self.machine
        if name in m.switches:
            free = [p for p in (f"{name}.{i}" for i in range(m.switches[name][1]))
                    if not m.places[p].user]
            if not free:
                self.fail(f"switch '{name}' has no free port", "give it more with 'ports N'")
            name = free[0]
        if name not in m.places:
            known = ", ".join([*m.switches, *m.places]) or "none yet"
            self.fail(f"no port or switch '{name}' above this line", f"there are: {known}")
        if m.places[name].user:
            self.fail(f"port '{name}' is taken by '{m.places[name].user}'",
                      "a PCIe port has room for one device")
        m.places[name].user = user
        return name

    def slots(self):
        m = self.machine
        used = len(m.bridges) + sum(1 for b in m.ports.values() if b == "pcie.0")
        if used > LAST_SLOT - FIRST_SLOT + 1:
            self.fail("pcie.0 is full", "put ports on an extra bridge")

    def parse_about(self, words):
        self.machine.about = " ".join(words)

    def parse_cpu(self, words):
        self.machine.cpu = self.match(words, r"\S+", "cpu MODEL")[0]

    def parse_memory(self, words):
        self.machine.memory = self.size(self.match(words, r"\S+", "memory SIZE")[0])

    def parse_node(self, words):
        match = self.match(words, r"(\d+) memory (\S+)", "node N memory SIZE")
        if int(match[1]) != len(self.machine.nodes):
            self.fail(f"node {match[1]} is out of order", f"the next is node {len(self.machine.nodes)}")
        self.machine.nodes.append(self.size(match[2]))

    def parse_hotplug(self, words):
        self.machine.hotplug = self.match(words, "acpi|native", "hotplug acpi|native")[0]

    def parse_bridge(self, words):
        match = self.match(words, r"(\S+)(?: node (\d+))?", "bridge NAME [node N]")
        node = None if match[2] is None else int(match[2])
        if node is not None and node >= len(self.machine.nodes):
            self.fail(f"no node {node} above this line", f"add 'node {node} memory SIZE'")
        self.machine.bridges[self.new_name(match[1])] = node
        self.slots()

    def parse_port(self, words):
        match = self.match(words, r"(\S+) on (\S+)", "port NAME on BRIDGE")
        if match[2] != "pcie.0" and match[2] not in self.machine.bridges:
            known = ", ".join(["pcie.0", *self.machine.bridges])
            self.fail(f"no bridge '{match[2]}' above this line", f"there are: {known}")
        name = self.new_name(match[1])
        self.machine.ports[name] = match[2]
        self.machine.places[name] = Place(name)
        self.slots()

    def parse_switch(self, words):
        match = self.match(words, r"(\S+) on (\S+) ports (\d+)", "switch NAME on PORT ports N")
        n_ports = int(match[3])
        if not 1 <= n_ports <= 32:
            self.fail(f"a switch with {n_ports} ports", "1 to 32 are possible")
        if match[2] not in self.machine.ports:
            self.fail(f"no root port '{match[2]}' above this line",
                      f"there are: {', '.join(self.machine.ports) or 'none yet'}")
        name = self.new_name(match[1])
        self.machine.switches[name] = (self.take(match[2], name), n_ports)
        for i in range(n_ports):
            self.machine.places[f"{name}.{i}"] = Place(f"{name}.{i}")

    def parse_gpu(self, words):
        match = self.match(words, r"(\S+) on (\S+) vram (\S+)( absent)?",
                           "gpu NAME on PLACE vram SIZE [absent]")
        vram = self.size(match[3])
        if vram & (vram - 1):
            self.fail(f"vram {match[3]} is not a power of two", "a PCI BAR must be one")
        name = self.new_name(match[1])
        self.machine.gpus[name] = Gpu(name, self.take(match[2], name), vram, bool(match[4]))

    def parse_device(self, words):
        match = self.match(words, r"(\S+) on (\S+) (\S+)",
                           "device NAME on PLACE MODEL[,PROPERTY=VALUE...]")
        name = self.new_name(match[1])
        self.machine.devices[name] = (self.take(match[2], name), match[3])

    def parse_append(self, words):
        self.machine.append += words


def load(name):
    """@name: a path, or the name of a file in tests/vm/machines."""
    path = name if "/" in name or os.path.isfile(name) else os.path.join(MACHINES, name)
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
    except OSError as error:
        known = ", ".join(sorted(os.listdir(MACHINES))) if os.path.isdir(MACHINES) else "none"
        raise RigError(f"machine '{name}': {error.strerror} (by name there are: {known})",
                       EXIT_USAGE) from error
    return _Parser(os.path.relpath(path) if path.startswith(os.getcwd()) else path,
                   os.path.basename(path)).parse(text)
