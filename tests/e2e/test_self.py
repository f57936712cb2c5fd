"""Self-probes: through the fast path, for each port; their failure and their return are events."""

import os
import signal

from lab import wait_for
from scene import QUICK, Scene


def ports(appliance):
    return {p["port"]: p for p in appliance.ctl("stats", "show")["ports"]}


def told(appliance):
    return [(e["from"], e["to"], e["evidence"].split(":")[0]) for e in appliance.ctl("event", "list")
            if e["cause"] == "self-probe"]


def test_every_port_is_probed_through_the_fast_path(lab):
    # Whoever may come, and however little is answered: the appliance's own word is heard.
    s = Scene(lab, two_armed=True, extra=QUICK, service="allow: [ 203.0.113.0/24 ]\nanswers-per-second: 1\n")
    wait_for("answers", lambda: all(p["self_probe"] == "ok" for p in ports(s.appliance).values()), 10)
    assert sorted(ports(s.appliance)) == ["net0", "net1"]
    assert all(p["self_probe_us"] > 0 for p in ports(s.appliance).values())
    pid = s.appliance.dataplane_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("the failure's events", lambda: len(told(s.appliance)) == 2, 15)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert sorted(told(s.appliance)[:2]) == [("running", "failing", "port net0"), ("running", "failing", "port net1")]
    wait_for("the return's", lambda: len(told(s.appliance)) == 4, 15)
    assert sorted(told(s.appliance)[2:]) == [("failing", "running", "port net0"), ("failing", "running", "port net1")]
    # A data plane that dies and returns is no such event.
    os.kill(pid, signal.SIGKILL)
    starts = lambda: [e for e in s.appliance.ctl("event", "list") if e["cause"] == "dataplane" and e["to"] == "running"]
    wait_for("the next one", lambda: len(starts()) == 2)
    s.appliance.wait_up("east-a", "east-b")
    wait_for("answers again", lambda: all(p["self_probe"] == "ok" for p in ports(s.appliance).values()), 15)
    assert len(told(s.appliance)) == 4, told(s.appliance)
    s.call(s.phone(), s.members["a"], sends=3)  # the first one may have met one that was just starting
    s.finish()


def test_one_port_fails_alone(lab):
    s = Scene(lab, two_armed=True)
    wait_for("answers", lambda: all(p["self_probe"] == "ok" for p in ports(s.appliance).values()), 10)
    s.appliance.ns.ip("link", "set", "net1", "down")
    wait_for("the failure", lambda: told(s.appliance) == [("running", "failing", "port net1")], 15)
    s.appliance.ns.ip("link", "set", "net1", "up")
    wait_for("the return", lambda: told(s.appliance)[1:] == [("failing", "running", "port net1")], 15)
