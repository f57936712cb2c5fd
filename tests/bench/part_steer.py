"""What each stage of a message's way costs without ports: instructions (callgrind) and nanoseconds.

Instructions are exact and repeatable on one machine and build; scripts/test holds the sum against the recorded figures of
tests/bench/instructions.json. A stage's nanoseconds are the median over rounds, the clock's own cost taken off."""

import json
import os
import pathlib
import re
import statistics
import tempfile

import common
import forward
import traffic

ROUNDS = 5
N = 256  # calls; their messages stay in the cache between the stages
PASSES = 40
KINDS = {"invite": (traffic.invites, 0), "transactions": (traffic.transactions, 65536), "mix": (traffic.mix, 65536)}
STAGES = ("classify", "parse", "decide", "edit", "checksum")
RECORD = pathlib.Path(__file__).with_name("instructions.json")


class Input:
    """A file of traffic, and a configuration."""

    def __init__(self, name, directory):
        make, self.n_records = KINDS[name]
        self.pcap = traffic.write(make(N), f"{directory}/{name}")
        self.plan = f"{directory}/{name}.plan"
        self.config = f"{directory}/steer.yaml"
        self.directory = directory
        with open(self.config, "w") as f:
            f.write(forward.config(directory, 4, "net_null0"))

    def argv(self, passes):
        return [common.TREE / "tests/bench/stages", self.config, self.pcap, self.plan, passes, self.n_records]

    def run(self, passes, *wrapper):
        out = common.call([*wrapper, *self.argv(passes)])
        got = {k: float(v) for k, v in re.findall(r"^(\w+) ([\d.]+)$", out, re.M)}
        assert got["drops"] == 0 and got["messages"] > 0, f"messages were dropped: {got}"
        return got


def shares(got):
    """The stages' own shares: deciding without its parsing, checksums without the editing."""
    return {"classify": got["classify"], "parse": got["parse"], "decide": got["decide"] - got["parse"],
            "edit": got["edit"], "checksum": got["rewrite"] - got["edit"]}


def nanoseconds(source):
    runs = [shares(source.run(PASSES)) for _ in range(ROUNDS)]
    return {stage: statistics.median(run[stage] for run in runs) for stage in STAGES}


def instructions(source, passes=2):
    """Instructions per message and stage; the first pass is not counted."""
    counts = []
    for n in (1, passes):
        out = f"{source.directory}/callgrind.out"
        messages = source.run(n, "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}")["messages"]
        text = common.call(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out])
        counts.append({"messages": messages, **{
            stage: int(re.search(rf"([\d,]+) \([^)]*\)[^\n]*:stage_{stage}\b", text)[1].replace(",", ""))
            for stage in ("classify", "parse", "decide", "edit", "rewrite")}})
    messages = counts[1]["messages"] - counts[0]["messages"]
    return shares({k: (counts[1][k] - counts[0][k]) / messages for k in counts[0]})


def level():
    """What instructions depend on besides the code: the compiler, and what the machine's processor offers it."""
    with open("/proc/cpuinfo") as f:
        flags = re.search(r"^flags\s*: (.*)$", f.read(), re.M)
    machine = os.uname().machine
    simd = "avx2" if flags and "avx2" in flags[1].split() else "base"  # valgrind knows no AVX-512
    version = common.call(["cc", "-dumpversion"]).strip()
    return f"{machine}-{simd}-gcc{version}"


def guard():
    """For scripts/test: (good, what there is to say) per kind of traffic."""
    with open(RECORD) as f:
        recorded = json.load(f)
    limits = recorded["instructions"].get(level())
    if limits is None:
        yield True, "instructions", f"nothing is recorded for {level()}: not compared"
        return
    common.build("tests/bench/stages")
    with tempfile.TemporaryDirectory(prefix="sipsteer-bench-") as directory:
        for name, limit in limits.items():
            total = sum(instructions(Input(name, directory)).values())
            yield (total <= limit * (1 + recorded["tolerance"]), f"instructions per message of {name}",
                   f"{total:.0f}, recorded {limit}; a commit that raises it says why, and records it in {RECORD.name}")


def run():
    common.build("tests/bench/stages")
    result = {}
    with tempfile.TemporaryDirectory(prefix="sipsteer-bench-") as directory:
        for name in KINDS:
            source = Input(name, directory)
            ns, n = nanoseconds(source), instructions(source)
            result[name] = {"ns": ns, "instructions": n, "ns_total": sum(ns.values()),
                            "instructions_total": sum(n.values())}
    return result


def show(result):
    rows = [(name, what, *(float(r[what][s]) for s in STAGES), float(r[f"{what}_total"]))
            for name, r in result.items() for what in ("instructions", "ns")]
    yield from common.table(("traffic", "per message", *STAGES, "all"), rows)
