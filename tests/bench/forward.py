"""The programs that forward in the measurements: sipsteerd with its data plane, and dpdk-testpmd beside it.

Rates are packets per second of the forwarding thread's own processor time, which the kernel counts. It polls, so that on
a quiet machine this is the same as by the clock; on a busy one, what others take from the core does not count."""

import glob
import json
import os
import re
import signal
import sys
import time

import common

sys.path.insert(0, str(common.ROOT / "tests" / "e2e"))
from lab import LabError, run, wait_for  # noqa: E402

import traffic  # noqa: E402

WORKER_CPU = max(os.sched_getaffinity(0))
OTHER_CPU = min(os.sched_getaffinity(0))
BUFFERS = 32767
MEMORY_MB = 256
WINDOWS = 4


def thread_ns(pid, tid):
    """Processor time of a thread, in nanoseconds."""
    with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
        return int(f.read().split()[0])


def thread_named(pid, name):
    for path in glob.glob(f"/proc/{pid}/task/*/comm"):
        with open(path) as f:
            if f.read().strip() == name:
                return int(path.split("/")[4])
    raise LabError(f"process {pid} has no thread {name}")


def process_us(pid):
    """User and system time of a whole process, in microseconds, over all its threads."""
    return sum(thread_ns(pid, int(t)) for t in os.listdir(f"/proc/{pid}/task")) / 1000


def best(program, seconds, windows=WINDOWS):
    """(the measurement of the quickest window, all of them). A virtual machine's host slows everything down for seconds now
    and then: the quickest window of a program is the one that had the processor to itself."""
    got = [program.measure(seconds) for _ in range(windows)]
    return max(got, key=lambda g: g["mpps"]), got


def config(directory, pairs=1, device="", extra=""):
    """A configuration: one port, one service, pairs of two members each."""
    lines = [f"control-socket: {directory}/control.sock", f"state-file: {directory}/state.json",
             f"key-file: {directory}/keys", "instance: bench", "workers: 1", f'worker-cpus: "{WORKER_CPU}"', "idle: poll",
             extra, "ports:", "  - name: net0", f'    device: "{device}"',
             f"    addresses: [ {traffic.LISTENER}/24 ]",
             f"    routes: [ {{ to: 0.0.0.0/0, via: {traffic.GATEWAY} }} ]",
             "services:", "  - name: voice", f'    listen: [ "udp:{traffic.LISTENER}:{traffic.PORT}" ]',
             f"    pairs: [ {', '.join(f'p{i}' for i in range(pairs))} ]", "pairs:"]
    for i in range(pairs):
        a, b = (traffic.member(i, k) for k in (0, 1))
        # Nobody answers probes here: they are to be patient for longer than a measurement takes.
        lines.append(f"  - {{ name: p{i}, oos-check: 300s, oos-force: 32s, probe-timeout: 32s, failback: [], members: [ "
                     f"{{ name: p{i}a, role: primary, address: {a} }}, {{ name: p{i}b, role: backup, address: {b} }} ] }}")
    return "\n".join(line for line in lines if line) + "\n"


class Sipsteer:
    """The appliance as it is shipped, in a namespace of its own; its next hop is known."""

    def __init__(self, lab, ns, text, env=None, fed=True):
        self.lab, self.ns = lab, ns
        self.sock = f"{lab.dir}/control.sock"
        for old in glob.glob(f"{lab.dir}/*.json"):
            os.unlink(old)
        path = lab.file("sipsteer.yaml", text)
        self.control = ns.start("sipsteerd", f"{common.TREE}/sipsteerd", "--config", path, env={**os.environ, **(env or {})})
        wait_for("sipsteerd to answer", self._answers, 120)
        self.mac = ":".join(f"{b:02x}" for b in traffic.GATEWAY_MAC)
        wait_for("the port", lambda: ns.ip("-o", "link", "show", "dev", "net0", check=False), 60)
        ns.ip("neigh", "replace", traffic.GATEWAY, "lladdr", self.mac, "dev", "net0", "nud", "permanent")
        wait_for("undisturbed forwarding", lambda: not fed or self._settled(), 120)

    def _answers(self):
        if not self.control.alive():
            raise LabError(f"sipsteerd ended:\n{self.control.tail()}")
        return self.ctl("version", check=False)

    def _settled(self):
        before = self.worker()
        time.sleep(0.1)
        after = self.worker()
        return after["forwarded"] > before["forwarded"] and after["drops"] == before["drops"]

    def ctl(self, *args, check=True):
        try:
            return json.loads(self.ns.exec(f"{common.TREE}/sipsteerctl", "--socket", self.sock, "--json", *args))
        except (LabError, ValueError):
            if check:
                raise
            return None

    def worker(self):
        return self.ctl("stats", "show")["workers"][0]

    def pid(self):
        for pid in run("ip", "netns", "pids", self.ns.name).split():
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip().startswith("sipsteer-datap"):
                    return int(pid)
        raise LabError(f"no data plane:\n{self.control.tail()}")

    def measure(self, seconds):
        """Counters of the worker, and "mpps", over that time."""
        pid = self.pid()
        tid = thread_named(pid, "rte-worker-1")
        before, t0 = self.worker(), thread_ns(pid, tid)
        time.sleep(seconds)
        after, t1 = self.worker(), thread_ns(pid, tid)
        got = {k: after[k] - before[k] for k in after if isinstance(after[k], int)}
        got["drops"] = {k: v - before["drops"].get(k, 0) for k, v in after["drops"].items() if v > before["drops"].get(k, 0)}
        got["mpps"] = got["packets"] * 1000 / (t1 - t0)
        return got

    def close(self):
        pid = self.pid()
        self.ctl("shutdown", check=False)
        self.control.wait(20)
        wait_for("the data plane to end", lambda: not os.path.exists(f"/proc/{pid}"), 20)


class Driven:
    """The data plane with region_driver in control's place: every pair's first member is active, and nobody probes."""

    def __init__(self, lab, ns, text):
        self.ns = ns
        path, sock = lab.file("driven.yaml", text), f"{lab.dir}/link.sock"
        self.dataplane = ns.start("dataplane", f"{common.TREE}/sipsteer-dataplane", "--socket", sock)
        wait_for("the link", lambda: os.path.exists(sock), 20)
        read, self.write = os.pipe()
        self.driver = ns.start("driver", f"{common.TREE}/tests/dataplane/region_driver", path, sock, stdin=read)
        os.close(read)
        wait_for("the data plane", lambda: "running" in self._output(), 120)
        self.mac = ":".join(f"{b:02x}" for b in traffic.GATEWAY_MAC)
        wait_for("undisturbed forwarding", self._settled, 60)

    def _output(self):
        if not self.driver.alive() or not self.dataplane.alive():
            raise LabError(f"it ended:\n{self.driver.tail()}\n{self.dataplane.tail()}")
        return self.driver.output()

    def _stats(self):
        seen = len(self._output())
        os.write(self.write, b"stats\n")
        wait_for("statistics", lambda: "end\n" in self._output()[seen:], 20, 0.005)
        text = self._output()[seen:]
        return int(re.search(r"forwarded (\d+)", text)[1]), dict(re.findall(r"^reason (\S+) (\d+)", text, re.M))

    def _settled(self):
        """As the netdev comes up, it may forget the neighbour again."""
        self.ns.ip("neigh", "replace", traffic.GATEWAY, "lladdr", self.mac, "dev", "net0", "nud", "permanent", check=False)
        (n0, drops0), _, (n1, drops1) = self._stats(), time.sleep(0.3), self._stats()
        return n1 > n0 and drops0 == drops1

    def measure(self, seconds):
        pid = self.dataplane.pid
        tid = thread_named(pid, "rte-worker-1")
        (n0, drops0), t0 = self._stats(), thread_ns(pid, tid)
        time.sleep(seconds)
        (n1, drops1), t1 = self._stats(), thread_ns(pid, tid)
        assert drops0 == drops1, f"messages were dropped: {drops1}"
        return {"mpps": (n1 - n0) * 1000 / (t1 - t0)}

    def pause(self):
        self.dataplane.signal(signal.SIGSTOP)

    def go_on(self):
        """And until what it works with is in the caches again."""
        self.dataplane.signal(signal.SIGCONT)
        time.sleep(0.01)

    def close(self):
        os.write(self.write, b"stop\n")
        self.driver.wait(20)
        self.dataplane.wait(20)
        os.close(self.write)


class Testpmd:
    """dpdk-testpmd on one port and one core."""

    def __init__(self, lab, ns, mode, devices, env=None, args=()):
        self.lab, self.ns = lab, ns
        read, self.write = os.pipe()
        argv = ["stdbuf", "-o0", "dpdk-testpmd", "--lcores", f"0@{OTHER_CPU},1@{WORKER_CPU}", "--no-pci", "--iova-mode=va",
                "--no-telemetry", "--file-prefix", f"{lab.prefix}pmd", *memory_args()]
        for device in devices:
            argv += ["--vdev", device]
        argv += ["--", "-i", "--nb-cores=1", f"--forward-mode={mode}", f"--total-num-mbufs={BUFFERS}",
                 "--burst=32", "--txd=1024", "--rxd=1024", *args]
        self.process = ns.start(f"testpmd-{mode}", *argv, stdin=read, env={**os.environ, **(env or {})})
        os.close(read)
        wait_for("testpmd", lambda: "testpmd> " in self._output(), 60)
        self.say("start")
        self.tid = None

    def _output(self):
        if not self.process.alive():
            raise LabError(f"testpmd ended:\n{self.process.tail()}")
        return self.process.output()

    def say(self, line):
        os.write(self.write, line.encode() + b"\n")

    def _packets(self):
        """Packets received so far by all ports, and the forwarding thread's time."""
        seen = len(self._output())
        self.say("show port stats all")
        wait_for("statistics", lambda: re.search(r"Tx-pps.*\n(.*\n)*testpmd>", self._output()[seen:]), 20, 0.01)
        ns = thread_ns(self.process.pid, self.tid)
        return sum(int(n) for n in re.findall(r"RX-packets: (\d+)", self._output()[seen:])), ns

    def measure(self, seconds):
        self.tid = thread_named(self.process.pid, "rte-worker-1")
        n0, t0 = self._packets()
        time.sleep(seconds)
        n1, t1 = self._packets()
        return {"packets": n1 - n0, "mpps": (n1 - n0) * 1000 / (t1 - t0)}

    def close(self):
        self.say("stop")
        self.say("quit")
        self.process.wait(20)
        os.close(self.write)


def memory_args():
    """The same choice that the data plane makes."""
    free = 0
    for path in glob.glob("/sys/kernel/mm/hugepages/hugepages-*kB"):
        with open(f"{path}/free_hugepages") as f:
            free += int(f.read()) * int(re.search(r"-(\d+)kB", path)[1]) // 1024
    return ["--in-memory"] if free >= 512 else ["--no-huge", "--no-shconf", "-m", "512"]
