#!/usr/bin/env python3
"""Servers die in every way while calls are set up, round after round; one row a round, a summary, and exit 0 only if no
call failed, none was set up twice, and none waited longer than promised.

  scripts/chaos [--rounds N] [--rate CALLS/S] [--seconds S] [--fault NAME ...] [--loss MINUTES]
"""

import argparse
import datetime
import os
import random
import signal
import statistics
import sys
import threading
import time

from flightlog import Wire, lose, lose_nothing, rescues
from lab import Lab, LabError, run, wait_for
from rack import Appliance, Rack
from sippload import Load, Server

PAIR = """
oos-check: 500ms
oos-force: 200ms
failback: [ immediate ]
failback-hold: 0
"""
TOLERANCE = 3  # machines are shared: the bounds are three times the goals
# Milliseconds that a call may wait longer than others: at most, and 95 of 100 of those begun in the gap.
ICMP, SILENT = (50, None), (500, 300)


def settle(appliance):
    """Both answer probes (one that has failed many calls is called degraded for a while), and the primary is active."""
    wait_for("both members", lambda: all(m["health"] == "up" for m in appliance.pair()["members"]), 30)
    appliance.wait_active("east-a", timeout=60)


class Fault:
    """A way to die, and to come back."""

    bounds = SILENT

    def __init__(self, rack, servers, appliance):
        self.rack, self.servers, self.appliance = rack, servers, appliance

    def prepare(self):
        """Before the load begins."""

    def strike(self):
        raise NotImplementedError

    def mend(self):
        raise NotImplementedError

    def revive(self):
        """The server process ends, whatever state it is in, and starts anew."""
        self.servers["a"].kill()
        self.servers["a"].start()


class Kill(Fault):
    """kill -9: the host answers with ICMP port unreachable."""

    bounds = ICMP

    def strike(self):
        self.servers["a"].kill()

    def mend(self):
        self.servers["a"].start()


class Vanish(Fault):
    """The server's packets vanish silently in its own host."""

    RULES = "table inet gone { chain input { type filter hook input priority 0; policy drop; }; }"

    def strike(self):
        path = self.rack.lab.file("gone.nft", self.RULES)
        run("ip", "netns", "exec", self.rack.servers["a"].name, "nft", "-f", path)

    def mend(self):
        self.servers["a"].kill()
        run("ip", "netns", "exec", self.rack.servers["a"].name, "nft", "delete", "table", "inet", "gone")
        self.servers["a"].start()


class Cut(Fault):
    """The server's cable is pulled."""

    def strike(self):
        self.rack.router.ip("link", "set", "to-a", "down")

    def mend(self):
        self.servers["a"].kill()
        self.rack.router.ip("link", "set", "to-a", "up")
        self.servers["a"].start()


class Hang(Fault):
    """SIGSTOP: the host lives, the server's queue fills."""

    def strike(self):
        self.servers["a"].process.signal_group(signal.SIGSTOP)

    def mend(self):
        self.revive()


class Overload(Fault):
    """It answers probes, and 503 to every INVITE: each call of the round is rescued, and stays where it went."""

    bounds = ICMP

    def prepare(self):
        self._become("uas_503")

    def strike(self):
        """It is overloaded from the beginning."""

    def mend(self):
        self._become("uas")

    def _become(self, scenario):
        self.servers["a"].scenario = scenario
        self.revive()
        settle(self.appliance)


class Reload(Kill):
    """kill -9 while the configuration is reloaded over and over."""

    def strike(self):
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._reload)
        self.thread.start()
        time.sleep(0.3)
        super().strike()

    def _reload(self):
        while not self.ending.is_set():
            self.appliance.ctl("reload", check=False)

    def mend(self):
        self.ending.set()
        self.thread.join()
        super().mend()


FAULTS = {"kill": Kill, "vanish": Vanish, "cut": Cut, "hang": Hang, "overload": Overload, "reload": Reload}


def stamp(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))] if values else None


class Round:
    """One load, one death, one return."""

    def __init__(self, rack, servers, appliance, fault, rate, seconds, seed):
        self.rack, self.servers, self.appliance = rack, servers, appliance
        self.name, self.rate, self.seconds = fault, rate, seconds
        self.fault = FAULTS[fault](rack, servers, appliance)
        self.random = random.Random(seed)
        self.row = {}

    def play(self, number):
        calls = self.rate * self.seconds
        self.fault.prepare()
        wires = [Wire(self.rack, name) for name in self.servers]
        before = rescues(self.appliance)
        # Calls last longer than T1: a lost ACK comes again before BYE.
        begun = time.time()
        load = Load(self.rack, calls, self.rate, name=f"load{number}", hold_ms=1000, timeout_s=40)
        time.sleep(2 + self.random.random() * 2)
        struck = time.time()
        self.fault.strike()
        time.sleep(max(0.0, self.seconds - 4))
        switched = self._switched(struck)
        load.wait(self.seconds + 120)
        self.fault.mend()
        (at_a, by_a), (at_b, by_b) = [w.stop() for w in wires]
        self._judge(load, calls, struck, switched, before)
        self.row["at both"] = len(at_a.keys() & at_b.keys())
        self.row["answered twice"] = len(by_a.keys() & by_b.keys())
        # A server that the machine gives no time for a moment looks dead; nobody knows which calls it will still take.
        self.row["left before"] = self._switched(begun, struck) is not None
        self.row["good"] = self._good(calls)
        return self.row

    def _switched(self, begin, end=float("inf")):
        for e in self.appliance.ctl("event", "list"):
            if e.get("pair") == "east" and e.get("to") == "backup" and begin <= stamp(e) < end:
                return stamp(e)
        return None

    def _judge(self, load, calls, struck, switched, before):
        created, ok, failed, _ = load.figures()
        times = load.setup_times()
        usual = statistics.median(ms for _, ms in times) if times else 0.0
        end = switched or struck + self.seconds
        gap = [ms - usual for begun, ms in times if struck - 0.05 <= begun <= end + 0.05]
        now = rescues(self.appliance)
        self.row = {
            "fault": self.name, "calls": created, "failed": calls - ok, "switch_ms": switched and (switched - struck) * 1e3,
            "gap": len(gap), "usual_ms": usual, "p95_ms": percentile(gap, 95), "worst_ms": max(gap, default=None),
            "rescued": {c: sum(m.values()) - sum(before.get(c, {}).values()) for c, m in now.items()},
            "errors": load.errors()[-600:] if failed else "",
        }

    def _good(self, calls):
        r = self.row
        worst, p95 = self.fault.bounds
        return (
            r["calls"] == calls and r["failed"] == 0 and r["answered twice"] == 0
            and (r["worst_ms"] is None or r["worst_ms"] <= worst * TOLERANCE)
            and (p95 is None or r["p95_ms"] is None or r["p95_ms"] <= p95 * TOLERANCE)
        )

    def settle(self):
        settle(self.appliance)


HEAD = (f"{'round':>5} {'fault':9} {'calls':>6} {'failed':>6} {'twice':>5} {'at both':>7} {'switch':>9} {'in gap':>6}"
        f" {'p95':>8} {'worst':>8}   rescued because of")


def text(value, unit=" ms", digits=0):
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def show(number, r):
    rescued = ", ".join(f"{c} {n}" for c, n in sorted(r["rescued"].items()) if n)
    print(f"{number:5d} {r['fault']:9} {r['calls']:6d} {r['failed']:6d} {r['answered twice']:5d} {r['at both']:7d}"
          f" {text(r['switch_ms']):>9} {r['gap']:6d} {text(r['p95_ms']):>8} {text(r['worst_ms']):>8}   {rescued}"
          f"{'' if r['good'] else '   NOT OK'}", flush=True)
    if r["errors"]:
        print(r["errors"])


def stage(lab, **kw):
    """(rack, servers, appliance) of a pair; what a Server takes."""
    rack = Rack(lab)
    servers = {name: Server(rack, name, **kw).start() for name in ("a", "b")}
    return rack, servers, Appliance(rack, rack.config(rack.pair_config(extra=PAIR))).start()


def rounds(lab, faults, n, rate, seconds, seed):
    """Play them; (rows, whether all were good)."""
    scene = stage(lab)
    rows = []
    print(HEAD)
    for i in range(n):
        r = Round(*scene, faults[i % len(faults)], rate, seconds, seed + i)
        r.settle()
        rows.append(r.play(i + 1))
        show(i + 1, rows[-1])
    return rows, all(r["good"] for r in rows)


def loss(scene, seconds, rate, percent=1.0, name="load"):
    """A healthy pair on a lossy network; the row."""
    rack, servers, appliance = scene
    settle(appliance)
    flips = lambda: [e for e in appliance.ctl("event", "list") if e.get("to") in ("backup", "unknown")]
    first = len(flips())
    wires = [Wire(rack, server) for server in servers]
    if percent:
        lose(rack, percent)
    load = Load(rack, rate * seconds, rate, name=name, hold_ms=1000, timeout_s=40)
    load.wait(seconds + 120)
    if percent:
        lose_nothing(rack)
    (at_a, by_a), (at_b, by_b) = [w.stop() for w in wires]
    created, ok, _, _ = load.figures()
    return {
        "calls": created, "failed": created - ok, "flips": len(flips()) - first,
        "at both": len(at_a.keys() & at_b.keys()), "answered twice": len(by_a.keys() & by_b.keys()),
        "permille at both": 1000 * len(at_a.keys() & at_b.keys()) / max(1, len(at_a)),
    }


def summary(rows):
    gaps = [r for r in rows if r["worst_ms"] is not None]
    print(f"\n{len(rows)} rounds, {sum(r['good'] for r in rows)} as promised: {sum(r['calls'] for r in rows)} calls,"
          f" {sum(r['failed'] for r in rows)} failed, {sum(r['answered twice'] for r in rows)} set up twice")
    for name in FAULTS:
        of = [r for r in gaps if r["fault"] == name]
        if of:
            print(f"  {name:9} worst wait {max(r['worst_ms'] for r in of):7.0f} ms,"
                  f" worst p95 {max(r['p95_ms'] for r in of):7.0f} ms, in {len(of)} rounds")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--rate", type=int, default=1000, help="calls a second")
    parser.add_argument("--seconds", type=int, default=12, help="of calls in each round")
    parser.add_argument("--fault", action="append", choices=sorted(FAULTS))
    parser.add_argument("--loss", type=float, default=0, metavar="MINUTES", help="instead: 1 %% loss for so long")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Lab() as lab:
        if args.loss:
            row = loss(stage(lab), int(args.loss * 60), args.rate)
            print(row)
            good = row["failed"] == 0 and row["flips"] == 0 and row["permille at both"] < 1
        else:
            rows, good = rounds(lab, args.fault or list(FAULTS), args.rounds, args.rate, args.seconds, args.seed)
            summary(rows)
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as e:
        print(f"chaos: {e}", file=sys.stderr)
        sys.exit(1)
