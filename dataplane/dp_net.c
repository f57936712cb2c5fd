/*
 * Look-ups in a snapshot's network half. Read only; any thread that holds the snapshot.
 */
#include "dataplane/dp_net.h"

#include <string.h>

static const void *at(const struct dp_net *n, uint32_t off)
{
	return (const uint8_t *)n + off;
}

const struct dp_net_addr *dp_net_own(const struct dp_net *n, const struct sip_ip *ip)
{
	const struct dp_net_addr *a = at(n, n->addrs);

	for (uint32_t i = 0; i < n->n_addrs; i++) {
		if (dp_ip_equal(&a[i].ip, ip))
			return a + i;
	}
	return NULL;
}

void dp_net_mark(struct dp_net_marks *m, const struct dp_net *n)
{
	const struct dp_net_addr *a = n ? at(n, n->addrs) : NULL;

	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; a && i < n->n_addrs; i++) {
		unsigned int place = dp_net_mark_place(&a[i].ip);

		m->bits[place / 64] |= 1ull << place % 64;
	}
}

/** The address with its host bits cleared. */
static struct sip_ip masked(const struct sip_ip *ip, unsigned int len)
{
	struct sip_ip m = { 0 };

	memcpy(m.b, ip->b, len / 8);
	if (len % 8)
		m.b[len / 8] = (uint8_t)(ip->b[len / 8] & (0xff00 >> len % 8));
	return m;
}

/** First of routes[lo, hi) with that prefix, or NULL. They are sorted by prefix, then metric. */
static const struct dp_net_route *find(const struct dp_net_route *r, uint32_t lo, uint32_t hi,
				       const struct sip_ip *p)
{
	uint32_t end = hi;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (memcmp(r[mid].prefix.b, p->b, sizeof(p->b)) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < end && dp_ip_equal(&r[lo].prefix, p) ? r + lo : NULL;
}

const struct dp_net_route *dp_net_route(const struct dp_net *n, const struct sip_ip *ip)
{
	const struct dp_net_route *r = at(n, n->routes);
	const struct dp_net_len *len = at(n, n->lens);
	uint32_t shortest = dp_ip_is_v4(ip) ? 96 : 0; /* IPv6's default route is none for IPv4 */

	for (uint32_t i = 0; i < n->n_lens && len[i].prefix_len >= shortest; i++) {
		struct sip_ip p = masked(ip, len[i].prefix_len);
		const struct dp_net_route *hit = find(r, len[i].start, len[i].end, &p);

		if (hit)
			return hit;
	}
	return NULL;
}

uint32_t dp_net_neigh_hash(unsigned int port, const struct sip_ip *ip)
{
	struct dp_endpoint e = { .ip = *ip, .port = (uint16_t)port };

	return dp_endpoint_hash(&e);
}

const struct dp_net_neigh *dp_net_neigh(const struct dp_net *n, unsigned int port,
					const struct sip_ip *ip)
{
	const struct dp_net_neigh *b = at(n, n->neighs);
	uint32_t mask = n->neigh_hash_size - 1;

	for (uint32_t i = dp_net_neigh_hash(port, ip) & mask; b[i].valid; i = (i + 1) & mask) {
		if (b[i].port == port && dp_ip_equal(&b[i].ip, ip))
			return b + i;
	}
	return NULL;
}
