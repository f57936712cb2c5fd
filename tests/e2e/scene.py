"""The usual scene of a test that speaks SIP itself: members a and b played by the test, phones, the appliance."""

from rack import APPLIANCE4, APPLIANCE6, Appliance, Rack
from sip import Dialog, Member, Message, Ua

# A closed member's host says so at once, by ICMP; one that is only late has a second.
PROBES = "oos-check: 300ms\noos-force: 150ms\nprobe-timeout: 1s\n"
QUICK = f"{PROBES}failback: []\n"


class Scene:
    """Everything running, both members up; finish() judges every packet that the appliance sent."""

    def __init__(self, lab, config=None, extra=QUICK, service="", servers=("a", "b"), members=None, **rack_options):
        self.lab = lab
        self.rack = Rack(lab, servers=servers, **rack_options)
        self.members = {}
        for name in members or servers:
            self.members[name] = Member(self.rack.servers[name], self.rack.server_ip(name), name=name)
        self.tap = self.rack.tap
        text = config(self.rack) if config else self.rack.config(self.rack.pair_config(extra=extra), service=service)
        self.appliance = Appliance(self.rack, text).start()
        for pair in self.appliance.ctl("pair", "list"):
            self.appliance.wait_up(*[m["name"] for m in pair["members"]], name=pair["name"])

    def phone(self, name="alice", ip="203.0.113.10", port=5060, **kw):
        proxy = (APPLIANCE6 if ":" in ip else APPLIANCE4, 5060)
        return Ua(self.rack.callers, ip, port, proxy=proxy, name=name, **kw)

    def revive(self, name):
        self.members[name] = Member(self.rack.servers[name], self.rack.server_ip(name), name=name)

    def call(self, phone, member, uri="sip:bob@example.com", sends=1, **kw):
        """Set up a call from a phone to a member; (caller's dialog, callee's dialog). The INVITE is sent so many times at
        most, as a phone does where the first ones may be lost."""
        invite = phone.request("INVITE", uri, **kw)
        for left in reversed(range(sends)):
            phone.send(invite)
            try:
                at = member.expect("INVITE", 2 if left else 5)
                break
            except AssertionError:
                if not left:
                    raise
        answer = member.reply(at, 200, "OK")
        ok = phone.expect(200)
        caller = Dialog.caller(phone, ok)
        callee = Dialog.callee(member, at, answer)
        caller.send("ACK", cseq=caller.cseq)
        member.expect("ACK")
        return caller, callee

    def finish(self):
        bad = self.tap.bad()
        assert bad == [], bad
