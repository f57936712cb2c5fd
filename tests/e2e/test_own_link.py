"""The appliance's own link is lost: nobody is blamed for it."""

import time

from lab import wait_for
from rack import Appliance, Rack
from sippload import Server

ALONE = True  # load or figures: nothing else beside it

SETTINGS = "oos-check: 500ms\noos-force: 300ms\nfailback: [ immediate ]\nfailback-hold: 0\n"


def test_a_lost_link_of_our_own_moves_no_pair(lab):
    rack = Rack(lab, servers=("a", "b", "c", "d"))
    for n in rack.servers:
        Server(rack, n).start()
    pairs = [rack.pair_config("east", ("a", "b"), extra=SETTINGS), rack.pair_config("west", ("c", "d"), extra=SETTINGS)]
    appliance = Appliance(rack, rack.config("".join(pairs))).start()
    appliance.wait_up("east-a", "east-b")
    appliance.wait_up("west-c", "west-d", name="west")
    appliance.ctl("pair", "switch", "west", "--to", "west-d")
    appliance.wait_active("west-d", name="west")
    time.sleep(1)
    # The way behind the next hop breaks, so that no interface here tells of it.
    rack.router.exec("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")

    def cause(word):
        return [e for e in appliance.ctl("event", "list") if e["cause"] == word]

    wait_for("the loss to be noticed", lambda: cause("own-link-lost"), 20)
    for name in ("east", "west"):
        appliance.wait_state("out-of-service", name=name)
    assert (appliance.active("east"), appliance.active("west")) == ("east-a", "west-d")
    assert appliance.pair()["cut_off"] and "cut off" in appliance.ctl_raw("pair", "show", "east")
    rack.router.exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    appliance.wait_state("primary")
    appliance.wait_state("backup", name="west")
    assert cause("own-link-back") and not appliance.pair()["cut_off"]
    # What was decided before everybody was silent was taken back; nothing was decided afterwards.
    lost = cause("own-link-lost")[0]["serial"]
    later = [e for e in appliance.ctl("event", "list") if e["serial"] > lost and e["pair"] and not e["member"]]
    assert [e for e in later if (e["pair"], e["to"]) in (("east", "backup"), ("west", "primary"))] == [], later
    assert (appliance.active("east"), appliance.active("west")) == ("east-a", "west-d")
