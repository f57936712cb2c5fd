/*
 * The kernel mirror's view to a snapshot's network half: routes sorted by length, prefix and metric
 * with the best of equals kept, neighbours in an open-addressing table. Control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "control/snapshot/ctl_block.h"
#include "control/snapshot/ctl_snapshot.h"

static int by_length(const void *a, const void *b)
{
	const struct dp_net_route *x = a, *y = b;
	int cmp = y->prefix_len - x->prefix_len;

	if (cmp == 0)
		cmp = memcmp(x->prefix.b, y->prefix.b, sizeof(x->prefix.b));
	if (cmp == 0)
		cmp = (x->metric > y->metric) - (x->metric < y->metric);
	return cmp;
}

/** Sort, and of several routes to one prefix keep the one with the lowest metric. @return how many
 * stay. */
static uint32_t sort_routes(struct dp_net_route *r, size_t n)
{
	uint32_t kept = 0;

	qsort(r, n, sizeof(*r), by_length);
	for (size_t i = 0; i < n; i++) {
		bool same = kept > 0 && r[kept - 1].prefix_len == r[i].prefix_len
			    && dp_ip_equal(&r[kept - 1].prefix, &r[i].prefix);

		if (!same)
			r[kept++] = r[i];
	}
	return kept;
}

static uint32_t count_lens(const struct dp_net_route *r, uint32_t n)
{
	uint32_t lens = 0;

	for (uint32_t i = 0; i < n; i++)
		lens += i == 0 || r[i].prefix_len != r[i - 1].prefix_len;
	return lens;
}

static void fill_lens(struct dp_net_len *len, const struct dp_net_route *r, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || r[i].prefix_len != r[i - 1].prefix_len)
			*len++ = (struct dp_net_len){ .start = i, .prefix_len = r[i].prefix_len };
		len[-1].end = i + 1;
	}
}

static void fill_neighs(struct dp_net_neigh *bucket, uint32_t size, const struct dp_net_neigh *list,
			size_t n)
{
	for (size_t k = 0; k < n; k++) {
		uint32_t i = dp_net_neigh_hash(list[k].port, &list[k].ip) & (size - 1);

		while (bucket[i].valid
		       && !(bucket[i].port == list[k].port
			    && dp_ip_equal(&bucket[i].ip, &list[k].ip)))
			i = (i + 1) & (size - 1);
		bucket[i] = list[k];
		bucket[i].valid = 1;
	}
}

static uint32_t copy(struct ctl_block *b, const void *from, size_t n, size_t element)
{
	uint32_t off = ctl_block_array(b, n, element);

	if (!b->failed && n)
		memcpy(ctl_block_at(b, off), from, n * element);
	return off;
}

struct dp_net *ctl_build_net(const struct ctl_net_view *v)
{
	struct ctl_block b;
	struct dp_net net = { .neigh_hash_size = 16 };
	struct dp_net_route *r;

	while (net.neigh_hash_size < 2 * v->n_neighs + 1)
		net.neigh_hash_size *= 2;
	ctl_block_init(&b, sizeof(net));
	net.n_ports = (uint32_t)v->n_ports;
	net.ports = copy(&b, v->ports, v->n_ports, sizeof(*v->ports));
	net.n_addrs = (uint32_t)v->n_addrs;
	net.addrs = copy(&b, v->addrs, v->n_addrs, sizeof(*v->addrs));
	net.neighs = ctl_block_array(&b, net.neigh_hash_size, sizeof(struct dp_net_neigh));
	net.routes = copy(&b, v->routes, v->n_routes, sizeof(*v->routes));
	if (b.failed)
		return ctl_block_take(&b);
	fill_neighs(ctl_block_at(&b, net.neighs), net.neigh_hash_size, v->neighs, v->n_neighs);
	r = ctl_block_at(&b, net.routes);
	net.n_routes = sort_routes(r, v->n_routes);
	net.n_lens = count_lens(r, net.n_routes);
	net.lens = ctl_block_array(&b, net.n_lens, sizeof(struct dp_net_len));
	if (b.failed)
		return ctl_block_take(&b);
	fill_lens(ctl_block_at(&b, net.lens), ctl_block_at(&b, net.routes), net.n_routes);
	net.size = b.len;
	*(struct dp_net *)ctl_block_at(&b, 0) = net;
	return ctl_block_take(&b);
}
