# SPDX-License-Identifier: MIT
"""The host's side of the guest command `rig`: requests from a virtio-serial port,
done through QMP. One thread owns both, so neither needs a lock."""

import json
import os
import selectors
import socket
import threading
import time

UNPLUG_TIMEOUT_S = 30


class Refused(Exception):
    pass


class Qmp:
    """QEMU's monitor: commands in order, events to a callback."""

    def __init__(self, sock, on_event):
        self.socket = sock
        self._on_event = on_event
        self._buffer = b""
        self._read_message()  # greeting
        self.command("qmp_capabilities")

    def _read_message(self):
        while b"\n" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("QEMU closed its monitor")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def command(self, name, **arguments):
        self.socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
        while True:
            message = self._read_message()
            if "event" in message:
                self._on_event(message)
            elif "error" in message:
                raise Refused(message["error"]["desc"])
            else:
                return message["return"]

    def poll_event(self, timeout):
        """Waits for one message while no command is under way."""
        if b"\n" not in self._buffer:
            self.socket.settimeout(timeout)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return
            finally:
                self.socket.settimeout(None)
            if not data:
                raise ConnectionError("QEMU closed its monitor")
            self._buffer += data
            if b"\n" not in self._buffer:
                return
        message = self._read_message()
        if "event" in message:
            self._on_event(message)


class Control(threading.Thread):
    """Serves one guest until a socket closes."""

    def __init__(self, machine, vram_fds, qmp_socket, rig_socket, on_log, slowness=1):
        super().__init__(daemon=True)
        self._machine = machine
        self._vram_fds = vram_fds
        self._rig = rig_socket
        self._on_log = on_log
        self._unplug_timeout = UNPLUG_TIMEOUT_S * slowness
        self._plugged = {g.name for g in machine.gpus.values() if not g.absent} | set(machine.devices)
        self._n_backends = 0
        self._stop_read, self._stop_write = socket.socketpair()
        self._qmp = Qmp(qmp_socket, self._event)

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self._qmp.socket, selectors.EVENT_READ, "qmp")
        selector.register(self._rig, selectors.EVENT_READ, "rig")
        selector.register(self._stop_read, selectors.EVENT_READ, "stop")
        pending = b""
        try:
            while True:
                for key, _ in selector.select():
                    if key.data == "stop":
                        return
                    if key.data == "qmp":
                        self._qmp.poll_event(0)
                        continue
                    data = self._rig.recv(4096)
                    if not data:
                        return
                    pending += data
                    while b"\n" in pending:
                        line, pending = pending.split(b"\n", 1)
                        self._answer(line.decode(errors="replace"))
        except OSError:
            return  # QEMU ended; the session notices that itself

    def stop(self):
        self._stop_write.send(b"x")
        self.join(timeout=5)

    def _event(self, message):
        if message["event"] == "DEVICE_DELETED":
            self._plugged.discard(message["data"].get("device"))

    def _answer(self, line):
        verb, _, rest = line.partition(" ")
        handler = getattr(self, "rig_" + verb, None)
        try:
            if not handler:
                raise Refused(f"unknown request '{verb}'")
            lines, verdict = handler(rest.strip()), "ok"
        except Refused as reason:
            lines, verdict = [str(reason)], "error"
        text = "".join(f"{x}\n" for x in [f"{verdict} {len(lines)}", *lines])
        self._rig.sendall(text.encode())

    def _port(self, name):
        """Where a GPU or another device of the machine belongs."""
        ports = {g.name: g.port for g in self._machine.gpus.values()}
        ports |= {device: port for device, (port, _) in self._machine.devices.items()}
        if name not in ports:
            known = ", ".join(ports) or "none"
            raise Refused(f"no device '{name}' in machine {self._machine.name}; there are: {known}")
        return ports[name]

    # -- requests --------------------------------------------------------------

    def rig_list(self, _rest):
        addresses = self._addresses()
        lines = []
        whats = {g.name: f"vram={g.vram}" for g in self._machine.gpus.values()}
        whats |= {name: f"model={model}" for name, (_, model) in self._machine.devices.items()}
        for name, what in whats.items():
            state = "plugged" if name in self._plugged else "absent"
            lines.append(f"{name} {addresses.get(name, '-')} {state} port={self._port(name)} {what}")
        lines += [f"{name} {addresses.get(name, '-')} port" for name in self._machine.places]
        return lines

    def rig_log(self, text):
        self._on_log(text)
        return []

    def rig_address(self, name):
        address = self._addresses().get(name)
        if not address:
            raise Refused(f"no device '{name}' is plugged in")
        return [address]

    def rig_parent(self, name):
        return self.rig_address(self._port(name))

    def rig_unplug(self, name):
        self._port(name)
        if name not in self._plugged:
            raise Refused(f"{name} is not plugged in")
        start = time.monotonic()
        self._qmp.command("device_del", id=name)
        while name in self._plugged:
            left = start + self._unplug_timeout - time.monotonic()
            if left <= 0:
                raise Refused(f"{name}: the guest did not let it go in {self._unplug_timeout} s")
            self._qmp.poll_event(left)
        return [str(round((time.monotonic() - start) * 1000))]

    def rig_plug(self, name):
        port = self._port(name)
        if name in self._plugged:
            raise Refused(f"{name} is plugged in already")
        self._qmp.command("device_add", id=name, bus=port, **self._properties(name))
        self._plugged.add(name)
        return []

    def _properties(self, name):
        """What device_add wants of it but its name and place; a GPU's memory is put behind it."""
        if name in self._machine.devices:
            kind, *properties = self._machine.devices[name][1].split(",")
            return {"driver": kind, **dict(p.split("=", 1) for p in properties)}
        # A new backend id each time: QEMU 7.2 dies on an assertion when ivshmem
        # gets a backend that an unplugged one had (qemu_ram_set_idstr). The file
        # below it is the same, so the VRAM comes back as it was left.
        self._n_backends += 1
        backend = f"{name}-vram-{self._n_backends}"
        self._qmp.command("object-add", **vram_backend(self._machine.gpus[name], backend, self._vram_fds[name]))
        return {"driver": "ivshmem-plain", "memdev": backend}

    def rig_aer(self, rest):
        words = rest.split()
        if len(words) != 2 or words[0] not in self._machine.places:
            raise Refused("usage: rig aer PORT ERROR")
        answer = self._qmp.command("human-monitor-command",
                                   **{"command-line": f"pcie_aer_inject_error {rest}"})
        if answer.strip() and not answer.startswith("OK"):
            raise Refused(answer.strip().splitlines()[0])
        return []

    def _addresses(self):
        """PCI addresses by QEMU's ids. All of a guest is in PCI domain 0."""
        found = {}

        def walk(devices):
            for device in devices:
                if device.get("qdev_id"):
                    found[device["qdev_id"]] = \
                        f"0000:{device['bus']:02x}:{device['slot']:02x}.{device['function']:x}"
                walk(device.get("pci_bridge", {}).get("devices", []))

        for host in self._qmp.command("query-pci"):
            walk(host["devices"])
        return found


def vram_backend(gpu, backend, fd):
    """An object on the GPU's memory file. QEMU opens the file anew through /proc, so
    there is no name in a file system to leave behind."""
    return {"qom-type": "memory-backend-file", "id": backend, "size": gpu.vram, "share": True,
            "mem-path": f"/proc/self/fd/{fd}"}


def vram_file(gpu):
    fd = os.memfd_create(f"vram-{gpu.name}", 0)
    os.ftruncate(fd, gpu.vram)
    return fd
