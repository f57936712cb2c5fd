/* Ways out: what is found, that it is remembered, and that it holds for one snapshot alone. */
#include "dataplane/io/dp_ways.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/leaks.h"

#define NEIGHS 16

/* A network half: a default route by a gateway, a link, a prefix that leads nowhere. */
static struct half {
	struct dp_net net;
	struct dp_net_port port[1];
	struct dp_net_addr addr[1];
	struct dp_net_route route[3];
	struct dp_net_len len[2];
	struct dp_net_neigh neigh[NEIGHS];
} half;

static struct dp_ways ways;

static struct sip_ip ip(const char *text)
{
	struct sip_ip a;

	cr_assert_eq(dp_ip_parse(text, &a), 0);
	return a;
}

static uint32_t at(const void *p)
{
	return (uint32_t)((const uint8_t *)p - (const uint8_t *)&half);
}

static struct dp_net_neigh *neighbour(const char *text, uint8_t mac)
{
	struct sip_ip a = ip(text);
	uint32_t i = dp_net_neigh_hash(0, &a) & (NEIGHS - 1);

	while (half.neigh[i].valid)
		i = (i + 1) & (NEIGHS - 1);
	half.neigh[i] = (struct dp_net_neigh){ .ip = a, .mac = { 2, 0, 0, 0, 0, mac }, .valid = 1 };
	return &half.neigh[i];
}

static void set_up(void)
{
	memset(&half, 0, sizeof(half));
	half.net.n_ports = 1;
	half.net.ports = at(half.port);
	half.port[0] = (struct dp_net_port){ .mac = { 2, 0, 0, 0, 1, 0 }, .up = 1 };
	half.net.n_addrs = 1;
	half.net.addrs = at(half.addr);
	half.addr[0] = (struct dp_net_addr){ .ip = ip("192.0.2.10") };
	half.net.n_routes = 3;
	half.net.routes = at(half.route);
	half.route[0] = (struct dp_net_route){ .prefix = ip("192.0.2.0"), .prefix_len = 120 };
	half.route[1] = (struct dp_net_route){ .prefix = ip("203.0.113.0"),
					       .prefix_len = 120,
					       .unreachable = 1 };
	half.route[2] = (struct dp_net_route){ .prefix = ip("0.0.0.0"),
					       .prefix_len = 96,
					       .gateway = ip("192.0.2.1") };
	half.net.n_lens = 2;
	half.net.lens = at(half.len);
	half.len[0] = (struct dp_net_len){ 0, 2, 120 };
	half.len[1] = (struct dp_net_len){ 2, 3, 96 };
	half.net.neigh_hash_size = NEIGHS;
	half.net.neighs = at(half.neigh);
	ways.n_ports = 1;
	ways.port[0] = (struct dp_ways_port){ .mtu = 1500, .exception_mtu = 1400 };
	dp_ways_begin(&ways, &half.net);
}

TestSuite(ways, .init = set_up, .fini = leaks_check);

/* Its Ethernet header: to this neighbour, from the port, for IPv4. */
static void expect_ether(const struct dp_way *w, const struct dp_net_neigh *n)
{
	uint8_t want[14] = { 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0x08, 0x00 };

	memcpy(want, n->mac, sizeof(n->mac));
	cr_expect_eq(memcmp(w->ether, want, sizeof(want)), 0);
}

static const struct dp_way *find(const char *text)
{
	struct sip_ip to = ip(text);

	return dp_ways_find(&ways, &to);
}

Test(ways, by_the_gateway_on_the_link_and_nowhere)
{
	const struct dp_net_neigh *gateway = neighbour("192.0.2.1", 1);
	const struct dp_net_neigh *host = neighbour("192.0.2.77", 77);

	for (int round = 0; round < 2; round++) {
		const struct dp_way *w = find("198.51.100.11");

		cr_assert(w);
		cr_expect_eq(w->neigh, gateway);
		expect_ether(w, gateway);
		w = find("192.0.2.77");
		cr_assert(w);
		cr_expect_eq(w->neigh, host);
		expect_ether(w, host);
		w = find("192.0.2.78");
		cr_assert(w);
		cr_expect_eq(w->neigh, NULL, "it is to be asked for");
		cr_expect_eq(w->next.b[15], 78);
		cr_expect(find("203.0.113.5") == NULL, "unreachable");
		cr_expect(find("192.0.2.10") == NULL, "our own");
		cr_expect(find("2001:db8::1") == NULL, "no route");
		cr_expect(find("::") == NULL, "the mark of an empty place is no destination");
	}
}

/* An IPv6 destination's header is of another type. */
Test(ways, the_header_is_of_the_destinations_family)
{
	static const uint8_t type[2] = { 0x86, 0xdd };
	const struct dp_way *w;

	half.route[2] = (struct dp_net_route){ 0 };
	half.len[1] = (struct dp_net_len){ 2, 3, 0 };
	dp_ways_begin(&ways, &half.net);
	neighbour("2001:db8::11", 11);
	w = find("2001:db8::11");
	cr_assert(w && w->neigh);
	cr_expect_eq(memcmp(w->ether, w->neigh->mac, 6), 0);
	cr_expect_eq(memcmp(w->ether + 12, type, sizeof(type)), 0);
}

/* The netdev's MTU counts where an operator lowered it below what it had at the start. */
Test(ways, a_ports_mtu_and_tag)
{
	static const struct {
		uint16_t netdev, vlan, mtu;
	} rows[] = {
		{ 0, 0, 1500 },    { 1400, 0, 1500 }, { 1500, 7, 1500 },
		{ 1399, 0, 1399 }, { 576, 7, 576 },
	};

	neighbour("192.0.2.77", 77);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct dp_way *w;

		half.port[0].mtu = rows[i].netdev;
		ways.port[0].vlan = rows[i].vlan;
		dp_ways_begin(&ways, &half.net);
		w = find("192.0.2.77");
		cr_assert(w);
		cr_expect_eq(w->mtu, rows[i].mtu, "row %zu: %u", i, w->mtu);
		cr_expect_eq(w->plain, rows[i].vlan == 0, "row %zu", i);
		cr_expect_eq(w->port, 0);
		w = find("192.0.2.78");
		cr_assert(w);
		cr_expect(!w->plain, "no neighbour, row %zu", i);
	}
}

Test(ways, addresses_beside_each_other_have_places_of_their_own)
{
	unsigned int used = 0;
	char text[16];

	for (int i = 1; i <= 32; i++) {
		snprintf(text, sizeof(text), "198.51.100.%d", i);
		cr_assert(find(text));
	}
	for (unsigned int i = 0; i < DP_WAYS; i++)
		used += dp_ip_is_v4(&ways.slot[i].to);
	cr_expect_geq(used, 28, "%u", used);
}

Test(ways, nothing_outlives_its_snapshot)
{
	struct dp_net_neigh *gateway;

	cr_expect_eq(find("198.51.100.11")->neigh, NULL);
	gateway = neighbour("192.0.2.1", 1);
	dp_ways_begin(&ways, &half.net);
	cr_expect_eq(find("198.51.100.11")->neigh, gateway);
	half.route[2].unreachable = 1;
	dp_ways_begin(&ways, &half.net);
	cr_expect(find("198.51.100.11") == NULL);
	dp_ways_begin(&ways, NULL);
	cr_expect(find("192.0.2.77") == NULL, "without a snapshot");
}
