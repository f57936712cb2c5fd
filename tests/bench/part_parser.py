"""The SIP parser, next to libosip2's and to a bare walk over the lines: time and instructions a message.

One result per message, `invite` first: `ours_ns` and `ours_instructions` are those of the variant that this machine
uses, `variants` has each that it can run, `uris_ns` is with the Request-URI and the caller's URI decoded too; `osip_*`
and `walk_*` are the others, `ratio_osip` is osip/ours and `ratio_walk` ours/walk. Times are the least of many turns that
all contenders take in one run; instructions are callgrind's, which knows no AVX-512. A group of messages (`capture`)
counts as one message of their mean."""

import os
import re
import tempfile

import common

SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))  # per message
MESSAGES = [(name, f"tests/bench/messages/{name}.sip") for name in ("invite", "register", "answer", "bye")]
MESSAGES.append(("capture", "tests/sip/corpus"))
OTHERS = ("uris", "osip", "walk")


def times(driver, args):
    """{message: {"messages", "bytes", contender: ns}}, in order."""
    out = {}
    for line in common.call([driver, "time", SECONDS, *args]).splitlines():
        name, n, size, contender, ns = line.split()
        one = out.setdefault(name, {"messages": int(n), "bytes": round(int(size) / int(n)), "ns": {}})
        one["ns"][contender] = float(ns)
    return out


def counts(driver, args):
    """{(message, contender): instructions}."""
    out = {}
    with tempfile.TemporaryDirectory() as work:
        common.call(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=counted",
                     f"--callgrind-out-file={work}/out", driver, "count", *args], env={"LD_BIND_NOW": "1"})
        for name in os.listdir(work):
            with open(f"{work}/{name}", encoding="latin-1") as f:
                head = f.read(4096)
            what = re.search(r"^desc: Trigger: Client Request: (\S+) (\d+) (\S+)$", head, re.M)
            total = re.search(r"^summary: (\d+)$", head, re.M)
            if what and int(total[1]):
                out[what[1], what[3]] = round(int(total[1]) / int(what[2]))
    return out


def result(name, timed, counted):
    ns = timed["ns"]
    ours = next(iter(ns))  # the driver names the fastest first
    return {
        "name": name, "messages": timed["messages"], "bytes": timed["bytes"], "variant": ours,
        "ours_ns": ns[ours], "ours_instructions": counted.get((name, ours)),
        "variants": {v: {"ns": ns[v], "instructions": counted.get((name, v))} for v in ns if v not in OTHERS},
        "uris_ns": ns["uris"], "uris_instructions": counted.get((name, "uris")),
        "osip_ns": ns["osip"], "osip_instructions": counted.get((name, "osip")),
        "walk_ns": ns["walk"], "walk_instructions": counted.get((name, "walk")),
        "ratio_osip": round(ns["osip"] / ns[ours], 2), "ratio_walk": round(ns[ours] / ns["walk"], 2),
    }


def run():
    driver, = common.build("tests/bench/parser_bench")
    args = [text for pair in MESSAGES for text in pair]
    timed, counted = times(driver, args), counts(driver, args)
    return [result(name, timed[name], counted) for name, _ in MESSAGES]


def show(results):
    rows = []
    for r in results:
        for variant, v in r["variants"].items():
            rows.append((r["name"], r["bytes"], variant, v["ns"], v["instructions"] or "-", r["osip_ns"] / v["ns"],
                         v["ns"] / r["walk_ns"]))
        rows.append((r["name"], r["bytes"], "with URIs", r["uris_ns"], r["uris_instructions"], r["osip_ns"] / r["uris_ns"],
                     r["uris_ns"] / r["walk_ns"]))
        rows.append((r["name"], r["bytes"], "libosip2", r["osip_ns"], r["osip_instructions"], "", r["osip_ns"] / r["walk_ns"]))
        rows.append((r["name"], r["bytes"], "walk", r["walk_ns"], r["walk_instructions"], "", ""))
    return common.table(("message", "bytes", "by", "ns", "instructions", "libosip2/", "/walk"), rows)
