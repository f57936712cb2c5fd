/* Packets that wait for a next hop; neighbours in use. */
#include "dataplane/io/dp_hold.h"
#include "dataplane/io/dp_used.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

/* A network half with one neighbour. */
struct one_net {
	struct dp_net n;
	struct dp_net_neigh bucket[2];
};

static struct sip_ip ip(unsigned int last)
{
	return (struct sip_ip){ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100,
				  (uint8_t)last } };
}

static struct dp_net *net(struct one_net *o, unsigned int port, struct sip_ip a)
{
	memset(o, 0, sizeof(*o));
	o->n.size = sizeof(*o);
	o->n.neigh_hash_size = 2;
	o->n.neighs = offsetof(struct one_net, bucket);
	o->bucket[dp_net_neigh_hash(port, &a) & 1] =
		(struct dp_net_neigh){ a, { 2, 0, 0, 0, 0, 9 }, (uint8_t)port, 1 };
	return &o->n;
}

/* What the callbacks were told. */
struct log {
	unsigned int asked, ready, expired;
	uint8_t asked_last;
	uintptr_t out[1024];
	unsigned int n;
};

static void ask(void *arg, unsigned int port, const struct sip_ip *hop)
{
	struct log *l = arg;

	(void)port;
	l->asked++;
	l->asked_last = hop->b[15];
}

static void ready(void *arg, void *packet, const struct dp_net_neigh *neigh)
{
	struct log *l = arg;

	cr_expect_eq(neigh->mac[5], 9);
	l->ready++;
	l->out[l->n++] = (uintptr_t)packet;
}

static void expired(void *arg, void *packet)
{
	struct log *l = arg;

	l->expired++;
	l->out[l->n++] = (uintptr_t)packet;
}

static struct dp_hold *hold(struct log *l)
{
	struct dp_hold_ops ops = { ask, ready, expired, l };
	struct dp_hold *h = dp_hold_new(&ops);

	cr_assert_not_null(h);
	memset(l, 0, sizeof(*l));
	return h;
}

static void *packet(uintptr_t n)
{
	return (void *)n;
}

Test(hold, resolved_hop_lets_its_packets_go_in_order)
{
	struct log l;
	struct dp_hold *h = hold(&l);
	struct one_net o;
	struct sip_ip a = ip(11), b = ip(12);

	for (uintptr_t i = 1; i <= 5; i++)
		cr_assert_eq(dp_hold_put(h, 1, i % 2 ? &a : &b, packet(i), 0), 0);
	dp_hold_flush(h, net(&o, 2, a)); /* the same address on another port */
	cr_expect_eq(l.ready, 0);
	dp_hold_flush(h, net(&o, 1, a));
	cr_expect_eq(l.ready, 3);
	cr_expect(l.out[0] == 1 && l.out[1] == 3 && l.out[2] == 5);
	cr_expect_eq(dp_hold_count(h), 2);
	dp_hold_free(h);
	cr_expect_eq(l.expired, 2, "what is left comes back at the end");
}

Test(hold, one_address_on_two_ports_is_two_hops)
{
	struct log l;
	struct dp_hold *h = hold(&l);
	struct one_net o;
	struct sip_ip a = ip(11);

	dp_hold_put(h, 1, &a, packet(1), 0);
	dp_hold_put(h, 2, &a, packet(2), 0);
	cr_expect_eq(l.asked, 2);
	dp_hold_flush(h, net(&o, 1, a));
	cr_expect_eq(l.ready, 1);
	dp_hold_free(h);
}

Test(hold, asks_once_then_every_100_ms)
{
	struct log l;
	struct dp_hold *h = hold(&l);
	struct sip_ip a = ip(11);

	for (uint64_t t = 0; t < 10; t++)
		dp_hold_put(h, 0, &a, packet(1 + t), 1000 + t);
	cr_expect_eq(l.asked, 1);
	cr_expect_eq(l.asked_last, 11);
	dp_hold_tick(h, 1000 + DP_HOLD_ASK_US - 1);
	cr_expect_eq(l.asked, 1);
	dp_hold_tick(h, 1000 + DP_HOLD_ASK_US);
	cr_expect_eq(l.asked, 2);
	dp_hold_tick(h, 1001 + DP_HOLD_ASK_US);
	cr_expect_eq(l.asked, 2);
	dp_hold_free(h);
}

Test(hold, expires_each_packet_after_its_own_wait)
{
	struct log l;
	struct dp_hold *h = hold(&l);
	struct sip_ip a = ip(11);

	dp_hold_put(h, 0, &a, packet(1), 0);
	dp_hold_put(h, 0, &a, packet(2), 10);
	dp_hold_tick(h, DP_HOLD_US - 1);
	cr_expect_eq(l.expired, 0);
	dp_hold_tick(h, DP_HOLD_US);
	cr_expect_eq(l.expired, 1);
	cr_expect_eq(l.out[0], 1);
	dp_hold_tick(h, DP_HOLD_US + 10);
	cr_expect_eq(l.expired, 2);
	cr_expect_eq(l.out[1], 2);
	cr_expect_eq(dp_hold_count(h), 0);
	dp_hold_free(h);
	cr_expect_eq(l.expired, 2);
}

Test(hold, bounds)
{
	struct log l;
	struct dp_hold *h = hold(&l);
	struct sip_ip a = ip(0);

	for (uintptr_t i = 0; i < DP_HOLD_PACKETS; i++)
		cr_assert_eq(dp_hold_put(h, 0, &a, packet(i + 1), 0), 0);
	cr_expect_eq(dp_hold_put(h, 0, &a, packet(99), 0), -ENOSPC, "packets of one hop");
	for (unsigned int i = 1; i < DP_HOLD_HOPS; i++) {
		a = ip(i);
		cr_assert_eq(dp_hold_put(h, 0, &a, packet(7), 0), 0, "hop %u", i);
	}
	a = ip(DP_HOLD_HOPS);
	cr_expect_eq(dp_hold_put(h, 0, &a, packet(99), 0), -ENOSPC, "hops");
	cr_expect_eq(l.asked, DP_HOLD_HOPS);
	dp_hold_tick(h, DP_HOLD_US);
	cr_expect_eq(dp_hold_put(h, 0, &a, packet(99), DP_HOLD_US), 0, "room again");
	dp_hold_free(h);
}

Test(used, once_a_second_for_each_neighbour)
{
	static struct dp_used u;
	struct dp_net_neigh a = { ip(1), { 0 }, 0, 1 }, b = { ip(2), { 0 }, 0, 1 };

	cr_expect(dp_used_touch(&u, &a, 5000000));
	cr_expect(dp_used_touch(&u, &b, 5000000));
	cr_expect(!dp_used_touch(&u, &a, 5000001));
	cr_expect(!dp_used_touch(&u, &a, 5000000 + DP_USED_US - 1));
	cr_expect(dp_used_touch(&u, &a, 5000000 + DP_USED_US));
	cr_expect(!dp_used_touch(&u, &a, 5000001 + DP_USED_US));
}

Test(used, bounded_however_many_share_a_place)
{
	static struct dp_used u;
	unsigned int told = 0;

	for (unsigned int i = 0; i < 100000; i++) {
		struct dp_net_neigh n = { ip(i & 255), { 0 }, (uint8_t)(i >> 8 & 15), 1 };

		told += dp_used_touch(&u, &n, 5000000 + i);
	}
	cr_expect_leq(told, DP_USED_EVENTS);
}
