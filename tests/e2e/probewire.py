"""Probes as they were seen on the wire before the servers, and the bound that settings promise."""

import collections

from lab import Capture, run

Seen = collections.namedtuple("Seen", "time server sent method code branch call_id contact credentials")

FIELDS = ("frame.time_epoch", "ip.src", "ip.dst", "sip.Method", "sip.Status-Code", "sip.Via.branch", "sip.Call-ID",
          "sip.Contact", "sip.Authorization")


class ProbeWire:
    """Captures what each server is sent and sends; read it once, at the end."""

    def __init__(self, rack):
        self.rack = rack
        self.captures = {name: Capture(rack.router, f"to-{name}", "udp port 5060") for name in rack.servers}

    def rows(self):
        """Everything, in order of time. `sent` is true for what goes to the server."""
        rows = []
        for name, capture in self.captures.items():
            ip = self.rack.server_ip(name)
            out = run("tshark", "-n", "-r", capture.stop(), "-d", "udp.port==5060,sip", "-Y", "sip", "-T", "fields",
                      "-E", "separator=|", *[x for f in FIELDS for x in ("-e", f)], timeout=300)
            for line in out.splitlines():
                time, _, dst, method, code, branch, call_id, contact, credentials = line.split("|")[:9]
                rows.append(Seen(float(time), name, dst == ip, method, code, branch, call_id, contact, credentials))
        return sorted(rows)


def transactions(rows, method="OPTIONS", server=None):
    """The first send of each request transaction."""
    seen, first = set(), []
    for r in rows:
        if r.sent and r.method == method and r.branch not in seen and server in (None, r.server):
            seen.add(r.branch)
            first.append(r)
    return first


def sends(rows, branch):
    """Times of all sends of one request."""
    return [r.time for r in rows if r.sent and r.method and r.branch == branch]


def gaps(times):
    return [b - a for a, b in zip(times, times[1:])]


def bound_s(oos_check, probe_timeout=None, fall=1):
    """How long a dead member may go unnoticed by its probes alone, in seconds: it died right behind an answer, so the next
    probe is one oos-check away, and `fall` probes in a row have to fail, each after probe-timeout (default: the period, at
    most 5 s). The same as ctl_pair_detect_bound(), which `pair list` shows as detect_bound_us."""
    timeout = probe_timeout or min(oos_check, 5)
    return oos_check + timeout + (fall - 1) * max(oos_check, timeout)
