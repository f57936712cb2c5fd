/* The mirror against a real kernel, in a namespace of the test's own, with a wire in its hands. */
#include "control/net/ctl_mirror.h"

#include <criterion/criterion.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/net/ctl_netdev.h"
#include "tests/control/net_bench.h"

static const uint8_t PEER_MAC[6] = { 2, 0, 0, 0, 0, 9 };
static const uint8_t PEER4[4] = { 192, 0, 2, 1 };

/* The last view, copied. */
struct seen {
	struct event_base *base;
	struct ctl_netlink *nl;
	struct ctl_mirror *m;
	unsigned int n, refuse, n_away;
	bool away;
	struct ctl_net_view v;
	struct dp_net_port ports[DP_MAX_PORTS];
	struct dp_net_addr addrs[64];
	struct dp_net_route routes[512];
	struct dp_net_neigh neighs[2048];
};

static struct seen seen;

static bool publish(void *arg, const struct ctl_net_view *v)
{
	struct seen *s = arg;

	if (s->refuse) {
		s->refuse--;
		return false;
	}
	s->n++;
	s->v = *v;
	cr_assert_leq(v->n_addrs, 64);
	cr_assert_leq(v->n_routes, 512);
	cr_assert_leq(v->n_neighs, 2048);
	memcpy(s->ports, v->ports, v->n_ports * sizeof(*v->ports));
	if (v->n_addrs)
		memcpy(s->addrs, v->addrs, v->n_addrs * sizeof(*v->addrs));
	if (v->n_routes)
		memcpy(s->routes, v->routes, v->n_routes * sizeof(*v->routes));
	if (v->n_neighs)
		memcpy(s->neighs, v->neighs, v->n_neighs * sizeof(*v->neighs));
	return true;
}

static void away(void *arg, bool is)
{
	struct seen *s = arg;

	s->away = is;
	s->n_away += is;
}

static struct sip_ip ip(const char *text)
{
	struct sip_ip out = { 0 };

	cr_assert_eq(dp_ip_parse(text, &out), 0, "%s", text);
	return out;
}

static const struct dp_net_route *route(const char *prefix, unsigned int prefix_len)
{
	struct sip_ip p = ip(prefix);

	for (size_t i = 0; i < seen.v.n_routes; i++) {
		if (seen.routes[i].prefix_len == prefix_len
		    && dp_ip_equal(&seen.routes[i].prefix, &p))
			return &seen.routes[i];
	}
	return NULL;
}

static const struct dp_net_neigh *neigh(unsigned int port, const char *address)
{
	struct sip_ip a = ip(address);

	for (size_t i = 0; i < seen.v.n_neighs; i++) {
		if (seen.neighs[i].port == port && dp_ip_equal(&seen.neighs[i].ip, &a))
			return &seen.neighs[i];
	}
	return NULL;
}

static const struct dp_net_addr *address(const char *text)
{
	struct sip_ip a = ip(text);

	for (size_t i = 0; i < seen.v.n_addrs; i++) {
		if (dp_ip_equal(&seen.addrs[i].ip, &a))
			return &seen.addrs[i];
	}
	return NULL;
}

/* Run the loop until a condition holds; a test that hangs is ended by Criterion's time-out. */
#define UNTIL(condition)                                         \
	do {                                                     \
		while (!(condition))                             \
			event_base_loop(seen.base, EVLOOP_ONCE); \
	} while (0)

/* Run the loop for a while in which something must not happen, or may. */
static void run_for(int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(seen.base, &tv);
	event_base_dispatch(seen.base);
}

static void begin(unsigned int n_ports, const unsigned int *ifindex)
{
	struct ctl_mirror_params p = { .publish = publish, .away = away, .arg = &seen };

	seen.base = event_base_new();
	seen.nl = ctl_netlink_open();
	cr_assert(seen.base && seen.nl);
	p.base = seen.base;
	p.netlink = seen.nl;
	seen.m = ctl_mirror_new(&p);
	cr_assert(seen.m);
	ctl_mirror_resume(seen.m, n_ports, ifindex);
	UNTIL(ctl_mirror_in_step(seen.m));
}

static void end(void)
{
	ctl_mirror_free(seen.m);
	ctl_netlink_close(seen.nl);
	event_base_free(seen.base);
}

/* A host whose link-local address is tentative solicits nobody (RFC 4861 7.2.2). */
static void enter(void)
{
	bench_enter();
	bench_run("echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad");
	bench_run("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
}

static int one_port(void)
{
	unsigned int ifindex;
	int wire;

	enter();
	wire = bench_tap("net0", &ifindex);
	bench_run("ip addr add 192.0.2.10/24 brd + dev net0");
	bench_run("ip -6 addr add 2001:db8::10/64 dev net0 nodad");
	bench_run("ip link set net0 up");
	begin(1, &ifindex);
	return wire;
}

TestSuite(mirror, .timeout = 60);

Test(mirror, reads_what_is_there)
{
	unsigned int ifindex[2];

	enter();
	bench_tap("net0", &ifindex[0]);
	bench_tap("net1", &ifindex[1]);
	bench_tap("mgmt", &(unsigned int){ 0 });
	bench_run("ip link set net0 up mtu 1400 address 02:00:00:00:00:01");
	bench_run("ip link set net1 up; ip link set mgmt up");
	bench_run("ip addr add 192.0.2.10/24 brd + dev net0");
	bench_run("ip addr add 198.51.100.10/24 brd + dev net1");
	bench_run("ip addr add 203.0.113.10/24 dev mgmt");
	bench_run("ip -6 addr add 2001:db8::10/64 dev net1 nodad");
	bench_run("ip route add default via 192.0.2.1");
	bench_run("ip route add 10.1.0.0/16 via 203.0.113.1");
	bench_run("ip route add unreachable 10.2.0.0/16");
	bench_run(
		"ip route add 10.3.0.0/16 metric 7 nexthop via 203.0.113.1 nexthop via 192.0.2.3");
	bench_run("ip route add 10.4.0.0/16 via inet6 2001:db8::1 dev net1");
	bench_run("ip route add 10.5.0.0/16 via 192.0.2.1 table 100");
	bench_run("ip -6 route add 2001:db8:9::/48 via 2001:db8::1");
	bench_run("ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud permanent");
	bench_run("ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:08 dev net1 nud stale");
	bench_run("ip neigh add 203.0.113.1 lladdr 02:00:00:00:00:07 dev mgmt nud permanent");
	begin(2, ifindex);

	cr_expect_eq(seen.v.n_ports, 2);
	cr_expect_eq(seen.ports[0].mtu, 1400);
	cr_expect(seen.ports[0].up && seen.ports[1].up);
	cr_expect_eq(memcmp(seen.ports[0].mac, (uint8_t[]){ 2, 0, 0, 0, 0, 1 }, 6), 0);
	cr_expect_eq(address("192.0.2.10")->prefix_len, 120);
	cr_expect_not(address("192.0.2.10")->broadcast);
	cr_expect(address("192.0.2.255")->broadcast);
	cr_expect_eq(address("198.51.100.10")->port, 1);
	cr_expect_eq(address("2001:db8::10")->prefix_len, 64);
	cr_expect_null(address("203.0.113.10"), "of a netdev that is not ours");
	cr_expect(dp_ip_equal(&route("0.0.0.0", 96)->gateway, &(struct sip_ip){ 0 }) == false);
	cr_expect_eq(route("198.51.100.0", 120)->port, 1);
	cr_expect(route("10.1.0.0", 112)->unreachable, "through a netdev that is not ours");
	cr_expect(route("10.2.0.0", 112)->unreachable);
	cr_expect_not(route("10.3.0.0", 112)->unreachable, "one of its next hops is ours");
	cr_expect_eq(route("10.3.0.0", 112)->metric, 7);
	cr_expect(dp_ip_equal(&route("10.3.0.0", 112)->gateway,
			      &(struct sip_ip[]){ ip("192.0.2.3") }[0]));
	cr_expect(dp_ip_equal(&route("10.4.0.0", 112)->gateway,
			      &(struct sip_ip[]){ ip("2001:db8::1") }[0]));
	cr_expect_null(route("10.5.0.0", 112), "of another table");
	cr_expect_eq(route("2001:db8:9::", 48)->port, 1);
	cr_expect(route("192.0.2.10", 128)->unreachable, "leads to this host");
	cr_expect_eq(memcmp(neigh(0, "192.0.2.1")->mac, PEER_MAC, 6), 0);
	cr_expect(neigh(1, "198.51.100.1"));
	cr_expect_null(neigh(0, "203.0.113.1"));
	cr_expect_eq(seen.n, 1, "handed on once, when all was read: %u", seen.n);
	end();
}

Test(mirror, follows_changes)
{
	one_port();
	bench_run("ip route add 10.1.0.0/16 via 192.0.2.1");
	UNTIL(route("10.1.0.0", 112));
	bench_run("ip route replace 10.1.0.0/16 via 192.0.2.2");
	UNTIL(route("10.1.0.0", 112)->gateway.b[15] == 2);
	bench_run("ip route del 10.1.0.0/16");
	UNTIL(!route("10.1.0.0", 112));
	bench_run("ip addr add 192.0.2.20/32 dev net0");
	UNTIL(address("192.0.2.20"));
	bench_run("ip addr del 192.0.2.20/32 dev net0");
	UNTIL(!address("192.0.2.20"));
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud reachable");
	UNTIL(neigh(0, "192.0.2.1"));
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:0a dev net0 nud reachable");
	UNTIL(neigh(0, "192.0.2.1")->mac[5] == 10);
	bench_run("ip neigh del 192.0.2.1 dev net0");
	UNTIL(!neigh(0, "192.0.2.1"));
	bench_run("ip link set net0 mtu 1300");
	UNTIL(seen.ports[0].mtu == 1300);
	end();
}

Test(mirror, routes_that_go_without_a_word_with_their_link_are_noticed)
{
	one_port();
	bench_run("ip route add 10.1.0.0/16 via 192.0.2.1");
	UNTIL(route("10.1.0.0", 112));
	bench_run("ip link set net0 down");
	UNTIL(!route("10.1.0.0", 112));
	cr_expect_not(seen.ports[0].up);
	bench_run("ip link set net0 up");
	UNTIL(seen.ports[0].up && route("192.0.2.0", 120));
	end();
}

Test(mirror, a_missed_next_hop_is_resolved)
{
	int wire = one_port();
	struct sip_ip peer = ip("192.0.2.1");

	ctl_mirror_miss(seen.m, 0, &peer);
	cr_assert(bench_answer_arp(wire, PEER4, PEER_MAC, 10000));
	UNTIL(neigh(0, "192.0.2.1"));
	cr_expect_eq(memcmp(neigh(0, "192.0.2.1")->mac, PEER_MAC, 6), 0);
	end();
}

Test(mirror, a_missed_ipv6_next_hop_is_solicited)
{
	int wire = one_port();
	struct sip_ip peer = ip("2001:db8::1");

	ctl_mirror_miss(seen.m, 0, &peer);
	cr_expect(bench_sees_solicitation(wire, peer.b, 10000));
	end();
}

/* The kernel does not see the traffic: without this it would never confirm what it doubts. */
Test(mirror, a_used_next_hop_is_confirmed)
{
	int wire = one_port();
	struct sip_ip peer = ip("192.0.2.1");

	bench_run("echo 1 > /proc/sys/net/ipv4/neigh/net0/delay_first_probe_time");
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud stale");
	UNTIL(neigh(0, "192.0.2.1"));
	ctl_mirror_used(seen.m, 0, &peer);
	cr_assert(bench_answer_arp(wire, PEER4, PEER_MAC, 10000));
	while (!bench_shows("REACHABLE", "ip neigh show dev net0"))
		run_for(20);
	cr_expect(neigh(0, "192.0.2.1"));
	end();
}

Test(mirror, a_next_hop_that_does_not_answer_is_no_longer_valid)
{
	one_port();
	bench_run("echo 100 > /proc/sys/net/ipv4/neigh/net0/retrans_time_ms");
	bench_run("echo 0 > /proc/sys/net/ipv4/neigh/net0/delay_first_probe_time");
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud stale");
	UNTIL(neigh(0, "192.0.2.1"));
	ctl_mirror_used(seen.m, 0, &(struct sip_ip[]){ ip("192.0.2.1") }[0]);
	UNTIL(!neigh(0, "192.0.2.1"));
	end();
}

Test(mirror, lost_notifications_lead_to_reading_all_anew)
{
	one_port();
	/* far more than the socket holds, while nobody reads */
	bench_run("for mac in 1 2; do for i in $(seq 20 219); do echo neigh replace 192.0.2.$i"
		  " lladdr 02:00:00:00:00:0$mac dev net0 nud permanent; done; done"
		  " >net_mirror_test.batch;"
		  "for i in $(seq 80); do ip -batch net_mirror_test.batch; done;"
		  "rm net_mirror_test.batch");
	bench_run("ip neigh del 192.0.2.30 dev net0");
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud permanent");
	bench_run("ip route add 10.7.0.0/16 via 192.0.2.1");
	UNTIL(neigh(0, "192.0.2.1") && route("10.7.0.0", 112));
	UNTIL(ctl_mirror_in_step(seen.m));
	cr_expect_gt(ctl_mirror_overflows(seen.m), 0);
	cr_expect_null(neigh(0, "192.0.2.30"));
	cr_expect(neigh(0, "192.0.2.31"));
	end();
}

Test(mirror, changes_gather_while_the_view_cannot_be_taken)
{
	unsigned int n;

	one_port();
	run_for(20);
	n = seen.n;
	seen.refuse = 3;
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud reachable");
	bench_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:0a dev net0 nud reachable");
	UNTIL(neigh(0, "192.0.2.1"));
	cr_expect(neigh(0, "192.0.2.2"));
	cr_expect_eq(seen.n, n + 1);
	cr_expect_eq(seen.refuse, 0);
	end();
}

Test(mirror, what_changes_nothing_is_not_handed_on)
{
	unsigned int n;

	one_port();
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud reachable");
	UNTIL(neigh(0, "192.0.2.1"));
	run_for(20);
	n = seen.n;
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud stale");
	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud delay");
	run_for(50);
	cr_expect_eq(seen.n, n);
	end();
}

/* The kernel may take its time between a dying process's netdev and its socket. */
Test(mirror, a_netdev_that_is_gone_is_not_said_for_long)
{
	int wire = one_port();

	close(wire);
	UNTIL(seen.away);
	run_for(1000);
	cr_expect(seen.ports[0].up);
	cr_expect(route("192.0.2.0", 120));
	cr_expect(seen.away);
	end();
}

/* A data plane that dies takes its netdevs along; its successor's get what was known. */
Test(mirror, stands_still_while_the_netdev_is_gone)
{
	int wire = one_port();
	unsigned int ifindex, n;

	bench_run("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev net0 nud reachable");
	UNTIL(neigh(0, "192.0.2.1"));
	run_for(20);
	n = seen.n;
	close(wire);
	run_for(50);
	ctl_mirror_suspend(seen.m);
	run_for(300);
	cr_expect_eq(seen.n, n, "nothing is handed on meanwhile");
	cr_expect(seen.away);

	bench_tap("net0", &ifindex);
	bench_run("ip addr add 192.0.2.10/24 dev net0; ip link set net0 up");
	ctl_mirror_resume(seen.m, 1, &ifindex);
	UNTIL(ctl_mirror_in_step(seen.m));
	cr_expect_eq(seen.n, n + 1);
	cr_expect_not(seen.away);
	cr_expect_eq(seen.n_away, 1);
	cr_expect(neigh(0, "192.0.2.1"), "known from before");
	cr_expect(bench_shows("lladdr 02:00:00:00:00:09 STALE", "ip neigh"));
	end();
}

Test(mirror, a_netdev_that_is_set_down_is_said_after_a_grace)
{
	one_port();
	cr_expect(seen.ports[0].up);
	bench_run("ip link set net0 down");
	UNTIL(seen.away);
	cr_expect(seen.ports[0].up, "not said yet");
	UNTIL(!seen.ports[0].up);
	cr_expect_not(seen.away);
	cr_expect_null(route("192.0.2.0", 120));
	end();
}
