"""Steering from memory (net_pcap, infinite_rx) on one worker, against dpdk-testpmd on the same device, file and core.

Three files: `invite` replays 1,024 different INVITEs as they are, with records off; `invite_transactions` makes each one
unique as it is received and has every second message be the final response of an earlier one, with a record for each;
`mix` is whole calls. In the latter two the same callback, preloaded into both programs, does that to both. docs/BENCHMARKS.md
says how to read it."""

import statistics
import tempfile

import common
import egress
import forward
import traffic
from lab import Lab, wait_for

ROUNDS = 5
SECONDS = 0.4  # of each of forward.WINDOWS
PAIRS = 4
SKIP, SAMPLES = 100000, 4096  # frames left out of the egress sample while the run begins, and frames of it
N = 1024
RECORDS = "record-hold: 1s\ntransaction-records: 4194304\n"
KINDS = {"invite": traffic.invites, "invite_transactions": traffic.transactions, "mix": traffic.mix}
DEVICE = "net_pcap0,rx_pcap={},infinite_rx=1"
VERIFY = "verify-checksums: {}\n"


def preload(**extra):
    return {"LD_PRELOAD": f"{common.TREE}/tests/bench/libreplay.so", **extra}


class Kind:
    """One of the files, and how both programs run on it."""

    def __init__(self, name, directory):
        self.name = name
        self.records = KINDS[name](N)
        self.pcap = traffic.write(self.records, f"{directory}/{name}")
        self.plan = f"{directory}/{name}.plan"
        self.transactions = name != "invite"
        self.env = preload(REPLAY_PLAN=self.plan) if self.transactions else {}
        self.members = {traffic.member(i, k) for i in range(PAIRS) for k in (0, 1)}

    def config(self, lab, verify):
        extra = VERIFY.format(verify) + (RECORDS if self.transactions else "transaction-records: 0\npending-store: 0\n")
        return forward.config(lab.dir, PAIRS, DEVICE.format(self.pcap), extra)


def run_sipsteer(kind, verify="never", env=None, messages=0):
    """Counters and rate of the quickest window in steady state, after so many messages at least."""
    with Lab() as lab:
        s = forward.Sipsteer(lab, lab.ns("fwd"), kind.config(lab, verify), {**kind.env, **(env or {})})
        wait_for("messages", lambda: s.worker()["forwarded"] > messages, 120)
        if kind.transactions:
            s.measure(2.5)  # until records are let go as fast as they are made
        got, windows = forward.best(s, SECONDS)
        s.close()
    for w in windows:
        lost = {k: v for k, v in w["drops"].items() if v}
        assert not lost, f"{kind.name}: messages were dropped: {lost}"
        assert abs(w["forwarded"] - w["packets"]) <= 0.001 * w["packets"] + 64, f"{kind.name}: not all were forwarded"
    return got


def run_testpmd(kind, mode):
    with Lab() as lab:
        t = forward.Testpmd(lab, lab.ns("pmd"), mode, [DEVICE.format(kind.pcap)], kind.env)
        got, _ = forward.best(t, SECONDS)
        t.close()
    return got


def verify_egress(kind, directory):
    """A run of its own with a sample of what leaves, read back."""
    path = f"{directory}/{kind.name}-out.pcap"
    stride = 1 if kind.name == "invite" else 61  # a prime: every frame of the file has its turn
    env = preload(**kind.env, REPLAY_SAMPLE=path, REPLAY_SKIP=str(SKIP), REPLAY_STRIDE=str(stride),
                  REPLAY_SAMPLES=str(SAMPLES), REPLAY_FRAMES=str(len(kind.records)))
    run_sipsteer(kind, env=env, messages=SKIP + SAMPLES * stride)
    return egress.check(path, kind.records, kind.members)


def recorded_share(kind, got):
    """Share of the requests that make records which got one, in per cent."""
    per_call = [r for r in kind.records if r.is_request]
    making = sum(not r.payload.startswith(b"ACK") for r in per_call) / len(per_call)
    return min(100.0, 100 * got["records_made"] / (got["sip_requests"] * making))


def measure(kind, directory):
    mpps = {"sipsteer": [], "macswap": [], "io": [], "verified": []}
    for _ in range(ROUNDS):
        got = run_sipsteer(kind)
        mpps["sipsteer"].append(got["mpps"])
        mpps["macswap"].append(run_testpmd(kind, "macswap")["mpps"])
        mpps["io"].append(run_testpmd(kind, "io")["mpps"])
        mpps["verified"].append(run_sipsteer(kind, "always")["mpps"])
    m = {k: statistics.median(v) for k, v in mpps.items()}
    result = {
        "sipsteer_mpps": m["sipsteer"], "testpmd_macswap_mpps": m["macswap"], "testpmd_io_mpps": m["io"],
        "ratio_macswap": m["sipsteer"] / m["macswap"], "ratio_io": m["sipsteer"] / m["io"],
        "sipsteer_verified_mpps": m["verified"], "ratio_macswap_verified": m["verified"] / m["macswap"],
        "rounds": mpps, "egress": verify_egress(kind, directory),
        "bytes": sum(len(r.payload) for r in kind.records) / len(kind.records),
    }
    if kind.transactions:
        result["recorded_percent"] = recorded_share(kind, got)
        result["records_full"] = got["records_full"]
    return result


def run():
    common.build("sipsteerd", "sipsteerctl", "sipsteer-dataplane", "tests/bench/libreplay.so")
    with tempfile.TemporaryDirectory(prefix="sipsteer-bench-") as directory:
        return {name: measure(Kind(name, directory), directory) for name in KINDS}


def show(result):
    rows = [(name, r["bytes"], r["sipsteer_mpps"], r["testpmd_macswap_mpps"], r["testpmd_io_mpps"], r["ratio_macswap"],
             r["ratio_io"], r["ratio_macswap_verified"],
             f"{r['recorded_percent']:.2f}" if "recorded_percent" in r else "off", r["egress"]["frames"])
            for name, r in result.items()]
    yield from common.table(("file", "bytes", "sipsteer Mpps", "macswap Mpps", "io Mpps", "ratio macswap", "ratio io",
                             "ratio, checksums verified", "recorded %", "egress frames right"), rows)
