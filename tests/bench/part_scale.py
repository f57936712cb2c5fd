"""Speed by pairs and by open transactions, memory, and how soon changes are in force.

Pairs: the `invite` file of `fastpath` against 1, 100 and 10,000 pairs, none of which is probed (of 20,000 members here
nobody would answer); where the kernel gives huge pages to shared memory that asks for them, which is a setting that is
put back, and where it does not. Open transactions: deciding with so many records open that are never answered, while
others come and go (no I/O). Publishing: from a checked model in which one pair of 10,000 has changed to the last worker's
acknowledgement. Failover: from the store of a pair's word until every worker has read it."""

import contextlib
import re
import statistics
import sys
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
WINDOWS, SECONDS = 30, 0.06  # of each number of pairs in a round
SHMEM = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
PAGES = {"small": "never", "huge": "advise"}  # what the kernel is told


def start(kind, pairs, stack):
    lab = stack.enter_context(Lab())
    text = forward.config(lab.dir, pairs, part_fastpath.DEVICE.format(kind.pcap),
                          "verify-checksums: never\ntransaction-records: 0\npending-store: 0\n")
    return forward.Driven(lab, lab.ns("fwd"), text)


def pairs_round(kind):
    """Windows of Mpps by pairs. The data planes take turns of a moment each, the others being stopped: what is compared are
    windows side by side, so that it does not matter how quick the host is in that second."""
    mpps = {n: [] for n in PAIRS}
    with contextlib.ExitStack() as stack:
        forwarders = {}
        for n in PAIRS:
            forwarders[n] = start(kind, n, stack)
            forwarders[n].pause()
        for _ in range(WINDOWS):
            for n, s in forwarders.items():
                s.go_on()
                mpps[n].append(s.measure(SECONDS)["mpps"])
                s.pause()
        for s in forwarders.values():
            s.go_on()
            s.close()
    return mpps


@contextlib.contextmanager
def shared_pages(word):
    """Whether the kernel gives huge pages to shared memory that asks for them, as the tables of pairs do. Where it has no
    such setting, or does not let it be changed, it stays as it is, and that is said."""
    try:
        with open(SHMEM) as f:
            before = re.search(r"\[(\w+)\]", f.read())[1]
        set_pages(word)
    except OSError as e:
        print(f"bench: scale: pages of shared memory stay as they are: {e}", file=sys.stderr)
        yield
        return
    try:
        yield
    finally:
        set_pages(before)


def set_pages(word):
    with open(SHMEM, "w") as f:
        f.write(word)


def by_pairs(directory):
    """For each kind of pages the rate by pairs, the median of the rounds' quickest windows; and what the most pairs have of
    one pair's, the median of all windows that lie side by side."""
    kind = part_fastpath.Kind("invite", directory)
    mpps, ratio = {}, {}
    rounds = {pages: [] for pages in PAGES}
    for _ in range(ROUNDS):
        for pages, word in PAGES.items():
            with shared_pages(word):
                rounds[pages].append(pairs_round(kind))
    for pages, of in rounds.items():
        mpps[pages] = {str(n): statistics.median(max(r[n]) for r in of) for n in PAIRS}
        ratio[pages] = statistics.median(many / one for r in of for one, many in zip(r[PAIRS[0]], r[PAIRS[-1]]))
    return mpps, ratio


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
        (mpps, ratio), opened, change = by_pairs(directory), by_open(directory), changes(directory)
    return {"pairs_mpps": mpps["huge"], "ratio_10000_pairs": ratio["huge"],
            "pairs_small_pages_mpps": mpps["small"], "ratio_10000_pairs_small_pages": ratio["small"], "open": opened,
            "publish_ms": change["publish"] / 1000, "publish_cpu_ms": change["publish_cpu"] / 1000,
            "failover_us": change["failover"] / 1000}


def show(r):
    small = r["pairs_small_pages_mpps"]
    yield from common.table(("pairs", "Mpps", "in small pages"), [(n, v, small[n]) for n, v in r["pairs_mpps"].items()])
    yield ""
    yield from common.table(("open transactions", "parse and decide, ns", "memory, MiB"),
                            [(n, v["decide_ns"], v["memory_mib"]) for n, v in r["open"].items()])
    yield ""
    yield from common.table(("", ""), [("10,000 pairs to one", f"{r['ratio_10000_pairs']:.2f}"),
                                       ("in small pages", f"{r['ratio_10000_pairs_small_pages']:.2f}"),
                                       ("publish one change of 10,000 pairs, ms", f"{r['publish_ms']:.2f}"),
                                       ("control's processor time for that, ms", f"{r['publish_cpu_ms']:.2f}"),
                                       ("failover seen by every worker, us", f"{r['failover_us']:.2f}")])
