"""What left the appliance, held against what had to leave: tshark reads the sampled frames back (checksums, SIP fields, no
malformation), and every byte is compared with what traffic.py says, the appliance's own tokens by their form."""

import re
import subprocess

import traffic

FIELDS = ("frame.time_epoch", "eth.dst", "ip.checksum.status", "udp.checksum.status", "ip.src", "ip.dst", "udp.srcport",
          "udp.dstport", "sip.Method", "sip.Status-Code", "sip.Max-Forwards", "sip.CSeq.method", "sip.Via.branch",
          "_ws.malformed", "udp.payload")
GOOD = "1"  # of a checksum's status
TOKEN = re.compile(rb"(z9hG4bKss)?[0-9a-f]*(ss[0-9a-f]{68})?")


def read(pcap):
    """Rows of fields, as tshark sees them."""
    argv = ["tshark", "-n", "-r", pcap, "-Y", f"!arp && !ipv6 && udp.srcport == {traffic.PORT}", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-d", f"udp.port=={traffic.PORT},sip", "-T", "fields",
            "-E", "separator=|", "-E", "occurrence=a"]
    for field in FIELDS:
        argv += ["-e", field]
    out = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [dict(zip(FIELDS, line.split("|"))) for line in out.splitlines()]


def unpatched(record):
    """Places in the payload that leaves which hold this pass's serial number."""
    at = record.expected.find(traffic.SERIAL)
    while at >= 0:
        yield at
        at = record.expected.find(traffic.SERIAL, at + len(traffic.SERIAL))


def compare(record, payload):
    """What is wrong with the payload that left for a record, or None."""
    want = bytearray(record.expected)
    if len(payload) != len(want):
        return f"{len(payload)} bytes instead of {len(want)}"
    serials = set()
    for at in unpatched(record):
        serials.add(payload[at : at + 16])
        want[at : at + 16] = payload[at : at + 16]
    if len(serials) > 1:
        return "its serial numbers differ"
    for run in re.finditer(rb"\0+", record.expected):
        token = payload[run.start() : run.end()]
        if not TOKEN.fullmatch(token):
            return f"no token of ours: {token!r}"
        want[run.start() : run.end()] = token
    at = next((i for i, (a, b) in enumerate(zip(payload, want)) if a != b), None)
    return None if at is None else f"byte {at}: {payload[max(0, at - 20):at + 20]!r} for {bytes(want[max(0, at - 20):at + 20])!r}"


def judge(row, record, members):
    """What is wrong with one frame, or None."""
    if row["ip.checksum.status"] != GOOD or row["udp.checksum.status"] != GOOD:
        return f"checksums: IP {row['ip.checksum.status']}, UDP {row['udp.checksum.status']}"
    if row["_ws.malformed"]:
        return "malformed"
    if bytes.fromhex(row["eth.dst"].replace(":", "")) != traffic.GATEWAY_MAC:
        return f"sent to {row['eth.dst']}"
    to = (row["ip.dst"], int(row["udp.dstport"]))
    if (row["ip.src"], int(row["udp.srcport"])) != (traffic.LISTENER, traffic.PORT):
        return f"sent from {row['ip.src']}:{row['udp.srcport']}"
    if to != record.target if record.target else to[0] not in members or to[1] != traffic.PORT:
        return f"sent to {to[0]}:{to[1]}"
    start = record.payload.split(b" ", 2)
    if record.is_request:
        if row["sip.Method"] != start[0].decode() or row["sip.Max-Forwards"] != "69":
            return f"{row['sip.Method']} with Max-Forwards {row['sip.Max-Forwards']}"
    elif row["sip.Status-Code"] != start[1].decode():
        return f"status {row['sip.Status-Code']}"
    branches = row["sip.Via.branch"].split(",")
    if len(branches) != 1 + record.is_request or record.is_request != branches[0].startswith("z9hG4bKss"):
        return f"Vias with branches {branches}"
    return compare(record, bytes.fromhex(row["udp.payload"].replace(":", "")))


def check(pcap, records, members):
    """How many sampled frames are right; AssertionError about the first that is not."""
    rows = read(pcap)
    assert rows, "nothing was sampled"
    seen = set()
    for row in rows:
        number = int(float(row["frame.time_epoch"]))
        wrong = judge(row, records[number], members)
        assert not wrong, f"frame {number} of the file left wrong: {wrong}"
        seen.add(number)
    return {"frames": len(rows), "different": len(seen)}
