"""Two namespaces and a veth pair between them: the load on one side, a forwarder on the other."""

import re
import tempfile

import common
import forward
import traffic
from lab import Lab

TRIES = 3
AF_XDP = "net_af_xdp0,iface=lb0"


class Wire:
    """gen0 in one namespace, lb0 in the other. Everything leaves lb0 by the gateway, which is gen0."""

    def __init__(self):
        self.lab = Lab()
        self.gen, self.fwd = self.lab.ns("gen"), self.lab.ns("fwd")
        self.lab.veth(self.gen, "gen0", self.fwd, "lb0")
        for ns, dev, mac in ((self.gen, "gen0", traffic.GATEWAY_MAC), (self.fwd, "lb0", traffic.PORT_MAC)):
            ns.ip("link", "set", dev, "address", ":".join(f"{b:02x}" for b in mac))
            ns.sysctl(f"net.ipv6.conf.{dev}.disable_ipv6", 1)
        self.directory = tempfile.mkdtemp(dir=self.lab.dir)
        self.pcap = traffic.write(traffic.invites(1024), f"{self.directory}/load")

    def load(self, rate, seconds):
        """Counts and delays of a load at so many frames a second."""
        out = self.gen.exec("taskset", "-c", str(forward.OTHER_CPU), f"{common.TREE}/tests/bench/veth_load", "gen0",
                            self.pcap, str(rate), str(seconds), timeout=seconds + 60)
        return {k: int(v) for k, v in re.findall(r"^(\w+) (\d+)$", out, re.M)}

    def close(self):
        self.lab.close()


def is_loss_free(wire, rate, seconds):
    got = wire.load(rate, seconds)
    return got["received"] == got["sent"] >= 0.98 * rate * seconds


def loss_free(wire, seconds, low, high, steps):
    """Highest rate at which everything came back, packets a second: bisection. One interruption by something else on the
    machine is a loss, so a rate has TRIES to show that it can be carried, whoever forwards."""
    for _ in range(steps):
        rate = (low * high) ** 0.5
        if any(is_loss_free(wire, rate, seconds) for _ in range(TRIES)):
            low = rate
        else:
            high = rate
    return low


def start_sipsteer(wire, device=AF_XDP):
    text = forward.config(wire.lab.dir, 1, device, "verify-checksums: never\ntransaction-records: 0\npending-store: 0\n")
    return forward.Sipsteer(wire.lab, wire.fwd, text, fed=False)
