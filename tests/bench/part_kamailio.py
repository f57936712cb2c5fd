"""Against Debian's Kamailio as a stateless dispatcher: loss-free rate over one veth pair, and processor time per INVITE.

Over the veths each has one forwarding core, Kamailio on kernel sockets, the appliance on net_af_xdp; the load is on the
other core. Processor time is what the kernel counts for the whole process, all its threads and children: of Kamailio
under a load by sendmmsg that it takes without loss, of sipsteerd and its data plane on net_pcap."""

import os
import statistics
import tempfile

import common
import forward
import part_fastpath
import traffic
import veth
import lab as e2e
from lab import Lab, wait_for

ROUNDS = 5
SECONDS = 1.0
STEPS = 9
# Of the socket, bytes; the kernel doubles it. As many frames as an AF_XDP socket's ring takes, 2,048, if each has a page.
RECEIVE_BUFFER = 4 << 20
CONFIG = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
dns=no
rev_dns=no
auto_aliases=no
listen=udp:{ip}:5060
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "pv.so"
loadmodule "dispatcher.so"
modparam("dispatcher", "list_file", "{dir}/dispatcher.list")
request_route {{
    if (!mf_process_maxfwd_header("10")) exit;
    if (method == "INVITE") record_route();
    if (!ds_select_dst("1", "1")) exit;
    forward();
}}
"""


class Kamailio:
    """One UDP child on the forwarding core."""

    def __init__(self, wire):
        ns, lab = wire.fwd, wire.lab
        ns.address("lb0", f"{traffic.LISTENER}/24")
        ns.route("default", traffic.GATEWAY)
        mac = ":".join(f"{b:02x}" for b in traffic.GATEWAY_MAC)
        ns.ip("neigh", "replace", traffic.GATEWAY, "lladdr", mac, "dev", "lb0", "nud", "permanent")
        lab.file("dispatcher.list", f"1 sip:{traffic.member(0, 0)}:5060\n")
        path = lab.file("kamailio.cfg", CONFIG.format(ip=traffic.LISTENER, dir=lab.dir))
        os.makedirs(f"{lab.dir}/run", exist_ok=True)
        self.ns = ns
        self.process = ns.start("kamailio", "taskset", "-c", str(forward.WORKER_CPU), "kamailio", "-f", path, "-DD", "-E",
                                "-m", "64", "-M", "8", "-b", str(RECEIVE_BUFFER), "-Y", f"{lab.dir}/run", "-w", f"{lab.dir}/run", "-x", "tlsf", "-X",
                                "tlsf", "-P", f"{lab.dir}/run/pid")
        wait_for("Kamailio", lambda: self.process.alive() and "5060" in ns.exec("ss", "-lunH"), 20)

    def cpu_us(self):
        return sum(forward.process_us(int(pid)) for pid in e2e.run("ip", "netns", "pids", self.ns.name).split())


def kamailio_round():
    wire = veth.Wire()
    try:
        k = Kamailio(wire)
        wire.load(2000, 0.5)
        rate = veth.loss_free(wire, SECONDS, 2000, 400000, STEPS)
        before = k.cpu_us()
        got = wire.load(0.7 * rate, SECONDS, "sendmmsg")
        spent = k.cpu_us() - before
        assert got["received"] > 0, f"Kamailio forwarded nothing:\n{k.process.tail()}"
        return rate / 1000, spent / got["received"]
    finally:
        wire.close()


def sipsteer_round():
    wire = veth.Wire()
    try:
        s = veth.start_sipsteer(wire)
        wire.load(2000, 0.5)
        rate = veth.loss_free(wire, SECONDS, 2000, 2000000, STEPS)
        s.close()
        return rate / 1000
    finally:
        wire.close()


def pcap_round(directory):
    """Microseconds of sipsteerd and its data plane per forwarded INVITE."""
    kind = part_fastpath.Kind("invite", directory)
    with Lab() as lab:
        s = forward.Sipsteer(lab, lab.ns("fwd"), kind.config(lab, "never"))
        pids = (s.pid(), s.control.pid)
        before, got0 = sum(map(forward.process_us, pids)), s.worker()["forwarded"]
        s.measure(SECONDS)
        spent, forwarded = sum(map(forward.process_us, pids)) - before, s.worker()["forwarded"] - got0
        s.close()
    return spent / forwarded


def rounds_of():
    got = {"kamailio_veth_kpps": [], "kamailio_cpu_us": [], "sipsteer_veth_kpps": [], "sipsteer_pcap_cpu_us": []}
    with tempfile.TemporaryDirectory(prefix="sipsteer-bench-") as directory:
        for _ in range(ROUNDS):
            kpps, us = kamailio_round()
            got["kamailio_veth_kpps"].append(kpps)
            got["kamailio_cpu_us"].append(us)
            got["sipsteer_veth_kpps"].append(sipsteer_round())
            got["sipsteer_pcap_cpu_us"].append(pcap_round(directory))
    return got


def run():
    common.build("sipsteerd", "sipsteerctl", "sipsteer-dataplane", *veth.TARGETS)
    rounds = rounds_of()
    result = {k: statistics.median(v) for k, v in rounds.items()}
    result["ratio_veth"] = result["sipsteer_veth_kpps"] / result["kamailio_veth_kpps"]
    result["ratio_cpu"] = result["kamailio_cpu_us"] / result["sipsteer_pcap_cpu_us"]
    result["rounds"] = rounds
    return result


def show(r):
    yield from common.table(
        ("", "veth kpps, no loss", "CPU us per INVITE"),
        [("kamailio", r["kamailio_veth_kpps"], r["kamailio_cpu_us"]),
         ("sipsteer", r["sipsteer_veth_kpps"], r["sipsteer_pcap_cpu_us"]),
         ("ratio", r["ratio_veth"], r["ratio_cpu"])])
