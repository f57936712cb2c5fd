"""DNS for the end-to-end tests: Knot DNS, the real server, and a liar of our own for what no real server does."""

import os
import socket
import struct
import threading

from lab import run, wait_for

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33, "NAPTR": 35}
SOA = "@ 60 IN SOA ns hostmaster 1 3600 600 86400 {negative}\n@ 60 IN NS ns\nns 60 IN A 192.0.2.200\n"


class Knot:
    """Knot DNS in a namespace, authoritative for example.com; `zone` is what follows its SOA and NS."""

    def __init__(self, ns, zone, addresses, name="knot", udp_max=1232, rotate=False, negative=1, port=53):
        self.ns = ns
        self.name = name
        self.dir = os.path.join(ns.lab.dir, f"{ns.short}-{name}")
        os.makedirs(self.dir, exist_ok=True)
        self.negative = negative
        self.serial = 1
        self.process = None
        self._write(zone)
        listen = "".join(f"    listen: {a}@{port}\n" for a in addresses)
        self.conf = ns.lab.file(f"{ns.short}-{name}.conf", (
            f"server:\n    rundir: {self.dir}\n{listen}"
            f"    udp-max-payload: {udp_max}\n    answer-rotation: {'on' if rotate else 'off'}\n"
            f"    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n"
            f"database:\n    storage: {self.dir}\n"
            f"control:\n    listen: {self.dir}/knot.sock\n"
            f"zone:\n  - domain: example.com\n    storage: {self.dir}\n    file: example.com.zone\n"
            "    zonefile-load: whole\n    journal-content: none\n"))
        self.start()

    def _write(self, zone):
        self.serial += 1
        text = SOA.format(negative=self.negative).replace(" 1 3600", f" {self.serial} 3600")
        with open(f"{self.dir}/example.com.zone", "w") as f:
            f.write("$ORIGIN example.com.\n$TTL 1\n" + text + zone)

    def _control(self, *args, check=True):
        return run("knotc", "-s", f"{self.dir}/knot.sock", *args, check=check)

    def start(self):
        self.process = self.ns.start(f"{self.name}", "knotd", "-c", self.conf)
        wait_for("knotd to serve its zone",
                 lambda: "serial" in self._control("zone-status", "example.com", check=False), 20)

    def change(self, zone):
        """Serve another zone from now on."""
        self._write(zone)
        self._control("-b", "zone-reload", "example.com")

    def kill(self):
        self.process.kill()


# ---- The liar


def pack_name(name):
    out = b""
    for label in filter(None, name.rstrip(".").split(".")):
        out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def unpack_question(msg):
    """(name, type, where it ends)"""
    at, labels = 12, []
    while msg[at]:
        labels.append(msg[at + 1:at + 1 + msg[at]].decode())
        at += 1 + msg[at]
    return ".".join(labels).lower(), struct.unpack_from("!H", msg, at + 1)[0], at + 5


def rdata(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "CNAME":
        return pack_name(value)
    priority, weight, port, target = value
    return struct.pack("!HHH", priority, weight, port) + pack_name(target)


def reply(msg, records, flags=0x8180, ident=None, question=None):
    """An answer to a question: records are (name, type, ttl, value)."""
    _, _, end = unpack_question(msg)
    body = b"".join(
        pack_name(name) + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(rdata(kind, value))) + rdata(kind, value)
        for name, kind, ttl, value in records)
    ident = struct.unpack_from("!H", msg)[0] if ident is None else ident
    return struct.pack("!HHHHHH", ident, flags, 1, len(records), 0, 0) + (question or msg[12:end]) + body


class Liar:
    """A DNS server that misbehaves: `answer(name, type, msg)` gives the datagrams to send back, in order."""

    def __init__(self, ns, address, answer, port=53):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.answer = answer
        self.asked = []
        self.socket = ns.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.settimeout(0.2)
        self.end = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        ns.lab.cleanups.append(self.close)

    def _run(self):
        while not self.end:
            try:
                msg, peer = self.socket.recvfrom(4096)
            except (socket.timeout, OSError):
                continue
            name, kind, _ = unpack_question(msg)
            self.asked.append((name, kind))
            for datagram in self.answer(name, kind, msg) or ():
                self.socket.sendto(datagram, peer)

    def close(self):
        self.end = True
        self.thread.join(2)
        self.socket.close()
