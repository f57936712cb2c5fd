"""What operators do and what machines do to them: members die and return, drain, restarts of either process."""

import os
import signal
import time

from lab import LabError, wait_for
from rack import BUILD, Appliance, Rack
from scene import PROBES, Scene

from sippload import FAR_MS, Load, Server

ALONE = True  # load or figures: nothing else beside it

PATIENT = "oos-check: 500ms\noos-force: 200ms\nprobe-timeout: 2s\nfailback: []\n"


def test_both_members_die_and_one_returns(lab):
    s = Scene(lab)
    alice = s.phone()
    for m in s.members.values():
        m.close()
    s.appliance.wait_state("out-of-service")
    alice.send(alice.request("INVITE", "sip:bob@example.com"))
    refused = alice.expect(503)
    assert int(refused.get("retry-after").split()[0]) >= 1, refused
    alice.send(alice.request("ACK", "sip:bob@example.com", to_tag=refused.tag("to"), call_id=refused.get("call-id"),
                             from_tag=refused.tag("from"), contact=False))
    alice.nothing(0.5)
    alice.send(alice.request("OPTIONS", "sip:192.0.2.10", contact=False))
    alice.expect(503)
    s.revive("b")
    s.appliance.wait_state("backup")  # while out of service it was the active one already
    alice.send(alice.request("OPTIONS", "sip:192.0.2.10", contact=False))
    alice.expect(200)
    s.call(alice, s.members["b"])
    s.finish()


def test_drain_keeps_dialogs_and_moves_new_ones(lab):
    s = Scene(lab)
    alice, a, b = s.phone(), s.members["a"], s.members["b"]
    caller, _ = s.call(alice, a)
    s.appliance.ctl("member", "drain", "east-a")
    s.appliance.wait_active("east-b")
    s.call(alice, b)
    caller.send("BYE")
    a.reply(a.expect("BYE"), 200)
    alice.expect(200)
    s.appliance.ctl("member", "enable", "east-a")
    s.appliance.ctl("member", "disable", "east-b")
    s.appliance.wait_active("east-a")
    s.call(alice, a)
    s.finish()


def test_a_switch_by_hand_says_who_did_it(lab):
    s = Scene(lab)
    s.appliance.ctl("pair", "switch", "east", "--to", "east-b")
    s.appliance.wait_active("east-b")
    event = [e for e in s.appliance.ctl("event", "list") if e.get("to") == "backup"][-1]
    assert "root" in str(event.get("who")), event
    assert s.appliance.ctl("pair", "switch", "nowhere", check=False) is None
    s.call(s.phone(), s.members["b"])
    s.finish()


def loaded(lab, calls=3000, rate=200):
    rack = Rack(lab)
    servers = {name: Server(rack, name, away_ms=FAR_MS).start() for name in rack.servers}
    tap = rack.tap
    appliance = Appliance(rack, rack.config(rack.pair_config(extra=PATIENT))).start()
    appliance.wait_up("east-a", "east-b")
    return rack, servers, appliance, tap, Load(rack, calls, rate, hold_ms=2000)


def finished(load, tap, calls=3000):
    assert load.wait() == 0, load.errors()
    created, ok, failed, _ = load.figures()
    assert (created, ok, failed) == (calls, calls, 0), (created, ok, failed, load.errors()[-2000:])
    assert tap.bad() == []


def test_control_is_killed_stopped_and_restarted_under_load(lab):
    rack, _, appliance, tap, load = loaded(lab)
    time.sleep(2)
    events = appliance.ctl("event", "list")
    appliance.control.kill()
    time.sleep(2)  # calls go on without it
    pid = appliance.dataplane_pid()
    appliance.start()
    assert appliance.dataplane_pid() == pid, "the data plane was adopted, not replaced"
    assert appliance.active() == "east-a"
    appliance.control.signal_group(signal.SIGSTOP)
    time.sleep(2)
    appliance.control.signal_group(signal.SIGCONT)
    appliance.control.stop()  # an upgrade: SIGTERM and a new one
    appliance.start()
    assert appliance.active() == "east-a"
    time.sleep(2)
    flips = [e for e in appliance.ctl("event", "list") if e.get("to") == "backup"]
    assert flips == [], (flips, events)
    finished(load, tap)


def test_a_restarted_control_knows_who_is_active(lab):
    s = Scene(lab)
    s.appliance.ctl("pair", "switch", "east")
    s.appliance.wait_active("east-b")
    s.appliance.control.kill()
    s.appliance.start()
    assert s.appliance.active() == "east-b"
    s.call(s.phone(), s.members["b"])
    s.finish()


def test_the_data_plane_is_killed_and_forwards_again(lab):
    s = Scene(lab)
    alice, a = s.phone(), s.members["a"]
    caller, _ = s.call(alice, a)
    old = s.appliance.dataplane_pid()
    os.kill(old, signal.SIGKILL)
    begin = time.monotonic()

    def forwards():
        alice.send(alice.request("OPTIONS", "sip:bob@example.com", contact=False))
        m = a.recv(0.1)
        return m is not None and m.method == "OPTIONS"

    wait_for("forwarding to be back", forwards, 6)  # the goal is 2 s; three times that for a shared machine
    print(f"    forwarding was back after {time.monotonic() - begin:.2f} s")
    assert s.appliance.dataplane_pid() != old
    caller.send("BYE")
    a.reply(a.expect("BYE"), 200)
    alice.expect(200)
    s.finish()


def test_reload_is_all_or_nothing_and_loses_nothing(lab):
    rack, _, appliance, tap, load = loaded(lab)
    good = rack.config(rack.pair_config(extra=PATIENT))
    time.sleep(1)
    appliance.rewrite(good.replace("oos-check: 500ms", "oos-check: 500 parsecs"))
    before = appliance.pair()
    assert appliance.ctl("reload", check=False) is None
    assert appliance.pair()["active"] == before["active"]
    for i in range(20):
        extra = PATIENT + ("weight: 2\n" if i % 2 else "")
        appliance.rewrite(rack.config(rack.pair_config(extra=extra)))
        appliance.ctl("reload")
    assert appliance.pair()["members"][0]["state"] == "up"
    finished(load, tap)


def test_a_reload_adds_and_removes_members(lab):
    s = Scene(lab, servers=("a", "b", "c"), members=("a", "b", "c"),
              config=lambda rack: rack.config(rack.pair_config(members="ab", extra=PROBES)))
    alice, a, b, c = s.phone(), *(s.members[n] for n in "abc")
    caller, _ = s.call(alice, a)
    s.appliance.rewrite(s.rack.config(s.rack.pair_config(members="cb", extra=PROBES)))
    s.appliance.ctl("reload")
    wait_for("east-c to be a member", lambda: any(m["name"] == "east-c" for m in s.appliance.pair()["members"]))
    s.appliance.wait_up("east-c", "east-b")
    active = s.appliance.active()
    assert active in ("east-b", "east-c"), active
    s.call(alice, s.members[active[-1]])
    caller.send("BYE")  # its member is no more: the active twin gets it
    s.members[active[-1]].expect("BYE")
    s.finish()


def test_counters_tell_requests_and_responses_per_member(lab):
    s = Scene(lab)
    alice, a = s.phone(), s.members["a"]
    caller, _ = s.call(alice, a)
    alice.send("NOT SIP AT ALL\r\n\r\n")
    time.sleep(0.5)
    stats = s.appliance.ctl("stats", "show")
    text = str(stats)
    assert "sip-not-sip" in text, text
    table = s.appliance.ctl_raw("stats", "show")
    assert "INVITE" in table and "sip-not-sip" in table, table
    assert s.appliance.ctl("version"), "version"
    assert [x["name"] for x in s.appliance.ctl("service", "list")] == ["voice"]
    assert {m["name"] for m in s.appliance.ctl("member", "list")} == {"east-a", "east-b"}
    s.finish()


def test_the_control_socket_is_for_root_and_its_group(lab):
    """By the kernel's word: owner, group and mode of the socket, tried by processes of other users and groups."""
    rack = Rack(lab)
    path, group, stranger = f"{lab.dir}/control.sock", 45678, 45679

    def may(gid, *groups):
        """Whether an ordinary user of these groups is served; else what sipsteerctl says."""
        argv = ["setpriv", "--reuid", "65534", "--regid", str(gid)]
        argv += ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
        try:
            rack.appliance_ns.exec(*argv, f"{BUILD}/sipsteerctl", "--socket", path, "version")
            return True
        except LabError as e:
            assert "ermission denied" in str(e) or "may not" in str(e), e
            return False

    appliance = Appliance(rack, rack.config(top=f"control-group: {group}\n")).start()
    st = os.stat(path)
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, group, 0o660), st
    assert may(group) and may(stranger, group)
    assert not may(stranger) and not may(65534, stranger)
    assert appliance.ctl("version") is not None  # root
    appliance.close()
    # Without the setting: the daemon's own group.
    appliance = Appliance(rack, rack.config()).start()
    st = os.stat(path)
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, os.getgid(), 0o660), st
    assert not may(group)
