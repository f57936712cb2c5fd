"""One arm or two: clients on one port, servers on another, a source address of its own towards the servers."""

from rack import ARM4
from scene import QUICK, Scene


def two_armed(rack):
    return rack.config(rack.pair_config(extra=QUICK + f'egress: [ "udp:{ARM4}:5060" ]\n'))


def test_two_armed_calls(lab):
    s = Scene(lab, config=two_armed, two_armed=True)
    alice, a = s.phone(), s.members["a"]
    caller, callee = s.call(alice, a)
    assert len(caller.routes) == 2, caller.routes  # RFC 5658: the interface changes
    assert any(ARM4 in r for r in caller.routes) and any("192.0.2.10" in r for r in caller.routes)
    callee.send("BYE")
    bye = alice.expect("BYE")
    assert bye.source == ("192.0.2.10", 5060)
    alice.reply(bye, 200)
    a.expect(200)
    caller, _ = s.call(alice, a)
    caller.send("BYE")
    at = a.expect("BYE")
    assert at.source == (ARM4, 5060)
    a.reply(at, 200)
    alice.expect(200)
    s.finish()


def test_the_egress_address_is_for_members_only(lab):
    s = Scene(lab, config=two_armed, two_armed=True)
    alice = s.phone()
    alice.send(alice.request("OPTIONS", "sip:x@example.com", contact=False), (ARM4, 5060))
    alice.nothing(0.7, but=(403,))
    s.members["a"].nothing(0.3)
    s.finish()


def test_one_armed_calls_have_one_record_route(lab):
    s = Scene(lab)
    caller, _ = s.call(s.phone(), s.members["a"])
    assert len(caller.routes) == 1, caller.routes
    s.finish()


def test_nothing_is_lost_at_first_contact(lab):
    s = Scene(lab)
    alice, a = s.phone(), s.members["a"]
    # A neighbour that nobody has spoken to yet, on-link to the appliance.
    s.rack.router.address("to-lb", "192.0.2.77/24")
    stranger = s.rack.router
    sock = stranger.socket()
    sock.bind(("192.0.2.77", 5060))
    s.appliance.ns.ip("neigh", "flush", "all")
    texts = [alice.request("MESSAGE", f"sip:u{i}@example.com", contact=False) for i in range(5)]
    for text in texts:
        sock.sendto(text.replace("203.0.113.10", "192.0.2.77").encode(), ("192.0.2.10", 5060))
    for _ in texts:
        a.reply(a.expect("MESSAGE"), 200)
    sock.settimeout(3)
    assert all(sock.recv(4000).startswith(b"SIP/2.0 200") for _ in texts)
    s.finish()
