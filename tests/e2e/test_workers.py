"""Several workers: a trunk on one port is spread over them, thousands of phones are not, and each transaction has one
worker whatever happens."""

import re
import struct
import time

from lab import wait_for
from rack import APPLIANCE4, Appliance, Rack
from sippload import FAR_MS, Load, Server
from test_dataplane import Alone, udp4
from test_network import CALLER4, SERVER4, body_of, fragments4, pattern, sip, udp

ALONE = True  # load or figures: nothing else beside it

SERVER4B = "198.51.100.12"
PATIENT = "oos-check: 500ms\noos-force: 200ms\nprobe-timeout: 2s\n"


def up(lab, top, device=None, extra=PATIENT):
    """A rack with both servers and the appliance, both members up."""
    rack = Rack(lab)
    servers = {name: Server(rack, name, away_ms=FAR_MS).start() for name in rack.servers}
    tap = rack.tap
    config = rack.config(rack.pair_config(extra=extra), top=top)
    if device:
        config = config.replace("net_af_xdp0,iface=wire0", device)
    if device and "af_packet" in device:  # the kernel sees the packets too, and must not answer them itself
        rack.appliance_ns.exec("nft", "add table inet off; add chain inet off in { type filter hook input priority 0; };"
                               " add rule inet off in iifname wire0 drop")
    appliance = Appliance(rack, config).start()
    appliance.wait_up("east-a", "east-b")
    return rack, servers, appliance, tap


def workers(appliance):
    return appliance.ctl("stats", "show")["workers"]


def finish(load, calls, appliance):
    status = load.wait()
    created, ok, failed, _ = load.figures()
    assert (status, created, ok, failed) == (0, calls, calls, 0), (created, ok, failed, load.errors()[-500:], workers(appliance))


def lost(seen):
    return {name: n for w in seen for name, n in w["drops"].items() if n}


def even(counts, share, calls):
    """Whether each is its share of the calls, to within six standard deviations of a fair choice."""
    bound = 6 * (calls * share * (1 - share)) ** 0.5
    return all(abs(n - calls * share) <= bound for n in counts)


def test_a_trunk_is_spread_evenly_over_workers_without_queues(lab):
    calls = 800
    rack, _, appliance, tap = up(lab, "workers: 4\nspread: always\n")  # AF_XDP on a veth has one queue
    finish(Load(rack, calls, 200, hold_ms=200), calls, appliance)  # from one port
    seen = workers(appliance)
    assert [w["packets"] > 0 for w in seen] == [True, False, False, False]
    # INVITE, ACK and BYE of a call are one worker's; each call is two transactions, recorded once.
    assert even([w["records_made"] / 2 for w in seen], 1 / 4, calls), seen
    assert even([w["sip_requests"] / 3 for w in seen], 1 / 4, calls), seen
    assert sum(w["records_made"] for w in seen) == 2 * calls, seen
    assert seen[0]["handed_requests"] + seen[0]["handed_responses"] == sum(w["handed_in"] for w in seen[1:]), seen
    assert lost(seen) == {}, lost(seen)
    assert tap.bad() == []


def test_the_primary_dies_under_a_spread_trunk(lab):
    calls = 1600
    rack, servers, appliance, tap = up(lab, "workers: 3\nspread: always\n",
                                       extra=PATIENT + "failback: [ immediate ]\nfailback-hold: 2s\n")
    load = Load(rack, calls, 200, hold_ms=1500)
    time.sleep(2)
    servers["a"].kill()
    appliance.wait_active("east-b", 6)
    time.sleep(1)
    servers["a"].start()
    appliance.wait_active("east-a", 15)
    finish(load, calls, appliance)
    seen = workers(appliance)
    # Retransmissions and what follows them found their record: none was made twice.
    assert sum(w["records_made"] for w in seen) == 2 * calls, seen
    assert even([w["records_made"] / 2 for w in seen], 1 / 3, calls), seen
    assert tap.bad() == []


def test_thousands_of_phones_are_spread_by_the_device_alone(lab):
    calls = 2000
    rack, _, appliance, tap = up(lab, "workers: 2\n", "net_af_packet0,iface=wire0,qpairs=2")
    # A socket, and so a port, for each call.
    finish(Load(rack, calls, 200, hold_ms=100, extra=("-t", "un", "-max_socket", "2000")), calls, appliance)
    seen = workers(appliance)
    assert all(w["packets"] > 0 for w in seen), seen
    assert sum(w["handed_requests"] for w in seen) == 0, seen
    # A member answers from one port: its responses come to one worker, which hands on those of the other.
    assert sum(w["handed_responses"] for w in seen) == sum(w["handed_in"] for w in seen), seen
    assert sum(w["records_made"] for w in seen) == 2 * calls, seen
    assert even([w["records_made"] / 2 for w in seen], 1 / 2, calls), seen
    assert lost(seen) == {}, lost(seen)
    assert tap.bad() == []


def pcap(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for p in packets:
            f.write(struct.pack("<IIII", 0, 0, len(p), len(p)) + p)


def trunk_frames(n, mac=b"\2\0\0\0\0\1"):
    """So many MESSAGE requests of one source, each a transaction and a call of its own."""
    for i in range(n):
        text = (
            f"MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-{i}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag={i}\r\nTo: <sip:b@example.com>\r\n"
            f"Call-ID: trunk-{i}\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        yield mac + b"\2\0\0\0\0\7\x08\0" + udp4("203.0.113.10", APPLIANCE4, text)


def replaying(lab, queues, settings=""):
    """A data plane of four workers that receives files of the lab again and again, one on each queue."""
    rack = Rack(lab)
    files = "".join(f",rx_pcap={lab.dir}/{q}.pcap" for q in queues)
    config = rack.config(top=f"workers: 4\n{settings}hand-over-ring: 8192\nrecord-hold: 600s\n").replace(
        "net_af_xdp0,iface=wire0", f"net_pcap0{files},infinite_rx=1")
    dp = Alone(lab, rack, config)
    assert dp.drive()[0] == "running", dp.process.tail()
    dp.ns.ip("neigh", "replace", "192.0.2.1", "lladdr", "02:00:00:00:00:07", "dev", "net0", "nud", "permanent")
    return dp


def test_a_trunk_that_fills_its_queue_turns_hot_and_no_transaction_changes_its_worker(lab):
    n = 20000
    pcap(f"{lab.dir}/trunk.pcap", trunk_frames(n))
    dp = replaying(lab, ["trunk"])

    # The file goes round and round, as fast as it is taken: what is dropped on a full ring comes again, as a
    # retransmission would.
    wait_for("every transaction to be recorded", lambda: sum(w["records"] for w in dp.workers(4)) >= n, 20, 0.5)
    time.sleep(2)
    seen = dp.workers(4)
    assert sum(w["records"] for w in seen) == n, seen  # more would be transactions with two workers
    assert seen[0]["packets"] > 3 * n and seen[0]["handed-requests"] > 0, seen
    # All that came once it was hot is shared alike; what came before stayed where it was.
    spread = n - (seen[0]["records"] - sum(w["records"] for w in seen[1:]) / 3)
    assert even([w["records"] for w in seen[1:]], 1 / 4, spread), seen


def collect(server, seconds):
    """Messages that come until none has come for so long."""
    server.settimeout(seconds)
    while True:
        try:
            yield server.recvfrom(70000)[0]
        except TimeoutError:
            return


def field(message, name):
    return re.search(rb"^%s: *([^\r\n]*)" % name.encode(), message, re.M).group(1).decode()


def test_an_icmp_error_reaches_the_worker_that_owns_the_request(lab):
    """The primary's host answers with port unreachable: to worker 0, whose queue is the only one."""
    rack = Rack(lab)
    rack.servers["a"].sysctl("net.ipv4.icmp_ratelimit", 0)
    # Nothing but an error moves a request that was sent eight times at most, within half a minute.
    pairs = rack.pair_config(extra="retry-counts: 10\nno-response-timeout: 30s\n")
    dp = Alone(lab, rack, rack.config(pairs, top="workers: 3\nspread: always\n"))
    assert dp.drive()[0] == "running", dp.process.tail()
    phone, second = udp(rack.callers, CALLER4), udp(rack.servers["b"], SERVER4B)
    waiting = {}
    for _ in range(30):
        text = sip("INVITE", CALLER4, uri="sip:b@example.com")
        waiting[field(text, "Call-ID")] = text
    for _ in range(8):
        for text in waiting.values():
            phone.sendto(text, (APPLIANCE4, 5060))
        for message in collect(second, 1):
            waiting.pop(field(message, "Call-ID"), None)
        if not waiting:
            break
    assert not waiting, (len(waiting), dp.workers(3))
    stats = dp.stats()
    assert stats["handed-others"] >= 1 and stats["icmp-absorbed"] == stats["icmp-errors"] >= 30, stats
    # An error that came back is handed on if its request was; nothing else is.
    assert stats["handed-in"] == stats["handed-requests"] + stats["handed-others"], stats
    assert min(w["records"] for w in dp.workers(3)) > 0, dp.workers(3)


def test_a_trunk_of_fragmented_requests_is_spread_in_order(lab):
    calls, rounds = 60, 5
    rack = Rack(lab, servers=("a",))
    dp = Alone(lab, rack, rack.config(rack.pair_config(members=("a",)), top="workers: 3\nspread: always\n"))
    assert dp.drive()[0] == "running", dp.process.tail()
    trunk, server = udp(rack.callers, CALLER4), udp(rack.servers["a"], SERVER4)
    texts = {}
    for n in range(1, rounds + 1):
        for c in range(calls):
            text = sip("MESSAGE", CALLER4, pattern(3000), "sip:b@example.com").decode()
            text = re.sub(r"Call-ID: \S+", f"Call-ID: trunk-{c}", text).replace("CSeq: 1 ", f"CSeq: {n} ")
            texts[f"trunk-{c}", n] = text.encode()
    arrived, late = {}, 0
    for _ in range(4):  # what is lost on a busy machine is sent again, as endpoints do
        for n in range(1, rounds + 1):
            for c in range(calls):
                if (f"trunk-{c}", n) not in arrived:
                    trunk.sendto(texts[f"trunk-{c}", n], (APPLIANCE4, 5060))
                time.sleep(0.001)
        last = {}
        for message in collect(server, 1):
            call, n = field(message, "Call-ID"), int(field(message, "CSeq").split()[0])
            assert body_of(message) == pattern(3000)
            if (call, n) in arrived:
                continue
            late += n < last.get(call, 0)
            last[call] = arrived[call, n] = n
        if len(arrived) == len(texts):
            break
    assert len(arrived) == len(texts), len(arrived)
    assert late == 0, f"{late} messages were overtaken by later ones of their Call-ID"
    seen = dp.workers(3)
    assert seen[0]["reassembled"] >= len(texts) and sum(w["reassembled"] for w in seen[1:]) == 0, seen
    # Of each Call-ID all is at one worker, and the Call-IDs are spread evenly.
    assert sum(w["records"] for w in seen) == len(texts), seen
    assert all(w["records"] % rounds == 0 for w in seen) and even([w["records"] / rounds for w in seen], 1 / 3, calls), seen


def test_fragments_on_several_queues_meet_and_their_requests_have_one_worker(lab):
    """The two halves of each request come on two queues, in other orders; every request comes again and again."""
    n = 100
    queues = [[], []]
    for i in range(n):
        text = sip("MESSAGE", CALLER4, pattern(1200), "sip:b@example.com")
        for half, packet in enumerate(fragments4(CALLER4, text, (800,), 1000 + i)):
            queues[(half + i) % 2].append(b"\2\0\0\0\0\1\2\0\0\0\0\7\x08\0" + packet)
    for q, frames in enumerate(queues):
        pcap(f"{lab.dir}/queue{q}.pcap", frames)
    dp = replaying(lab, ["queue0", "queue1"], "spread: never\n")
    wait_for("every request", lambda: sum(w["records"] for w in dp.workers(4)) >= n, 30, 0.5)
    time.sleep(2)
    seen = dp.workers(4)
    assert seen[0]["packets"] > 0 and seen[1]["packets"] > 0, seen
    # They are put together by one of the workers, whichever their source names, and belong to the one of their Call-ID.
    assert sorted(w["reassembled"] > 0 for w in seen) == [False, False, False, True], seen
    assert sum(w["reassembled"] for w in seen) > 10 * n, seen  # each many times
    assert sum(w["records"] for w in seen) == n, seen  # more would be transactions with two workers
    assert even([w["records"] for w in seen], 1 / 4, n), seen
