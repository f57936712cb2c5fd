"""What a worker with nothing to do costs, and what its sleep adds to a lone packet.

In network namespaces of its own: a data plane on AF_XDP over veth, `idle: poll` and then `idle: adaptive`, and one on
virtio_user, whose host is net_vhost in another process (dpdk-testpmd, which polls, and leaves no core for round trips to be
measured), and one on a device without receive interrupts (net_pcap). CPU time is the worker thread's own, from /proc, over some seconds without any packet: in percent of a core, and
for each time that it woke up. A lone packet is an OPTIONS that the appliance answers, sent after pauses of random length: median and 95th percentile
of the round trip, and what `adaptive` adds to those of `poll`. Worker and sender have a core each, at real-time priority,
so that other work on the machine is not what is measured; two cores are needed."""

import os
import pathlib
import random
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

SECONDS = 4
PACKETS = 400


def _worker(pid):
    """Thread id of the only worker."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as f:
            if "worker" in f.read():
                return int(task)
    raise RuntimeError("the data plane has no worker")


def _cpu_s(thread):
    with open(f"/proc/{thread}/schedstat") as f:
        return int(f.read().split()[0]) / 1e9


def _alone_on(cpu, thread):
    os.sched_setaffinity(thread, {cpu})
    os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(10))


def _round_trips_us(sock, request):
    out = []
    for i in range(PACKETS + 20):
        time.sleep(random.uniform(0.001, 0.004))
        data = request("OPTIONS", "192.0.2.1")
        begin = time.perf_counter_ns()
        sock.sendto(data, ("192.0.2.10", 5060))
        sock.recv(2000)
        if i >= 20:  # the first ones warm up caches and neighbours
            out.append((time.perf_counter_ns() - begin) / 1000)
    return sorted(out)


def _rack(device, lab):
    from rack import Rack
    from test_virtio import VirtioRack

    return VirtioRack(lab) if device == "virtio_user" else Rack(lab)


def _measure(device, idle):
    from lab import Lab
    from test_dataplane import Alone, request
    from test_workers import pcap

    with Lab() as lab:
        rack = _rack(device, lab)
        config = rack.config(top=f"idle: {idle}\n", service="answers-per-second: 0")
        if device == "net_pcap":
            config = config.replace(rack.device(0), f"net_pcap0,rx_pcap={lab.dir}/nothing.pcap")
            pcap(f"{lab.dir}/nothing.pcap", [])
        dp = Alone(lab, rack, config)
        if dp.drive()[0] != "running":
            raise RuntimeError(dp.process.tail())
        if device != "net_pcap":
            dp.ping(count=2)
        worker = _worker(dp.process.pid)
        _alone_on(1, worker)
        time.sleep(3)  # until sleeps are as long as they become
        begin, cpu, sleeps = time.monotonic(), _cpu_s(worker), dp.stats()["sleeps"]
        time.sleep(SECONDS)
        span, cpu, sleeps = time.monotonic() - begin, _cpu_s(worker) - cpu, dp.stats()["sleeps"] - sleeps
        result = {"cpu_percent": 100 * cpu / span, "sleeps_per_s": sleeps / span,
                  "us_per_wake": 1e6 * cpu / sleeps if sleeps else None}
        if device != "AF_XDP":
            dp.stop()
            return result
        sock = rack.router.socket()
        sock.bind(("192.0.2.1", 5999))
        sock.settimeout(2)
        _alone_on(0, 0)
        try:
            trips = _round_trips_us(sock, request)
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.sched_setaffinity(0, range(os.cpu_count()))
        sock.close()
        dp.stop()
    return {**result, "median_us": statistics.median(trips), "p95_us": trips[len(trips) * 95 // 100]}


def run():
    """{device: {setting: figures}}, and what adaptive adds to a lone packet."""
    results = {"AF_XDP": {idle: _measure("AF_XDP", idle) for idle in ("poll", "adaptive")},
               **{device: {"adaptive": _measure(device, "adaptive")} for device in ("virtio_user", "net_pcap")}}
    result = results["AF_XDP"]
    for key in ("median_us", "p95_us"):
        result[f"added_{key}"] = result["adaptive"][key] - result["poll"][key]
    return results


def show(results):
    lines = ["device       idle      worker's CPU [%]  sleeps [/s]  CPU per wake-up [us]  lone packet's round trip [us]: median    95 %"]
    for device, idle in (("AF_XDP", "poll"), ("AF_XDP", "adaptive"), ("virtio_user", "adaptive"), ("net_pcap", "adaptive")):
        r = results[device][idle]
        wake = f"{r['us_per_wake']:.2f}" if r["us_per_wake"] else "-"
        trips = f" {r['median_us']:38.1f} {r['p95_us']:7.1f}" if "median_us" in r else ""
        lines.append(f"{device:12} {idle:9} {r['cpu_percent']:16.1f} {r['sleeps_per_s']:12.0f} {wake:>21}{trips}")
    added = results["AF_XDP"]
    lines.append(f"adaptive adds {added['added_median_us']:.1f} us to the median, {added['added_p95_us']:.1f} us at 95 %")
    return lines


if __name__ == "__main__":
    print("\n".join(show(run())))
