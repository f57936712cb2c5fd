#!/usr/bin/env python3
"""The product in a virtual machine on virtio-net ports: calls, the primary's death, its return, a data plane's restart.

On failure the console's log (kernel, sipsteerd, data plane) and the daemon's events are kept in build/vm/failed/, and
their end is printed."""

import json
import pathlib
import shutil
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "e2e"))

from lab import Lab, wait_for  # noqa: E402
from machine import VmAppliance, VmRack  # noqa: E402
from rack import APPLIANCE4, APPLIANCE6, ARM4, BUILD, Wiretap  # noqa: E402
from sippload import Load, Server  # noqa: E402

# A machine without help from the CPU is some fifty times slower than the host: it is given time.
SLOW = """
oos-check: 1s
oos-force: 500ms
failback: [ immediate ]
failback-hold: 3s
"""
TOP = "hugepages: require\nmemory: 64M\npacket-buffers: 4096\ntransaction-records: 16384\nchallenge-records: 1024\n"


def config(rack):
    pair = rack.pair_config(extra=SLOW + f'egress: [ "udp:{ARM4}:5060" ]\n')
    text = rack.config(pair, top=TOP)
    return text.replace(rack.lab.dir, "/run").replace("control-socket: /run/control.sock\n", "control-socket: /run/sipsteer/control.sock\n")


def check(name, good, detail=""):
    print(f"{'ok    ' if good else 'FAILED'} vm: {name}{'' if good else f': {detail}'}", flush=True)
    assert good, name


def judge(name, load, calls):
    status = load.wait(120)
    check(name, status == 0 and load.figures() == (calls, calls, 0, 0), (load.figures(), load.errors()[-2000:]))


def story(lab, begin):
    rack = VmRack(lab, two_armed=True)
    servers = {name: Server(rack, name).start() for name in rack.servers}
    rack.appliance = appliance = VmAppliance(rack, config(rack))
    print(f"       booted after {time.monotonic() - begin:.0f} s", flush=True)
    # The clients' port leaves the sums of UDP to its device, as virtio offers, and that to whoever sends the packets on: they
    # are judged where they arrive. All else, and all of the other port, whose device offers nothing, as it leaves.
    tap = Wiretap(rack, [(rack.router, "to-lb", f"ether src {rack.mac(0)} and not udp"),
                         (rack.callers, "eth0", f"src host {APPLIANCE4} or src host {APPLIANCE6}"),
                         (rack.router, "to-arm", f"ether src {rack.mac(1)}")])
    appliance.start()
    appliance.wait_up("east-a", "east-b", timeout=60)
    check("both ports are virtio, driven by the data plane",
          appliance.machine.sh("ls -d /sys/bus/pci/drivers/uio_pci_generic/0000*").split() ==
          [f"/sys/bus/pci/drivers/uio_pci_generic/{rack.device(i)}" for i in range(2)])
    said = appliance.machine.process.output().count("its device has no receive interrupts")
    check("what a device lacks is said once", said == 1, said)
    rack.callers.exec("ping", "-c", "3", "-i", "0.3", "-W", "5", "192.0.2.10")
    rack.callers.exec("ping", "-c", "3", "-i", "0.3", "-W", "5", "2001:db8:2::10")
    check("the kernel in the machine answers ping through the exception netdev", True)
    judge("calls pass", Load(rack, 100, 20, name="calls", hold_ms=500), 100)
    load = Load(rack, 400, 20, name="failover", hold_ms=1000)
    time.sleep(3)
    servers["a"].kill()
    appliance.wait_active("east-b", 60)
    check("failover", True)
    time.sleep(2)
    servers["a"].start()
    appliance.wait_active("east-a", 90)
    check("failback", True)
    judge("no call is lost", load, 400)
    pid = appliance.machine.sh("pidof sipsteer-dataplane").strip()
    appliance.machine.sh(f"kill -9 {pid}")
    wait_for("the next data plane", lambda: (lambda p: p and p.strip() != pid)(
        appliance.machine.sh("pidof sipsteer-dataplane", check=False)), 90, 0.5)
    appliance.wait_up("east-a", "east-b", timeout=60)
    judge("calls pass after the data plane was killed",
          Load(rack, 40, 20, name="again", port=5070, hold_ms=500), 40)
    bad = tap.bad()
    check("every packet is sound", bad == [], bad[:5])
    check("the observer saw both ports' packets", all(tap.seen()), tap.seen())


def keep(lab, rack_appliance):
    """Console and events, for whoever looks into it."""
    to = pathlib.Path(BUILD) / "vm/failed"
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for p in lab.processes:
        shutil.copy(p.log, to)
        if p.name.endswith("machine"):
            print(p.tail(40))
    try:
        events = rack_appliance.ctl("event", "list", check=False)
        (to / "events.json").write_text(json.dumps(events, indent=2))
        for event in events[-20:]:
            print(event)
    except Exception as e:  # the machine may be gone
        print(f"no events: {e}")
    print(f"kept in {to}")



def main():
    begin = time.monotonic()
    with Lab() as lab:
        try:
            story(lab, begin)
        except Exception:  # whatever it was: keep what shows it
            traceback.print_exc()
            appliance = next((a.__self__ for a in lab.cleanups if isinstance(getattr(a, "__self__", None), VmAppliance)),
                             None)
            keep(lab, appliance)
            print(f"vm: failed after {time.monotonic() - begin:.0f} s")
            return 1
    print(f"vm: passed in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
