"""The primary dies in every way under load, and nobody dies on a bad network: a short form of scripts/chaos, which has the
long one. Bounds are three times the goals."""

import os
import signal
import threading
import time

import chaos
from sippload import FAR_MS

ALONE = True  # load and delays: nothing else beside it

RATE, SECONDS = 500, 8  # calls a second, for so long in each round


def play(scene, fault, number):
    """One round; a second one where only a delay was too long, since the machine may have been busy elsewhere."""
    for attempt in (0, 1):
        r = chaos.Round(*scene, fault, RATE, SECONDS, 100 * number + attempt)
        r.settle()
        row = r.play(2 * number + attempt)
        chaos.show(number, row)
        assert row["calls"] == RATE * SECONDS and row["failed"] == 0, row
        assert row["answered twice"] == 0 or row["left before"], row
        if row["good"]:
            return
    raise AssertionError(f"waited too long, twice: {row}")


def test_no_call_is_lost_however_the_primary_dies(lab):
    scene = chaos.stage(lab)
    print(chaos.HEAD)
    for number, fault in enumerate(chaos.FAULTS, 1):
        play(scene, fault, number)


def healthy(scene, calm, **kw):
    """A pair of which nobody dies; three times at most: a server that the machine gives no time for a few round trips while
    it is suspect counts as dead by the rule: it is left, or second sends move on, and calls are set up at both."""
    for attempt in range(3):
        row = chaos.loss(scene, rate=200, name=f"load{attempt}", **kw)
        print(f"    {row}")
        assert row["failed"] == 0, row
        if row["flips"] == 0 and row["answered twice"] <= 3 and calm(row):
            return
    raise AssertionError(f"moved, three times: {row}")


def test_one_percent_loss_moves_nothing(lab):
    """Both directions; what is lost is sent again, and hardly an INVITE reaches both members."""
    healthy(chaos.stage(lab, away_ms=FAR_MS), lambda row: row["at both"] <= 3 + 3 * row["calls"] / 1000, seconds=20)


def test_a_slow_server_under_load_is_left_alone(lab):
    """800 ms to its first answer: no flip, and no INVITE at its twin."""
    healthy(chaos.stage(lab, thinks_ms=800), lambda row: row["at both"] == 0, seconds=15, percent=0)


class Stalls:
    """Takes all time from a process for 300 ms, over and over, as a busy host does with a virtual machine."""

    def __init__(self, pid):
        self.pid, self.count = pid, 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ending.wait(1.2):
            os.kill(self.pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(self.pid, signal.SIGCONT)
            self.count += 1

    def stop(self):
        """How often."""
        self.ending.set()
        self.thread.join()
        return self.count


def test_a_data_plane_that_got_no_time_blames_no_member(lab):
    """Some 18 requests at a time wait for a server that thinks for 60 ms. What answered them while the data plane stood
    still waits in its queues, and is heard before anybody is found silent."""
    scene = chaos.stage(lab, thinks_ms=60)
    appliance = scene[2]
    blamed = lambda: sum(m["live"]["unanswered"] for m in appliance.ctl("stats", "show")["members"])
    chaos.settle(appliance)
    for attempt in (0, 1):  # a second time where the machine stood still for the servers, too
        before = blamed()
        stalls = Stalls(appliance.dataplane_pid())
        row = chaos.loss(scene, seconds=10, rate=300, percent=0, name=f"stalls{attempt}")
        count, wrong = stalls.stop(), blamed() - before
        print(f"    {count} stalls, {wrong} found silent: {row}")
        assert count >= 5 and row["failed"] == 0, row
        if wrong <= 5 * count and row["flips"] == row["at both"] == 0:
            return
    raise AssertionError(f"members were blamed for it: {count} stalls, {wrong} found silent, {row}")
