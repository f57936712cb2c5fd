"""virtio between two processes, no machine: the data plane's port is virtio_user, and dpdk-testpmd plays the host, with
net_vhost on one side and the router's interface on the other."""

import subprocess
import time

from lab import run, wait_for
from rack import APPLIANCE4, Appliance, Rack
from sippload import Load, Server
from test_dataplane import Alone
from test_network import CALLER4, sip, udp
from test_workers import pcap

MAC = "52:54:00:00:02:20"
FAST = "oos-check: 500ms\noos-force: 200ms\nfailback: [ immediate ]\nfailback-hold: 1s\n"


class VirtioRack(Rack):
    """A rack whose appliance hangs on a virtio queue pair."""

    def _port(self, peer, i):
        path = f"{self.lab.dir}/vhost{i}"
        self.host = self.router.start(
            f"testpmd{i}", "dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "--no-shconf",
            "--file-prefix", f"{self.lab.prefix}host{i}", "-l", "0,1",
            "--vdev", f"net_vhost0,iface={path}", "--vdev", f"net_tap0,iface={peer}", "--",
            "--no-mlockall", "--total-num-mbufs", "8192", "--auto-start", "--forward-mode", "io",
            stdin=subprocess.PIPE)  # at its end testpmd ends
        wait_for("the host's side", lambda: peer in self.router.ip("link"), 20)
        wait_for("its socket", lambda: run("ls", path, check=False).strip() == path, 20)
        self.router.ip("link", "set", peer, "up")

    def device(self, i):
        return f"net_virtio_user{7 + i},path={self.lab.dir}/vhost{i},mac={MAC},queue_size=1024"

    def mac(self, i):
        return MAC


def test_calls_pass_over_virtio_user_and_net_vhost(lab):
    rack = VirtioRack(lab)
    servers = {name: Server(rack, name).start() for name in rack.servers}
    tap = rack.tap
    appliance = Appliance(rack, rack.config(rack.pair_config(extra=FAST))).start()
    appliance.wait_up("east-a", "east-b")
    rack.callers.exec("ping", "-c", "3", "-i", "0.2", "-W", "2", "192.0.2.10")
    load = Load(rack, 400, 50, hold_ms=500)
    wait_for("some calls", lambda: load.figures()[1] > 40, 30)
    servers["a"].kill()
    appliance.wait_active("east-b", 10)
    servers["a"].start()
    appliance.wait_active("east-a", 15)
    assert load.wait() == 0, load.errors()
    assert load.figures() == (400, 400, 0, 0), (load.figures(), load.errors()[-2000:])
    assert tap.bad() == []


def test_an_idle_worker_is_woken_by_the_devices_interrupts(lab):
    rack = VirtioRack(lab)
    dp = Alone(lab, rack, rack.config(service="answers-per-second: 0"))
    assert dp.drive()[0] == "running", dp.process.tail()
    assert "receive interrupts" not in dp.process.output(), dp.process.output()
    phone = udp(rack.callers, CALLER4)

    def woken():
        """Lone packets that the data plane answers itself: the kernel, whose netdev would wake it too, has no part in it."""
        before = dp.stats()["woken"]
        for _ in range(20):
            phone.sendto(sip("OPTIONS", CALLER4), (APPLIANCE4, 5060))
            time.sleep(0.05)  # long enough to fall asleep again
        return dp.stats()["woken"] - before >= 15

    wait_for("interrupts", woken, 60)


def test_a_device_without_interrupts_is_used_without_and_said_once(lab):
    rack = Rack(lab)
    pcap(f"{lab.dir}/nothing.pcap", [])
    dp = Alone(lab, rack, rack.config().replace(rack.device(0), f"net_pcap0,rx_pcap={lab.dir}/nothing.pcap"))
    assert dp.drive()[0] == "running", dp.process.tail()
    wait_for("sleeps", lambda: dp.stats()["sleeps"] > 100, 20)
    assert dp.stats()["woken"] == 0
    assert dp.process.output().count("port net0: its device has no receive interrupts") == 1, dp.process.output()
