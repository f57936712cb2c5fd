"""The five documents' steps for a request that a server leaves unanswered or refuses: SIPp's phones and servers on the wire.

The appliance does for phones what the documents ask of phones. What must not come too soon is read off the wire."""

from lab import wait_for
from probewire import gaps, sends, transactions
from sippload import Load
from test_profiles import EARLY, Play, at

QUIET = "oos-check: 30s\n"  # probes say nothing while the test lasts, but the burst of a suspicion


def rescued(p):
    """{(cause, method): requests that another member was given}."""
    causes = p.appliance.ctl("stats", "show")["in_flight"]["rescued"]
    return {(c, m): n for c, methods in causes.items() for m, n in methods.items() if n}


def phone(p, scenario="phone_register", number=1, good=1, extra=(), timeout_s=60):
    """One phone does one thing, well or not; what it complains of."""
    load = Load(p.rack, 1, 1, name=f"phone{number}", scenario_name=scenario, hold_ms=600, timeout_s=timeout_s, extra=extra)
    load.wait(timeout_s + 60)
    created, ok, _, _ = load.figures()
    assert (created, ok) == (1, good), (load.figures(), load.errors())
    return load.errors()


def first(rows, method, server):
    """Sends of the first transaction of that method at a server: their times."""
    return sends(rows, transactions(rows, method, server)[0].branch)


def test_fanvil_register_and_bye_failover(lab):
    """2.2.1, 2.2.3: retry-counts sends to the primary, then the backup; the answer to its challenge stays there."""
    p = Play(lab, "fanvil", QUIET, scenario={"a": "uas_deaf", "b": "registrar"})
    phone(p)
    assert rescued(p) == {("sends", "REGISTER"): 1}
    p.servers["b"].scenario = "uas"
    p.servers["b"].kill()
    p.servers["b"].start()
    p.appliance.wait_up("east-a", "east-b")
    phone(p, "uac", 2)
    assert rescued(p) == {("sends", "REGISTER"): 1, ("sends", "BYE"): 1}
    rows = p.wire.rows()
    at_a = first(rows, "REGISTER", "a")
    assert len(at_a) == 2 and gaps(at_a)[0] >= 0.5 * EARLY, gaps(at_a)
    asked, answered = transactions(rows, "REGISTER", "b")
    assert asked.time - at_a[0] >= 1.5 * EARLY and asked.credentials == "" and answered.credentials != ""
    assert len(transactions(rows, "REGISTER", "a")) == 1, "what answers b's challenge goes to b"
    hung_up = first(rows, "BYE", "a")
    assert len(hung_up) == 2 and first(rows, "BYE", "b")[0] - hung_up[0] >= 1.5 * EARLY
    assert transactions(rows, "INVITE", "b") == []


def test_fanvil_invite_failover(lab):
    """2.2.2: the primary answers probes, but no INVITE."""
    p = Play(lab, "fanvil", QUIET, scenario={"a": "uas_mute", "b": "uas"})
    phone(p, "uac")
    assert rescued(p) == {("sends", "INVITE"): 1}
    rows = p.wire.rows()
    at_a = first(rows, "INVITE", "a")
    assert len(at_a) == 2 and first(rows, "INVITE", "b")[0] - at_a[0] >= 1.5 * EARLY, gaps(at_a)
    assert transactions(rows, "BYE", "a") == [] and len(transactions(rows, "BYE", "b")) == 1


def test_baker_the_last_server_gets_64_t1(lab):
    """4, "Failover Failure": each in order, and the last one until 64*T1; then the phone is told."""
    p = Play(lab, "baker", QUIET, scenario="uas_mute")
    told = phone(p, "uac", good=0, extra=("-max_invite_retrans", "10"), timeout_s=36)
    assert "SIP/2.0 408" in told, told
    assert rescued(p) == {("sends", "INVITE"): 1}
    rows = p.wire.rows()
    at_a, at_b = first(rows, "INVITE", "a"), first(rows, "INVITE", "b")
    assert len(at_a) == 2 and at_b[0] - at_a[0] >= 1.5 * EARLY, (gaps(at_a), gaps(at_b))
    assert len(at_b) >= 4 and at_b[-1] - at_a[0] >= 31.5 * EARLY, gaps(at_b)
    assert len(transactions(rows, "INVITE")) == 2, "one branch at each, and nobody is begun with again"


def test_fanvil_signal_failback(lab):
    """2.3.1, 2.3.4: a live REGISTER tries the primary; it stays silent: on to the backup; it answers: the pair returns."""
    p = Play(lab, "fanvil", "oos-check: 400ms\nfailback: [ signal ]\nfailback-hold: 0\n")
    p.appliance.wait_up("east-a", "east-b")
    p.servers["a"].freeze()
    p.wait_active("b")
    left = at([e for e in p.events() if e["to"] == "backup"][-1])
    for number in range(1, 20):
        phone(p, number=number)
        if ("trial", "REGISTER") in rescued(p):
            break
    assert p.appliance.active() == "east-b", "what stays silent is not returned to"
    p.servers["a"].thaw()
    tries = iter(range(20, 60))

    def returned():
        phone(p, number=next(tries))
        return p.appliance.active() == "east-a"

    wait_for("the failback", returned, 30)
    event = p.wait_event("failback-signal")
    phone(p, "uac", 99)
    rows = p.wire.rows()
    tried = [r for r in transactions(rows, "REGISTER", "a") if r.time > left]
    assert len(tried) >= 2 and tried[0].contact != "", tried
    mine = [r for r in transactions(rows, "REGISTER", "b") if r.call_id == tried[0].call_id]
    assert len(mine) == 1 and mine[0].time - tried[0].time >= 0.5 * EARLY, "the backup gets it when the trial was silent"
    assert at(event) >= tried[-1].time and [x.server for x in transactions(rows, "INVITE")] == ["a"]


def test_yealink_outgoing_call_through_three_servers(lab):
    """Steps 1 to 3: the primary says 503, the secondary says nothing, the fallback server takes the call."""
    p = Play(lab, "yealink", QUIET, names=("a", "b", "c"), scenario={"a": "uas_503", "b": "uas_mute", "c": "uas"})
    p.appliance.wait_up("east-a", "east-b", "east-c")
    phone(p, "uac")
    causes = rescued(p)
    assert causes[("code", "INVITE")] == 1 and sum(causes.values()) == 2, causes
    rows = p.wire.rows()
    assert len(first(rows, "INVITE", "a")) == 1 and len(sends(rows, transactions(rows, "ACK", "a")[0].branch)) == 1
    at_b = first(rows, "INVITE", "b")
    assert len(at_b) >= 2 and first(rows, "INVITE", "c")[0] > at_b[-1], gaps(at_b)
    assert [x.server for x in transactions(rows, "BYE")] == ["c"]


def test_yealink_concurrent_registration(lab):
    """Both are registered with at the same time, and the one that works answers: its challenge and its 200 reach the phone.
    The fallback server trusts the appliance, and takes the calls when the other one dies."""
    p = Play(lab, "yealink", QUIET, scenario={"a": "registrar", "b": "uas"})
    p.appliance.wait_up("east-a", "east-b")
    phone(p)

    def copies():
        members = p.appliance.ctl("pair", "show", "east")["members"]
        live = next(m["live"] for m in members if m["name"] == "east-b")
        return live["copies"], live["copies_refused"]

    wait_for("the copies", lambda: copies() == (2, 0), 10)
    p.servers["a"].kill()
    phone(p, "uac", 2)
    rows = p.wire.rows()
    ids = [[r.call_id for r in transactions(rows, "REGISTER", s)] for s in ("a", "b")]
    assert ids[0] == ids[1] and len(ids[0]) == 2, ids
    assert all(r.contact != "" for r in transactions(rows, "REGISTER", "b")), "the same binding"
    answers = [r.code for r in rows if not r.sent and r.server == "b" and r.call_id == ids[1][0]]
    assert answers == ["200", "200"], answers
    assert [x.server for x in transactions(rows, "BYE")] == ["b"]


def test_audiocodes_a_phone_that_sends_once(lab):
    """17.2.2.1: no-response-timeout without any response, and the next server gets the request."""
    p = Play(lab, "audiocodes", QUIET + "no-response-timeout: 2s\n", scenario={"a": "uas_mute", "b": "uas"})
    phone(p, extra=("-nr",))
    assert rescued(p) == {("timeout", "REGISTER"): 1}
    rows = p.wire.rows()
    at_a = first(rows, "REGISTER", "a")
    assert first(rows, "REGISTER", "b")[0] - at_a[0] >= 2 * EARLY, at_a
