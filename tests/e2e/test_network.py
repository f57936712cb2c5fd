"""Networks as they are: fragments both ways, small MTUs, ICMP errors, VLANs, jumbo frames."""

import itertools
import socket
import struct
import threading
import time

from lab import wait_for
from rack import APPLIANCE4, APPLIANCE6, ARM4, Appliance, Rack
from switch import Switch
from test_dataplane import Alone, Wire, failure, fold, udp4

CALLER4, CALLER6 = "203.0.113.10", "2001:db8:113::10"
SERVER4, SERVER6 = "198.51.100.11", "2001:db8:100::11"
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # linux/in.h
_ids = itertools.count(1)


def sip(method, source, body=b"", uri=f"sip:{APPLIANCE4}", port=5060):
    """A request as a phone at source:port sends it."""
    n = next(_ids)
    host = f"[{source}]" if ":" in source else source
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bKn{n};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:a{n}@example.com>;tag={n}\r\nTo: <sip:b@example.com>\r\nCall-ID: n{n}@example.com\r\n"
        f"CSeq: 1 {method}\r\nContact: <sip:a@{host}:{port}>\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def answer(request, status="200 OK", body=b""):
    """A server's response to a request, as large as its body makes it."""
    head = request.split(b"\r\n\r\n", 1)[0].decode().split("\r\n")[1:]
    keep = [h for h in head if h.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")]
    keep = [h + ";tag=s" if h.startswith("To:") and ";tag=" not in h else h for h in keep]
    return ("\r\n".join([f"SIP/2.0 {status}"] + keep + [f"Content-Length: {len(body)}"]) + "\r\n\r\n").encode() + body


def body_of(message):
    return message.split(b"\r\n\r\n", 1)[1]


def pattern(n):
    return bytes(33 + (i * 7 + i // 89) % 90 for i in range(n))


def udp(ns, address, port=5060):
    s = ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    if ":" not in address:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)  # routers may fragment: nobody sends it again
    s.bind((address, port))
    s.settimeout(2)
    return s


def with_body(sock, text, tries=20):
    """The next message with that body; others are copies of earlier ones, sent again."""
    for _ in range(tries):
        message, source = sock.recvfrom(70000)
        if body_of(message) == text:
            return message, source
    raise AssertionError("no message with that body")


def round_trip(phone, server, appliance, source, size):
    """One INVITE with a body of that size to the server, one response as large back. Some forty fragments in a row may
    overflow a queue of a busy machine: what is lost is sent again, as endpoints do. How often it was sent."""
    text = pattern(size)
    request = sip("INVITE", source, text, "sip:b@example.com")
    for sends in range(1, 6):
        phone.sendto(request, (appliance, 5060))
        try:
            got, hop = with_body(server, text)
            server.sendto(answer(got, body=text), hop)
            response, _ = with_body(phone, text)
            break
        except TimeoutError:
            continue
    else:
        raise AssertionError(f"{size} bytes do not get through")
    assert response.startswith(b"SIP/2.0 200"), response[:100]
    return sends


def nothing_wrong(stats, lost=False):
    """No datagram was refused; where one was lost on the way to us, what came of it is given up in the end."""
    wrong = [r for r in stats if r.startswith(("fragment-", "ip-", "udp-", "too-big"))]
    assert not wrong or (lost and wrong == ["fragment-timeout"]), stats


def v6_config(rack):
    """A rack whose pair has an IPv6 member."""
    return rack.config(rack.pair_config(members=("a",)).replace(f"address: {SERVER4}", f'address: "{SERVER6}"'))


def test_messages_of_any_size_pass_in_fragments(lab):
    rack = Rack(lab)
    dp = Alone(lab, rack)
    dp.drive()
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    sizes = [900, 1100, 1200, 2000, 4000, 9000, 30000, 64000]
    sends = sum(round_trip(phone, server, APPLIANCE4, CALLER4, size) for size in sizes)
    stats = dp.stats()
    # All but the first are too large at one side at least; 1100 only with our header fields.
    assert stats["reassembled"] >= 2 * (len(sizes) - 2), stats
    assert stats["fragmented"] >= 2 * len(sizes) - 4, stats
    nothing_wrong(stats, sends > len(sizes))
    assert dp.stop() == 0


def test_messages_of_any_size_pass_in_fragments_over_ipv6(lab):
    rack = Rack(lab, servers=("a",))
    dp = Alone(lab, rack, v6_config(rack))
    dp.drive()
    phone, server = udp(rack.callers, CALLER6), udp(rack.servers["a"], SERVER6)
    sizes = (900, 1100, 2000, 9000, 64000)
    sends = sum(round_trip(phone, server, APPLIANCE6, CALLER6, size) for size in sizes)
    stats = dp.stats()
    assert stats["reassembled"] >= 6 and stats["fragmented"] >= 6, stats
    nothing_wrong(stats, sends > len(sizes))


def test_what_the_kernel_gets_in_fragments_it_gets_whole(lab):
    rack = Rack(lab)
    dp = Alone(lab, rack)
    dp.drive()
    for family, here, there in ((4, APPLIANCE4, CALLER4), (6, APPLIANCE6, CALLER6)):
        server = udp(dp.ns, here, 7000)  # as a resolver's answer would come
        client = udp(rack.callers, there, 7001)
        for size in (4000, 20000):
            client.sendto(pattern(size), (here, 7000))
            data, source = server.recvfrom(70000)
            assert data == pattern(size)
            server.sendto(data, source[:2])
            assert client.recv(70000) == data
        dp.ping(here, count=3)
        rack.callers.exec("ping", "-c", "2", "-s", "4000", "-W", "2", here)
    stats = dp.stats()
    assert stats["reassembled"] == 0 and stats["fragments"] >= 32, stats
    assert not [r for r in stats if r.startswith(("fragment-", "ip-"))], stats


def fragments4(source, payload, cuts, ident, sport=5060):
    """A datagram for the appliance as IPv4 fragments, cut at these places behind the IP header."""
    whole = udp4(source, APPLIANCE4, payload, sport=sport)
    data, cuts = whole[20:], [0, *cuts, len(whole) - 20]
    out = []
    for at, end in zip(cuts, cuts[1:]):
        more = 0x2000 if end < len(data) else 0
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + end - at, ident, more | at // 8, 64, 17, 0) + whole[12:20]
        out.append(header[:10] + struct.pack("!H", fold(header)) + header[12:] + data[at:end])
    return out


def test_broken_fragment_sets_are_dropped_by_name(lab):
    dp = Alone(lab, Rack(lab))
    dp.drive()
    wire = Wire(dp.rack)
    ids = itertools.count(1)

    def gives(reason, count, *packets):
        before = dp.stats().get(reason, 0)
        for p in packets:
            wire.send(p)
        wait_for(reason, lambda: dp.stats().get(reason, 0) == before + count, timeout=10)

    def cut(*cuts):
        return fragments4(CALLER4, pattern(1200), cuts, next(ids))

    def over(first, second, ident):
        """Two fragments of one datagram, whatever they hold: (from, to, more)."""
        out = []
        for at, end, more in (first, second):
            header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + end - at, ident, (0x2000 if more else 0) | at // 8, 64, 17,
                                 0, socket.inet_aton(CALLER4), socket.inet_aton(APPLIANCE4))
            data = struct.pack("!HHHH", 5060, 5060, 1000, 0) + pattern(2000)
            out.append(header[:10] + struct.pack("!H", fold(header)) + header[12:] + data[at:end])
        return out

    gives("fragment-overlap", 2, *over((0, 80, 1), (72, 160, 1), next(ids)))
    gives("fragment-overlap", 2, *over((80, 160, 1), (0, 160, 1), next(ids)))
    gives("ip-fragment", 2, *over((160, 200, 0), (200, 240, 1), next(ids)))
    gives("ip-fragment", 1, over((0, 81, 1), (0, 8, 1), next(ids))[0])
    a, b, c = cut(400, 800)
    gives("fragment-duplicate", 1, a, a, b, c)
    assert dp.stats()["reassembled"] == 1
    gives("fragment-timeout", 2, *cut(400, 800)[:2])
    gives("ip-checksum", 1, cut(400)[0][:10] + b"\x12\x34" + cut(400)[0][12:])
    assert dp.stats()["forwarded"] == 0


def test_a_fragment_flood_stops_nobody_else(lab):
    rack = Rack(lab)
    dp = Alone(lab, rack)
    dp.drive()
    wire = Wire(rack)
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    round_trip(phone, server, APPLIANCE4, CALLER4, 4000)
    ident = itertools.count(1)
    flood = fragments4("203.0.113.66", pattern(1200), (800,), 0)[0]
    for size in (4000, 500, 20000):
        # First fragments only, from one source, in between all else.
        for _ in range(1500):
            header = flood[:4] + struct.pack("!H", next(ident) & 0xFFFF) + flood[6:10] + b"\0\0" + flood[12:20]
            wire.send(header[:10] + struct.pack("!H", fold(header)) + header[12:] + flood[20:])
        round_trip(phone, server, APPLIANCE4, CALLER4, size)
    stats = dp.stats()
    assert stats["fragment-limit"] >= 1000, stats
    assert stats.get("no-mbuf", 0) == 0, stats


def test_a_small_way_out_is_met_in_fragments(lab):
    """A link with a smaller MTU than its neighbours': answers of ours leave in fragments, too."""
    rack = Rack(lab)
    rack.router.ip("link", "set", "to-lb", "mtu", "1280")
    config = rack.config(top="").replace("    addresses: [ 192.0.2.10/24", "    mtu: 1280\n    addresses: [ 192.0.2.10/24")
    dp = Alone(lab, rack, config)
    dp.drive()
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    round_trip(phone, server, APPLIANCE4, CALLER4, 700)
    assert dp.stats()["fragmented"] == 0
    round_trip(phone, server, APPLIANCE4, CALLER4, 850)
    fragmented = dp.stats()["fragmented"]
    assert fragmented >= 1, dp.stats()
    # An answer of our own (200 to OPTIONS for ourselves) that is large because the request's Vias are.
    vias = "".join(f"Via: SIP/2.0/UDP 10.0.0.{i}:5060;branch=z9hG4bK{'x' * 60}{i}\r\n" for i in range(11))
    text = sip("OPTIONS", CALLER4).decode().replace("Max-Forwards", vias + "Max-Forwards")
    phone.sendto(text.encode(), (APPLIANCE4, 5060))
    answer_, _ = with_body(phone, b"")
    assert answer_.startswith(b"SIP/2.0 200") and len(answer_) > 1280, answer_
    assert dp.stats()["fragmented"] == fragmented + 1


def test_a_dead_server_answers_with_icmp(lab):
    """Port unreachable, from the server's own kernel: proven by what it quotes, told to control, and not to the kernel."""
    rack = Rack(lab)
    for config, members, appliance, caller, kind in (
        (rack.config(), 2, APPLIANCE4, CALLER4, ["3", "3"]),
        (v6_config(rack), 1, APPLIANCE6, CALLER6, ["1", "4"]),
    ):
        dp = Alone(lab, rack, config, name=f"dp-{kind[0]}")
        dp.drive()
        phone = udp(rack.callers, caller)
        invite = sip("INVITE", caller, pattern(200), "sip:b@example.com")

        # As a phone does, until the server's kernel says it: it limits how often it does, all namespaces together.
        heard = threading.Event()

        def send():
            for _ in range(40):
                phone.sendto(invite, (appliance, 5060))
                if heard.wait(1):
                    return

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        assert dp.until("icmp") == ["icmp", "0", *kind]
        # The first error moves the INVITE to the next member, whose host has no server either: one from each, all proven.
        wait_for("an error from each member", lambda: dp.stats().get("icmp-errors", 0) >= members, 30)
        heard.set()
        sender.join()
        stats = dp.stats()
        assert stats["icmp-absorbed"] == stats["icmp-errors"] and "icmp-unproven" not in stats, stats
        # A client that is gone: nothing in its error proves it, and nothing comes of it.
        phone.close()
        assert dp.stop() == 0


def icmp4(source, kind, code, quote, rest=0, checksum=None):
    body = struct.pack("!BBHI", kind, code, 0, rest) + quote
    body = body[:2] + struct.pack("!H", fold(body) if checksum is None else checksum) + body[4:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 9, 0, 64, 1, 0, socket.inet_aton(source),
                     socket.inet_aton(APPLIANCE4))
    return ip[:10] + struct.pack("!H", fold(ip)) + ip[12:] + body


def test_icmp_errors_are_judged_by_what_they_quote(lab):
    dp = Alone(lab, Rack(lab))
    dp.drive()
    wire = Wire(dp.rack)
    ours = udp4(APPLIANCE4, SERVER4, sip("OPTIONS", APPLIANCE4))
    rows = [
        ("icmp-unproven", icmp4("192.0.2.1", 3, 3, ours)),
        ("icmp-unproven", icmp4("192.0.2.1", 3, 3, ours[:28])),
        ("icmp-unproven", icmp4("192.0.2.1", 3, 4, ours, rest=68)),
        ("icmp-ignored", icmp4("192.0.2.1", 11, 0, ours)),
        ("icmp-ignored", icmp4("192.0.2.1", 3, 5, ours)),
        ("icmp-checksum", icmp4("192.0.2.1", 3, 3, ours, checksum=1)),
        ("icmp-quote", icmp4("192.0.2.1", 3, 3, ours[:20])),
        ("icmp-quote", icmp4("192.0.2.1", 3, 3, b"")),
        ("icmp-quote", icmp4("192.0.2.1", 3, 3, b"\x41" + ours[1:])),
        ("icmp-quote", icmp4("192.0.2.1", 3, 3, ours[:24] + b"\xff\xff" + ours[26:])),
    ]
    for reason, packet in rows:
        before = dp.stats()
        wire.send(packet)
        wait_for(reason, lambda: dp.stats().get(reason, 0) == before.get(reason, 0) + 1, timeout=5)
    assert dp.stats()["pmtu-lowered"] == 0
    # None of them went to the kernel.
    assert dp.ns.exec("nstat", "-asz", "IcmpInMsgs").split()[-2] == "0"


def test_errors_about_the_kernels_packets_go_to_the_kernel(lab):
    dp = Alone(lab, Rack(lab))
    dp.drive()
    for here, there in ((APPLIANCE4, CALLER4), (APPLIANCE6, CALLER6)):
        s = udp(dp.ns, here, 7000)
        s.connect((there, 9))

        def refused():
            """The caller's kernel says so, but limits how often it does, all namespaces together."""
            try:
                s.send(b"is anybody there?")
                assert s.recv(100) is None, "an answer"
            except ConnectionRefusedError:
                return True
            except TimeoutError:
                return False

        wait_for("the error", refused, 40)
    assert dp.stats()["icmp-errors"] == 0


def test_a_smaller_mtu_on_the_way_is_learnt(lab):
    """A router beyond ours says "packet too big" (RFC 8201): the next one leaves in fragments that fit."""
    rack = Rack(lab, servers=("a",))
    dp = Alone(lab, rack, v6_config(rack))
    dp.drive()
    phone, server = udp(rack.callers, CALLER6), udp(rack.servers["a"], SERVER6)
    rack.router.ip("link", "set", "servers", "mtu", "1300")
    invite = sip("INVITE", CALLER6, pattern(900), "sip:b@example.com")

    def told():
        """Send as a phone does until the router says it: its kernel limits how often it does (RFC 4443 2.4 (f))."""
        phone.sendto(invite, (APPLIANCE6, 5060))
        time.sleep(0.5)
        return dp.stats()["pmtu-lowered"] == 1

    wait_for("the router's word", told, timeout=40)
    before = dp.stats()
    phone.sendto(invite, (APPLIANCE6, 5060))
    request = server.recv(70000)
    assert body_of(request) == pattern(900)
    stats = dp.stats()
    assert stats["fragmented"] == before["fragmented"] + 1 and stats["pmtu-lowered"] == 1, (before, stats)


def too_big6(source, quote, mtu):
    """A router's "packet too big" (RFC 4443 3.2) to the appliance."""
    here = ip6(source) + ip6(APPLIANCE6)
    body = struct.pack("!BBHI", 2, 0, 0, mtu) + quote[:1232]
    sum_ = fold(here + struct.pack("!II", len(body), 58) + body)
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 64) + here + body[:2] + struct.pack("!H", sum_) + body[4:]


def test_a_smaller_mtu_towards_clients_is_learnt(lab):
    """Responses and requests to clients beyond a small link: a router's word about either is believed by the flow label
    that it quotes, and by nothing less."""
    rack = Rack(lab, servers=("a",))
    dp = Alone(lab, rack, v6_config(rack))
    dp.drive()
    server, wire = udp(rack.servers["a"], SERVER6), Wire(rack)
    seen = sniffer(rack.router, "to-lb")
    others = ["2001:db8:113::11", "2001:db8:113::12"]
    rack.callers.address("eth0", *[f"{a}/64" for a in others])
    rack.router.ip("link", "set", "to-callers", "mtu", "1300")

    def lowered(n, send, sock, text):
        """Send until a router has said it, and the next one comes in fragments that pass."""

        def passes():
            send()
            sock.settimeout(1)
            try:
                return with_body(sock, text)
            except (TimeoutError, AssertionError):
                return None

        wait_for("a message that passes", passes, 30)
        assert dp.stats()["pmtu-lowered"] == n, dp.stats()

    # A response: the phone's request is small, the server's answer is not.
    phone, text = udp(rack.callers, CALLER6), pattern(1250)
    phone.sendto(sip("INVITE", CALLER6, b"", "sip:b@example.com"), (APPLIANCE6, 5060))
    invite, hop = server.recvfrom(70000)
    ringing = answer(invite, "183 Session Progress", text)
    lowered(1, lambda: server.sendto(ringing, hop), phone, text)
    # A request of the server's to another client.
    other = udp(rack.callers, others[0])
    request = sip("MESSAGE", SERVER6, text, f"sip:a@[{others[0]}]:5060")
    lowered(2, lambda: server.sendto(request, (APPLIANCE6, 5060)), other, text)
    # Somebody who has seen nothing of ours: another label, or none. And who has: about that client alone.
    to_phone = until(seen, lambda f: f[22:54] == ip6(APPLIANCE6) + ip6(CALLER6) and f[20] in (17, 44))[14:]  # UDP, all or the first of it
    label = struct.unpack("!I", to_phone[:4])[0] & 0xFFFFF
    assert label != 0
    foreign = to_phone[:24] + ip6(others[1]) + to_phone[40:]
    before = dp.stats()
    for quote in (foreign, to_phone[:1] + b"\0\0\0" + to_phone[4:], to_phone[:3] + bytes([to_phone[3] ^ 1]) + to_phone[4:]):
        wire.send(too_big6("2001:db8:2::1", quote, 1280), ethertype=0x86DD)
    wait_for("refusals", lambda: dp.stats().get("icmp-unproven", 0) == before.get("icmp-unproven", 0) + 3, 10)
    wire.send(too_big6("2001:db8:2::1", to_phone, 1280), ethertype=0x86DD)
    wait_for("belief", lambda: dp.stats()["pmtu-lowered"] == 3, 10)


def trunked(lab, client_vlan, server_vlan):
    """A rack whose appliance has one device on a trunk: clients in one VLAN, servers in the other (None: untagged)."""
    rack = Rack(lab)
    rack.router.ip("link", "del", "to-lb")
    switch = lab.ns("switch")
    switch.sysctl("net.ipv6.conf.all.disable_ipv6", 1)  # it says nothing itself
    switch.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    lab.veth(switch, "trunk", rack.appliance_ns, "wire0")
    lab.veth(rack.router, "to-lb", switch, "clients")
    lab.veth(rack.router, "to-arm", switch, "servers")
    rack.router.address("to-lb", "192.0.2.1/24", "2001:db8:2::1/64")
    rack.router.ip("link", "set", "to-arm", "master", "servers")
    rack.appliance_ns.sysctl("net.ipv6.conf.wire0.disable_ipv6", 1)
    rack.tap.add(switch, "trunk", rack.appliance_ns.exec("cat", "/sys/class/net/wire0/address").strip())
    config = rack.config(rack.pair_config(extra=f'egress: [ "udp:{ARM4}:5060" ]\n'))
    device = '    device: "net_af_xdp0,iface=wire0"\n'
    second = f"  - name: net1\n{device}" + (f"    vlan: {server_vlan}\n" if server_vlan else "")
    second += f"    addresses: [ {ARM4}/24 ]\nservices:\n"
    config = config.replace(device, device + (f"    vlan: {client_vlan}\n" if client_vlan else ""))
    return rack, Switch(switch, "trunk", {client_vlan: "clients", server_vlan: "servers"}), config.replace("services:\n", second)


def test_vlans_are_ports_of_their_own(lab):
    rack, switch, config = trunked(lab, 10, 20)
    dp = Alone(lab, rack, config)
    assert dp.drive()[0] == "running"
    dp.ping(APPLIANCE4)  # ARP and ICMP: the kernel sees its VLAN's frames without their tag
    dp.ping(APPLIANCE6)
    dp.ping(ARM4, ns=rack.servers["a"])
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    for size in (300, 4000, 30000):
        round_trip(phone, server, APPLIANCE4, CALLER4, size)
    stats = dp.stats()
    assert stats["0 rx"] > 10 and stats["1 rx"] > 10 and stats["0 tx"] > 10 and stats["1 tx"] > 10, stats
    assert set(switch.from_trunk) == {10, 20} and switch.dropped == 0, switch.from_trunk
    # Another VLAN, or none: nobody's here.
    mac = bytes.fromhex(rack.appliance_ns.exec("cat", "/sys/class/net/wire0/address").strip().replace(":", ""))
    frame = mac + b"\2\0\0\0\0\7\x08\0" + udp4(CALLER4, APPLIANCE4, b"\r\n\r\n")
    for vlan in (30, None):
        before = dp.stats()
        switch.tagged(frame, vlan)
        wait_for("vlan-unknown", lambda: dp.stats().get("vlan-unknown", 0) > before.get("vlan-unknown", 0), timeout=5)
        assert dp.stats().get("keepalive", 0) == 0
    assert dp.stop() == 0


def test_a_vlan_beside_untagged_frames(lab):
    rack, switch, config = trunked(lab, None, 4094)
    dp = Alone(lab, rack, config)
    assert dp.drive()[0] == "running"
    dp.ping(APPLIANCE4)
    dp.ping(ARM4, ns=rack.servers["a"])
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    round_trip(phone, server, APPLIANCE4, CALLER4, 2000)
    assert set(switch.from_trunk) == {None, 4094} and switch.dropped == 0, switch.from_trunk


def jumbo(lab, mtu, device):
    """A rack with that MTU everywhere."""
    rack = Rack(lab)
    for ns in (rack.router, rack.appliance_ns, rack.callers, *rack.servers.values()):
        for line in ns.ip("-o", "link").splitlines():
            name = line.split(": ")[1].split("@")[0]
            if name != "lo":
                ns.ip("link", "set", name, "mtu", str(mtu))
    config = rack.config().replace('"net_af_xdp0,iface=wire0"', f'"{device}"')
    return rack, config.replace("    addresses: [ 192.0.2.10/24", f"    mtu: {mtu}\n    addresses: [ 192.0.2.10/24")


def test_jumbo_frames(lab):
    rack, config = jumbo(lab, 3000, "net_af_xdp0,iface=wire0")
    dp = Alone(lab, rack, config)
    assert dp.drive()[0] == "running", dp.process.output()
    dp.ping()
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    round_trip(phone, server, APPLIANCE4, CALLER4, 2100)
    assert dp.stats()["fragments"] == 0 and dp.stats()["fragmented"] == 0, dp.stats()
    sends = round_trip(phone, server, APPLIANCE4, CALLER4, 9000)
    assert 2 <= dp.stats()["fragmented"] <= 2 * sends, dp.stats()


def test_jumbo_frames_of_9000_bytes(lab):
    # What comes in fragments the kernel puts together before net_af_packet gets it: only whole ones are sent here.
    rack, config = jumbo(lab, 9000, "net_af_packet0,iface=wire0,framesz=9216,blocksz=36864")
    dp = Alone(lab, rack, config)
    assert dp.drive()[0] == "running", dp.process.output()
    dp.ping()
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    round_trip(phone, server, APPLIANCE4, CALLER4, 8100)
    assert dp.stats()["fragmented"] == 0, dp.stats()
    phone.sendto(sip("INVITE", CALLER4, pattern(8620), "sip:b@example.com"), (APPLIANCE4, 5060))
    with_body(server, pattern(8620))
    assert dp.stats()["fragmented"] == 1, dp.stats()


def sniffer(ns, dev):
    """All frames on an interface."""
    s = ns.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((dev, 3))  # ETH_P_ALL
    s.settimeout(5)
    return s


def until(s, *wanted):
    """The first frame for which wanted(frame) is true; of several conditions each by a frame of its own, in any order."""
    wanted = list(wanted)
    while True:
        frame = s.recv(70000)
        for condition in [c for c in wanted if c(frame)][:1]:
            wanted.remove(condition)
            if not wanted:
                return frame


def ip6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def test_the_observer_finds_what_is_wrong(lab):
    """The one that judges what leaves in every test: it does see, and says so."""
    rack = Rack(lab)
    wire = rack.appliance_ns.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("wire0", 0))
    head = b"\2\0\0\0\0\7" + bytes.fromhex(rack.mac(0).replace(":", "")) + b"\x08\0"
    good, text = udp4(APPLIANCE4, CALLER4, b"sound"), pattern(2000)
    pieces = fragments4(CALLER4, text, (800,), 77)
    rows = [good, udp4(APPLIANCE4, CALLER4, b"UDP", checksum=0x1234), udp4(APPLIANCE4, CALLER4, b"IP", ip_checksum=1),
            *pieces, *(p[:-1] + b"\0" for p in fragments4(CALLER4, text, (800,), 78))]
    for packet in rows:
        wire.send(head + packet)
    bad = rack.tap.bad()
    # Of the whole ones two, and the datagram that was put together from the damaged pieces.
    assert len(bad) == 3, bad
    assert lab.judge() == bad
    lab.judges.clear()  # these were meant to be


def test_addresses_are_announced_and_defended(lab):
    rack = Rack(lab)
    seen = sniffer(rack.router, "to-lb")
    dp = Alone(lab, rack)
    dp.drive()
    mac, own = Wire(rack).to, socket.inet_aton(APPLIANCE4)
    # At the start, by itself: nobody has asked.
    until(seen, lambda f: f[12:14] == b"\x08\x06" and f[6:12] == mac and f[28:32] == own == f[38:42] and f[:6] == b"\xff" * 6,
          lambda f: f[12:14] == b"\x86\xdd" and f[54] == 136 and f[62:78] == ip6(APPLIANCE6) and f[58] & 0x20)
    # Another host claims one of them: an event, and the kernel, which gets the frame, defends it.
    other = b"\2\0\0\0\0\x77"
    claim = b"\0\1\x08\0\6\4\0\1" + other + own + b"\0" * 6 + own
    Wire(rack).socket.send(b"\xff" * 6 + other + b"\x08\x06" + claim)
    assert dp.until("claim") == ["claim", "0", APPLIANCE4, other.hex()]
    # The kernel gives the netdev another MAC: all goes on with that one.
    new = b"\2\0\0\0\0\x99"
    rack.tap.add(rack.router, "to-lb", new.hex(":"))
    dp.ns.ip("link", "set", "net0", "address", new.hex(":"))
    until(seen, lambda f: f[12:14] == b"\x08\x06" and f[6:12] == new and f[28:32] == own)
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    dp.ping()
    round_trip(phone, server, APPLIANCE4, CALLER4, 300)
    assert new.hex(":") in rack.router.ip("neigh", "show", APPLIANCE4)
    until(seen, lambda f: f[6:12] == new and b"INVITE" in f)


def test_link_goes_and_comes_with_an_announcement(lab):
    rack = Rack(lab)
    dp = Alone(lab, rack)
    dp.drive()
    dp.ping()
    assert dp.until("link") == ["link", "0", "1"]
    rack.router.ip("link", "set", "to-lb", "down")
    assert dp.until("link") == ["link", "0", "0"]
    seen = sniffer(rack.router, "to-lb")
    seen.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # that it is down: forgotten
    rack.router.ip("link", "set", "to-lb", "up")
    until(seen, lambda f: f[12:14] == b"\x08\x06" and f[28:32] == socket.inet_aton(APPLIANCE4) and f[:6] == b"\xff" * 6)
    assert dp.until("link") == ["link", "0", "1"]
    dp.ping()


def test_multicast_and_shared_macs_reach_the_kernel(lab):
    rack = Rack(lab)
    dp = Alone(lab, rack)
    dp.drive()
    wire, kernel = Wire(rack), sniffer(dp.ns, "net0")
    vrrp = b"\0\0\x5e\0\1\7"
    advert = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, 28, 1, 0, 255, 112, 0, socket.inet_aton("192.0.2.2"),
                         socket.inet_aton("224.0.0.18")) + b"\x31\7\x64\0\0\1\0\0"
    wire.send(advert, to=b"\1\0\x5e\0\0\x12")
    until(kernel, lambda f: f[14:].startswith(advert))
    wire.send(b"x" * 60, ethertype=0x88B5, to=vrrp)
    until(kernel, lambda f: f[:6] == vrrp and f[14:18] == b"xxxx")
    # A SIP message that a VRRP router's clients send to its MAC is as good as any.
    wire.send(udp4(CALLER4, APPLIANCE4, b"\r\n\r\n"), to=vrrp)
    wait_for("keepalive", lambda: dp.stats().get("keepalive", 0) == 1, timeout=5)
    # Link-local addresses are the kernel's.
    rack.router.exec("ping", "-6", "-c", "2", "-W", "2", "-I", "to-lb", link_local(dp.ns, "net0"))


def link_local(ns, dev):
    lines = wait_for("a link-local address", lambda: ns.ip("-6", "-o", "addr", "show", "dev", dev, "scope", "link").splitlines())
    return lines[0].split()[3].split("/")[0]


def bonded(lab, extra):
    """A rack whose appliance has two cables to one switch, and a bonded device over both."""
    rack = Rack(lab)
    r = rack.router
    lab.veth(r, "to-lb2", rack.appliance_ns, "wire1")
    rack.appliance_ns.sysctl("net.ipv6.conf.wire1.disable_ipv6", 1)
    r.ip("addr", "flush", "dev", "to-lb")
    r.ip("link", "add", "lbs", "type", "bridge")
    r.address("lbs", "192.0.2.1/24", "2001:db8:2::1/64")
    for dev in ("to-lb", "to-lb2"):
        r.ip("link", "set", dev, "master", "lbs")
    r.ip("link", "set", "lbs", "up")
    rack.tap.add(r, "to-lb2", rack.appliance_ns.exec("cat", "/sys/class/net/wire0/address").strip())
    rack.tap.add(r, "to-lb2", rack.appliance_ns.exec("cat", "/sys/class/net/wire1/address").strip())
    device = f"net_bonding0,mode=1,slave=net_af_packet0,slave=net_af_packet1{extra}"
    device += ";net_af_packet0,iface=wire0;net_af_packet1,iface=wire1"
    return rack, rack.config().replace("net_af_xdp0,iface=wire0", device)


def test_a_bonded_device(lab):
    rack, config = bonded(lab, ",primary=net_af_packet1")
    dp = Alone(lab, rack, config)
    assert dp.drive()[0] == "running", dp.process.output()
    dp.ping()
    phone, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    for size in (300, 500, 700, 800):
        round_trip(phone, server, APPLIANCE4, CALLER4, size)

    def sent(dev):
        return int(rack.router.exec("cat", f"/sys/class/net/{dev}/statistics/rx_packets"))

    assert sent("to-lb2") >= 8, "the primary member sends"
    assert dp.stop() == 0
    # Members that are not there are named.
    assert "there is no network interface wire2" in failure(lab, rack, config.replace("wire1", "wire2"), "two")


def test_checksums_are_verified_or_not_as_configured(lab):
    """A datagram with a wrong UDP checksum, and one with a wrong IP checksum, under each setting; zero over IPv6 never passes."""
    rack = Rack(lab)
    wire = Wire(rack)
    wrong = [udp4(CALLER4, APPLIANCE4, b"\r\n\r\n", checksum=0x1234), udp4(CALLER4, APPLIANCE4, b"\r\n\r\n", ip_checksum=0x1234)]
    zero = ip6(CALLER6) + ip6(APPLIANCE6)
    zero = struct.pack("!IHBB", 6 << 28, 12, 17, 64) + zero + struct.pack("!HHHH", 5060, 5060, 12, 0) + b"\r\n\r\n"
    for setting, passed in (("auto", 0), ("always", 0), ("never", 2)):
        dp = Alone(lab, rack, rack.config(top=f"verify-checksums: {setting}\n"), name=f"dp-{setting}")
        dp.drive()
        for packet in wrong:
            wire.send(packet)
        wire.send(zero, ethertype=0x86DD)
        wait_for("the last of them", lambda: dp.stats().get("udp-checksum", 0) == (1 if passed else 2), timeout=5)
        stats = dp.stats()
        assert stats.get("keepalive", 0) == passed and stats.get("ip-checksum", 0) == (0 if passed else 1), (setting, stats)
        assert dp.stop() == 0


def test_a_duplicate_address_is_an_event(lab):
    rack = Rack(lab)
    appliance = Appliance(rack).start()
    claim = b"\0\1\x08\0\6\4\0\1\2\0\0\0\0\x77" + socket.inet_aton(APPLIANCE4) + b"\0" * 6 + socket.inet_aton(APPLIANCE4)
    wire = Wire(rack)

    def told():
        """Claim it until somebody hears: the port may not be up yet."""
        wire.socket.send(b"\xff" * 6 + b"\2\0\0\0\0\x77\x08\x06" + claim)
        return [e for e in appliance.ctl("event", "list") if e["cause"] == "duplicate-address"]

    event = wait_for("the event", told, step=0.2)[0]
    assert APPLIANCE4 in event["evidence"] and "02:00:00:00:00:77" in event["evidence"] and "net0" in event["evidence"], event
