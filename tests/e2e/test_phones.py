"""Phones behind Kamailio: registrar with Path, loose routing, Record-Route of its own. A call from phone to phone
crosses the appliance twice."""

import hashlib
import re

from kamailio import Kamailio
from lab import wait_for
from rack import Appliance, Rack
from scene import QUICK
from sip import Dialog, Ua, unique


def digest(challenge, method, uri, user="alice", password="secret"):
    """Authorization value for an MD5 challenge with qop auth (RFC 7616)."""
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    h = lambda s: hashlib.md5(s.encode()).hexdigest()  # noqa: E731
    ha1, ha2 = h(f"{user}:{fields['realm']}:{password}"), h(f"{method}:{uri}")
    response = h(f"{ha1}:{fields['nonce']}:00000001:0a4f113b:auth:{ha2}")
    return (f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}", '
            f'response="{response}", qop=auth, nc=00000001, cnonce="0a4f113b", algorithm=MD5')


class Office:
    """Kamailio a and b, the appliance, alice in the open and bob behind a NAT."""

    def __init__(self, lab, auth=False):
        self.rack = Rack(lab)
        self.tap = self.rack.tap
        self.kamailio = {n: Kamailio(self.rack, n, p, auth).start() for n, p in (("a", "b"), ("b", "a"))}
        self.appliance = Appliance(self.rack, self.rack.config(self.rack.pair_config(extra=QUICK))).start()
        self.appliance.wait_up("east-a", "east-b")
        self._nat(lab)
        self.alice = Ua(self.rack.callers, "203.0.113.10", name="alice")
        self.bob = Ua(self.home, "10.0.0.2", 5060, name="bob")

    def _nat(self, lab):
        self.home, nat = lab.ns("home"), lab.ns("nat")
        lab.veth(self.home, "eth0", nat, "inside")
        lab.veth(nat, "outside", self.rack.router, "to-nat")
        self.home.address("eth0", "10.0.0.2/24")
        nat.address("inside", "10.0.0.1/24")
        nat.address("outside", "203.0.113.129/30")
        self.rack.router.address("to-nat", "203.0.113.130/30")
        self.home.route("default", "10.0.0.1")
        nat.route("default", "203.0.113.130")
        nat.sysctl("net.ipv4.ip_forward", 1)
        nat.exec("nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; };"
                        " add rule ip nat post oifname outside udp sport 1-65535 masquerade to :20000-30000")

    def register(self, ua, headers=()):
        text = ua.request("REGISTER", "sip:example.com", to=f"<sip:{ua.name}@example.com>",
                          headers=["Expires: 600", "Supported: path", *headers])
        ua.send(text)
        return next(m for m in iter(lambda: ua.recv(5), None) if m.status != 100)

    def wait_known(self, server, *phones):
        """Until that server itself knows where the phones are."""
        desk = Ua(self.rack.callers, "203.0.113.10", 5090, proxy=(self.rack.server_ip(server), 5060), name="desk")

        def known():
            for phone in phones:
                desk.send(desk.request("OPTIONS", f"sip:{phone.name}@example.com", contact=False))
                answer = desk.recv(1)
                if answer is None or answer.status != 200:
                    return False
            return True

        wait_for(f"the locations at {server}", known, 30, 0.2)
        desk.close()

    def call(self, caller, callee):
        """A call, answered; (caller's dialog, callee's dialog)."""
        caller.send(caller.request("INVITE", f"sip:{callee.name}@example.com"))
        invite = callee.expect("INVITE")
        assert len([v for v in invite.all("via") if "192.0.2.10" in v]) == 2, "the call crosses us twice"
        callee.reply(invite, 180, to_tag="t")
        answer = callee.reply(invite, 200, to_tag="t")
        ok = caller.expect(200)
        dialogs = Dialog.caller(caller, ok), Dialog.callee(callee, invite, answer)
        # Behind a NAT nobody can be reached at the Contact; the other side's target is rewritten by its server in
        # real life. Here the Contact is the address as the network sees it.
        dialogs[0].send("ACK", cseq=dialogs[0].cseq)
        callee.expect("ACK")
        return dialogs

    def finish(self):
        bad = self.tap.bad()
        assert bad == [], bad


def test_phone_to_phone_before_and_across_a_switch(lab):
    o = Office(lab)
    # The phone behind the NAT learns its outer address from the response (RFC 3581), as phones do.
    first = o.register(o.bob)
    assert first.status == 200, first
    outer = re.search(r"received=([\d.]+);rport=(\d+)|rport=(\d+);received=([\d.]+)", first.get("via"))
    assert outer, first.get("via")
    ip, port = outer.group(1) or outer.group(4), outer.group(2) or outer.group(3)
    assert ip == "203.0.113.129"
    o.bob.contact = f"<sip:bob@{ip}:{port}>"
    assert o.register(o.bob).status == 200
    assert o.register(o.alice).status == 200
    o.wait_known("b", o.alice, o.bob)  # the twin learns the locations
    caller, callee = o.call(o.alice, o.bob)
    o.kamailio["a"].kill()
    o.appliance.wait_active("east-b")
    callee.send("BYE")
    o.alice.reply(o.alice.expect("BYE"), 200)
    o.bob.expect(200)
    caller, callee = o.call(o.alice, o.bob)
    caller.send("BYE")
    o.bob.reply(o.bob.expect("BYE"), 200)
    o.alice.expect(200)
    caller, callee = o.call(o.bob, o.alice)
    caller.send("BYE")
    o.alice.reply(o.alice.expect("BYE"), 200)
    o.bob.expect(200)
    o.finish()


def test_register_and_call_with_authentication(lab):
    o = Office(lab, auth=True)
    challenge = o.register(o.alice)
    assert challenge.status == 401, challenge
    credentials = digest(challenge.get("www-authenticate"), "REGISTER", "sip:example.com")
    assert o.register(o.alice, [f"Authorization: {credentials}"]).status == 200
    uri, call_id, tag = "sip:alice@example.com", unique("c"), unique("f")
    dave = Ua(o.rack.callers, "203.0.113.10", 5080, name="dave")
    dave.send(dave.request("INVITE", uri, call_id=call_id, from_tag=tag, cseq=1, branch="z9hG4bKa1" + tag))
    refused = dave.expect(407)
    dave.send(dave.request("ACK", uri, call_id=call_id, from_tag=tag, cseq=1, branch="z9hG4bKa1" + tag,
                           to_tag=refused.tag("to"), contact=False))
    credentials = digest(refused.get("proxy-authenticate"), "INVITE", uri, user="dave")
    dave.send(dave.request("INVITE", uri, call_id=call_id, from_tag=tag, cseq=2,
                           headers=[f"Proxy-Authorization: {credentials}"]))
    invite = o.alice.expect("INVITE")
    o.alice.reply(invite, 200)
    dialog = Dialog.caller(dave, dave.expect(200))
    dialog.send("ACK", cseq=dialog.cseq)
    o.alice.expect("ACK")
    dialog.send("BYE")
    o.alice.reply(o.alice.expect("BYE"), 200)
    dave.expect(200)
    o.finish()
