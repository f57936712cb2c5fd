"""What reached the servers, seen on the wire: which member got a call's INVITE, and which answered it.

A server's own log loses its last lines when it is killed, so the packets on its cable are the witness.
"""

import re
import struct

from rack import run

# INVITE requests and SIP responses, by the first four bytes of the payload.
FILTER = "udp port 5060 and (udp[8:4] = 0x494e5649 or udp[8:4] = 0x5349502f)"


class Wire:
    """A capture of INVITEs and responses on one server's cable."""

    def __init__(self, rack, name):
        self.name = name
        self.ip = rack.server_ip(name)
        self.path = f"{rack.lab.dir}/wire-{name}-{id(self):x}.pcap"
        self.process = rack.router.start(
            f"wire-{name}", "dumpcap", "-q", "-P", "-i", f"to-{name}", "-w", self.path, "-B", "16", "-s", "0",
            "-f", FILTER,
        )

    def stop(self):
        """(Call-IDs of INVITEs that reached the server, those that it answered 200, and each one's 200s)."""
        if self.process.alive():
            self.process.stop(5)
        reached, answered = {}, {}
        for source, payload in packets(self.path):
            call = call_id(payload)
            if payload.startswith(b"INVITE") and source != self.ip:
                reached[call] = reached.get(call, 0) + 1
            elif payload.startswith(b"SIP/2.0 200") and source == self.ip and b" INVITE\r\n" in payload:
                answered[call] = answered.get(call, 0) + 1
        return reached, answered


def call_id(payload):
    m = re.search(rb"\r\n(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]+)", payload, re.I)
    return m.group(1) if m else b""


def packets(path):
    """(source address, UDP payload) of each IPv4 packet in a capture file of the classic format."""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from(order + "I", data, at + 8)[0]
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        if frame[12:14] == b"\x08\x00" and len(frame) > 42:
            header = (frame[14] & 15) * 4
            yield ".".join(str(b) for b in frame[26:30]), frame[14 + header + 8:]


def rescues(appliance):
    """Requests that were sent to another member in flight, {cause: {method: n}}."""
    return {c: m for c, m in appliance.ctl("stats", "show")["in_flight"]["rescued"].items() if m}


def lose(rack, percent):
    """Let the router lose that share of what it forwards between the appliance and the servers, both ways."""
    rules = (
        "table inet loss { chain forward { type filter hook forward priority 0; policy accept; "
        f"udp dport 5060 numgen random mod 1000 < {int(percent * 10)} drop; }}; }}"
    )
    path = rack.lab.file("loss.nft", rules)
    run("ip", "netns", "exec", rack.router.name, "nft", "-f", path)


def lose_nothing(rack):
    run("ip", "netns", "exec", rack.router.name, "nft", "delete", "table", "inet", "loss")
