"""Floods of what is for the kernel, each class held to its limit: probes, routing and calls go on."""

import json
import multiprocessing
import os
import socket
import struct
import time

from lab import wait_for
from rack import APPLIANCE4, Appliance, Rack
from sippload import FAR_MS, Load, Server
from test_dataplane import udp4

ALONE = True  # load or figures: nothing else beside it

PATIENT = "oos-check: 500ms\noos-force: 200ms\nprobe-timeout: 2s\n"
FRR = "/usr/lib/frr"


class Bgp:
    """An FRR bgpd in a namespace, that talks to one neighbour; it needs no zebra, for it installs nothing. One of two has to
    be passive: where both connect at once, one end may take for established what the other one closes (RFC 4271 6.8)."""

    HOLD_S = 9

    def __init__(self, ns, address, peer, passive=False):
        self.ns = ns
        self.dir = f"{ns.lab.dir}/bgp-{ns.short}"
        os.makedirs(self.dir, mode=0o777)
        os.chmod(self.dir, 0o777)
        conf = ns.lab.file(
            f"bgp-{ns.short}.conf",
            f"router bgp 64500\n bgp router-id {address}\n no bgp network import-check\n neighbor {peer} remote-as 64500\n"
            f" neighbor {peer} timers 1 {self.HOLD_S}\n neighbor {peer} timers connect 1\n"
            f" neighbor {peer} update-source {address}\n" + (f" neighbor {peer} passive\n" if passive else ""))
        self.process = ns.start("bgpd", f"{FRR}/bgpd", "-Z", "-S", "-n", "-f", conf, "-i", f"{self.dir}/pid",
                                "--vty_socket", self.dir, "-P", "0", "--log", "stdout")
        self.peer = peer

    def neighbour(self):
        out = self.ns.exec("vtysh", "--vty_socket", self.dir, "-d", "bgpd", "-c", "show bgp neighbors json", check=False)
        try:
            return json.loads(out).get(self.peer, {})
        except ValueError:
            return {}

    def wait_established(self):
        wait_for("BGP", lambda: self.neighbour().get("bgpState") == "Established", 30, 0.3)

    def lost(self):
        n = self.neighbour()
        return n.get("connectionsDropped"), n.get("bgpState")


def _flood(sock, frames, stop, count):
    n = 0
    while not stop.is_set():
        for f in frames:
            try:
                sock.send(f)
            except OSError:  # the queue is full: as fast as it goes
                continue
            n += 1
    count.value = n


class Flood:
    """Frames onto the wire to the appliance as fast as one process can write them."""

    def __init__(self, rack, packets):
        s = rack.router.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind(("to-lb", 0))
        head = bytes.fromhex(rack.mac(0).replace(":", "")) + b"\2\0\0\0\0\7"
        self.stop_event = multiprocessing.Event()
        self.count = multiprocessing.Value("L", 0)
        self.process = multiprocessing.Process(
            target=_flood, args=(s, [head + struct.pack("!H", kind) + p for kind, p in packets], self.stop_event, self.count),
            daemon=True)
        self.process.start()
        rack.lab.cleanups.append(self.process.kill)

    def stop(self):
        """How many were sent."""
        self.stop_event.set()
        self.process.join(10)
        return self.count.value


def ping(i):
    body = struct.pack("!BBHHH", 8, 0, 0, 1, i) + b"x" * 32
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), i, 0, 64, 1, 0, socket.inet_aton("203.0.113.99"),
                       socket.inet_aton(APPLIANCE4)) + body  # broken sums: the kernel throws it away, after it was passed


def test_probes_and_bgp_survive_a_flood_of_garbage_to_any_port(lab):
    rack = Rack(lab)
    for name in rack.servers:
        Server(rack, name, away_ms=FAR_MS).start()
    tap = rack.tap
    config = rack.config(rack.pair_config(extra=PATIENT), top="kernel-rest: 2000\nkernel-ping: 200\n")
    appliance = Appliance(rack, config).start()
    appliance.wait_up("east-a", "east-b")
    peers = [Bgp(rack.router, "192.0.2.1", APPLIANCE4), Bgp(rack.appliance_ns, APPLIANCE4, "192.0.2.1", passive=True)]
    for p in peers:
        p.wait_established()
    began = [p.lost() for p in peers]
    events = len(appliance.ctl("event", "list"))
    garbage = [(0x0800, udp4("203.0.113.99", APPLIANCE4, b"x" * 100, sport=1024 + i, dport=9 + 61 * i))
               for i in range(64)]
    flood = Flood(rack, garbage + [(0x0800, ping(i)) for i in range(32)])
    load = Load(rack, 300, 50, hold_ms=200)
    time.sleep(Bgp.HOLD_S + 3)  # whoever hears nothing for so long closes; some twenty probes to each member
    status = load.wait()
    sent = flood.stop()
    drops = appliance.ctl("stats", "show")["workers"][0]["drops"]
    assert drops["kernel-rest-limited"] > 1000 and drops["kernel-ping-limited"] > 1000, (sent, drops)
    for reason in ("neighbours", "routing", "probes"):
        assert drops[f"kernel-{reason}-limited"] == 0, drops
    ended = [p.lost() for p in peers]
    assert ended == began == [(0, "Established")] * 2, (began, ended)
    changed = appliance.ctl("event", "list")[events:]
    assert changed == [], changed
    assert status == 0 and load.figures() == (300, 300, 0, 0), (load.figures(), load.errors()[-2000:])
    assert tap.bad() == []
