"""A rack: callers, a router, the appliance and two or more servers, each in a namespace of its own.

    callers 203.0.113.0/24 ---+                       +--- server a 198.51.100.11
            2001:db8:113::/64 |       router          |
                              +--- 192.0.2.1/24 ------+--- server b 198.51.100.12 ...
                                  2001:db8:2::1/64
                                       |
                              appliance 192.0.2.10, 2001:db8:2::10 (one-armed)
                              and 198.51.100.10, on a second port, where two_armed

The appliance's kernel netdevs are bypassed by DPDK's AF_XDP driver; its addresses live on the exception netdevs.
"""

import json
import os
import re
import signal

from lab import Capture, LabError, run, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SIPSTEER_BUILD", os.path.join(ROOT, "build"))

APPLIANCE4 = "192.0.2.10"
APPLIANCE6 = "2001:db8:2::10"
ARM4 = "198.51.100.10"  # the second arm's


class Rack:
    """The topology. `servers` are the members' host names: a is 198.51.100.11, b 198.51.100.12, and so on."""

    def __init__(self, lab, servers=("a", "b"), two_armed=False):
        self.lab = lab
        self.two_armed = two_armed
        self.router = lab.ns("router")
        self.appliance_ns = lab.ns("lb")
        self.callers = lab.ns("callers")
        r = self.router
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            r.sysctl(key, 1)
        # A dead server's host may answer each packet with an ICMP error: how a real host limits them is its own affair.
        self._port("to-lb", 0)
        r.address("to-lb", "192.0.2.1/24", "2001:db8:2::1/64")
        lab.veth(r, "to-callers", self.callers, "eth0")
        r.address("to-callers", "203.0.113.1/24", "2001:db8:113::1/64")
        self.callers.address("eth0", "203.0.113.10/24", "2001:db8:113::10/64")
        self._default_routes(self.callers, "203.0.113.1", "2001:db8:113::1")
        r.ip("link", "add", "servers", "type", "bridge")
        r.address("servers", "198.51.100.1/24", "2001:db8:100::1/64")
        r.ip("link", "set", "servers", "up")
        self.servers = {}
        for i, name in enumerate(servers):
            self.servers[name] = self._server(name, i)
        if two_armed:
            self._port("to-arm", 1)
            r.ip("link", "set", "to-arm", "master", "servers")
        self.tap = None
        if lab.judged:
            self.tap = Wiretap(self)
            lab.judges.append(self.tap.bad)

    def _server(self, name, i):
        ns = self.lab.ns(f"srv{name}")
        self.lab.veth(self.router, f"to-{name}", ns, "eth0")
        self.router.ip("link", "set", f"to-{name}", "master", "servers")
        ns.address("eth0", f"{self.server_ip(name, i)}/24", f"2001:db8:100::{11 + i}/64")
        self._default_routes(ns, "198.51.100.1", "2001:db8:100::1")
        return ns

    def server_ip(self, name, i=None):
        i = list(self.servers).index(name) if i is None else i
        return f"198.51.100.{11 + i}"

    @staticmethod
    def _default_routes(ns, via4, via6):
        ns.route("default", via4)
        ns.route("default", via6)

    def _port(self, peer, i):
        """The appliance's port i and the router's end of its cable. No IPv6 on a netdev whose packets DPDK takes: it
        would answer for the same link-local address."""
        self.lab.veth(self.router, peer, self.appliance_ns, f"wire{i}")
        self.appliance_ns.sysctl(f"net.ipv6.conf.wire{i}.disable_ipv6", 1)

    def device(self, i):
        """What DPDK calls port i."""
        return f"net_af_xdp{i},iface=wire{i}"

    def mac(self, i):
        return self.appliance_ns.exec("cat", f"/sys/class/net/wire{i}/address").strip()

    def port_config(self):
        """The `ports:` section for this topology."""
        text = (
            "ports:\n"
            "  - name: net0\n"
            f'    device: "{self.device(0)}"\n'
            f'    addresses: [ {APPLIANCE4}/24, "{APPLIANCE6}/64" ]\n'
            '    routes: [ { to: 0.0.0.0/0, via: 192.0.2.1 }, { to: "::/0", via: "2001:db8:2::1" } ]\n'
        )
        if self.two_armed:
            text += (
                "  - name: net1\n"
                f'    device: "{self.device(1)}"\n'
                f"    addresses: [ {ARM4}/24 ]\n"
            )
        return text

    def pair_config(self, name="east", members=("a", "b"), port=5060, extra=""):
        """One pair of `pairs:`; extra lines are indented by four."""
        text = f"  - name: {name}\n    members:\n"
        roles = ["primary", "backup"] + ["fallback"] * 14
        for role, m in zip(roles, members):
            text += (
                f"      - {{ name: {name}-{m}, role: {role}, address: {self.server_ip(m)}, port: {port},"
                " transport: udp }\n"
            )
        return text + "".join(f"    {line}\n" for line in extra.strip().splitlines())

    def config(self, pairs=None, service="", top=""):
        """A whole configuration: one service on both listeners over the given pairs (default: east of a and b)."""
        pairs = pairs or self.pair_config()
        names = re.findall(r"^  - name: (\S+)", pairs, re.M)
        text = (
            f"control-socket: {self.lab.dir}/control.sock\n"
            f"state-file: {self.lab.dir}/state.json\n"
            f"key-file: {self.lab.dir}/keys\n"
            "instance: rack\n" + top + self.port_config() + "services:\n"
            "  - name: voice\n"
            f'    listen: [ "udp:{APPLIANCE4}:5060", "udp:[{APPLIANCE6}]:5060" ]\n'
            f"    pairs: [ {', '.join(names)} ]\n"
        )
        text += "".join(f"    {line}\n" for line in service.strip().splitlines())
        return text + "pairs:\n" + pairs


class Appliance:
    """sipsteerd and its data plane in the rack's appliance namespace, and sipsteerctl to talk to them."""

    def __init__(self, rack, config=None):
        self.rack = rack
        self.lab = rack.lab
        self.ns = rack.appliance_ns
        self.path = self.lab.file("sipsteer.yaml", config or rack.config())
        self.control = None
        self.lab.cleanups.append(self.close)

    def start(self):
        self.control = self.ns.start("sipsteerd", f"{BUILD}/sipsteerd", "--config", self.path)
        self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if not self.control.alive():
                raise LabError(f"sipsteerd ended:\n{self.control.tail()}")
            return self.ctl("version", check=False) is not None

        wait_for("sipsteerd to answer", ready, 40)

    def rewrite(self, config):
        self.lab.file("sipsteer.yaml", config)

    def ctl_raw(self, *args, check=True):
        return self.ns.exec(f"{BUILD}/sipsteerctl", "--socket", f"{self.lab.dir}/control.sock", *args, check=check)

    def ctl(self, *args, check=True):
        """JSON answer of sipsteerctl, or None when check is off and it failed."""
        try:
            return json.loads(self.ctl_raw("--json", *args) or "null")
        except (LabError, ValueError):
            if check:
                raise
            return None

    def pair(self, name="east"):
        return next(p for p in self.ctl("pair", "list") if p["name"] == name)

    def active(self, name="east"):
        return self.pair(name)["active"]

    def wait_active(self, member, timeout=20, name="east"):
        wait_for(f"{member} to be active", lambda: self.active(name) == member, timeout)

    def wait_state(self, state, timeout=20, name="east"):
        wait_for(f"{name} to be {state}", lambda: self.pair(name)["state"] == state, timeout)

    def wait_up(self, *members, timeout=20, name="east"):
        """Until the named members' probes are answered."""

        def up():
            states = {m["name"]: m["state"] for m in self.pair(name)["members"]}
            return all(states[m] == "up" for m in members)

        wait_for(f"{', '.join(members)} to be up", up, timeout)

    def dataplane_pid(self):
        for pid in run("ip", "netns", "pids", self.ns.name).split():
            try:
                with open(f"/proc/{pid}/comm") as f:
                    if f.read().strip().startswith("sipsteer-datap"):
                        return int(pid)
            except FileNotFoundError:
                continue
        return None

    def close(self):
        if self.control and self.control.alive():
            self.ctl("shutdown", check=False)
            try:
                self.control.wait(5)
            except LabError:
                pass
        pid = self.dataplane_pid()
        if pid:
            os.kill(pid, signal.SIGKILL)


class Wiretap:
    """Captures what the appliance sends, and has an independent observer judge every packet of it. It starts with its
    rack (`rack.tap`) in tests."""

    BAD = (
        '(ip.checksum.status == "Bad" || udp.checksum.status == "Bad" || tcp.checksum.status == "Bad"'
        ' || icmp.checksum.status == "Bad" || icmpv6.checksum.status == "Bad" || _ws.malformed)'
    )
    # Ports that carry text here; the observer's SIP dissector has opinions on messages that tests break on purpose.
    BELOW_SIP = ["-o", "tcp.check_checksum:TRUE", "-d", "udp.port==5060,data", "-d", "udp.port==5070,data"]
    AS_SIP = ["-d", "udp.port==5060,sip"]

    def __init__(self, rack, places=None):
        """places: (namespace, interface, capture filter) of each place to listen at; else the appliance's own cables."""
        devs = ["to-lb"] + (["to-arm"] if rack.two_armed else [])
        own = [(rack.router, dev, f"ether src {rack.mac(i)}") for i, dev in enumerate(devs)]
        self.captures = [Capture(*place) for place in places or own]

    def add(self, ns, dev, mac):
        """Also what comes from this MAC on another interface."""
        self.captures.append(Capture(ns, dev, f"ether src {mac}"))

    def stop(self):
        return [c.stop() for c in self.captures]

    def _select(self, filter_, options):
        """One line for every captured packet that matches a display filter. Fragments are put together before."""
        lines = []
        for path in self.stop():
            out = run(
                "tshark", "-n", "-r", path, "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
                *options, "-Y", filter_, timeout=600,
            )
            lines += out.splitlines()
        return lines

    def bad(self):
        """The packets that it finds fault with."""
        return self._select(self.BAD, self.BELOW_SIP)

    def seen(self):
        """How many packets each capture holds."""
        return [len(run("tshark", "-n", "-r", path, timeout=600).splitlines()) for path in self.stop()]

    def sent(self, filter_):
        """How many packets from the appliance match a display filter."""
        return len(self._select(filter_, self.AS_SIP))
