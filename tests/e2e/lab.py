"""Network namespaces, links, processes and captures for the end-to-end tests and the demo.

A Lab owns all that it makes, under names that carry its process id, so that several can run beside each other; close()
takes everything away again, whatever happened. Needs root.
"""

import atexit
import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_labs = itertools.count()
_captures = itertools.count()


class LabError(Exception):
    """Something that a test needs could not be made."""


def run(*argv, check=True, timeout=60, **kw):
    """Run a command, return its output; its stderr goes into the exception."""
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **kw)
    if check and r.returncode != 0:
        raise LabError(f"{' '.join(argv)}: exit {r.returncode}: {r.stderr.strip()}")
    return r.stdout


def wait_for(what, condition, timeout=15.0, step=0.05):
    """Poll until condition() is true; returns its value. The bound is there to end a broken test, not to measure."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"gave up waiting for {what} after {timeout:g} s")
        time.sleep(step)


class Process:
    """A child process in a namespace, its output kept in a file."""

    def __init__(self, lab, name, argv, ns=None, cwd=None, env=None, stdin=None):
        self.name = name
        self.log = os.path.join(lab.dir, f"{name}.log")
        self.argv = argv
        full = (["ip", "netns", "exec", ns.name] if ns else []) + argv
        with open(self.log, "ab") as out:
            # A session of its own, so that Ctrl-C reaches the test only, which then ends its children in order.
            self.popen = subprocess.Popen(
                full, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=cwd or lab.dir,
                env=env, start_new_session=True,
            )
        lab.processes.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def signal(self, sig):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sig)

    def signal_group(self, sig):
        """To the whole session: a SIPp or Kamailio forks."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, sig)

    def kill(self):
        self.signal_group(signal.SIGKILL)
        self.popen.wait(10)

    def stop(self, timeout=5):
        if self.alive():
            self.signal_group(signal.SIGTERM)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        self.signal_group(signal.SIGKILL)
        self.popen.wait(10)

    def wait(self, timeout):
        """Exit status, or LabError when it does not end."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} did not end within {timeout} s:\n{self.tail()}") from None

    def output(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def tail(self, lines=30):
        return "\n".join(self.output().splitlines()[-lines:])


class Namespace:
    """A network namespace."""

    def __init__(self, lab, short):
        self.lab = lab
        self.short = short
        self.name = f"{lab.prefix}{short}"
        run("ip", "netns", "add", self.name)
        lab.namespaces.append(self)
        self.ip("link", "set", "lo", "up")
        # A router whose link-local address is tentative solicits nobody (RFC 4861 7.2.2), and drops what it should forward.
        for key in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{key}.accept_dad", 0)

    def ip(self, *args, check=True):
        return run("ip", "-n", self.name, *args, check=check)

    def exec(self, *argv, check=True, timeout=60):
        return run("ip", "netns", "exec", self.name, *argv, check=check, timeout=timeout)

    def start(self, name, *argv, **kw):
        return Process(self.lab, f"{self.short}-{name}", list(argv), ns=self, **kw)

    def sysctl(self, key, value):
        self.exec("sysctl", "-qw", f"{key}={value}")

    def address(self, dev, *addresses):
        for a in addresses:
            extra = ["nodad"] if ":" in a else []
            self.ip("addr", "add", a, "dev", dev, *extra)

    def route(self, to, via):
        self.ip("-6" if ":" in via else "-4", "route", "add", to, "via", via)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_DGRAM):
        """A socket that lives in this namespace: made by a thread that enters it, so that the caller stays outside."""
        result = []

        def make():
            fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
            try:
                if _libc.setns(fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                result.append(socket.socket(family, kind))
            finally:
                os.close(fd)

        t = threading.Thread(target=make)
        t.start()
        t.join()
        if not result:
            raise LabError(f"no socket in {self.name}")
        return result[0]


class Capture:
    """A packet capture on one interface, from start() until stop()."""

    def __init__(self, ns, dev, filter_=""):
        n = next(_captures)
        self.path = os.path.join(ns.lab.dir, f"{ns.short}-{dev}-{n}.pcapng")
        argv = ["dumpcap", "-q", "-i", dev, "-w", self.path, "-B", "32", "-s", "0"]
        if filter_:
            argv += ["-f", filter_]
        self.process = ns.start(f"dumpcap-{dev}-{n}", *argv)
        wait_for("the capture to begin", lambda: os.path.exists(self.path) and os.path.getsize(self.path) > 0)

    def _turns(self):
        """How often dumpcap has had the CPU; it looks into the kernel's ring four times a second."""
        try:
            with open(f"/proc/{self.process.pid}/schedstat") as f:
                return int(f.read().split()[2])
        except (OSError, IndexError):
            return float("inf")  # it has ended

    def stop(self):
        if self.process.alive():
            turns = self._turns()
            time.sleep(0.3)  # until the kernel hands over what is in the ring, and then until it is read
            wait_for("the capture's end", lambda: self._turns() >= turns + 2)
            self.process.signal(signal.SIGTERM)
            self.process.wait(10)
        return self.path


class Lab:
    """Everything that one test made.

    With `judged`, each rack in it has everything that its appliance sends looked at by an independent observer: judge()
    says what that finds wrong. Measurements do without.
    """

    def __init__(self, keep=False, judged=False):
        self.prefix = f"ss{os.getpid()}x{next(_labs)}-"
        self.dir = tempfile.mkdtemp(prefix="sipsteer-")
        os.chmod(self.dir, 0o755)  # dumpcap and SIPp may drop privileges
        self.keep = keep
        self.namespaces = []
        self.processes = []
        self.cleanups = []
        self.judged = judged
        self.judges = []  # functions that return what is wrong, a list
        self._veths = itertools.count()
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def ns(self, short):
        return Namespace(self, short)

    def veth(self, a, dev_a, b, dev_b, mtu=1500):
        """A cable between two namespaces. No offloads: what is on the wire is what was sent, checksums written."""
        n = next(self._veths)
        tmp = [f"v{os.getpid() % 100000}.{n}{side}" for side in "ab"]
        run("ip", "link", "add", tmp[0], "mtu", str(mtu), "numtxqueues", "1", "numrxqueues", "1", "type", "veth",
            "peer", "name", tmp[1], "mtu", str(mtu), "numtxqueues", "1", "numrxqueues", "1")
        for ns, dev, t in ((a, dev_a, tmp[0]), (b, dev_b, tmp[1])):
            run("ip", "link", "set", t, "netns", ns.name, "name", dev)
            ns.exec("ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off",
                    check=False)
            ns.ip("link", "set", dev, "up")

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def judge(self):
        """What was found wrong with the packets that left, as text."""
        return [line for judge in self.judges for line in judge()]

    def close(self):
        atexit.unregister(self.close)
        for undo in reversed(self.cleanups):
            with contextlib.suppress(Exception):
                undo()
        self.cleanups.clear()
        for p in reversed(self.processes):
            with contextlib.suppress(Exception):
                p.stop(2)
        self.processes.clear()
        for ns in reversed(self.namespaces):
            with contextlib.suppress(Exception):
                self._empty(ns)
                run("ip", "netns", "del", ns.name, check=False)
        self.namespaces.clear()
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def _empty(ns):
        """End what still runs in a namespace of ours: a daemon that left its session."""
        for _ in range(20):
            pids = run("ip", "netns", "pids", ns.name, check=False).split()
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.05)
