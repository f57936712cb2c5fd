#!/usr/bin/env python3
"""The main job, played in network namespaces: real calls through the DPDK fast path, the death of the primary, the
switch to the backup, the primary's return and the failback. Exit 0 only if every figure is what it should be."""

import datetime
import signal
import sys
import time

from lab import Lab, LabError
from rack import Appliance, Rack, Wiretap
from sippload import Load, Server

RATE = 200  # calls a second
CALLS = 11000
HOLD_MS = 3000  # from answer to hang-up
KILL_AT = 12  # seconds after the first call
RETURN_AT = 24

PAIR = """
oos-check: 500ms
oos-force: 200ms
failback: [ timed ]
failback-interval: 5s
failback-hold: 5s
"""
# What the settings above promise: a dead member misses a probe of 500 ms that begins at most 500 ms after its death,
# and the pair returns at the first probe of failback-interval after the hold. Bounds are three times that, since
# machines are shared.
SWITCH_BOUND_S = 3.0
FAILBACK_BOUND_S = 30.0
SETUP_BOUND_MS = 5000  # a call begun in the gap is set up by its caller's second retransmission at the latest


def stamp(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def transition(appliance, to, since):
    """The event that made `to` the pair's state, after a point in time; None when there is none yet."""
    for e in appliance.ctl("event", "list"):
        if e.get("pair") == "east" and e.get("to") == to and stamp(e) >= since:
            return e
    return None


class Story:
    """The run: what happens when, and what was seen."""

    def __init__(self, rack, appliance, servers, load):
        self.rack, self.appliance, self.servers, self.load = rack, appliance, servers, load
        self.begin = time.monotonic()
        self.killed = self.returned = None
        self.switched = self.failed_back = None

    def act(self, t):
        if self.killed is None and t >= KILL_AT:
            self.servers["a"].kill()
            self.killed = time.time()
            print(f"{t:5.0f}s  >>> kill -9 of the primary, east-a")
        elif self.returned is None and t >= RETURN_AT:
            self.servers["a"].start()
            self.returned = time.time()
            print(f"{t:5.0f}s  >>> the primary is back")

    def look(self):
        if self.killed and not self.switched:
            self.switched = transition(self.appliance, "backup", self.killed)
        if self.returned and not self.failed_back:
            self.failed_back = transition(self.appliance, "primary", self.returned)

    def line(self, t):
        created, ok, failed, current = self.load.figures()
        pair = self.appliance.pair()
        members = "  ".join(f"{m['name']} {m['state']}" for m in pair["members"])
        print(f"{t:5.0f}s  calls {created:6d}  ok {ok:6d}  failed {failed:3d}  open {current:5d}"
              f"  active {str(pair['active']):7s} state {pair['state']:8s} {members}", flush=True)

    def play(self):
        print(f"{RATE} calls a second from 203.0.113.10 to 192.0.2.10, {CALLS} calls in all")
        while self.load.process.alive() and time.monotonic() - self.begin < 150:
            t = time.monotonic() - self.begin
            self.act(t)
            self.look()
            self.line(t)
            time.sleep(max(0.0, 1 - (time.monotonic() - self.begin - t)))
        self.load.wait(30)
        self.look()


def summary(story, bad_packets):
    """Print the table; returns whether every figure is what it should be."""
    created, ok, failed, _ = story.load.figures()
    delays = story.load.setup_ms()
    switch = stamp(story.switched) - story.killed if story.switched else None
    back = stamp(story.failed_back) - story.returned if story.failed_back else None
    rows = [
        ("calls", created, created == CALLS, f"{CALLS}"),
        ("failed calls", failed + (created - ok - failed), created == ok, "0"),
        ("worst set-up delay, ms", max(delays) if delays else None,
         len(delays) > 0 and max(delays) <= SETUP_BOUND_MS, f"<= {SETUP_BOUND_MS}"),
        ("death to switch-over, s", switch, switch is not None and switch <= SWITCH_BOUND_S, f"<= {SWITCH_BOUND_S}"),
        ("return to failback, s", back, back is not None and back <= FAILBACK_BOUND_S, f"<= {FAILBACK_BOUND_S}"),
        ("bad packets sent", len(bad_packets), not bad_packets, "0"),
    ]
    print(f"\n{'':26s} {'figure':>10s}   {'should be':>10s}")
    for name, value, good, want in rows:
        text = "none" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
        print(f"{name:26s} {text:>10s}   {want:>10s}   {'ok' if good else 'NOT OK'}")
    for line in bad_packets[:5]:
        print(f"  {line}")
    return all(good for _, _, good, _ in rows)


def show(appliance):
    print("\n$ sipsteerctl event list")
    print(appliance.ctl_raw("event", "list"), end="")
    print("\n$ sipsteerctl stats show")
    print(appliance.ctl_raw("stats", "show"), end="")


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also when a shell had it ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    with Lab() as lab:
        rack = Rack(lab)
        servers = {name: Server(rack, name).start() for name in ("a", "b")}
        tap = Wiretap(rack)
        appliance = Appliance(rack, rack.config(rack.pair_config(extra=PAIR))).start()
        appliance.wait_up("east-a", "east-b")
        story = Story(rack, appliance, servers, Load(rack, CALLS, RATE, hold_ms=HOLD_MS))
        story.play()
        show(appliance)
        good = summary(story, tap.bad())
    print("\nEvery figure is what it should be." if good else "\nNot every figure is what it should be.")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as e:
        print(f"demo: {e}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\ndemo: interrupted; everything it made is gone again", file=sys.stderr)
        sys.exit(130)
