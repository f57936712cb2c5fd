"""Traffic that the benchmark replays: SIP messages in Ethernet frames, what to change in each at every pass, and what has
to come out for it.

A call is one caller's dialogue: requests in one direction, and the responses of the server that got them. A frame may
have patches: bytes that are filled in as it is replayed, because only then are they known (this pass's serial number in
branch and Call-ID; from what left before, our own Via's branch, our Record-Route value, the member's address). Where a
frame has none, it is replayed as it stands. replay.h describes the plan file that says so to the replaying program."""

import ipaddress
import struct

LISTENER, PORT = "192.0.2.10", 5060
LISTENER6 = "2001:db8::10"
GATEWAY = "192.0.2.1"
GATEWAY_MAC = bytes.fromhex("02005e000001")
PORT_MAC = bytes.fromhex("027063617000")  # net_pcap's own default
HEADERS = 14 + 20 + 8
SERIAL = b"0" * 16
MARK = "f" * 16  # at the end of a body: veth_load writes its own serial numbers there
BRANCH_LEN, FLOW_LEN, COOKIE_LEN = 53, 70, 42  # of the appliance's tokens
RR_HEAD = b"Record-Route: <sip:"
ANY = b"\0"  # in what must come out: any byte here

PATCH_SERIAL, PATCH_CAPTURE, PATCH_SOURCE = 0, 1, 2


class Record:
    """One frame of the file."""

    def __init__(self, call, source, payload):
        self.call = call
        self.source = source  # (address, port)
        self.payload = payload
        self.starts = False  # of its call: a new serial
        self.slot = 0        # request: where what leaves is kept; response: whose branch it has
        self.is_request = payload[:4] != b"SIP/"
        self.patches = []    # (what, slot, offset in the capture, length, offset in the payload)
        self.capture = (0, 0)  # request: offset in the payload that leaves, length
        self.expected = None   # payload that must leave, ANY where only the appliance knows
        self.target = None     # where to, None: a member

    def find(self, text, what, slot, at, length):
        off = self.payload.index(text)
        self.patches.append((what, slot, at, length, off))


def member(pair, k):
    """Address of a pair's primary (k 0) or backup (1)."""
    if pair < 100:
        return f"198.51.100.{11 + 2 * pair + k}" if pair < 40 else f"10.0.0.{2 * pair + k}"
    return str(ipaddress.ip_address("10.1.0.0") + 2 * pair + k)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def frame(source, payload):
    """An Ethernet frame to the listener of the source's family, checksums right."""
    v6 = ":" in source[0]
    src, dst = (ipaddress.ip_address(a).packed for a in (source[0], LISTENER6 if v6 else LISTENER))
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", source[1], PORT, length, 0)
    total = checksum(src + dst + struct.pack("!HH", 17, length) + udp + payload)
    udp = udp[:6] + struct.pack("!H", total or 0xFFFF)
    if v6:
        return PORT_MAC + GATEWAY_MAC + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, length, 17, 64) + src + dst + udp + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, 17, 0) + src + dst
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return PORT_MAC + GATEWAY_MAC + b"\x08\x00" + ip + udp + payload


# ---- Messages

NAMES = ("alice", "bob", "carol.jones", "dave", "erin-42", "frank", "grace.hopper", "heidi", "+4930555", "2001")


class Phone:
    """A caller: one in four sits behind a NAT, as its Via shows."""

    def __init__(self, n):
        self.user = f"{NAMES[n % len(NAMES)]}{n:05d}"
        self.source = (f"203.0.113.{1 + n % 250}", 5060 if n % 4 else 10000 + n % 50000)
        self.nat = n % 4 == 0
        host = f"192.168.{n // 250 % 250}.{1 + n % 250}" if self.nat else self.source[0]
        self.host = f"{host}:{5060 if self.nat else self.source[1]}"
        self.tag = f"{n * 2654435761 % 2**32:08x}"
        self.call = n

    def via(self, request, answered=False):
        stamp = f";received={self.source[0]};rport={self.source[1]}" if answered else ";rport"
        return f"Via: SIP/2.0/UDP {self.host};branch=z9hG4bK{request}{SERIAL.decode()}{stamp}\r\n"

    def flow(self):
        return ANY * FLOW_LEN + b"@" if self.nat else b""

    def call_id(self):
        return f"Call-ID: c{SERIAL.decode()}@{self.host.split(':')[0]}\r\n"


def body(phone):
    text = (f"v=0\r\no={phone.user} 53655765 2353687637 IN IP4 {phone.host.split(':')[0]}\r\ns=-\r\n"
            f"c=IN IP4 {phone.host.split(':')[0]}\r\nt=0 0\r\nm=audio {16384 + phone.call % 16384 & ~1} RTP/AVP 0 8 101\r\n"
            "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
            f"a=mid:{MARK}\r\n")
    return text


def request(phone, method, slot, route=False, cseq=1):
    """A request of this phone, as a Record that says what must leave."""
    contact = f"Contact: <sip:{phone.user}@{phone.host}>\r\n"
    callee = NAMES[(phone.call * 7 + 3) % len(NAMES)]
    dialog = method in ("ACK", "BYE")
    uri = {"REGISTER": "sip:example.com"}.get(method) or (
        f"sip:{callee}@198.51.100.99:5062" if dialog else f"sip:{callee}@example.com")
    to = f"<sip:{phone.user}@example.com>" if method == "REGISTER" else (
        f"<sip:{callee}@example.com>" + (";tag=as5f3e1c7d" if dialog else ""))
    extra, sdp = "", ""
    if method == "INVITE":
        sdp = body(phone)
        extra = contact + ("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: 100rel, replaces\r\n"
                           "User-Agent: Phone/2.4\r\nContent-Type: application/sdp\r\n")
    if method == "REGISTER":
        extra = contact + "Expires: 3600\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nUser-Agent: Phone/2.4\r\n"
    start = f"{method} {uri} SIP/2.0\r\n"
    via = phone.via(f"{method[0]}-")
    value = b"<sip:" + phone.flow() + f"{LISTENER}:{PORT};lr;ss=".encode() + ANY * COOKIE_LEN + b">"
    routes = b"Route: " + value + b"\r\n" if route else b""
    rest = (f"From: \"{phone.user}\" <sip:{phone.user}@example.com>;tag={phone.tag}\r\nTo: {to}\r\n{phone.call_id()}"
            f"CSeq: {cseq} {method}\r\n{extra}Content-Length: {len(sdp)}\r\n\r\n{sdp}").encode()
    r = Record(phone.call, phone.source, start.encode() + via.encode() + b"Max-Forwards: 70\r\n" + routes + rest)
    r.slot, r.target = slot, None

    ours = f"Via: SIP/2.0/UDP {LISTENER}:{PORT};rport;branch=".encode()
    top = ours + ANY * BRANCH_LEN + b"\r\n"
    if method == "INVITE":
        top += RR_HEAD[:-5] + value + b"\r\n"
    if method == "REGISTER":
        top += b"Path: <sip:" + ANY * FLOW_LEN + b"@" + f"{LISTENER}:{PORT};lr>\r\n".encode()
    stamped = via.replace(";rport", f";received={phone.source[0]};rport={phone.source[1]}").encode()
    r.expected = start.encode() + top + stamped + b"Max-Forwards: 69\r\n" + rest
    r.capture = (len(start) + len(ours), len(top) - len(ours))
    return r


def patch_serials(r):
    """Every serial number of a record: in branches and in the Call-ID."""
    at = r.payload.find(SERIAL)
    while at >= 0:
        r.patches.append((PATCH_SERIAL, 0, 0, len(SERIAL), at))
        at = r.payload.find(SERIAL, at + len(SERIAL))


def patch_route(r, phone, slot):
    """Our Record-Route value, as it left with the request in a slot."""
    length = len(phone.flow()) + len(f"{LISTENER}:{PORT};lr;ss=") + COOKIE_LEN
    at = r.payload.index(b"Route: <sip:") + len(b"Route: <sip:")
    r.patches.append((PATCH_CAPTURE, slot, BRANCH_LEN + 2 + len(RR_HEAD), length, at))


def response(phone, status, to_request, slot):
    """The member's response to a request of this phone."""
    head = to_request.payload.decode("latin-1")
    lines = head.split("\r\n\r\n")[0].split("\r\n")
    method = head.split(" ", 1)[0]
    ours = f"Via: SIP/2.0/UDP {LISTENER}:{PORT};received={LISTENER};rport={PORT};branch="
    copied = [s for s in lines[1:] if s.split(":")[0] in ("From", "To", "Call-ID", "CSeq")]
    if status != "100 Trying":
        copied = [s + ";tag=as5f3e1c7d" if s.startswith("To:") and ";tag" not in s else s for s in copied]
    has_sdp = method == "INVITE" and status[0] == "2"
    has_route = method == "INVITE" and status != "100 Trying"
    sdp = body(Phone(phone.call + 77777)) if has_sdp else ""
    value = phone.flow() + f"{LISTENER}:{PORT};lr;ss=".encode() + ANY * COOKIE_LEN + b">\r\n"
    below = phone.via(f"{method[0]}-", answered=True).encode() + (RR_HEAD + value if has_route else b"")
    extra = "Contact: <sip:callee@198.51.100.99:5062>\r\n" if has_route else ""
    extra += "Contact: <sip:%s@%s>;expires=3600\r\n" % (phone.user, phone.host) if method == "REGISTER" else ""
    extra += "Content-Type: application/sdp\r\n" if has_sdp else ""
    rest = ("\r\n".join(copied) + f"\r\nServer: Switch 5.8\r\n{extra}Content-Length: {len(sdp)}\r\n\r\n{sdp}").encode()
    start = f"SIP/2.0 {status}\r\n".encode()
    r = Record(phone.call, ("198.51.100.11", PORT), start + ours.encode() + ANY * BRANCH_LEN + b"\r\n" + below + rest)
    r.slot = slot
    r.patches.append((PATCH_CAPTURE, slot, 0, BRANCH_LEN, len(start) + len(ours)))
    if has_route:
        patch_route(r, phone, slot)
    r.patches.append((PATCH_SOURCE, slot, 0, 4, 0))
    r.expected, r.target = start + below + rest, phone.source
    return r


# ---- Files

def invites(n):
    """n different INVITEs; nothing is changed as they are replayed."""
    records = []
    for i in range(n):
        r = request(Phone(i), "INVITE", 0)
        digits = f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}".encode()
        r.payload, r.expected = (b.replace(SERIAL, digits) for b in (r.payload, r.expected))
        records.append(r)
    return records


def pipeline(calls, lag):
    """Weave calls into one another: message k of a call comes lag calls after its message k - 1."""
    steps = len(calls[0])
    return [calls[(t - lag * k) % len(calls)][k] for t in range(len(calls)) for k in range(steps)]


def transactions(n, lag=64):
    """n INVITEs, each with its final response."""
    calls = []
    for i in range(n):
        phone = Phone(i)
        invite = request(phone, "INVITE", 0)
        invite.starts = True
        ok = response(phone, "200 OK", invite, 0)
        patch_serials(invite)
        patch_serials(ok)
        calls.append([invite, ok])
    return pipeline(calls, lag)


def mix(n, lag=64):
    """n callers, each registering and making a call: REGISTER, 200, INVITE, 100, 180, 200, ACK, BYE, 200."""
    calls = []
    for i in range(n):
        phone = Phone(i)
        register = request(phone, "REGISTER", 0)
        register.starts = True
        invite = request(phone, "INVITE", 1)
        ack = request(phone, "ACK", 2, route=True)
        bye = request(phone, "BYE", 3, route=True, cseq=2)
        call = [register, response(phone, "200 OK", register, 0), invite, response(phone, "100 Trying", invite, 1),
                response(phone, "180 Ringing", invite, 1), response(phone, "200 OK", invite, 1), ack, bye,
                response(phone, "200 OK", bye, 3)]
        for r in (ack, bye):
            patch_route(r, phone, 1)
        for r in call:
            patch_serials(r)
        calls.append(call)
    return pipeline(calls, lag)


PLAN_MAGIC, MAX_PATCHES = b"sipplan1", 8


def write(records, stem):
    """STEM.pcap and STEM.plan; returns the pcap's path."""
    with open(f"{stem}.pcap", "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for r in records:
            data = frame(r.source, r.payload)
            f.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)
    with open(f"{stem}.plan", "wb") as f:
        f.write(PLAN_MAGIC + struct.pack("<II", len(records), 1 + max(r.call for r in records)))
        for r in records:
            assert len(r.patches) <= MAX_PATCHES
            f.write(struct.pack("<IBBBBHH", r.call, r.is_request, r.starts, r.slot, len(r.patches), HEADERS + r.capture[0],
                                r.capture[1]))
            for what, slot, at, length, off in r.patches + [(0, 0, 0, 0, 0)] * (MAX_PATCHES - len(r.patches)):
                f.write(struct.pack("<BBHHH", what, slot, at, length, HEADERS + off))
    return f"{stem}.pcap"
