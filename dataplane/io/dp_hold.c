#include "dataplane/io/dp_hold.h"

#include <errno.h>
#include <stdlib.h>

/* A next hop that is waited for; n 0: free. Its packets are in the order they came. */
struct hop {
	struct sip_ip ip;
	uint8_t port;
	uint16_t n;
	uint64_t asked_us;
	void *packet[DP_HOLD_PACKETS];
	uint64_t since_us[DP_HOLD_PACKETS];
};

struct dp_hold {
	struct dp_hold_ops ops;
	unsigned int n; /* packets in all */
	struct hop hops[DP_HOLD_HOPS];
};

struct dp_hold *dp_hold_new(const struct dp_hold_ops *ops)
{
	struct dp_hold *h = calloc(1, sizeof(*h));

	if (h)
		h->ops = *ops;
	return h;
}

void dp_hold_free(struct dp_hold *h)
{
	if (!h)
		return;
	dp_hold_tick(h, UINT64_MAX);
	free(h);
}

/* The hop's entry, or a free one, or NULL. Linear: it is only looked for when a hop is missing. */
static struct hop *hop_find(struct dp_hold *h, unsigned int port, const struct sip_ip *ip)
{
	struct hop *unused = NULL;

	for (unsigned int i = 0; i < DP_HOLD_HOPS; i++) {
		struct hop *o = &h->hops[i];

		if (o->n == 0)
			unused = unused ? unused : o;
		else if (o->port == port && dp_ip_equal(&o->ip, ip))
			return o;
	}
	return unused;
}

static void hop_ask(struct dp_hold *h, struct hop *o, uint64_t now_us)
{
	o->asked_us = now_us;
	h->ops.ask(h->ops.arg, o->port, &o->ip);
}

int dp_hold_put(struct dp_hold *h, unsigned int port, const struct sip_ip *ip, void *packet,
		uint64_t now_us)
{
	struct hop *o = hop_find(h, port, ip);

	if (!o || o->n == DP_HOLD_PACKETS)
		return -ENOSPC;
	if (o->n == 0) {
		o->ip = *ip;
		o->port = (uint8_t)port;
		hop_ask(h, o, now_us);
	}
	o->packet[o->n] = packet;
	o->since_us[o->n] = now_us;
	o->n++;
	h->n++;
	return 0;
}

void dp_hold_flush(struct dp_hold *h, const struct dp_net *net)
{
	for (unsigned int i = 0; h->n && i < DP_HOLD_HOPS; i++) {
		struct hop *o = &h->hops[i];
		const struct dp_net_neigh *neigh;

		if (o->n == 0)
			continue;
		neigh = dp_net_neigh(net, o->port, &o->ip);
		if (!neigh)
			continue;
		for (unsigned int k = 0; k < o->n; k++)
			h->ops.ready(h->ops.arg, o->packet[k], neigh);
		h->n -= o->n;
		o->n = 0;
	}
}

static void hop_expire(struct dp_hold *h, struct hop *o, uint64_t now_us)
{
	unsigned int gone = 0;

	while (gone < o->n && now_us - o->since_us[gone] >= DP_HOLD_US)
		h->ops.expired(h->ops.arg, o->packet[gone++]);
	if (gone == 0)
		return;
	for (unsigned int k = gone; k < o->n; k++) {
		o->packet[k - gone] = o->packet[k];
		o->since_us[k - gone] = o->since_us[k];
	}
	o->n = (uint16_t)(o->n - gone);
	h->n -= gone;
}

void dp_hold_tick(struct dp_hold *h, uint64_t now_us)
{
	for (unsigned int i = 0; h->n && i < DP_HOLD_HOPS; i++) {
		struct hop *o = &h->hops[i];

		if (o->n)
			hop_expire(h, o, now_us);
		if (o->n && now_us - o->asked_us >= DP_HOLD_ASK_US)
			hop_ask(h, o, now_us);
	}
}

unsigned int dp_hold_count(const struct dp_hold *h)
{
	return h->n;
}
