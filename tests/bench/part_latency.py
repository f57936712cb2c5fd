"""What the appliance adds: time there and back through one veth pair, against dpdk-testpmd io on the same.

At 10, 50 and 90 % of the rate that the appliance takes there without loss. Times are from just before a frame is made
until its reception on the way back; what testpmd needs is the way itself."""

import statistics

import common
import forward
import veth

ROUNDS = 5
SECONDS = 1.0
STEPS = 9
SHARES = (10, 50, 90)
PERCENTILES = ("p50", "p99", "p999")


def with_forwarder(make, work):
    """What work() says of a wire with that forwarder."""
    wire = veth.Wire()
    try:
        forwarder = make(wire)
        wire.load(2000, 0.3)
        result = work(wire)
        forwarder.close()
        return result
    finally:
        wire.close()


def testpmd(wire):
    wire.to = "same"  # it sends what it gets
    return forward.Testpmd(wire.lab, wire.fwd, "io", [veth.AF_XDP])


def times(capacity):
    def work(wire):
        return {share: wire.load(capacity * share / 100, SECONDS) for share in SHARES}

    return work


def run():
    common.build("sipsteerd", "sipsteerctl", "sipsteer-dataplane", *veth.TARGETS)
    capacity = with_forwarder(veth.start_sipsteer, lambda wire: veth.loss_free(wire, SECONDS, 2000, 2000000, STEPS))
    makers = {"sipsteer": veth.start_sipsteer, "testpmd_io": testpmd}
    runs = {name: [] for name in makers}
    for _ in range(ROUNDS):
        for name, make in makers.items():
            runs[name].append(with_forwarder(make, times(capacity)))
    result = {"capacity_kpps": capacity / 1000}
    for share in SHARES:
        us = {name: {p: statistics.median(run[share][p] for run in runs[name]) / 1000 for p in PERCENTILES}
              for name in makers}
        us["added"] = {p: us["sipsteer"][p] - us["testpmd_io"][p] for p in PERCENTILES}
        result[f"load_{share}"] = {f"{name}_us": v for name, v in us.items()}
    return result


def show(r):
    rows = [(f"{share} %", name, *(r[f"load_{share}"][f"{name}_us"][p] for p in PERCENTILES))
            for share in SHARES for name in ("sipsteer", "testpmd_io", "added")]
    yield f"100 % are {r['capacity_kpps']:.0f} kpps"
    yield from common.table(("load", "microseconds", "p50", "p99", "p99.9"), rows)
