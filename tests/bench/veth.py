"""Two namespaces and a veth pair between them: the load on one side, a forwarder on the other."""

import os
import re
import tempfile

import common
import forward
import traffic
from lab import Lab

TRIES = 3
AF_XDP = "net_af_xdp0,iface=lb0"
TARGETS = ("tests/bench/veth_load", "tests/bench/veth_load_bpf.o")
LOAD = tuple(f"{common.TREE}/{name}" for name in TARGETS)


class Wire:
    """gen0 in one namespace, lb0 in the other. Everything leaves lb0 by the gateway, which is gen0.

    What is started while there is one comes before whatever else runs on the machine: a forwarder that has to wait for ten
    milliseconds has lost what came meanwhile."""

    def __init__(self):
        self.nice = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        self.lab = Lab()
        self.gen, self.fwd = self.lab.ns("gen"), self.lab.ns("fwd")
        self.lab.veth(self.gen, "gen0", self.fwd, "lb0")
        for ns, dev, mac in ((self.gen, "gen0", traffic.GATEWAY_MAC), (self.fwd, "lb0", traffic.PORT_MAC)):
            ns.ip("link", "set", dev, "address", ":".join(f"{b:02x}" for b in mac))
            ns.sysctl(f"net.ipv6.conf.{dev}.disable_ipv6", 1)
        # So that frames can be handed to lb0 without socket buffers, whoever takes them there.
        self.fwd.exec("ethtool", "-K", "lb0", "gro", "on")
        # What comes out of gen0 is the load's business, on its own core.
        self.gen.exec("sh", "-c", f"echo {1 << forward.OTHER_CPU:x} >/sys/class/net/gen0/queues/rx-0/rps_cpus")
        self.to = traffic.member(0, 0)
        self.directory = tempfile.mkdtemp(dir=self.lab.dir)
        self.pcap = traffic.write(traffic.invites(1024), f"{self.directory}/load")

    def load(self, rate, seconds, *how):
        """Counts and delays of a load at so many frames a second, made in the kernel or by "sendmmsg"."""
        out = self.gen.exec("taskset", "-c", str(forward.OTHER_CPU), *LOAD, "gen0", self.to, self.pcap, str(rate),
                            str(seconds), *how, timeout=seconds + 60)
        return {k: int(v) for k, v in re.findall(r"^(\w+) (\d+)$", out, re.M)}

    def close(self):
        self.lab.close()
        os.setpriority(os.PRIO_PROCESS, 0, self.nice)


def carried(wire, rate, seconds):
    """Frames a second that were sent and all came back, 0: some did not, or the load could not send them."""
    got = wire.load(rate, seconds)
    return got["sent"] / seconds if got["received"] == got["sent"] >= 0.95 * rate * seconds else 0


def loss_free(wire, seconds, low, high, steps):
    """Highest rate at which everything came back, packets a second: bisection. One interruption by something else on the
    machine is a loss, so a rate has TRIES to show that it can be carried, whoever forwards."""
    best = 0
    for _ in range(steps):
        rate = (low * high) ** 0.5
        sent = next(filter(None, (carried(wire, rate, seconds) for _ in range(TRIES))), 0)
        if sent:
            low, best = rate, sent
        else:
            high = rate
    return best


def start_sipsteer(wire, device=AF_XDP):
    text = forward.config(wire.lab.dir, 1, device, "verify-checksums: never\ntransaction-records: 0\npending-store: 0\n")
    return forward.Sipsteer(wire.lab, wire.fwd, text, fed=False)
