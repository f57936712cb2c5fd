"""Servers by name: a real DNS server that changes its mind, rotates, truncates, dies and returns, and one that lies."""

import datetime

from lab import Capture, run, wait_for
from names import Knot, Liar, TYPES, reply
from rack import Appliance, Rack
from scene import PROBES, Scene
from sip import Member

QUICK = PROBES + "failback: [ immediate ]\nfailback-hold: 0\n"
HOSTS = "".join(f"{n} A 198.51.100.{11 + i}\n" for i, n in enumerate("abcd"))


def srv(*rows, name="_sip._udp.sip"):
    """SRV records of sip.example.com: (priority, weight, host), port 5060."""
    return "".join(f"{name} SRV {priority} {weight} 5060 {host}\n" for priority, weight, host in rows)


def config(rack, servers="{ name: sip.example.com }", dns=None, extra=QUICK):
    dns = dns or f"[ {rack.server_ip('n')} ]"
    pair = f"  - name: east\n    servers: {servers}\n" + "".join(f"    {line}\n" for line in extra.splitlines())
    top = f"dns: {{ servers: {dns}, timeout: 400ms, attempts: 3, min-ttl: 1s }}\n"
    return rack.config(pair, top=top)


def ip(host):
    return f"198.51.100.{11 + 'abcd'.index(host)}"


def member(host):
    return f"{ip(host)}:5060"


def names(appliance):
    return [(m["name"], m["role"]) for m in appliance.pair()["members"]]


def roles(*hosts):
    return [(member(h), r) for h, r in zip(hosts, ["primary", "backup"] + 14 * ["fallback"])]


def wait_roles(appliance, *hosts, timeout=20):
    wait_for(f"roles {hosts}, not {names(appliance)}", lambda: names(appliance) == roles(*hosts), timeout)


def shown(appliance, name="sip.example.com"):
    return next(n for n in appliance.ctl("dns", "show")["names"] if n["name"] == name)


class Named:
    """A rack with SIP servers a to d, a DNS server's host n, and the appliance with one pair by name."""

    def __init__(self, lab, zone, text=None, knot=None, hosts="abcd", **kw):
        self.lab = lab
        self.rack = Rack(lab, servers=("a", "b", "c", "d", "n"))
        n = self.rack.servers["n"]
        self.knot = Knot(n, zone, [self.rack.server_ip("n"), "2001:db8:100::15"], **(knot or {})) if zone else None
        self.members = {h: Member(self.rack.servers[h], ip(h), name=h) for h in hosts}
        self.appliance = Appliance(self.rack, text(self.rack) if text else config(self.rack, **kw))


    def start(self, *hosts):
        self.appliance.start()
        if hosts:
            wait_roles(self.appliance, *hosts)
            self.appliance.wait_up(*[member(h) for h in hosts])
        return self

    def events(self, cause):
        return [e for e in self.appliance.ctl("event", "list") if e["cause"] == cause]

    phone, call = Scene.phone, Scene.call


def same_time(a, b):
    """Of one moment, shown twice: the wall clock and the other one are not read in one instant."""
    parse = datetime.datetime.fromisoformat
    return abs((parse(a.rstrip("Z")) - parse(b.rstrip("Z"))).total_seconds()) < 0.02


def by_name(appliance):
    return {m["name"]: m for m in appliance.pair()["members"]}


def test_priorities_give_the_roles_and_calls_follow(lab):
    s = Named(lab, HOSTS + srv((10, 0, "b"), (20, 0, "a"), (30, 0, "c"))).start("b", "a", "c")
    assert s.appliance.active() == member("b")
    name = shown(s.appliance)
    assert (name["by"], name["state"], name["used_by"]) == ("srv", "good", ["east"]), name
    s.call(s.phone(), s.members["b"])
    table = s.appliance.ctl_raw("dns", "show")
    assert "sip.example.com" in table and member("b") in table and "TTL [s]" in table, table


def test_a_change_of_priorities_disturbs_no_member_that_stays(lab):
    s = Named(lab, HOSTS + srv((10, 0, "a"), (20, 0, "b"))).start("a", "b")
    before = by_name(s.appliance)
    caller, _ = s.call(s.phone(), s.members["a"])
    s.knot.change(HOSTS + srv((10, 0, "b"), (20, 0, "a"), (30, 0, "c")))
    wait_roles(s.appliance, "b", "a", "c")
    s.appliance.wait_active(member("b"))  # failback: immediate
    after = by_name(s.appliance)
    for m in (member("a"), member("b")):
        for key in ("number", "state", "suspicions"):
            assert before[m][key] == after[m][key], (m, key, before[m], after[m])
        assert same_time(before[m]["last_change"], after[m]["last_change"]), (before[m], after[m])
    caller.send("BYE")  # the dialog stays where it is
    s.members["a"].expect("BYE")


def test_a_member_that_goes_stays_until_its_successor_is_known(lab):
    """A single address that becomes another: not one request is lost or refused in between."""
    zone = HOSTS + "sip A 198.51.100.{}\n"
    s = Named(lab, zone.format(11), text=lambda r: config(r, "{ name: sip.example.com, port: 5060 }")).start("a")
    phone = s.phone()
    s.knot.change(zone.format(12))
    seen, lists = set(), []

    def moved():
        phone.send(phone.request("OPTIONS", "sip:bob@example.com", contact=False))
        at = [h for h in "ab" if (m := s.members[h].recv(0.05)) and m.method == "OPTIONS"]
        refusal = phone.recv(0.01)
        assert refusal is None or refusal.status == 100, refusal
        seen.update(at)
        lists.append(names(s.appliance))
        return lists[-1] == roles("b")

    wait_for("the old member to be gone", moved, 30)
    assert "a" in seen, seen
    assert roles("b") + [(member("a"), "fallback")] in lists, lists
    s.appliance.wait_active(member("b"))
    s.call(phone, s.members["b"])


def test_a_rotating_answer_swaps_no_roles(lab):
    zone = HOSTS + "".join(f"sip A 198.51.100.{i}\n" for i in (13, 11, 12))
    s = Named(lab, zone, knot={"rotate": True}, servers="{ name: sip.example.com, port: 5060 }").start("a", "b", "c")
    for _ in range(6):
        s.appliance.ctl("dns", "refresh", "sip.example.com")
        assert names(s.appliance) == roles("a", "b", "c"), names(s.appliance)
    assert len(s.events("dns")) <= 2, s.events("dns")  # it was found, and came into force
    assert s.appliance.active() == member("a")


def test_naptr_chooses_by_transport(lab):
    zone = HOSTS + (
        'sip NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.elsewhere\n'
        'sip NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.other\n'
        'sip NAPTR 20 20 "s" "SIP+D2U" "" _sip._udp.sip\n'
        + srv((1, 0, "d"), name="_sip._tcp.elsewhere") + srv((1, 0, "c"), (2, 0, "b"), name="_sip._udp.other")
        + srv((1, 0, "a")))
    s = Named(lab, zone).start("c", "b")
    assert shown(s.appliance)["by"] == "naptr+srv", shown(s.appliance)


def test_truncated_answers_come_by_tcp(lab):
    many = [(10 + i, 0, f"{'long-name-' * 5}{i:02d}") for i in range(20)]  # more than 1,232 bytes
    zone = HOSTS + "".join(f"{host} A 198.51.100.{11 + i}\n" for i, (_, _, host) in enumerate(many))
    s = Named(lab, zone + srv(*many))
    tap = Capture(s.rack.router, "to-n", "tcp port 53")
    s.appliance.start()
    wait_for("16 members", lambda: len(names(s.appliance)) == 16)
    assert names(s.appliance)[:3] == roles("a", "b", "c"), names(s.appliance)
    assert "4 of 20 servers are left out" in str(shown(s.appliance)["refused"]), shown(s.appliance)
    assert len(shown(s.appliance)["servers"]) == 20
    assert run("tshark", "-n", "-r", tap.stop(), "-Y", "dns.flags.response == 1").strip(), "no answer by TCP"


def test_the_first_resolver_is_dead(lab):
    s = Named(lab, HOSTS + srv((10, 0, "a"), (20, 0, "b")), dns="[ 198.51.100.99, 198.51.100.15 ]").start("a", "b")
    assert shown(s.appliance)["state"] == "good"
    assert "198.51.100.99" in s.appliance.ctl("dns", "show")["resolvers"]


def test_resolvers_of_resolv_conf(lab):
    """The first one is dead; a reload reads the file again."""
    path = lab.file("resolv.conf", "search elsewhere.example\nnameserver 198.51.100.99\nnameserver 198.51.100.15\n")
    pair = "  - name: east\n    servers: { name: sip.example.com }\n" + "".join(f"    {x}\n" for x in QUICK.splitlines())
    s = Named(lab, HOSTS + srv((10, 0, "a"), (20, 0, "b")),
              text=lambda rack: rack.config(pair, top=f"dns: {{ resolv-conf: {path}, timeout: 200ms }}\n")).start("a", "b")
    assert s.appliance.ctl("dns", "show")["resolvers"].startswith("198.51.100.99"), s.appliance.ctl("dns", "show")
    lab.file("resolv.conf", "nameserver 2001:db8:100::15\n")
    s.appliance.ctl("reload")
    assert "2001:db8:100::15" in s.appliance.ctl("dns", "show")["resolvers"], s.appliance.ctl("dns", "show")
    s.appliance.ctl("dns", "refresh", "sip.example.com")
    assert shown(s.appliance)["state"] == "good" and names(s.appliance) == roles("a", "b")


def test_an_ipv6_resolver_and_ipv6_servers(lab):
    zone = HOSTS + "a AAAA 2001:db8:100::11\nb AAAA 2001:db8:100::12\n" + srv((10, 0, "a"), (20, 0, "b"))
    s = Named(lab, zone, hosts="", servers="{ name: sip.example.com, family: ipv6 }",
              dns='[ "2001:db8:100::15" ]')
    for i, h in enumerate("ab"):
        s.members[h] = Member(s.rack.servers[h], f"2001:db8:100::{11 + i}", name=h)
    s.appliance.start()
    want = [("[2001:db8:100::11]:5060", "primary"), ("[2001:db8:100::12]:5060", "backup")]
    wait_for("both to be members", lambda: names(s.appliance) == want)
    s.appliance.wait_up(*[n for n, _ in want])
    s.call(s.phone(), s.members["a"])


def test_dns_dies_and_returns_and_control_restarts_meanwhile(lab):
    zone = HOSTS + srv((10, 0, "b"), (20, 0, "a"))
    s = Named(lab, zone).start("b", "a")
    s.knot.kill()
    wait_for("the name to be stale", lambda: shown(s.appliance)["state"] == "stale")
    assert names(s.appliance) == roles("b", "a")
    assert len(s.events("dns-failed")) == 1, s.events("dns-failed")
    s.appliance.control.kill()
    s.appliance.start()
    assert names(s.appliance) == roles("b", "a"), "from the file"
    s.appliance.wait_up(member("a"), member("b"))
    s.call(s.phone(), s.members["b"])
    wait_for("the failure to be seen", lambda: shown(s.appliance)["error"])
    assert shown(s.appliance)["state"] == "stale"
    s.knot.start()
    s.knot.change(HOSTS + srv((10, 0, "c"), (20, 0, "b")))
    wait_for("the name to be good", lambda: shown(s.appliance)["state"] == "good", 30)
    wait_roles(s.appliance, "c", "b")


def test_a_start_without_dns(lab):
    s = Named(lab, HOSTS + srv((10, 0, "a"), (20, 0, "b")))
    s.knot.kill()
    s.appliance.start()
    assert (s.appliance.pair()["state"], s.appliance.pair()["members"]) == ("unknown", []), s.appliance.pair()
    assert shown(s.appliance)["state"] == "unresolved"
    phone = s.phone()
    phone.send(phone.request("INVITE", "sip:bob@example.com"))
    refused = phone.expect(503)
    phone.send(phone.request("ACK", "sip:bob@example.com", to_tag=refused.tag("to"), call_id=refused.get("call-id"),
                             from_tag=refused.tag("from"), contact=False))
    wait_for("the failure to be said", lambda: s.events("dns-failed"))
    s.knot.start()
    s.appliance.ctl("dns", "refresh", "SIP.example.COM")
    wait_roles(s.appliance, "a", "b")
    s.appliance.wait_up(member("a"), member("b"))
    s.call(phone, s.members["a"])


def test_a_failing_or_empty_answer_keeps_the_last_good_one(lab):
    s = Named(lab, HOSTS + srv((10, 0, "a"), (20, 0, "b"))).start("a", "b")
    for zone, says in (("", "no address"),                                               # nothing is left
                       (srv((10, 0, "gone")), "no address"),                              # a target without address
                       ("_sip._udp.sip SRV 0 0 0 .\n", "no such service")):              # decidedly not available
        s.knot.change(zone)
        wait_for(f"'{says}' to be said, not {shown(s.appliance)}",
                 lambda: says in str(shown(s.appliance)["error"]) + str(shown(s.appliance)["refused"]), 30)
        assert shown(s.appliance)["state"] == "stale" and names(s.appliance) == roles("a", "b"), names(s.appliance)
    s.knot.change("a A 198.51.100.11\n" + srv((10, 0, "b"), (20, 0, "a")))
    wait_roles(s.appliance, "b", "a", timeout=90)  # b has no address any more: its last one stays
    assert "b.example.com has no address" in shown(s.appliance)["error"], shown(s.appliance)


def test_a_member_by_name_moves_and_keeps_its_role(lab):
    def text(rack):
        pair = ("  - name: east\n    members:\n"
                "      - { name: left, role: primary, address: left.example.com }\n"
                "      - { name: right, role: backup, address: Right.Example.Com, port: 65535 }\n"
                "      - { name: last, role: fallback, address: 198.51.100.14 }\n"
                + "".join(f"    {line}\n" for line in QUICK.splitlines()))
        return rack.config(pair, top="dns: { servers: [ 198.51.100.15 ], min-ttl: 1s, timeout: 200ms }\n")

    right = HOSTS + srv((1, 0, "b"), name="_sip._udp.right")
    s = Named(lab, right + "left A 198.51.100.11\n", text=text)
    s.appliance.start()
    wait_for("all members", lambda: [n for n, _ in names(s.appliance)] == ["left", "right", "last"])
    s.appliance.wait_up("left", "right", "last")
    before = by_name(s.appliance)
    assert before["right"]["address"] == ip("b"), before
    s.knot.change(right + "left A 198.51.100.13\n")
    wait_for("left to have moved", lambda: by_name(s.appliance)["left"]["address"] == ip("c"))
    s.appliance.wait_up("left")
    after = by_name(s.appliance)
    assert after["left"]["number"] == before["left"]["number"]
    assert same_time(after["right"]["last_change"], before["right"]["last_change"]), (before, after)
    s.appliance.wait_active("left")
    s.call(s.phone(), s.members["c"])


def test_a_reload_goes_from_addresses_to_a_name_without_a_gap(lab):
    s = Named(lab, HOSTS + srv((10, 0, "a"), (20, 0, "b")),
              text=lambda rack: rack.config(rack.pair_config(members="ab", extra=QUICK)))
    s.appliance.start()
    s.appliance.wait_up("east-a", "east-b")
    s.appliance.rewrite(config(s.rack))
    s.appliance.ctl("reload")
    assert names(s.appliance) == roles("a", "b"), "the reload waited for the answer"
    s.appliance.rewrite(config(s.rack, "{ name: sip.example.com, port: 5060 }"))  # has no address
    s.appliance.ctl("reload")
    assert names(s.appliance) == roles("a", "b"), names(s.appliance)
    assert [n["by"] for n in s.appliance.ctl("dns", "show")["names"]] == ["address"]
    assert s.appliance.ctl("dns", "refresh", "other.example.com", check=False) is None


def test_the_audiocodes_profile_and_port(lab):
    zone = HOSTS + srv((10, 0, "a"), (20, 0, "b"))
    s = Named(lab, zone, servers="{ name: sip.example.com, port: 65535 }",
              extra="profile: audiocodes\n" + QUICK).start("a", "b")
    s.members["a"].close()  # silent for as long as a server may be: the next one by priority
    s.appliance.wait_active(member("b"))
    s.members["a"] = Member(s.rack.servers["a"], ip("a"), name="a")
    s.appliance.wait_active(member("a"))
    s.call(s.phone(), s.members["a"])


# ---- A server that lies


class Lied(Named):
    """The same with a liar in the place of the DNS server; `tell` is what it answers."""

    def __init__(self, lab, tell, **kw):
        super().__init__(lab, None, **kw)
        self.liar = Liar(self.rack.servers["n"], self.rack.server_ip("n"), tell)


def honest(name, kind, msg):
    """What the true server would say: b, then a, by SRV."""
    ns = "example.com"
    if (name, kind) == (f"_sip._udp.sip.{ns}", TYPES["SRV"]):
        return [reply(msg, [(name, "SRV", 1, (i, 0, 5060, f"{h}.{ns}")) for i, h in enumerate("ba")])]
    if kind == TYPES["A"] and name in (f"a.{ns}", f"b.{ns}"):
        return [reply(msg, [(name, "A", 1, ip(name[0]))])]
    return [reply(msg, [])]


def test_forged_answers_are_not_believed(lab):
    def tell(name, kind, msg):
        ident = int.from_bytes(msg[:2], "big")
        lie = [(name, "A", 9, "198.51.100.14"), (name, "SRV", 9, (0, 0, 5060, "d.example.com"))]
        return [
            reply(msg, lie, ident=ident ^ 1),                                    # another's identifier
            reply(msg, lie, question=b"\4evil\0\0\1\0\1"),                       # another question
            b"\0" * 5, b"",                                                      # no message at all
            *honest(name, kind, msg),
        ]

    s = Lied(lab, tell).start("b", "a")
    assert s.events("dns-failed") == [], s.events("dns-failed")


def test_nonsense_is_refused_and_said(lab):
    lies = {"now": honest}
    ns = "example.com"
    s = Lied(lab, lambda *q: lies["now"](*q)).start("b", "a")

    def records(of, *rows):
        """An honest server but for one question."""
        return lambda name, kind, msg: [reply(msg, list(rows))] if name == of else honest(name, kind, msg)

    service = f"_sip._udp.sip.{ns}"
    for lie, says in (
            (records(service, (service, "SRV", 1, (0, 0, 0, f"c.{ns}"))), "port 0"),
            (records(service, (service, "SRV", 1, (0, 0, 5060, "192.0.2.1"))), "names no host"),
            (records(service, (service, "CNAME", 1, "x." + ns), ("x." + ns, "CNAME", 1, service)), "malformed"),
            (lambda name, kind, msg: [reply(msg, [(name, "CNAME", 1, f"x{len(s.liar.asked)}.{ns}")])], "without end"),
            (lambda name, kind, msg: [msg[:2] + b"\x81\x80\0\1\xff\xff\0\0\0\0" + msg[12:] + b"\xc0\x0c" * 9],
             "malformed"),
            (lambda name, kind, msg: [msg], "malformed"),  # the question itself
            (lambda name, kind, msg: [reply(msg, [], flags=0x8182)], "every DNS server failed"),  # SERVFAIL
            (lambda name, kind, msg: None, "timeout"),
            (lambda name, kind, msg: [reply(msg, [], flags=0x8185)], "every DNS server failed"),  # REFUSED
    ):
        lies["now"] = lie
        wait_for(f"'{says}' to be said, not {shown(s.appliance)}",
                 lambda: s.appliance.ctl("dns", "refresh", f"sip.{ns}") and
                 says in str(shown(s.appliance)["error"]) + str(shown(s.appliance)["refused"]), 30)
        assert names(s.appliance) == roles("b", "a"), (says, names(s.appliance))
        assert shown(s.appliance)["state"] == "stale", (says, shown(s.appliance))
    # Addresses that no server can have: the target's last good ones stay.
    lies["now"] = records(f"b.{ns}", (f"b.{ns}", "A", 1, "127.0.0.1"), (f"b.{ns}", "A", 1, "224.0.0.9"))
    s.appliance.ctl("dns", "refresh", f"sip.{ns}")
    assert "loopback" in str(shown(s.appliance)["refused"]), shown(s.appliance)
    assert names(s.appliance) == roles("b", "a")
    # The appliance's own address as a server would be a loop.
    lies["now"] = records(f"b.{ns}", (f"b.{ns}", "A", 1, "192.0.2.10"), (f"b.{ns}", "A", 1, ip("c")))
    s.appliance.ctl("dns", "refresh", f"sip.{ns}")
    wait_for("c in b's place", lambda: names(s.appliance)[0] == roles("c")[0])
    assert "an address of our own" in str(shown(s.appliance)["refused"]), shown(s.appliance)
    lies["now"] = honest
    s.appliance.ctl("dns", "refresh", f"sip.{ns}")
    wait_roles(s.appliance, "b", "a")
    assert shown(s.appliance)["state"] == "good"
    s.call(s.phone(), s.members["b"])


def test_a_server_that_stalls_delays_nobody(lab):
    """One name's server says nothing; the other name's pair is in service, and probes and calls go on."""
    def text(rack):
        pairs = "".join(
            f"  - name: {pair}\n    servers: {{ name: {name}.example.com }}\n"
            + "".join(f"    {line}\n" for line in QUICK.splitlines()) for pair, name in (("east", "sip"), ("west", "mute")))
        return rack.config(pairs, service="select: source-address\n",
                           top="dns: { servers: [ 198.51.100.15 ], timeout: 2s, attempts: 5 }\n")

    s = Lied(lab, lambda name, kind, msg: None if "mute" in name else honest(name, kind, msg), text=text)
    s.start("b", "a")
    assert s.appliance.pair("west")["members"] == []
    assert shown(s.appliance, "mute.example.com")["state"] == "unresolved"
    assert s.appliance.active() == member("b")
