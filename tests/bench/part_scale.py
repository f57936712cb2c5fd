"""Speed by pairs and by open transactions, memory, and how soon changes are in force.

Pairs: the `invite` file of `fastpath` against 1, 100 and 10,000 pairs, none of which is probed (of 20,000 members here
nobody would answer). Open transactions: deciding with so many records
open that are never answered, while others come and go (no I/O). Publishing: from a checked model in which one pair of
10,000 has changed to the last worker's acknowledgement. Failover: from the store of a pair's word until every worker has
read it."""

import re
import statistics
import tempfile

import common
import forward
import part_fastpath
import traffic
from lab import Lab

ROUNDS = 5
PAIRS = (1, 100, 10000)
OPEN = (0, 100000, 1000000)
RECORDS = 1100000  # rounded up to a power of two by the table: room for those that come and go
PASSES = 100
CHANGES = 41


def pairs_round(kind, pairs):
    with Lab() as lab:
        text = forward.config(lab.dir, pairs, part_fastpath.DEVICE.format(kind.pcap),
                              "verify-checksums: never\ntransaction-records: 0\npending-store: 0\n")
        s = forward.Driven(lab, lab.ns("fwd"), text)
        got, _ = forward.best(s, part_fastpath.SECONDS)
        s.close()
    return got["mpps"]


def by_pairs(directory):
    kind = part_fastpath.Kind("invite", directory)
    mpps = {n: [] for n in PAIRS}
    for _ in range(ROUNDS):
        for n in PAIRS:
            mpps[n].append(pairs_round(kind, n))
    return {str(n): statistics.median(v) for n, v in mpps.items()}


def by_open(directory):
    pcap = traffic.write(traffic.transactions(1024), f"{directory}/open")
    config = f"{directory}/open.yaml"
    with open(config, "w") as f:
        f.write(forward.config(directory, 1, "net_null0"))
    got = {n: [] for n in OPEN}
    for _ in range(ROUNDS):
        for n in OPEN:
            out = common.call([common.TREE / "tests/bench/stages", config, pcap, f"{directory}/open.plan", PASSES, RECORDS, n])
            got[n].append({k: float(v) for k, v in re.findall(r"^(\w+) ([\d.]+)$", out, re.M)})
            assert got[n][-1]["drops"] == 0 and got[n][-1]["unrecorded"] == 0, f"not all were recorded: {out}"
    return {str(n): {"decide_ns": statistics.median(r["decide"] for r in runs), "memory_mib": runs[0]["memory"] / 2**20}
            for n, runs in got.items()}


def changes(directory):
    config = f"{directory}/changes.yaml"
    with open(config, "w") as f:
        f.write(forward.config(directory, 10000, "net_null0"))
    out = common.call([common.TREE / "tests/bench/changes", config, 1, CHANGES])
    return {what: statistics.median(float(v) for v in re.findall(rf"^{what} ([\d.]+)$", out, re.M))
            for what in ("publish", "publish_cpu", "failover")}


def run():
    common.build("sipsteer-dataplane", "tests/dataplane/region_driver", "tests/bench/stages", "tests/bench/changes")
    with tempfile.TemporaryDirectory(prefix="sipsteer-bench-") as directory:
        mpps, opened, change = by_pairs(directory), by_open(directory), changes(directory)
    return {"pairs_mpps": mpps, "ratio_10000_pairs": mpps["10000"] / mpps["1"], "open": opened,
            "publish_ms": change["publish"] / 1000, "publish_cpu_ms": change["publish_cpu"] / 1000,
            "failover_us": change["failover"] / 1000}


def show(r):
    yield from common.table(("pairs", "Mpps"), [(n, v) for n, v in r["pairs_mpps"].items()])
    yield ""
    yield from common.table(("open transactions", "parse and decide, ns", "memory, MiB"),
                            [(n, v["decide_ns"], v["memory_mib"]) for n, v in r["open"].items()])
    yield ""
    yield from common.table(("", ""), [("10,000 pairs to one", f"{r['ratio_10000_pairs']:.2f}"),
                                       ("publish one change of 10,000 pairs, ms", f"{r['publish_ms']:.2f}"),
                                       ("control's processor time for that, ms", f"{r['publish_cpu_ms']:.2f}"),
                                       ("failover seen by every worker, us", f"{r['failover_us']:.2f}")])
