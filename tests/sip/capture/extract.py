#!/usr/bin/env python3
"""Cut the SIP messages out of a capture: one file per kind.

Usage: extract.py PCAP OUTDIR

Two messages are of one kind when method or status, User-Agent or Server, and the sequence
of header names are the same. Only Ethernet captures of unfragmented IPv4 and IPv6 are read.
"""

import re
import struct
import sys
from pathlib import Path


def packets(data):
    """The captured frames of a classic pcap file."""
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack(order + "I", data[at + 8 : at + 12])[0]
        yield data[at + 16 : at + 16 + size]
        at += 16 + size


def transport(frame):
    """(protocol, addresses, L4 bytes) of a frame, or None."""
    kind = frame[12:14]
    ip = frame[14:]
    if kind == b"\x08\x00":
        size = struct.unpack(">H", ip[2:4])[0]
        return ip[9], ip[12:20], ip[(ip[0] & 15) * 4 : size]
    if kind == b"\x86\xdd":
        size = struct.unpack(">H", ip[4:6])[0]
        return ip[6], ip[8:40], ip[40 : 40 + size]
    return None


def segments(data):
    """Yield UDP payloads, then TCP streams put together by sequence number."""
    streams = {}
    for frame in packets(data):
        found = transport(frame)
        if found is None:
            continue
        proto, addresses, l4 = found
        if proto == 17:
            yield "udp", l4[8:]
        elif proto == 6:
            seq = struct.unpack(">I", l4[4:8])[0]
            payload = l4[(l4[12] >> 4) * 4 :]
            if payload:
                streams.setdefault((addresses, l4[:4]), {}).setdefault(seq, payload)
    for parts in streams.values():
        yield "tcp", b"".join(parts[seq] for seq in sorted(parts))


def messages(proto, data):
    """Cut a payload into messages by Content-Length."""
    while True:
        data = data.lstrip(b"\r\n")
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end or b"SIP/2.0" not in head.split(b"\r\n")[0]:
            return
        length = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
        size = int(length[1]) if length else len(rest)
        yield head + end + rest[:size]
        if proto == "udp":
            return
        data = rest[size:]


def kind_of(message):
    """What makes a message differ from the others, and a name for its file."""
    lines = message.split(b"\r\n\r\n")[0].split(b"\r\n")
    names = tuple(re.findall(rb"(?m)^([^\s:]+)\s*:", b"\r\n".join(lines[1:])))
    agent = re.search(rb"(?im)^(?:user-agent|server)\s*:\s*([A-Za-z0-9-]+)", message)
    cseq = re.search(rb"(?im)^cseq\s*:\s*\d+\s+(\w+)", message)
    first = lines[0].split(b" ")
    what = cseq[1] if cseq else b"x"
    if first[0] == b"SIP/2.0":
        what += b"-" + first[1]
    who = agent[1] if agent else b"sipp"
    who = who.split(b"-")[0].lower()
    name = f"{who.decode()}-{what.decode().lower()}"
    return (name, names), name


def main():
    data = Path(sys.argv[1]).read_bytes()
    out = Path(sys.argv[2])
    seen = set()
    count = {}
    for proto, payload in segments(data):
        for message in messages(proto, payload):
            kind, name = kind_of(message)
            if kind in seen:
                continue
            seen.add(kind)
            count[name] = count.get(name, 0) + 1
            (out / f"{name}-{count[name]}.sip").write_bytes(message)
    print(f"{len(seen)} messages", file=sys.stderr)


main()
