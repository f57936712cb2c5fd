"""SIPp as callers and servers, and what its own statistics say."""

import csv
import glob
import os
import re
import signal

HERE = os.path.dirname(os.path.abspath(__file__))
# Bytes of socket buffer, as much as an unchanged kernel grants (net.core.rmem_max): a server that serves thousands of calls
# a second has more, and what SIPp itself loses is not what is tested.
BUFFER = "212992"


def scenario(name):
    return os.path.join(HERE, "sipp", f"{name}.xml")


# A machine that gives one process no time for a tenth of a second makes a server that usually answers within one millisecond
# look dead, and the appliance is right to leave it. A server so far away is given more time, by the appliance's own rules (a
# multiple of the round trip): where the test is not about how fast one leaves, its servers are far.
FAR_MS = 50


class Server:
    """A SIPp server process on a server's namespace; away_ms: it takes so long before each answer; thinks_ms: and so long to
    the first one to an INVITE."""

    def __init__(self, rack, name, port=5060, scenario_name="uas", extra=(), away_ms=0, thinks_ms=0):
        self.rack = rack
        self.name = name
        self.port = port
        self.scenario = scenario_name
        self.extra = extra
        self.away_ms = away_ms
        self.thinks_ms = thinks_ms
        self.process = None
        self.runs = 0

    def _scenario(self):
        path = scenario(self.scenario)
        if not (self.away_ms or self.thinks_ms):
            return path
        with open(path) as f:
            text = f.read()
        if self.away_ms:
            text = re.sub(r"^(?=\s*<send\b)", f'  <pause milliseconds="{self.away_ms}"/>\n', text, flags=re.M)
        if self.thinks_ms:
            text, n = re.subn(r'^(\s*<recv request="INVITE".*)$', rf'\1\n  <pause milliseconds="{self.thinks_ms}"/>', text,
                              flags=re.M)
            assert n == 1, f"{path}: {n} places where it takes an INVITE"
        return self.rack.lab.file(f"{self.scenario}-{self.away_ms}-{self.thinks_ms}ms.xml", text)

    def start(self):
        self.runs += 1
        ip = self.rack.server_ip(self.name)
        self.process = self.rack.servers[self.name].start(
            f"uas{self.port}-{self.runs}", "sipp", "-sf", self._scenario(), "-i", ip, "-p", str(self.port),
            "-mi", ip, "-key", "server", self.name, "-nostdin", "-nd", "-aa", "-l", "15000",
            # What comes again for a call that has ended is taken for a new one, and answered: Timer J.
            "-deadcall_wait", "0", "-recv_timeout", "60000", "-buff_size", BUFFER, "-trace_err", *self.extra,
        )
        return self

    def freeze(self):
        """It neither answers nor goes away, and nor does its host."""
        self.process.signal_group(signal.SIGSTOP)

    def thaw(self):
        self.process.signal_group(signal.SIGCONT)

    def kill(self):
        """As a crash would: SIGKILL."""
        self.process.kill()


class Load:
    """A SIPp caller process and its figures."""

    def __init__(self, rack, calls, rate, name="load", scenario_name="uac", target="192.0.2.10:5060",
                 source="203.0.113.10", port=5060, hold_ms=1000, timeout_s=30, extra=()):
        self.dir = os.path.join(rack.lab.dir, f"{name}.d")
        os.makedirs(self.dir, exist_ok=True)
        self.calls = calls
        self.process = rack.callers.start(
            name, "sipp", target, "-sf", scenario(scenario_name), "-i", source, "-p", str(port), "-mi", source,
            "-m", str(calls), "-r", str(rate), "-d", str(hold_ms), "-l", "15000", "-nostdin", "-nd",
            "-recv_timeout", str(timeout_s * 1000), "-timeout", str(calls // rate + hold_ms // 1000 + timeout_s + 30),
            "-timeout_error", "-buff_size", BUFFER, "-trace_stat", "-fd", "1", "-trace_err", "-trace_rtt", "-rtt_freq", "1", *extra, cwd=self.dir,
        )

    def wait(self, timeout=180):
        return self.process.wait(timeout)

    def _rows(self):
        files = [f for f in glob.glob(f"{self.dir}/*_.csv") if not f.endswith("_rtt.csv")]
        if not files:
            return []
        with open(files[0]) as f:
            return list(csv.DictReader(f, delimiter=";"))

    def figures(self):
        """(created, successful, failed, calls under way) as of SIPp's last report."""
        rows = self._rows()
        if not rows:
            return (0, 0, 0, 0)
        r = rows[-1]
        return tuple(int(r[k]) for k in ("TotalCallCreated", "SuccessfulCall(C)", "FailedCall(C)", "CurrentCall"))

    def setup_ms(self):
        """Set-up delays of all calls, INVITE to 200, milliseconds."""
        return [ms for _, ms in self.setup_times()]

    def setup_times(self):
        """(when the call was begun, seconds since 1970; its set-up delay, milliseconds) of all calls."""
        out = []
        rows = self._rows()
        start = float(rows[0]["StartTime"].split("\t")[-1]) if rows else 0.0  # times in the other file count from it
        for path in glob.glob(f"{self.dir}/*_rtt.csv"):
            with open(path) as f:
                for row in csv.reader(f, delimiter=";"):
                    if len(row) >= 3 and row[2].strip('"') == "setup":
                        out.append((start + (float(row[0]) - float(row[1])) / 1000, float(row[1])))
        return out

    def errors(self):
        text = ""
        for path in glob.glob(f"{self.dir}/*_errors.log"):
            with open(path, errors="replace") as f:
                text += f.read()
        return text
