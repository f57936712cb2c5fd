"""Transactions and dialogs across the appliance, before and across a switch. RFC 3261 9, 12, 16, 17."""

import re
import time

from lab import wait_for
from scene import PROBES, Scene
from sip import Dialog, Message, unique


def test_call_from_invite_to_bye_both_ways(lab):
    s = Scene(lab)
    alice, a = s.phone(), s.members["a"]
    caller, callee = s.call(alice, a)
    callee.send("INFO")
    info = alice.expect("INFO")
    alice.reply(info, 200)
    a.expect(200)
    caller.send("BYE")
    a.reply(a.expect("BYE"), 200)
    alice.expect(200)
    s.finish()


def test_ack_of_a_486_and_cancel_follow_their_invite(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    branch, call_id, tag = unique("z9hG4bK"), unique("c"), unique("f")
    same = {"branch": branch, "call_id": call_id, "from_tag": tag, "cseq": 1}
    alice.send(alice.request("INVITE", "sip:bob@example.com", **same))
    first = a.expect("INVITE")
    a.reply(first, 180, "Ringing", to_tag="t1")
    alice.expect(180)
    s.appliance.ctl("pair", "switch", "east")
    s.appliance.wait_active("east-b")
    # RFC 3261 9.1, 16.10: CANCEL goes where its INVITE went, with that branch, though another member is active now.
    alice.send(alice.request("CANCEL", "sip:bob@example.com", contact=False, **same))
    cancel = a.expect("CANCEL")
    assert cancel.all("via")[0] == first.all("via")[0]
    a.reply(cancel, 200)
    alice.expect(200)
    a.reply(first, 487, "Request Terminated", to_tag="t1")
    end = alice.expect(487)
    ack = alice.request("ACK", "sip:bob@example.com", contact=False, **{**same, "to_tag": end.tag("to")})
    alice.send(ack)
    at = a.expect("ACK")
    assert at.all("via")[0] == first.all("via")[0]
    b.nothing(0.3)
    s.finish()


def test_retransmission_follows_its_request_across_a_switch(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    text = alice.request("MESSAGE", "sip:bob@example.com", contact=False)
    alice.send(text)
    a.expect("MESSAGE")
    s.appliance.ctl("pair", "switch", "east")
    s.appliance.wait_active("east-b")
    alice.send(text)
    a.expect("MESSAGE")
    b.nothing(0.3)
    s.finish()


def test_bye_of_a_call_set_up_before_the_switch_reaches_the_survivor(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    caller, _ = s.call(alice, a)
    a.close()
    s.appliance.wait_active("east-b")
    caller.send("BYE")
    b.reply(b.expect("BYE"), 200)
    alice.expect(200)
    s.finish()


def test_in_dialog_requests_stay_with_their_member_after_a_manual_switch(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    caller, _ = s.call(alice, a)
    s.appliance.ctl("pair", "switch", "east")
    s.appliance.wait_active("east-b")
    caller.send("BYE")
    a.reply(a.expect("BYE"), 200)
    alice.expect(200)
    s.call(alice, b)
    s.finish()


def test_a_forged_cookie_does_not_choose_a_server(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    caller, _ = s.call(alice, a)
    s.appliance.ctl("pair", "switch", "east")
    s.appliance.wait_active("east-b")

    def forge(route):
        # The last digit of the tag is another one.
        return re.sub(r"(;ss=[0-9a-f]*)([0-9a-f])", lambda m: m.group(1) + ("0" if m.group(2) != "0" else "1"), route)

    caller.target = "sip:service@example.com"  # a Request-URI that names no member leaves the choice to the cookie
    forged = [forge(r) for r in caller.routes]
    assert forged != caller.routes
    caller.send("BYE", routes=forged)
    b.reply(b.expect("BYE"), 200)  # without a cookie: the active member
    alice.expect(200)
    a.nothing(0.3)
    s.finish()


def test_credentials_go_to_the_member_that_challenged(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    call_id = unique("c")
    alice.send(alice.request("REGISTER", "sip:example.com", call_id=call_id, to="<sip:alice@example.com>"))
    a.reply(a.expect("REGISTER"), 401, "Unauthorized",
            headers=['WWW-Authenticate: Digest realm="example.com", nonce="1"'])
    alice.expect(401)
    s.appliance.ctl("pair", "switch", "east")
    s.appliance.wait_active("east-b")
    alice.send(alice.request("REGISTER", "sip:example.com", call_id=call_id, to="<sip:alice@example.com>",
                             headers=['Authorization: Digest username="alice", nonce="1"']))
    a.expect("REGISTER")
    alice.send(alice.request("REGISTER", "sip:example.com", call_id=unique("c"), to="<sip:alice@example.com>",
                             headers=['Authorization: Digest username="alice", nonce="1"']))
    b.expect("REGISTER")
    s.finish()


def test_a_caller_whose_source_differs_from_its_via(lab):
    s = Scene(lab)
    alice = s.phone(via="10.1.2.3:5099")  # behind NAT: RFC 3581, and rport though it did not ask
    a = s.members["a"]
    alice.send(alice.request("OPTIONS", "sip:bob@example.com", contact=False))
    at = a.expect("OPTIONS")
    assert "received=203.0.113.10" in at.all("via")[1] and "rport=5060" in at.all("via")[1], at
    a.reply(at, 200)
    alice.expect(200)
    s.finish()


def test_an_ipv6_caller_reaches_an_ipv4_server(lab):
    s = Scene(lab)
    alice = s.phone(ip="2001:db8:113::10")
    a = s.members["a"]
    caller, callee = s.call(alice, a)
    assert len(caller.routes) == 2, caller.routes  # RFC 5658: one entry per family
    callee.send("BYE")
    alice.reply(alice.expect("BYE"), 200)
    a.expect(200)
    s.finish()


def test_a_registered_phone_is_called_through_its_path(lab):
    s = Scene(lab)
    alice = s.phone(port=40000, via="10.1.2.3:5060")  # behind NAT
    alice.contact = "<sip:alice@10.1.2.3:5060>"
    a, b = s.members["a"], s.members["b"]
    alice.send(alice.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>"))
    at = a.expect("REGISTER")
    path = at.all("path")
    assert len(path) == 1, at
    a.reply(at, 200, headers=[f"Path: {path[0]}"])
    alice.expect(200)
    # The twin, which shares the location, calls the phone: RFC 3327 5.
    b.send(b.request("INVITE", "sip:alice@10.1.2.3:5060", routes=path))
    invite = alice.expect("INVITE")
    assert invite.source == ("192.0.2.10", 5060)
    answer = alice.reply(invite, 200)
    ok = b.expect(200)
    server = Dialog.caller(b, ok)
    phone = Dialog.callee(alice, invite, answer)
    server.send("ACK", cseq=server.cseq)
    alice.expect("ACK")
    phone.send("BYE")
    b.reply(b.expect("BYE"), 200)
    alice.expect(200)
    s.finish()


def test_a_response_to_a_member_that_died_reaches_its_twin(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    a.send(a.request("INVITE", "sip:alice@203.0.113.10:5060"))
    invite = alice.expect("INVITE")
    a.close()
    s.appliance.wait_active("east-b")
    alice.reply(invite, 200)
    b.expect(200)
    s.finish()


def test_attended_transfer_meets_the_replaced_call(lab):
    # The call-id key is the one inside Replaces, so that the transferee's INVITE meets the call that it replaces.
    def config(rack):
        pairs = "".join(rack.pair_config(n, m, extra=PROBES)
                        for n, m in (("p0", "ab"), ("p1", "cd"), ("p2", "ef")))
        return rack.config(pairs, service="select: call-id")

    s = Scene(lab, config=config, servers="abcdef")
    alice = s.phone()

    def lands(call_id, **kw):
        """Where an INVITE comes to."""
        alice.send(alice.request("INVITE", "sip:bob@example.com", call_id=call_id, **kw))

        def at():
            for name, member in s.members.items():
                m = member.recv(0.01)
                if m is not None and m.method == "INVITE" and m.get("call-id") == call_id:
                    member.reply(m, 486)
                    return name
            return None

        return wait_for("the INVITE", at)

    places = set()
    for _ in range(12):
        call_id = unique("c")
        first = lands(call_id)
        assert lands(unique("c"), headers=[f"Replaces: {call_id};to-tag=1;from-tag=2"]) == first
        places.add(first)
    assert len(places) > 1, places  # by chance alone they meet
    s.finish()
