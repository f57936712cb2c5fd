"""Requests in flight when their server dies: a call in each phase, and what the caller sees of it (REQUIREMENTS 5)."""

import time

from lab import wait_for
from scene import PROBES, QUICK, Scene
from sip import Dialog, Message, unique

PATIENT = "oos-check: 30s\nfailback: []\n"  # probes say nothing while the test lasts, but the burst of a suspicion


def rescues(s, cause, method):
    stats = s.appliance.ctl("stats", "show")
    return stats["in_flight"]["rescued"][cause].get(method, 0)


def answer(phone, member, invite_at, status=200):
    """The member answers the INVITE, the phone acknowledges: (caller's dialog, callee's)."""
    text = member.reply(invite_at, status, "OK")
    ok = phone.expect(status)
    caller = Dialog.caller(phone, ok)
    callee = Dialog.callee(member, invite_at, text)
    caller.send("ACK", cseq=caller.cseq)
    member.expect("ACK")
    return caller, callee


def hang_up(phone, member, caller):
    caller.send("BYE")
    member.reply(member.expect("BYE"), 200, "OK")
    phone.expect(200)


def invite(phone, **kw):
    """Send an INVITE; its text and parsed form."""
    text = phone.request("INVITE", "sip:bob@example.com", **kw)
    phone.send(text)
    return text, Message(text.encode())


def ack_of(phone, sent, final):
    """ACK of a non-2xx final: the INVITE's branch (RFC 3261 17.1.1.3)."""
    lines = [f"ACK {sent.uri} SIP/2.0", f"Via: {sent.get('via')}", f"From: {sent.get('from')}", f"To: {final.get('to')}",
             f"Call-ID: {sent.get('call-id')}", f"CSeq: {sent.get('cseq').split()[0]} ACK", "Max-Forwards: 70",
             "Content-Length: 0"]
    phone.send("\r\n".join(lines) + "\r\n\r\n")


def cancel_of(phone, sent):
    """CANCEL of an INVITE (RFC 3261 9.1)."""
    lines = [f"CANCEL {sent.uri} SIP/2.0", f"Via: {sent.get('via')}", f"From: {sent.get('from')}", f"To: {sent.get('to')}",
             f"Call-ID: {sent.get('call-id')}", f"CSeq: {sent.get('cseq').split()[0]} CANCEL", "Max-Forwards: 70",
             "Content-Length: 0"]
    phone.send("\r\n".join(lines) + "\r\n\r\n")


# ---- In each phase


def test_dead_before_the_invite(lab):
    """Its host's ICMP error moves the INVITE at once: the phone sends it once only."""
    s = Scene(lab, extra=PATIENT)
    alice, b = s.phone(), s.members["b"]
    s.members["a"].close()
    invite(alice)
    caller, _ = answer(alice, b, b.expect("INVITE", 1.5))
    hang_up(alice, b, caller)
    assert rescues(s, "icmp", "INVITE") == 1
    s.finish()


def test_dead_after_100(lab):
    """The caller has had a provisional and sends no more: we do (RFC 3261 17.1.1.2)."""
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    invite(alice)
    a.reply(a.expect("INVITE"), 100, "Trying")
    a.close()
    caller, _ = answer(alice, b, b.expect("INVITE", 4))
    hang_up(alice, b, caller)
    assert rescues(s, "down", "INVITE") == 1
    s.finish()


def test_dead_after_180(lab):
    """It rings at a server that is gone: a final 5xx from here, and no second call."""
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    _, sent = invite(alice)
    a.reply(a.expect("INVITE"), 180, "Ringing")
    alice.expect(180)
    a.close()
    final = alice.recv(4)
    assert final is not None and 500 <= final.status < 600, final
    ack_of(alice, sent, final)
    alice.nothing(1.5)
    b.nothing(0.3)
    s.finish()


def test_dead_after_180_with_shared_transactions(lab):
    s = Scene(lab, extra=QUICK + "shares: [ transactions ]\n")
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    invite(alice)
    at = a.expect("INVITE")
    a.reply(at, 180, "Ringing")
    alice.expect(180)
    a.close()
    s.appliance.wait_active("east-b")
    alice.nothing(1.5)
    b.reply(Message(at.data, ("192.0.2.10", 5060)), 200, "OK")  # b knows the call's transaction
    alice.expect(200)
    s.finish()


def test_dead_between_200_and_ack(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    invite(alice)
    text = a.reply(a.expect("INVITE"), 200, "OK")
    caller = Dialog.caller(alice, alice.expect(200))
    assert text
    a.close()
    s.appliance.wait_active("east-b")
    caller.send("ACK", cseq=caller.cseq)
    b.expect("ACK")
    hang_up(alice, b, caller)
    s.finish()


def test_dead_during_bye(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    caller, _ = s.call(alice, a)
    caller.send("BYE")
    a.expect("BYE")
    a.close()
    b.reply(b.expect("BYE", 4), 200, "OK")
    alice.expect(200)
    s.finish()


def test_dead_during_cancel(lab):
    """CANCEL is answered here, and ends the failover (REQUIREMENTS 5): no member is called any more."""
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    _, sent = invite(alice)
    a.reply(a.expect("INVITE"), 100, "Trying")
    cancel_of(alice, sent)
    cancelled = alice.expect(200)
    assert cancelled.method == "CANCEL", cancelled
    a.close()
    final = alice.expect(487, 40)
    ack_of(alice, sent, final)
    b.nothing(0.5)
    s.finish()


# ---- How servers fail


def test_503_is_rescued_and_the_call_stays_there(lab):
    """The caller sees nothing of the 503; ACK and BYE go to the member that took the call."""
    s = Scene(lab, extra=PATIENT)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    invite(alice)
    a.reply(a.expect("INVITE"), 503, "Service Unavailable", headers=["Retry-After: 5"])
    at = b.expect("INVITE", 2)
    assert a.expect("ACK", 2)  # we acknowledge what we absorbed (RFC 3261 17.1.1.3)
    caller, _ = answer(alice, b, at)
    hang_up(alice, b, caller)
    assert rescues(s, "code", "INVITE") == 1
    s.finish()


def test_register_500_is_rescued(lab):
    s = Scene(lab, extra=PATIENT)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    alice.send(alice.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>"))
    a.reply(a.expect("REGISTER"), 500, "Server Internal Error")
    b.reply(b.expect("REGISTER", 2), 200, "OK")
    alice.expect(200)
    s.finish()


def test_the_last_members_503_passes_with_its_retry_after(lab):
    s = Scene(lab, extra=PATIENT)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    invite(alice)
    a.reply(a.expect("INVITE"), 503, "Service Unavailable")
    b.reply(b.expect("INVITE", 2), 503, "Service Unavailable", headers=["Retry-After: 17"])
    assert alice.expect(503).get("retry-after") == "17"
    s.finish()


def test_hung_server_is_found_by_its_silence(lab):
    """Fanvil 2.2.2: the phone's own sends; the second one makes the server suspect, and the burst finds it dead."""
    s = Scene(lab, extra=PATIENT)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    a.hang()
    text, _ = invite(alice)
    wait_for("the INVITE at b", lambda: not b.inbox.empty(), 3)
    caller, _ = answer(alice, b, b.expect("INVITE"))
    hang_up(alice, b, caller)
    assert text
    s.appliance.wait_active("east-b")
    s.finish()


def test_third_send_goes_to_the_next_member(lab):
    """Fanvil 2.2.1: probes are answered, requests are not: retry-counts 3 sends, then the backup."""
    s = Scene(lab, extra=PATIENT + "no-response-timeout: 20s\n")
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    text = alice.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>")
    alice.send(text)
    alice.nothing(0.5)
    alice.send(text)
    alice.nothing(1.0)
    b.nothing(0.1)
    alice.send(text)
    b.reply(b.expect("REGISTER", 2), 200, "OK")
    alice.expect(200)
    assert len([m for m in iter(lambda: a.recv(0.2), None) if m.method == "REGISTER"]) == 2
    assert rescues(s, "sends", "REGISTER") == 1
    s.finish()


def test_no_response_timeout_moves_a_request(lab):
    """AudioCodes 17.2.2.1: the phone sends once, and no more."""
    s = Scene(lab, extra=PATIENT + "no-response-timeout: 1s\n")
    alice, b = s.phone(), s.members["b"]
    alice.send(alice.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>"))
    b.reply(b.expect("REGISTER", 4), 200, "OK")
    alice.expect(200)
    assert rescues(s, "timeout", "REGISTER") == 1
    s.finish()


def test_nothing_is_sent_twice_to_a_slow_server(lab):
    """Its first answer takes 800 ms: the phone's second send stays with it, and nobody else hears of the call."""
    s = Scene(lab, extra=PATIENT)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    text, _ = invite(alice)
    at = a.expect("INVITE")
    alice.nothing(0.5)
    alice.send(text)
    b.nothing(0.3)
    caller, _ = answer(alice, a, at)
    hang_up(alice, a, caller)
    b.nothing(0.5)
    assert s.appliance.active() == "east-a"
    s.finish()


# ---- Signal failback and concurrent registration


def test_signal_failback_returns_on_a_live_answer(lab):
    """Fanvil 2.3: after the failover a live request is tried on the primary; its answer returns the pair."""
    s = Scene(lab, extra=PROBES + "failback: [ signal ]\nfailback-hold: 0\n")
    alice, b = s.phone(), s.members["b"]
    s.members["a"].close()
    s.appliance.wait_active("east-b")
    alice.send(alice.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>"))
    b.reply(b.expect("REGISTER", 4), 200, "OK")  # tried on the dead primary first: ICMP moves it on
    alice.expect(200)
    assert s.appliance.active() == "east-b"
    s.revive("a")
    a = s.members["a"]

    def returned():
        alice.send(alice.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>"))
        for member in (a, b):
            m = member.recv(0.4)
            if m is not None:
                member.reply(m, 200, "OK")
        alice.recv(0.5)
        return s.appliance.active() == "east-a"

    wait_for("the failback", returned, 20)
    causes = [e["cause"] for e in s.appliance.ctl("event", "list")]
    assert "failback-signal" in causes, causes
    s.finish()


def test_an_emergency_call_is_never_tried_on_the_primary(lab):
    s = Scene(lab, extra=PROBES + "failback: [ signal ]\nfailback-hold: 0\n")
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    a.close()
    s.appliance.wait_active("east-b")
    s.revive("a")
    a = s.members["a"]
    for _ in range(3):
        alice.send(alice.request("INVITE", "urn:service:sos"))
        b.reply(b.expect("INVITE"), 486, "Busy Here")
        alice.expect(486)
    assert all(m.method != "INVITE" for m in iter(lambda: a.recv(0.2), None))
    s.finish()


def test_concurrent_registration_copies_to_the_standby(lab):
    """Yealink: both servers are registered with; only the working one's answers reach the phone."""
    s = Scene(lab, extra=PATIENT + "registration: concurrent\n")
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    call_id = unique("reg")
    alice.send(alice.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>", call_id=call_id))
    at_a, at_b = a.expect("REGISTER"), b.expect("REGISTER")
    assert at_a.get("call-id") == at_b.get("call-id") == call_id
    b.reply(at_b, 403, "Forbidden")
    alice.nothing(0.5)
    a.reply(at_a, 200, "OK")
    alice.expect(200)
    alice.nothing(0.5)
    live = {m["name"]: m["live"] for m in s.appliance.ctl("pair", "show", "east")["members"]}
    assert live["east-b"]["copies"] == 1 and live["east-b"]["copies_refused"] == 1, live
    s.finish()


# ---- Gray failure


def test_gray_failure_is_seen_and_left(lab):
    """Probes are answered, live requests fail: degraded, an event with figures, and with gray-failover the twin."""
    s = Scene(lab, extra=PATIENT + "gray-failover: yes\nfailover-methods: [ INVITE ]\n")
    alice, a, b = s.phone(), s.members["a"], s.members["b"]

    def register(member, status):
        alice.send(alice.request("REGISTER", "sip:example.com", to="<sip:alice@example.com>"))
        for m in (member, b if member is a else a):
            at = m.recv(0.2)
            if at is not None:
                m.reply(at, status if m is a else 200, "Status")
                break
        alice.recv(0.5)

    # What is good and what is bad must fall into windows of a second of their own.
    for _ in range(250):
        register(a, 200)
        time.sleep(0.01)
    for _ in range(250):
        register(a, 503)
        if s.appliance.active() == "east-b":
            break
        time.sleep(0.02)
    s.appliance.wait_active("east-b", 5)
    causes = [e["cause"] for e in s.appliance.ctl("event", "list")]
    assert "gray-failure" in causes, causes
    s.finish()
