"""The appliance is neither a relay nor a reflector, and a broken message costs its sender only."""

import re
import socket

from scene import Scene
from sip import Dialog, Ua, unique


def victim(s):
    """A host that no client may reach through us."""
    s.rack.callers.address("eth0", "203.0.113.66/24")
    return Ua(s.rack.callers, "203.0.113.66", 5060, name="victim")


def test_a_client_cannot_relay_to_a_foreign_address(lab):
    s = Scene(lab)
    alice, a, bob = s.phone(), s.members["a"], victim(s)
    alice.send(alice.request("MESSAGE", "sip:bob@example.com", contact=False,
                             routes=["<sip:192.0.2.10;lr>", "<sip:203.0.113.66;lr>"]))
    assert alice.recv(2).status == 403
    alice.send(alice.request("MESSAGE", "sip:bob@203.0.113.66", contact=False))
    a.expect("MESSAGE")  # a Request-URI is the servers' business: to the member, not to the address
    bob.nothing(0.5)
    s.finish()


def test_a_cookie_copied_from_another_call_opens_nothing(lab):
    s = Scene(lab)
    alice, a, bob = s.phone(), s.members["a"], victim(s)
    # A member calls alice: her Record-Route carries a cookie that says outward.
    a.send(a.request("INVITE", "sip:alice@203.0.113.10:5060"))
    invite = alice.expect("INVITE")
    answer = alice.reply(invite, 200)
    a.expect(200)
    dialog = Dialog.callee(alice, invite, answer)
    assert "ss=" in dialog.routes[0]
    alice.send(alice.request("MESSAGE", "sip:bob@203.0.113.66", to_tag="x", call_id=unique("c"), contact=False,
                             routes=[dialog.routes[0], "<sip:203.0.113.66;lr>"]))
    bob.nothing(0.7)
    s.finish()


def test_responses_that_we_did_not_ask_for_are_dropped(lab):
    s = Scene(lab)
    alice, bob = s.phone(), victim(s)
    for via in ("Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKnone",
                "Via: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bKx"):
        alice.send(f"SIP/2.0 200 OK\r\n{via}\r\nVia: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bKy\r\n"
                   "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: r\r\nCSeq: 1 INVITE\r\n"
                   "Content-Length: 0\r\n\r\n")
    bob.nothing(0.7)
    assert "response-via" in s.appliance.ctl_raw("stats", "show")
    s.finish()


def test_answers_follow_rfc_3261_16_3(lab):
    s = Scene(lab)
    alice = s.phone()
    for status, text in (
        (483, alice.request("MESSAGE", "sip:b@example.com", max_forwards=0, contact=False)),
        (416, alice.request("MESSAGE", "nonsense:b@example.com", contact=False)),
        (420, alice.request("MESSAGE", "sip:b@example.com", headers=["Proxy-Require: teleport"], contact=False)),
        (505, alice.request("MESSAGE", "sip:b@example.com", contact=False).replace("SIP/2.0\r", "SIP/7.0\r", 1)),
        (400, alice.request("MESSAGE", "sip:b@example.com", contact=False).replace("Length: 0", "Length: 99")),
    ):
        alice.send(text)
        assert alice.expect(status).tag("to"), status
    s.finish()


def test_keepalives_and_stun(lab):
    s = Scene(lab)
    alice = s.phone()
    for ping in (b"", b"\r\n", b"\r\n\r\n", b"\0" * 4):
        alice.send(ping)
    alice.nothing(0.4)
    transaction = bytes(range(12))
    alice.send(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + transaction)
    data, _ = alice.sock.recvfrom(2000)
    assert data[:2] == b"\x01\x01" and data[8:20] == transaction, data
    at = data.index(b"\x00\x20\x00\x08") + 4
    port = int.from_bytes(data[at + 2:at + 4], "big") ^ 0x2112
    ip = bytes(x ^ y for x, y in zip(data[at + 4:at + 8], b"\x21\x12\xa4\x42"))
    assert (port, socket.inet_ntoa(ip)) == (5060, "203.0.113.10")
    s.finish()


def test_a_loop_is_told_from_a_spiral(lab):
    s = Scene(lab)
    alice, a, bob = s.phone(), s.members["a"], s.phone("bob", port=5070)
    alice.send(alice.request("MESSAGE", "sip:bob@example.com", contact=False))
    at = a.expect("MESSAGE")
    own = at.all("via")[0]
    lines = at.data.decode().split("\r\n", 1)
    via = f"Via: SIP/2.0/UDP 198.51.100.11:5060;branch={unique('z9hG4bK')}"
    # Back to us as it came: a loop.
    a.send(f"{lines[0]}\r\n{via}\r\n{lines[1]}")
    again = a.recv(2)
    assert again is not None and again.status in (482, None), again
    if again.status is None:  # the first way back had another route; the second time round is the same
        lines = again.data.decode().split("\r\n", 1)
        a.send(f"{lines[0]}\r\n{via.replace('z9hG4bK', 'z9hG4bKq')}\r\n{lines[1]}")
        a.expect(482)
    # Back to us towards a phone: a spiral.
    lines = at.data.decode().split("\r\n", 1)
    a.send(f"MESSAGE sip:bob@203.0.113.10:5070 SIP/2.0\r\n{via}9\r\n{lines[1]}")
    spiral = bob.expect("MESSAGE")
    assert len(spiral.all("via")) == 4 and own in spiral.all("via"), spiral
    assert re.match(r"SIP/2.0/UDP 192\.0\.2\.10:5060", spiral.all("via")[0])
    s.finish()


def test_own_answers_are_limited_per_source(lab):
    s = Scene(lab)
    alice = s.phone()
    for _ in range(400):
        alice.send(alice.request("MESSAGE", "sip:b@example.com", max_forwards=0, contact=False))
    n = 0
    while alice.recv(0.5):
        n += 1
    assert 0 < n < 300, n
    assert "answer-limited" in s.appliance.ctl_raw("stats", "show")
    s.finish()
