"""The data plane alone, on real ports, driven by tests/dataplane/region_driver: the kernel's life behind it, its start,
its failures, its end however it comes."""

import itertools
import os
import signal
import socket
import struct
import subprocess
import time

from lab import LabError, run, wait_for
from rack import APPLIANCE4, APPLIANCE6, BUILD, Rack
from sippload import Load, Server

ALONE = True  # hugepages are the whole machine's


class Alone:
    """A rack with a data plane and its driver, no sipsteerd."""

    def __init__(self, lab, rack=None, config=None, name="dp", args=(), prefix=()):
        self.lab = lab
        self.rack = rack or Rack(lab)
        self.ns = self.rack.appliance_ns
        self.name = name
        self.args = args
        self.prefix = prefix
        self.socket = f"{lab.dir}/{name}.sock"
        self.config = lab.file(f"{name}.yaml", config or self.rack.config())
        self.runs = 0
        self.driver = None
        self.start()

    def start(self):
        self.runs += 1
        self.process = self.ns.start(f"{self.name}{self.runs}", *self.prefix, f"{BUILD}/sipsteer-dataplane", "--socket",
                                     self.socket, *self.args)

    def drive(self):
        """Start a driver; its first word about the start: a list of words."""
        if self.driver:
            self.driver.kill()
        self.driver = subprocess.Popen(
            ["ip", "netns", "exec", self.ns.name, f"{BUILD}/tests/dataplane/region_driver", self.config, self.socket],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True,
        )
        self.lab.cleanups.append(self.driver.kill)
        return self.until("running", "failed")

    def until(self, *words):
        """The driver's next line that begins with one of the words, as a list."""
        while True:
            line = self.driver.stdout.readline()
            if not line:
                raise LabError(f"the driver ended before it said {words}:\n{self.process.tail()}")
            if line.split()[0] in words:
                return line.split()

    def say(self, command):
        self.driver.stdin.write(command + "\n")

    def stats(self):
        """Counters by 'reason NAME', 'worker NAME' and 'port N NAME', summed over workers."""
        self.say("stats")
        out = {}
        while True:
            w = self.driver.stdout.readline().split()
            if w[:1] == ["end"]:
                return out
            if w[0] == "reason":
                out[w[1]] = out.get(w[1], 0) + int(w[2])
            elif w[0] in ("worker", "port"):
                for key, value in zip(w[2::2], w[3::2]):
                    key = key if w[0] == "worker" else f"{w[1]} {key}"
                    out[key] = out.get(key, 0) + int(value)

    def workers(self, n):
        """The counters of each of n workers."""
        self.say("stats")
        out = []
        while len(out) < n:
            w = self.until("worker")
            out.append({k: int(v) for k, v in zip(w[2::2], w[3::2])})
        return out

    def ping(self, address=APPLIANCE4, count=5, ns=None):
        (ns or self.rack.callers).exec("ping", "-c", str(count), "-i", "0.05", "-W", "2", address)

    def stop(self):
        self.say("stop")
        self.until("gone")
        return self.process.wait(20)


def failure(lab, rack, config, name):
    """The sentence with which a data plane ends that cannot start; it must be on stderr and in the region alike."""
    dp = Alone(lab, rack, config, name=name)
    words = dp.drive()
    assert words[0] == "failed", words
    sentence = " ".join(words[1:])
    assert dp.process.wait(30) == 1
    assert f"sipsteer-dataplane: {sentence}" in dp.process.output(), dp.process.output()
    assert not os.path.exists(dp.socket)
    return sentence


def test_the_kernel_lives_on_the_port(lab):
    dp = Alone(lab)
    assert dp.drive()[0] == "running"
    wire, net = (dp.ns.exec("cat", f"/sys/class/net/{n}/address") for n in ("wire0", "net0"))
    assert wire == net
    for address in (APPLIANCE4, APPLIANCE6):
        dp.ping(address)  # from behind a router: ARP or neighbour discovery, ICMP, routes
    assert "lladdr" in dp.ns.ip("neigh", "show", "192.0.2.1", "dev", "net0")
    # Ordinary sockets work there, both ways.
    server = dp.ns.socket()
    server.bind((APPLIANCE4, 7000))
    client = dp.rack.callers.socket()
    client.sendto(b"x" * 1400, (APPLIANCE4, 7000))
    server.settimeout(5)
    data, source = server.recvfrom(2000)
    server.sendto(data, source)
    client.settimeout(5)
    assert client.recv(2000) == data
    assert dp.stats()["0 rx"] >= 10
    assert dp.stop() == 0


def test_calls_pass(lab):
    dp = Alone(lab)
    dp.drive()
    Server(dp.rack, "a").start()
    load = Load(dp.rack, 200, 100, hold_ms=200)
    assert load.wait() == 0, load.process.tail()
    assert load.figures()[1:3] == (200, 0)
    stats = dp.stats()
    assert stats["forwarded"] >= 1000, stats  # five messages a call
    assert stats.get("neigh-unresolved", 0) == 0, stats


def test_a_killed_one_is_followed_by_the_next(lab):
    dp = Alone(lab)
    first = dp.drive()
    for i in range(3):
        dp.process.signal(signal.SIGKILL)
        killed = time.monotonic()
        dp.process.wait(20)
        dp.start()
        again = dp.until("running")
        assert int(again[2]) == int(first[2]) + i + 1, again
        dp.ping(count=1)
        assert time.monotonic() - killed < 6  # three times what the product promises: machines are shared
    assert dp.stop() == 0


def test_control_comes_and_goes(lab):
    dp = Alone(lab)
    _, pid, incarnation = dp.drive()
    dp.ping()
    dp.say("quit")
    assert dp.driver.wait(20) == 0
    dp.ping()
    assert dp.drive() == ["running", pid, incarnation]
    dp.driver.kill()
    dp.ping()
    assert dp.drive() == ["running", pid, incarnation]
    assert dp.stop() == 0


def test_several_beside_each_other(lab):
    racks = [Rack(lab, servers=("a",)), Rack(_Prefixed(lab, "two"), servers=("a",))]
    planes = [Alone(lab, r, r.config(r.pair_config(members=("a",))), name=f"dp-{i}") for i, r in enumerate(racks)]
    for dp in planes:
        assert dp.drive()[0] == "running"
    for dp in planes:
        dp.ping()
    planes[0].process.signal(signal.SIGKILL)
    planes[0].process.wait(20)
    planes[1].ping()
    assert planes[1].stop() == 0


class _Prefixed:
    """A lab whose namespaces carry another prefix, for a second rack in one test."""

    def __init__(self, lab, prefix):
        self._lab = lab
        self._prefix = prefix

    def __getattr__(self, name):
        return getattr(self._lab, name)

    def ns(self, short):
        return self._lab.ns(f"{self._prefix}{short}")


def leftovers(ns, pid):
    """What the data plane with that process id may have left behind: its netdev, its XDP program, files named after it."""
    seen = [line for line in ns.ip("link").splitlines() if "xdp" in line or "net0" in line]
    for place in ("/run/dpdk", "/var/run/dpdk", "/dev/hugepages", "/tmp"):
        names = os.listdir(place) if os.path.isdir(place) else []
        seen += [f"{place}/{n}" for n in names if f"sipsteer-{pid}" in n]
    return seen


def test_nothing_is_left_behind(lab):
    dp = Alone(lab)
    dp.drive()
    assert any("net0" in line for line in leftovers(dp.ns, dp.process.pid))
    assert dp.stop() == 0
    assert leftovers(dp.ns, dp.process.pid) == []
    assert not os.path.exists(dp.socket)
    # A signal ends it as well.
    dp.start()
    dp.drive()
    dp.process.signal(signal.SIGTERM)
    assert dp.process.wait(20) == 0
    assert leftovers(dp.ns, dp.process.pid) == []
    assert not os.path.exists(dp.socket)
    # Killed: the exception netdev is gone at once; the XDP program, which passes all to the kernel once nobody takes it,
    # and the socket's file stay until the next one replaces them.
    dp.start()
    dp.drive()
    dp.process.signal(signal.SIGKILL)
    dp.process.wait(20)
    wait_for("the netdev to be gone", lambda: "net0" not in dp.ns.ip("link"))
    assert [f for f in leftovers(dp.ns, dp.process.pid) if f.startswith("/")] == []


def test_a_signal_ends_it_before_control_has_come(lab):
    dp = Alone(lab)
    wait_for("the socket", lambda: os.path.exists(dp.socket))
    dp.process.signal(signal.SIGTERM)
    assert dp.process.wait(20) == 0
    assert not os.path.exists(dp.socket)


def test_failures_say_how_to_mend_them(lab):
    rack = Rack(lab)
    good = rack.config()
    device = "net_af_xdp0,iface=wire0"
    rows = [
        ("no-netdev", good.replace(device, "net_af_xdp0,iface=nope"), "there is no network interface nope"),
        ("no-driver", good.replace(device, "net_nonsense0"), 'device "net_nonsense0" cannot be opened'),
        ("no-file", good.replace(device, "net_pcap0,rx_pcap=/nonexistent"), "/nonexistent"),
        ("queues", good.replace(device, device + ",queue_count=7"), "queue count 7 is larger than"),
        ("no-pci", good.replace(device, "0000:ff:1f.7"), "hugepages"),
    ]
    for name, config, says in rows:
        sentence = failure(lab, rack, config, name)
        assert sentence.startswith("port net0: ") or says == "hugepages", sentence
        assert says in sentence, sentence
    rack.appliance_ns.ip("link", "add", "net0", "type", "veth", "peer", "name", "other0")
    assert "exists already" in failure(lab, rack, good, "taken")
    rack.appliance_ns.ip("link", "del", "net0")


def test_without_permission_it_says_what_it_lacks(lab):
    rack = Rack(lab)
    dp = Alone(lab, rack, prefix=("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all"))
    words = " ".join(dp.drive())
    assert "without CAP_NET_RAW, CAP_IPC_LOCK, CAP_SYS_ADMIN; run this as root" in words, words
    assert dp.process.wait(20) == 1


def test_a_socket_in_use_is_a_failure(lab):
    dp = Alone(lab)
    dp.drive()
    second = dp.ns.start("second", f"{BUILD}/sipsteer-dataplane", "--socket", dp.socket)
    assert second.wait(20) == 1
    assert "another data plane serves it" in second.output()
    dp.ping()
    dp.start()  # and on its port
    assert dp.process.wait(20) == 1


def test_a_port_in_use_is_a_failure(lab):
    dp = Alone(lab)
    dp.drive()
    other = failure(lab, dp.rack, dp.rack.config().replace("name: net0", "name: net9"), "other")
    assert other.startswith("port net9: another data plane uses network interface wire0"), other
    dp.ping()
    assert dp.stop() == 0


def fold(data):
    """The Internet checksum's field."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(src, dst, payload, sport=5060, dport=5060, checksum=None, length=None, frag=0, options=b"", ip_checksum=None):
    """An IPv4 packet with a UDP datagram in it; a checksum or length of None is the right one."""
    a, b, n = socket.inet_aton(src), socket.inet_aton(dst), 8 + len(payload)
    length = n if length is None else length
    if checksum is None:
        header = struct.pack("!HHHH", sport, dport, length, 0)
        checksum = fold(a + b + struct.pack("!BBH", 0, 17, n) + header + payload) or 0xFFFF
    ip = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + n, 7, frag, 64, 17, 0, a, b)
    ip += options
    right = fold(ip)
    ip = ip[:10] + struct.pack("!H", right if ip_checksum is None else ip_checksum) + ip[12:]
    return ip + struct.pack("!HHHH", sport, dport, length, checksum) + payload


class Wire:
    """Frames straight onto the wire to the appliance's first port."""

    def __init__(self, rack):
        self.socket = rack.router.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind(("to-lb", 0))
        mac = rack.appliance_ns.exec("cat", "/sys/class/net/wire0/address").strip()
        self.to = bytes.fromhex(mac.replace(":", ""))

    def send(self, packet, ethertype=0x0800, to=None):
        self.socket.send((to or self.to) + b"\2\0\0\0\0\7" + struct.pack("!H", ethertype) + packet)


def test_broken_datagrams_are_dropped_by_name(lab):
    dp = Alone(lab)
    dp.drive()
    wire = Wire(dp.rack)
    here = "203.0.113.10"
    rows = [
        ("l2-short", udp4(here, APPLIANCE4, b"OPTIONS")[:-3]),
        ("ip-checksum", udp4(here, APPLIANCE4, b"OPTIONS", ip_checksum=0x1234)),
        ("ip-options", udp4(here, APPLIANCE4, b"OPTIONS", options=b"\x83\x04\x04\x00")),  # a source route
        ("ip-fragment", udp4(here, APPLIANCE4, b"OPTIONS", frag=0x2000)),
        ("udp-length", udp4(here, APPLIANCE4, b"OPTIONS", length=60)),
        ("udp-checksum", udp4(here, APPLIANCE4, b"OPTIONS", checksum=0x1234)),
        ("src-port-zero", udp4(here, APPLIANCE4, b"OPTIONS", sport=0)),
        ("src-multicast", udp4("224.0.0.9", APPLIANCE4, b"OPTIONS")),
        ("src-multicast", udp4("127.0.0.9", APPLIANCE4, b"OPTIONS")),
        # Our own address, or our subnet's broadcast address: an answer would go to ourselves, or to everybody.
        ("src-multicast", udp4(APPLIANCE4, APPLIANCE4, b"OPTIONS")),
        ("src-multicast", udp4("192.0.2.255", APPLIANCE4, b"OPTIONS")),
        ("keepalive", udp4(here, APPLIANCE4, b"\r\n\r\n")),
        # RFC 768: a checksum of 0 says that there is none.
        ("keepalive", udp4(here, APPLIANCE4, b"\r\n\r\n", checksum=0)),
        ("keepalive", udp4(here, APPLIANCE4, b"\r\n", options=b"\x94\x04\x00\x00")),  # router alert: harmless
        ("sip-not-sip", udp4(here, APPLIANCE4, b"hello, world")),
    ]
    for reason, packet in rows:
        before = dp.stats()
        wire.send(packet)
        wait_for(reason, lambda: dp.stats().get(reason, 0) == before.get(reason, 0) + 1, timeout=5)
        assert dp.stats()["forwarded"] == 0
    # None of them went to the kernel, which has no socket there.
    seen = dp.ns.exec("nstat", "-asz", "UdpNoPorts", "UdpInErrors", "IpInHdrErrors").splitlines()[1:]
    assert [line.split()[1] for line in seen] == ["0", "0", "0"], seen


def test_what_is_not_for_a_listener_goes_to_the_kernel(lab):
    dp = Alone(lab)
    dp.drive()
    wire = Wire(dp.rack)
    dp.ping()
    rows = [
        ("another port", udp4("203.0.113.10", APPLIANCE4, b"x", dport=5061), 0x0800),
        ("another address", udp4("203.0.113.10", "192.0.2.99", b"x"), 0x0800),
        ("another address's fragment", udp4("203.0.113.10", "192.0.2.99", b"x" * 24, frag=0x0001), 0x0800),
        ("another port's first fragment", udp4("203.0.113.10", APPLIANCE4, b"x" * 24, dport=5061, frag=0x2000), 0x0800),
        ("a broken header", udp4("203.0.113.10", "192.0.2.99", b"x", ip_checksum=1)[:25], 0x0800),
        ("no IP", b"\0" * 46, 0x88CC),
        ("a VLAN", b"\0\7" + b"\0" * 46, 0x8100),
        ("nothing", b"", 0x0800),
    ]
    for what, packet, ethertype in rows:
        before = dp.stats()
        wire.send(packet, ethertype)
        wait_for(what, lambda: dp.stats()["0 to-kernel"] > before["0 to-kernel"], timeout=5)
    assert not [r for r in dp.stats() if r in ("l2-short", "ip-header", "ip-checksum")]


def request(method, source, body=b"", uri=f"sip:{APPLIANCE4}"):
    """A request as a phone at `source` sends it."""
    n = next(_calls)
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {source}:5060;branch=z9hG4bK{n};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:a@example.com>;tag={n}\r\nTo: <sip:b@example.com>\r\nCall-ID: {n}@{source}\r\nCSeq: 1 {method}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


_calls = itertools.count(1)


def test_what_cannot_leave_is_dropped_by_name(lab):
    dp = Alone(lab)
    dp.drive()
    wire = Wire(dp.rack)

    def no_route():
        wire.send(udp4("198.18.9.9", APPLIANCE4, request("OPTIONS", "198.18.9.9")))
        time.sleep(0.1)
        return dp.stats().get("no-route", 0) > 0

    dp.ping()  # the gateway is known: nothing of what is sent before the mirror has the route waits for it
    # An answer of our own to where no route leads.
    dp.ns.ip("route", "add", "unreachable", "198.18.9.0/24")
    wait_for("no-route", no_route)
    before = dp.stats()
    assert before["held"] == before["flushed"] and "neigh-unresolved" not in before, before
    # On-link, and nobody is there: it waits, control is asked, and then it goes.
    wire.send(udp4("192.0.2.88", APPLIANCE4, request("OPTIONS", "192.0.2.88")))
    while dp.until("miss") != ["miss", "0", "192.0.2.88"]:
        pass
    assert dp.stats()["held"] == before["held"] + 1
    wait_for("the end of patience", lambda: dp.stats().get("neigh-unresolved", 0) == 1)
    assert dp.stats()["flushed"] == before["flushed"]


def test_the_first_packets_to_a_next_hop_wait_for_it(lab):
    dp = Alone(lab)
    dp.drive()
    dp.rack.router.address("to-lb", "192.0.2.77/24")
    phone = dp.rack.router.socket()
    phone.bind(("192.0.2.77", 5060))
    phone.settimeout(5)
    dp.rack.router.ip("neigh", "replace", APPLIANCE4, "lladdr", Wire(dp.rack).to.hex(":"), "dev", "to-lb")
    n = 20
    for _ in range(n):
        phone.sendto(request("OPTIONS", "192.0.2.77"), (APPLIANCE4, 5060))
    for _ in range(n):
        assert phone.recv(2000).startswith(b"SIP/2.0 200")
    assert dp.stats().get("neigh-unresolved", 0) == 0
    assert dp.stats()["held"] == dp.stats()["flushed"] > 0


def test_links_are_watched(lab):
    dp = Alone(lab)
    dp.drive()
    dp.ping()
    assert dp.until("link") == ["link", "0", "1"]
    dp.rack.router.ip("link", "set", "to-lb", "down")
    assert dp.until("link") == ["link", "0", "0"]
    dp.rack.router.ip("link", "set", "to-lb", "up")
    dp.rack.router.ip("addr", "replace", "2001:db8:2::1/64", "dev", "to-lb", "nodad")
    assert dp.until("link") == ["link", "0", "1"]
    dp.ping()


def test_two_workers_share_a_port(lab):
    rack = Rack(lab)
    # net_af_xdp gives a veth one queue; net_af_packet spreads flows over several.
    config = rack.config(top="workers: 2\n", service="answers-per-second: 0").replace("net_af_xdp0,iface=wire0", "net_af_packet0,iface=wire0,qpairs=2")
    dp = Alone(lab, rack, config)
    dp.drive()
    for port in range(6000, 6024):  # that all 24 flows come to one worker has a chance of 2^-23
        phone = rack.callers.socket()
        phone.bind(("203.0.113.10", port))
        phone.settimeout(5)
        phone.sendto(request("OPTIONS", "203.0.113.10"), (APPLIANCE4, 5060))
        assert phone.recv(2000).startswith(b"SIP/2.0 200")
        phone.close()
    answered = [w["answered"] for w in dp.workers(2)]
    assert min(answered) > 0 and sum(answered) == 24, answered
    Server(rack, "a").start()
    load = Load(rack, 100, 100, hold_ms=100)
    assert load.wait() == 0, load.process.tail()
    assert load.figures()[1:3] == (100, 0)


def test_hugepages_are_used_where_there_are_enough(lab):
    path = "/proc/sys/vm/nr_hugepages"
    with open(path) as f:
        before = f.read().strip()
    lab.cleanups.append(lambda: _write(path, before))
    _write(path, "300")
    with open(path) as f:
        if int(f.read()) < 300:
            print("    the machine gives no hugepages: not tested")
            return
    rack = Rack(lab)
    dp = Alone(lab, rack, rack.config(top="hugepages: require\n"))
    assert dp.drive()[0] == "running", dp.process.tail()
    dp.ping()
    assert "HugePages_Free:      300" not in run("cat", "/proc/meminfo")
    dp.process.signal(signal.SIGKILL)
    dp.process.wait(20)
    wait_for("all hugepages back", lambda: "HugePages_Free:      300" in run("cat", "/proc/meminfo"))
    assert [f for f in leftovers(dp.ns, dp.process.pid) if f.startswith("/")] == []


def _write(path, text):
    with open(path, "w") as f:
        f.write(text)
