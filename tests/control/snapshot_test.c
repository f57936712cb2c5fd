/*
 * Snapshots: numbers that stay, look-ups that find what the model says, and a publisher that never
 * takes bytes away from a worker.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/snapshot/ctl_snapshot.h"
#include "dataplane/steer/steer_maglev.h"

#define HEAP_SIZE (1u << 20)

/* A model in static storage: strings are literals, so ctl_model_free() is never called on it. */

static struct dp_endpoint endpoint(const char *ip, uint16_t port)
{
	struct dp_endpoint e = { .port = port };

	cr_assert(dp_ip_parse(ip, &e.ip) == 0);
	return e;
}

static struct ctl_member member(const char *name, enum dp_role role, const char *ip, uint16_t port)
{
	return (struct ctl_member){ .name = (char *)(uintptr_t)name,
				    .role = role,
				    .at = endpoint(ip, port),
				    .methods = UINT32_MAX };
}

struct fixture {
	struct ctl_model model;
	struct ctl_member east[4], west[2];
	struct ctl_source sources[2];
	struct ctl_pair pairs[2];
	struct ctl_listen listens[2];
	struct ctl_service services[1];
	unsigned int list[2];
	struct ctl_secrets secrets;
};

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){
		.east = { member("east-a", DP_ROLE_PRIMARY, "198.51.100.11", 5060),
			  member("east-b", DP_ROLE_BACKUP, "198.51.100.12", 5060) },
		.west = { member("west-a", DP_ROLE_PRIMARY, "198.51.100.21", 5060),
			  member("west-b", DP_ROLE_BACKUP, "2001:db8::22", 5070) },
		.list = { 0, 1 },
		.secrets = { .n = 1 },
	};
	f->sources[0] =
		(struct ctl_source){ .ip = endpoint("198.51.100.0", 0).ip, .prefix_len = 120 };
	f->pairs[0] = (struct ctl_pair){
		.name = "east", .weight = 1, .n_members = 2, .members = f->east
	};
	f->pairs[1] = (struct ctl_pair){
		.name = "west",
		.weight = 1,
		.n_members = 2,
		.members = f->west,
		.n_sources = 1,
		.sources = f->sources,
		.has_egress = true,
		.egress = { endpoint("192.0.2.99", 5060) },
		.egress_port = { 1 },
	};
	f->listens[0] = (struct ctl_listen){ .at = endpoint("192.0.2.10", 5060) };
	f->listens[1] = (struct ctl_listen){ .at = endpoint("2001:db8::10", 5060) };
	f->services[0] = (struct ctl_service){ .name = "voice",
					       .n_listens = 2,
					       .listens = f->listens,
					       .n_pairs = 2,
					       .pairs = f->list,
					       .retry_after_ms = 1500 };
	f->model = (struct ctl_model){ .instance = "one",
				       .n_services = 1,
				       .services = f->services,
				       .n_pairs = 2,
				       .pairs = f->pairs };
}

Test(numbers, stay_across_reloads_whatever_the_order)
{
	struct fixture f;
	struct ctl_numbers *n = ctl_numbers_new();
	struct ctl_pair swap;
	int east, east_b;

	fixture_init(&f);
	cr_assert(ctl_numbers_assign(n, &f.model, 1000) == 0);
	east = ctl_numbers_pair(n, "east");
	east_b = ctl_numbers_slot(n, "east", "east-b");
	cr_assert(east >= 0 && east_b >= 0);
	swap = f.pairs[0];
	f.pairs[0] = f.pairs[1];
	f.pairs[1] = swap;
	f.east[0] = member("east-b", DP_ROLE_PRIMARY, "198.51.100.12", 5060);
	f.east[1] = member("east-new", DP_ROLE_BACKUP, "198.51.100.13", 5060);
	cr_assert(ctl_numbers_assign(n, &f.model, 2000) == 0);
	cr_expect(ctl_numbers_pair(n, "east") == east);
	cr_expect(ctl_numbers_slot(n, "east", "east-b") == east_b);
	cr_expect(ctl_numbers_slot(n, "east", "east-a") == -ENOENT);
	cr_expect(ctl_numbers_slot(n, "east", "east-new") != 0,
		  "east-a's slot is not given away yet");
	ctl_numbers_free(n);
}

Test(numbers, change_hands_only_after_the_grace_period)
{
	struct fixture f;
	struct ctl_numbers *n = ctl_numbers_new();
	int west;

	fixture_init(&f);
	cr_assert(ctl_numbers_assign(n, &f.model, 1000) == 0);
	west = ctl_numbers_pair(n, "west");
	f.model.n_pairs = 1;
	f.services[0].n_pairs = 1;
	cr_assert(ctl_numbers_assign(n, &f.model, 2000) == 0);
	cr_expect(ctl_numbers_pair(n, "west") == -ENOENT);
	f.pairs[1].name = "north";
	f.model.n_pairs = 2;
	cr_assert(ctl_numbers_assign(n, &f.model, 2000 + CTL_NUMBER_GRACE_MS - 1) == 0);
	cr_expect(ctl_numbers_pair(n, "north") != west);
	f.pairs[1].name = "south";
	cr_assert(ctl_numbers_assign(n, &f.model, 2000 + CTL_NUMBER_GRACE_MS) == 0);
	cr_expect(ctl_numbers_pair(n, "south") == west);
	cr_expect(ctl_numbers_slot(n, "south", "west-a") >= 0);
	ctl_numbers_free(n);
}

Test(numbers, a_pair_without_a_free_slot_changes_nothing)
{
	static struct ctl_member many[DP_PAIR_MEMBERS];
	static char names[2][DP_PAIR_MEMBERS][8];
	struct fixture f;
	struct ctl_numbers *n = ctl_numbers_new();

	fixture_init(&f);
	f.pairs[0].members = many;
	f.pairs[0].n_members = DP_PAIR_MEMBERS;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < DP_PAIR_MEMBERS; i++) {
			snprintf(names[round][i], sizeof(names[round][i]), "%c%d", 'a' + round, i);
			many[i] = member(names[round][i], DP_ROLE_FALLBACK, "198.51.100.9",
					 (uint16_t)(6000 + i));
		}
		cr_assert(ctl_numbers_assign(n, &f.model, 1000) == (round ? -ENOSPC : 0));
	}
	cr_expect(ctl_numbers_slot(n, "east", "a3") >= 0);
	cr_expect(ctl_numbers_slot(n, "east", "b3") == -ENOENT);
	ctl_numbers_free(n);
}

Test(numbers, a_restarted_control_learns_them_from_the_snapshot)
{
	struct fixture f;
	struct ctl_numbers *n = ctl_numbers_new(), *again = ctl_numbers_new();
	struct ctl_pair swap;
	struct dp_cfg *cfg;

	fixture_init(&f);
	cr_assert(ctl_numbers_assign(n, &f.model, 1000) == 0);
	cfg = ctl_build_cfg(&f.model, n, &f.secrets, NULL);
	swap = f.pairs[0];
	f.pairs[0] = f.pairs[1];
	f.pairs[1] = swap;
	cr_assert(ctl_numbers_adopt(again, cfg) == 0);
	cr_assert(ctl_numbers_assign(again, &f.model, 5) == 0);
	cr_expect(ctl_numbers_pair(again, "east") == ctl_numbers_pair(n, "east"));
	cr_expect(ctl_numbers_slot(again, "west", "west-b")
		  == ctl_numbers_slot(n, "west", "west-b"));
	free(cfg);
	ctl_numbers_free(n);
	ctl_numbers_free(again);
}

Test(cfg, finds_what_the_model_says)
{
	struct fixture f;
	struct ctl_numbers *n = ctl_numbers_new();
	struct dp_endpoint e = endpoint("2001:db8::10", 5060), b = endpoint("2001:db8::22", 5070);
	const struct dp_listener *l;
	const struct dp_member *m;
	const struct dp_pair *west;
	const struct dp_service *s;
	struct dp_cfg *cfg;
	uint16_t pair = 0;

	fixture_init(&f);
	cr_assert(ctl_numbers_assign(n, &f.model, 1000) == 0);
	cfg = ctl_build_cfg(&f.model, n, &f.secrets, NULL);
	l = dp_cfg_listener_at(cfg, &e);
	cr_assert(l && l->flags == DP_LISTENER_CLIENT);
	cr_expect(l->hostport.len == strlen("[2001:db8::10]:5060"));
	cr_expect(memcmp(dp_cfg_text(cfg, l->hostport), "[2001:db8::10]:5060", l->hostport.len)
		  == 0);
	cr_expect(dp_cfg_listener_by_key(cfg, l->key) == l);
	s = dp_cfg_service(cfg, 0);
	cr_expect(dp_cfg_listener(cfg, s->listener6) == l);
	cr_expect(s->map_503 == 500 && s->retry_after_s == 2, "two pairs: 500; rounded up");
	m = dp_cfg_member_at(cfg, &b, &pair);
	west = dp_cfg_pair_by_key(cfg, dp_key("west", 4));
	cr_assert(m && west && dp_cfg_pair_number(cfg, west) == pair);
	cr_expect(dp_pair_member_by_key(west, dp_key("west-b", 6)) == m);
	cr_expect(dp_pair_serves(west, 0) && !dp_pair_serves(west, 1));
	cr_expect(dp_cfg_listener(cfg, west->egress4)->flags == DP_LISTENER_EGRESS);
	cr_expect(dp_cfg_listener(cfg, west->egress4)->dpdk_port == 1);
	cr_expect(west->egress6 == DP_NONE16);
	e.port = 5061;
	cr_expect(dp_cfg_listener_at(cfg, &e) == NULL);
	cr_expect(dp_cfg_member_at(cfg, &e, &pair) == NULL);
	free(cfg);
	ctl_numbers_free(n);
}

/* Whatever was found before. */
Test(cfg, finds_a_listener_again)
{
	struct fixture f;
	struct ctl_numbers *n = ctl_numbers_new();
	struct dp_cfg *cfg;

	fixture_init(&f);
	cr_assert(ctl_numbers_assign(n, &f.model, 1000) == 0);
	cfg = ctl_build_cfg(&f.model, n, &f.secrets, NULL);
	cr_assert(cfg->n_listeners > 1);
	for (unsigned int i = 0; i <= cfg->n_listeners; i++) {
		const struct dp_listener *last = dp_cfg_listener(cfg, i); /* NULL at the end */

		for (unsigned int k = 0; k < cfg->n_listeners; k++) {
			const struct dp_listener *l = dp_cfg_listener(cfg, k);
			struct dp_endpoint e = l->at, other = e, stream = e;

			other.port++;
			stream.transport++;
			cr_expect(dp_cfg_listener_again(cfg, last, &e) == l, "%u after %u", k, i);
			cr_expect(dp_cfg_listener_again(cfg, last, &other)
				  == dp_cfg_listener_at(cfg, &other));
			cr_expect(dp_cfg_listener_again(cfg, last, &stream)
				  == dp_cfg_listener_at(cfg, &stream));
		}
	}
	free(cfg);
	ctl_numbers_free(n);
}

Test(cfg, tells_who_a_source_is)
{
	static const struct {
		const char *ip;
		uint16_t port;
		const char *pair;   /* NULL: nobody's */
		const char *member; /* NULL: the pair as a whole */
	} rows[] = {
		{ "198.51.100.11", 5060, "east", "east-a" },
		{ "198.51.100.11", 40000, "east", "east-a" },
		{ "198.51.100.12", 5060, "east", "east-b" },
		{ "2001:db8::22", 9, "west", "west-b" },
		{ "198.51.100.77", 5060, "west", NULL },
		{ "198.51.101.1", 5060, NULL, NULL },
		{ "2001:db8::23", 5060, NULL, NULL },
	};
	struct fixture f;
	struct ctl_numbers *n = ctl_numbers_new();
	struct dp_cfg *cfg;

	fixture_init(&f);
	f.sources[0].prefix_len = 96 + 24;
	cr_assert(ctl_numbers_assign(n, &f.model, 1000) == 0);
	cfg = ctl_build_cfg(&f.model, n, &f.secrets, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_endpoint e = endpoint(rows[i].ip, rows[i].port);
		const struct dp_source *s = dp_cfg_source(cfg, &e.ip, e.port);
		int pair = rows[i].pair ? ctl_numbers_pair(n, rows[i].pair) : -1;
		int slot = rows[i].member ? ctl_numbers_slot(n, rows[i].pair, rows[i].member)
					  : DP_PAIR_MEMBERS;

		cr_expect((s != NULL) == (rows[i].pair != NULL), "%s:%u", rows[i].ip, rows[i].port);
		cr_expect(!s || (s->pair == pair && s->slot == slot), "%s:%u", rows[i].ip,
			  rows[i].port);
	}
	free(cfg);
	ctl_numbers_free(n);
}

Test(cfg, takes_over_the_maglev_table_of_a_service_that_did_not_change)
{
	struct fixture f;
	struct ctl_numbers *n = ctl_numbers_new();
	struct dp_cfg *one, *two, *three;
	const struct dp_service *a, *b, *c;

	fixture_init(&f);
	cr_assert(ctl_numbers_assign(n, &f.model, 1000) == 0);
	one = ctl_build_cfg(&f.model, n, &f.secrets, NULL);
	/* A mark in the old table shows whether the new one was copied or built. */
	a = dp_cfg_service(one, 0);
	((uint16_t *)((uint8_t *)one + a->maglev))[0] = 0xabcd;
	two = ctl_build_cfg(&f.model, n, &f.secrets, one);
	f.pairs[0].weight = 3;
	three = ctl_build_cfg(&f.model, n, &f.secrets, two);
	b = dp_cfg_service(two, 0);
	c = dp_cfg_service(three, 0);
	cr_expect(steer_maglev_lookup(dp_cfg_at(two, b->maglev), b->maglev_size, 0) == 0xabcd);
	cr_expect(steer_maglev_lookup(dp_cfg_at(three, c->maglev), c->maglev_size, 0) != 0xabcd);
	cr_expect(two->serial == one->serial + 1);
	free(one);
	free(two);
	free(three);
	ctl_numbers_free(n);
}

static struct dp_net_route route(const char *prefix, uint8_t len, const char *via, uint32_t metric)
{
	struct dp_net_route r = { .prefix = endpoint(prefix, 0).ip,
				  .prefix_len = len,
				  .metric = metric };

	if (via)
		r.gateway = endpoint(via, 0).ip;
	return r;
}

Test(net, routes_by_longest_prefix_and_lowest_metric)
{
	static const struct {
		const char *to, *via; /* NULL: no route */
	} rows[] = {
		{ "198.51.100.11", "192.0.2.2" }, { "198.51.100.200", "192.0.2.3" },
		{ "203.0.113.1", "192.0.2.1" },   { "2001:db8::5", "fe80::1" },
		{ "2001:db9::5", "fe80::9" },
	};
	struct dp_net_route routes[] = {
		route("0.0.0.0", 96, "192.0.2.7", 200),
		route("198.51.100.0", 96 + 25, "192.0.2.2", 0),
		route("198.51.100.0", 96 + 24, "192.0.2.3", 0),
		route("0.0.0.0", 96, "192.0.2.1", 100),
		route("::", 0, "fe80::9", 0),
		route("2001:db8::", 32, "fe80::1", 0),
	};
	struct ctl_net_view v = { .n_routes = sizeof(routes) / sizeof(routes[0]),
				  .routes = routes };
	struct dp_net *net = ctl_build_net(&v);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_ip to = endpoint(rows[i].to, 0).ip, via = endpoint(rows[i].via, 0).ip;
		const struct dp_net_route *r = dp_net_route(net, &to);

		cr_expect(r && dp_ip_equal(&r->gateway, &via), "%s", rows[i].to);
	}
	cr_expect(net->n_routes == 5, "of two default routes the better one stays");
	free(net);
	v.n_routes = 4;
	v.routes = routes + 1;
	routes[3] = routes[4]; /* no IPv4 default any more, but an IPv6 one */
	net = ctl_build_net(&v);
	struct sip_ip to = endpoint("203.0.113.1", 0).ip;
	cr_expect(dp_net_route(net, &to) == NULL, "IPv6's default route is none for IPv4");
	free(net);
}

/* Every address of ours is marked, whatever falls beside it; most of the others are not. */
Test(net, marks_its_own_addresses)
{
	enum { N = 40, OTHERS = 4096 };
	static struct dp_net_addr addrs[N];
	struct ctl_net_view v = { .n_addrs = N, .addrs = addrs };
	struct dp_net_marks m;
	struct dp_endpoint other;
	unsigned int marked = 0;
	struct dp_net *net;
	char text[48];

	for (unsigned int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), i % 2 ? "2001:db8::%x" : "192.0.2.%u", i + 1);
		addrs[i].ip = endpoint(text, 0).ip;
	}
	net = ctl_build_net(&v);
	dp_net_mark(&m, net);
	for (unsigned int i = 0; i < N; i++)
		cr_expect(dp_net_own(net, &addrs[i].ip) && dp_net_may_own(&m, &addrs[i].ip), "%u",
			  i);
	for (unsigned int i = 0; i < OTHERS; i++) {
		snprintf(text, sizeof(text), "198.51.%u.%u", i / 256, i % 256);
		other = endpoint(text, 0);
		marked += dp_net_may_own(&m, &other.ip);
	}
	cr_expect(marked < OTHERS / 10, "%u of %u are not told apart", marked, OTHERS);
	dp_net_mark(&m, NULL);
	for (unsigned int i = 0; i < N; i++)
		cr_expect(!dp_net_may_own(&m, &addrs[i].ip), "%u", i);
	free(net);
}

Test(net, finds_neighbours_of_the_right_port)
{
	enum { N = 500 };
	static struct dp_net_neigh neighs[N];
	struct ctl_net_view v = { .n_neighs = N, .neighs = neighs };
	struct dp_net *net;

	for (int i = 0; i < N; i++) {
		neighs[i].ip = endpoint("192.0.2.0", 0).ip;
		neighs[i].ip.b[14] = (uint8_t)(i >> 8);
		neighs[i].ip.b[15] = (uint8_t)i;
		neighs[i].mac[5] = (uint8_t)i;
		neighs[i].port = (uint8_t)(i & 1);
	}
	net = ctl_build_net(&v);
	for (int i = 0; i < N; i++) {
		const struct dp_net_neigh *n = dp_net_neigh(net, i & 1, &neighs[i].ip);

		cr_expect(n && n->mac[5] == (uint8_t)i, "%d", i);
		cr_expect(dp_net_neigh(net, !(i & 1), &neighs[i].ip) == NULL, "%d", i);
	}
	free(net);
}

/* ---- Publisher
 * -----------------------------------------------------------------------------------------------
 */

static struct dp_region *region_new(void)
{
	static const struct dp_boot boot = { .n_workers = 1 };
	struct dp_region *r;
	int fd;

	r = dp_region_create(&boot, HEAP_SIZE, &fd);
	cr_assert(r);
	close(fd);
	return r;
}

/** A block of that many bytes, as ctl_publish_net() takes it: only its size is looked at. */
static struct dp_net *block(uint64_t size, uint8_t fill)
{
	struct dp_net *n = malloc(size);

	memset(n, fill, size);
	n->size = size;
	return n;
}

Test(publisher, gives_nothing_out_again_that_a_worker_holds)
{
	struct dp_region *r = region_new();
	struct ctl_publisher *p = ctl_publisher_new(r);
	struct dp_net *n = block(HEAP_SIZE / 3, 1);
	struct dp_view view;
	uint64_t last = 0;

	cr_assert(ctl_publish_net(p, n));
	dp_region_online(r, 0, &view);
	for (int i = 0; i < 10; i++) {
		uint64_t g = ctl_publish_net(p, n);

		if (!g)
			break;
		last = g;
	}
	cr_expect(last > 0 && errno == ENOMEM,
		  "the heap is full while the worker holds the first one");
	cr_expect(((const uint8_t *)view.net)[100] == 1);
	cr_expect(!ctl_publisher_acked(p, last));
	cr_expect(dp_region_quiesce(r, 0, &view));
	cr_expect(ctl_publisher_acked(p, last));
	cr_expect(ctl_publish_net(p, n) > last);
	free(n);
	ctl_publisher_free(p);
	dp_region_unmap(r);
}

Test(publisher, keeps_one_half_when_the_other_changes)
{
	struct dp_region *r = region_new();
	struct ctl_publisher *p = ctl_publisher_new(r);
	struct dp_net *net = block(5000, 2);
	struct dp_cfg *cfg = (struct dp_cfg *)block(6000, 3);
	struct dp_view view;

	cr_assert(ctl_publish_net(p, net) && ctl_publish_cfg(p, cfg));
	for (int i = 0; i < 1000; i++)
		cr_assert(ctl_publish_net(p, net));
	dp_region_online(r, 0, &view);
	cr_expect(view.cfg && ((const uint8_t *)view.cfg)[5999] == 3);
	cr_expect(view.net && ((const uint8_t *)view.net)[4999] == 2);
	free(net);
	free(cfg);
	ctl_publisher_free(p);
	dp_region_unmap(r);
}

Test(publisher, a_successor_waits_until_nobody_holds_what_it_does_not_know)
{
	struct dp_region *r = region_new();
	struct ctl_publisher *p = ctl_publisher_new(r);
	struct dp_net *n = block(4096, 4);
	struct dp_view view;

	cr_assert(ctl_publish_net(p, n));
	dp_region_online(r, 0, &view);
	cr_assert(ctl_publish_net(p, n));
	ctl_publisher_free(p);
	p = ctl_publisher_new(r);
	cr_assert(p);
	cr_expect(ctl_publish_net(p, n) == 0 && errno == EAGAIN,
		  "the worker may hold a block unknown to the successor");
	dp_region_quiesce(r, 0, &view);
	cr_expect(ctl_publish_net(p, n) > 0);
	cr_expect(((const uint8_t *)view.net)[100] == 4,
		  "what the worker holds now is still whole");
	free(n);
	ctl_publisher_free(p);
	dp_region_unmap(r);
}
