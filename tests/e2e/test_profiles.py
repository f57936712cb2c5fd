"""The five documents' own steps, with their timers shortened by settings only, against SIPp servers; and how long a switch
takes. A server that "fails" is frozen (it keeps silent, and so does its host), one that is killed lets its host speak.

What must not come too soon is read off the wire; what must come at all is waited for."""

import time
from datetime import datetime

from lab import wait_for
from probewire import ProbeWire, bound_s, gaps, sends, transactions
from rack import BUILD, Appliance, Rack
from sippload import Server

ALONE = True  # load or figures: nothing else beside it

EARLY = 0.9  # what is asked for times this is the soonest that may be seen: the capture's clock is not the sender's

LAG = 0.1  # seconds that a send may be late on a busy machine, so that the next one seems early


class Play:
    """Servers, a wire tap before each, and the appliance, with one pair of a profile. scenario: of all servers, or of each."""

    def __init__(self, lab, profile, extra="", names=("a", "b"), scenario="uas", account=False):
        self.rack = Rack(lab, servers=names)
        plays = scenario if isinstance(scenario, dict) else dict.fromkeys(names, scenario)
        self.servers = {n: Server(self.rack, n, scenario_name=plays[n]).start() for n in names}
        self.wire = ProbeWire(self.rack)
        pair = self.rack.pair_config(members=names, extra=f"profile: {profile}\n{extra}")
        if account:
            pair = pair.replace("role: primary,", "role: primary, user: probe, password: secret,")
        self.appliance = Appliance(self.rack, self.rack.config(pair)).start()
        self.appliance.wait_state("primary")

    def events(self, cause=None):
        return [e for e in self.appliance.ctl("event", "list", "--pair", "east") if cause in (None, e["cause"])]

    def wait_event(self, cause, n=1, timeout=60):
        return wait_for(f"event {cause}", lambda: len(self.events(cause)) >= n and self.events(cause)[n - 1], timeout)

    def wait_active(self, member, timeout=20):
        self.appliance.wait_active(f"east-{member}", timeout)
        return time.time()


def at(event):
    """Seconds since 1970 of an event."""
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def between(rows, begin, end):
    return [r for r in rows if begin <= r.time <= end]


def test_genesys_who_answers_first_stays(lab):
    check, force = 0.6, 0.3
    p = Play(lab, "genesys", f"oos-check: {int(check * 1000)}ms\noos-force: {int(force * 1000)}ms\n")
    time.sleep(4 * check)
    both_silent = time.time()
    p.servers["b"].freeze()
    p.servers["a"].freeze()
    lost = at(wait_for("UNKNOWN", lambda: [e for e in p.events() if e["to"] == "unknown"], 20)[-1])
    p.appliance.wait_state("out-of-service")
    time.sleep(4 * force)
    thawed = time.time()
    p.servers["b"].thaw()
    found = p.wait_active("b")
    time.sleep(4 * check)
    back = time.time()
    p.servers["a"].thaw()
    time.sleep(4 * check)
    assert p.appliance.active() == "east-b", "a server that answers is never left because another one answers too"
    late = p.appliance.ctl("stats", "show")["probes"]["late"]
    rows = p.wire.rows()
    # The one that is configured as primary is asked, nobody else, and again when oos-check has passed.
    healthy = between(rows, 0, both_silent)
    assert transactions(healthy, server="b") == []
    asked = [r.time for r in transactions(healthy, server="a")]
    assert len(asked) >= 4 and min(gaps(asked)[1:]) >= check * EARLY - LAG, gaps(asked)
    # One that does not answer: alternately both, at the pace of oos-force.
    turns = transactions(between(rows, lost, thawed))
    assert {x.server for x in turns} == {"a", "b"} and len(turns) >= 4, turns
    assert all(x.server != y.server for x, y in zip(turns, turns[1:])), turns
    assert min(gaps([r.time for r in turns])) >= force * EARLY - LAG, gaps([r.time for r in turns])
    # Who answers first is the only one asked from then on, although the other one is back.
    later = transactions(between(rows, found + check, back + 4 * check))
    assert {x.server for x in later} == {"b"}, later
    assert min(gaps([r.time for r in later])) >= check * EARLY - LAG
    assert late > 0, "what b said after its time was heard, counted, and no sign of life"


def test_fanvil_register_failback(lab):
    interval = 2.0
    p = Play(lab, "fanvil", "oos-check: 400ms\nfailback-interval: 2s\nfailback-hold: 0\n", scenario="registrar", account=True)
    p.appliance.wait_up("east-a", "east-b")
    p.servers["a"].kill()
    p.wait_active("b")
    left = at([e for e in p.events() if e["to"] == "backup"][-1])
    p.servers["a"].start()
    p.wait_active("a", 40)
    event = p.wait_event("failback-timed")
    assert "200 to REGISTER" in event["evidence"], event
    rows = p.wire.rows()
    tries = transactions(rows, "REGISTER", "a")
    assert transactions(rows, "REGISTER", "b") == [], "only the primary is tried"
    assert tries[0].time - left >= interval * EARLY, "not before the timer expires"
    new = tries[-2:]
    assert new[0].call_id == new[1].call_id and new[0].credentials == "" and new[1].credentials != "", new
    assert all(r.contact == "" for r in tries), "a dialog of its own that binds nothing"
    codes = [r.code for r in rows if not r.sent and r.call_id == new[1].call_id]
    assert codes == ["401", "200"], codes


def test_baker_silence_is_retransmitted_until_64_t1_then_the_timer_starts_again(lab):
    interval = 1.0
    p = Play(lab, "baker", "oos-check: 2s\nprobe-timeout: 400ms\nfailback-interval: 1s\nfailback-hold: 0\n",
             scenario="registrar", account=True)
    p.appliance.wait_up("east-a", "east-b")
    p.servers["a"].freeze()
    p.wait_active("b")
    failed = p.wait_event("failback-failed")
    assert "no answer within 64*T1" in failed["evidence"], failed
    p.servers["a"].thaw()
    p.wait_active("a", 40)
    assert "200 to REGISTER" in p.wait_event("failback-timed")["evidence"]
    rows = p.wire.rows()
    tries = transactions(rows, "REGISTER", "a")
    first = sends(rows, tries[0].branch)
    wanted = [0.5, 1, 2] + [4] * 7  # timer E, up to T2, until timer F
    assert len(first) == len(wanted) + 1, gaps(first)
    assert all(g >= w * EARLY for g, w in zip(gaps(first), wanted)), gaps(first)
    assert at(failed) - first[0] >= 32 * EARLY
    assert tries[1].call_id != tries[0].call_id and tries[1].time - at(failed) >= interval * EARLY


def test_yealink_three_tiers_and_the_first_that_accepts(lab):
    p = Play(lab, "yealink", "oos-check: 400ms\nunavailable-codes: [ 408, 503 ]\n", names=("a", "b", "c"))
    p.appliance.wait_up("east-a", "east-b", "east-c")
    p.servers["a"].kill()
    p.wait_active("b")
    p.servers["b"].kill()
    p.wait_active("c")
    assert p.appliance.pair()["state"] == "fallback"
    p.servers["b"].start()
    p.wait_active("b")
    p.servers["a"].start()
    p.wait_active("a")
    returns = p.events("failback-immediate")
    assert [e["to"] for e in returns] == ["backup", "primary"], returns
    downs = [e for e in p.events() if e["to"] == "down"]
    assert {e["cause"] for e in downs} == {"icmp"}, downs
    # The primary is there, and says that it is unavailable.
    p.servers["a"].kill()
    p.wait_active("b")
    p.servers["a"].scenario = "unavailable"
    p.servers["a"].start()
    time.sleep(2)
    assert p.appliance.active() == "east-b"
    assert next(m for m in p.appliance.pair()["members"] if m["name"] == "east-a")["state"] == "down"


def test_audiocodes_no_response_timeout(lab):
    timeout = 2.0
    p = Play(lab, "audiocodes", "oos-check: 1s\nprobe-timeout: 2s\nfailback-interval: 1s\nfailback-hold: 0\n")
    p.appliance.wait_up("east-a", "east-b")
    p.servers["a"].freeze()
    p.wait_active("b")
    event = [e for e in p.events() if e["to"] == "backup"][-1]
    assert event["cause"] == "probe-timeout" and "7 sends of an OPTIONS within 2.0 s" in event["evidence"], event
    p.servers["a"].thaw()
    p.wait_active("a", 40)
    rows = p.wire.rows()
    answered = {r.branch for r in rows if not r.sent and r.code and r.time < at(event)}
    silent = [r for r in transactions(rows, server="a") if r.time < at(event) and r.branch not in answered]
    assert at(event) - silent[0].time >= timeout * EARLY, (event, silent)
    times = sends(rows, silent[0].branch)
    assert len(times) == 7, "its sends are spread over the time"
    assert all(t - times[0] >= i * timeout / 7 * EARLY - LAG for i, t in enumerate(times)), gaps(times)


def switch_time(p, how):
    """Seconds from the failure of the active primary to the event of the switch."""
    n = len(p.events())
    begin = time.time()
    getattr(p.servers["a"], how)()
    event = wait_for("the switch", lambda: [e for e in p.events()[n:] if e["to"] == "backup"], 60)[0]
    return at(event) - begin, event


def test_how_long_a_switch_takes(lab):
    """Without traffic, by probes alone: with it, an ICMP error or an unanswered request is faster."""
    p = Play(lab, "genesys", "failback: []\nprobe-all: yes\n")
    figures = []
    for extra, check in (("", 5.0), ("oos-check: 500ms\n", 0.5)):
        p.appliance.rewrite(p.rack.config(p.rack.pair_config(extra=f"failback: []\n{extra}")))
        p.appliance.ctl("reload")
        bound = bound_s(check)
        assert p.appliance.pair()["detect_bound_us"] == round(bound * 1e6)
        for how in ("kill", "freeze"):
            p.appliance.wait_up("east-a", "east-b")
            if p.appliance.active() != "east-a":
                p.appliance.ctl("pair", "switch", "east", "--to", "east-a")
            time.sleep(check + 0.3)
            took, event = switch_time(p, how)
            figures.append((check, how, took, bound, event["cause"]))
            p.servers["a"].thaw()
            if how == "kill":
                p.servers["a"].start()
    for check, how, took, bound, cause in figures:
        print(f"    oos-check {check:g}s, {how:6}: {took:.3f} s to the switch, bound {bound:g} s ({cause})")
    slow = [f for f in figures if f[2] > f[3] + 2]  # what a shared machine may add
    assert slow == [], slow
    assert [f[4] for f in figures] == ["icmp", "probe-timeout"] * 2


def test_event_follow_streams(lab):
    p = Play(lab, "yealink", "oos-check: 400ms\n")
    p.appliance.wait_up("east-a", "east-b")
    argv = [f"{BUILD}/sipsteerctl", "--socket", f"{lab.dir}/control.sock", "event", "follow"]
    follow = p.rack.appliance_ns.start("follow", *argv)
    other = p.rack.appliance_ns.start("other", *argv, "--pair", "nobody")

    def follows():
        """A pin and its end are events, too."""
        for what in ("pin", "unpin"):
            p.appliance.ctl("pair", what, "east")
        return "pinned" in follow.output()

    wait_for("the stream to begin", follows, 20, 0.2)
    p.servers["a"].kill()
    wait_for("the switch on the stream", lambda: "primary -> backup" in follow.output(), 20)
    assert "icmp" in follow.output() and "east-b is active" in follow.output(), follow.output()
    p.appliance.ctl("pair", "pin", "east")
    wait_for("the pin", lambda: "pinned to east-b" in follow.output() and "root" in follow.output(), 20)
    assert other.output() == "", other.output()
    shown = p.appliance.ctl_raw("pair", "show", "east")
    assert "ICMP type 3 code 3" in shown and "last good answer" in shown, shown
