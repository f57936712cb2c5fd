"""Probes over TCP and TLS against real servers: SIPp over TCP, Kamailio with its TLS module."""

import os
import time

from lab import Capture, run, wait_for
from rack import Appliance, Rack
from sippload import Server

CONFIG = """
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
enable_tls=yes
auto_aliases=no
dns=no
rev_dns=no
listen=udp:{ip}:5060
listen=tls:{ip}:5061
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{cert}.pem")
modparam("tls", "private_key", "{cert}.key")
modparam("tls", "ca_list", "{ca}.pem")
modparam("tls", "verify_certificate", {ask})
modparam("tls", "require_certificate", {ask})
request_route {{
    sl_send_reply("200", "OK");
}}
"""

PAIR = """
oos-check: 600ms
oos-force: 600ms
probe-timeout: 2s
failback: [ immediate ]
failback-hold: 0
"""


class Authority:
    """Certificates by the openssl command."""

    def __init__(self, lab, name="ca"):
        self.lab, self.path = lab, f"{lab.dir}/{name}"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
            "-subj", f"/CN={name}", "-keyout", f"{self.path}.key", "-out", f"{self.path}.pem")

    def certificate(self, name, names, days=5):
        """Path without ending of a certificate and its key."""
        path = f"{self.lab.dir}/{name}"
        extensions = self.lab.file(f"{name}.ext", f"subjectAltName={names}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{path}.key", "-out", f"{path}.csr")
        run("openssl", "x509", "-req", "-in", f"{path}.csr", "-CA", f"{self.path}.pem", "-CAkey", f"{self.path}.key",
            "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", f"{path}.pem")
        os.chmod(f"{path}.key", 0o644)  # Kamailio may run as somebody else
        return path


class TlsServer:
    """A Kamailio that answers over TLS."""

    def __init__(self, rack, name, ca, cert, ask=False):
        self.rack, self.name, self.runs, self.process = rack, name, 0, None
        self.use(ca, cert, ask)

    def use(self, ca, cert, ask=False):
        self.path = self.rack.lab.file(f"tls-{self.name}.cfg", CONFIG.format(
            ip=self.rack.server_ip(self.name), ca=ca.path, cert=cert, ask=int(ask)))

    def start(self):
        self.runs += 1
        run_dir = os.path.join(self.rack.lab.dir, f"tls-{self.name}.run")
        os.makedirs(run_dir, exist_ok=True)
        ns = self.rack.servers[self.name]
        self.process = ns.start(f"kamailio-{self.runs}", "kamailio", "-f", self.path, "-DD", "-E", "-m", "64", "-M", "8",
                                "-Y", run_dir, "-w", run_dir, "-P", f"{run_dir}/pid")
        wait_for(f"kamailio {self.name}", lambda: ":5061" in ns.exec("ss", "-ltnH"), 20)
        return self

    def kill(self):
        self.process.kill()


def member_event(appliance, member, to, n=0):
    """The latest event about a member that led to a state, once there are more than n."""
    def look():
        found = [e for e in appliance.ctl("event", "list") if e["member"] == f"east-{member}" and e["to"] == to]
        return found[-1] if len(found) > n else None
    return wait_for(f"east-{member} to be {to}", look, 20)


def connections(path, ip, port):
    """How many connections the appliance has opened to a server."""
    return len(run("tshark", "-n", "-r", path, "-Y",
                   f"tcp.flags.syn==1 && tcp.flags.ack==0 && ip.dst=={ip} && tcp.dstport=={port}").splitlines())


def test_tls_with_kamailio(lab):
    rack = Rack(lab)
    ca, stranger = Authority(lab), Authority(lab, "stranger")
    own = ca.certificate("own", "DNS:lb.example.com")
    good = {n: ca.certificate(f"good-{n}", f"IP:{rack.server_ip(n)},DNS:{n}.example.com") for n in "ab"}
    servers = {n: TlsServer(rack, n, ca, good[n], ask=n == "b").start() for n in "ab"}
    tls = f"tls: {{ ca: {ca.path}.pem, cert: {own}.pem, key: {own}.key }}\n"
    capture = Capture(rack.router, "to-a", "tcp port 5061")
    appliance = Appliance(rack, rack.config(rack.pair_config(extra=f"{PAIR}probe: {{ transport: tls }}\n{tls}"))).start()
    appliance.wait_up("east-a", "east-b")  # b wants a certificate of ours
    time.sleep(4)
    assert connections(capture.stop(), rack.server_ip("a"), 5061) == 1, "the connection is kept"
    assert appliance.active() == "east-a"
    servers["a"].kill()
    appliance.wait_active("east-b")
    event = member_event(appliance, "a", "down")
    assert event["cause"] == "connection-lost" and "kept was closed" in event["evidence"], event
    servers["a"].start()
    appliance.wait_active("east-a")
    wrong = [
        (ca, ca.certificate("expired", f"IP:{rack.server_ip('a')}", days=-1), "tls-certificate-expired",
         "has expired"),
        (ca, ca.certificate("wrong", "IP:198.51.100.99,DNS:*.example.com"), "tls-wrong-name", "names somebody else"),
        (ca, stranger.certificate("foreign", f"IP:{rack.server_ip('a')}"), "tls-unknown-ca",
         "authority unknown here"),
    ]
    for authority, cert, cause, says in wrong:
        servers["a"].kill()
        servers["a"].use(authority, cert)
        servers["a"].start()
        appliance.wait_active("east-b")
        wait_for(says, lambda: says in appliance.ctl_raw("pair", "show", "east"), 20)
        # It may have been found gone while it was away, also in the midst of a handshake; then the certificate is why it
        # stays down.
        event = [e for e in appliance.ctl("event", "list") if e["to"] == "down"][-1]
        assert event["cause"] in (cause, "connection-lost", "connection-refused", "tls-closed"), event
        time.sleep(1.5)
        assert appliance.active() == "east-b", cause
        servers["a"].kill()
        servers["a"].use(ca, good["a"])
        servers["a"].start()
        appliance.wait_active("east-a")
    probes = appliance.ctl("stats", "show")["probes"]
    assert probes["tls-failed"] > 0 and probes["connection-failed"] > 0, probes
    # Names that the pair shares, and one member's own.
    pair = rack.pair_config(extra=f"{PAIR}probe: {{ transport: tls }}\n{tls[:-3]}, server-name: a.example.com }}\n")
    appliance.rewrite(rack.config(pair.replace("role: backup,", "role: backup, server-name: b.example.com,")))
    appliance.ctl("reload")
    time.sleep(2)
    states = {m["name"]: m["state"] for m in appliance.pair()["members"]}
    assert states == {"east-a": "up", "east-b": "up"}, states


def test_our_certificate_is_refused(lab):
    rack = Rack(lab)
    ca, stranger = Authority(lab), Authority(lab, "stranger")
    own = stranger.certificate("own", "DNS:lb.example.com")
    for n in "ab":
        TlsServer(rack, n, ca, ca.certificate(f"good-{n}", f"IP:{rack.server_ip(n)}"), ask=n == "b").start()
    tls = f"tls: {{ ca: {ca.path}.pem, cert: {own}.pem, key: {own}.key }}\n"
    extra = f"{PAIR}probe: {{ transport: tls }}\n{tls}"
    appliance = Appliance(rack, rack.config(rack.pair_config(extra=extra))).start()
    appliance.wait_up("east-a")
    event = member_event(appliance, "b", "down")
    assert event["cause"] == "tls-refused", event


def test_tcp_with_sipp(lab):
    rack = Rack(lab)
    servers = {n: Server(rack, n, extra=("-t", "t1")).start() for n in "ab"}
    capture = Capture(rack.router, "to-a", "tcp port 5060")
    appliance = Appliance(rack, rack.config(rack.pair_config(extra=f"{PAIR}probe: {{ transport: tcp }}\n"))).start()
    appliance.wait_up("east-a", "east-b")
    time.sleep(3)
    assert connections(capture.stop(), rack.server_ip("a"), 5060) == 1
    servers["a"].freeze()
    appliance.wait_active("east-b")
    event = member_event(appliance, "a", "down")
    assert event["cause"] == "probe-timeout" and "OPTIONS over TCP" in event["evidence"], event
    servers["a"].thaw()
    appliance.wait_active("east-a")
    servers["a"].kill()
    appliance.wait_active("east-b")
    assert member_event(appliance, "a", "down", 1)["cause"] == "connection-lost"
    assert "connection refused" in appliance.ctl_raw("pair", "show", "east")
    # A host that is gone altogether: nothing comes back, not even a refusal.
    rack.router.ip("link", "set", "to-b", "down")
    servers["a"].start()
    appliance.wait_active("east-a")
    event = member_event(appliance, "b", "down")
    assert event["cause"] in ("connection-timed-out", "probe-timeout"), event
