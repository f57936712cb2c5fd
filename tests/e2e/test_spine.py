"""The spine: calls cross the appliance, survive the primary's death, and return to it."""

import time

from rack import Appliance, Rack
from sippload import FAR_MS, Load, Server

ALONE = True  # load or figures: nothing else beside it

FAST = """
oos-check: 500ms
oos-force: 200ms
"""


def up(lab, extra=FAST, away_ms=0):
    """A rack with both servers and the appliance running, both members up."""
    rack = Rack(lab)
    servers = {name: Server(rack, name, away_ms=away_ms).start() for name in rack.servers}
    tap = rack.tap
    appliance = Appliance(rack, rack.config(rack.pair_config(extra=extra))).start()
    appliance.wait_up("east-a", "east-b")
    return rack, servers, appliance, tap


def finish(load, tap, calls):
    assert load.wait() == 0, load.errors()
    created, ok, failed, _ = load.figures()
    assert (created, ok, failed) == (calls, calls, 0), (created, ok, failed, load.errors())
    assert tap.bad() == []


def test_calls_go_to_the_primary(lab):
    rack, _, appliance, tap = up(lab, FAST + "probe-timeout: 2s\n", FAR_MS)
    finish(Load(rack, 300, 100), tap, 300)
    members = {m["name"]: m for m in appliance.pair()["members"]}
    assert appliance.active() == "east-a"
    assert members["east-a"]["last_rtt_us"] > 0
    assert tap.sent('ip.dst == 198.51.100.11 && sip.Method == "INVITE"') >= 300
    assert tap.sent('ip.dst == 198.51.100.12 && sip.Method == "INVITE"') == 0


def test_ping_and_arp_reach_the_kernel(lab):
    rack, _, _, tap = up(lab)
    rack.callers.exec("ping", "-c", "3", "-i", "0.2", "-W", "2", "192.0.2.10")
    rack.callers.exec("ping", "-c", "3", "-i", "0.2", "-W", "2", "2001:db8:2::10")
    assert tap.bad() == []


def test_primary_dies_and_returns_under_load(lab):
    rack, servers, appliance, tap = up(lab, FAST + "failback: [ immediate ]\nfailback-hold: 2s\n")
    load = Load(rack, 2400, 200, hold_ms=2000)
    time.sleep(3)
    servers["a"].kill()
    appliance.wait_active("east-b", 6)
    time.sleep(2)
    servers["a"].start()
    appliance.wait_active("east-a", 15)
    finish(load, tap, 2400)
    causes = [(e["from"], e["to"]) for e in appliance.ctl("event", "list") if e.get("pair") == "east"]
    assert any(to == "backup" for _, to in causes) and any(to == "primary" for _, to in causes), causes
