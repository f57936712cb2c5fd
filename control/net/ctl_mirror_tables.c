/*
 * Tables of the mirror. A table in force is only ever replaced whole.
 */
#include "control/net/ctl_mirror_tables.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint16_t request;
	uint8_t family;
	uint8_t header; /* bytes of the request's header */
} tables[CTL_TABLE_N] = {
	[CTL_TABLE_LINKS] = { RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg) },
	[CTL_TABLE_ADDRESSES] = { RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg) },
	[CTL_TABLE_ROUTES4] = { RTM_GETROUTE, AF_INET, sizeof(struct rtmsg) },
	[CTL_TABLE_ROUTES6] = { RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg) },
	[CTL_TABLE_NEIGHS] = { RTM_GETNEIGH, AF_UNSPEC, sizeof(struct ndmsg) },
};

struct nlmsghdr *ctl_table_request(enum ctl_table table, void *room)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	uint8_t *header = mnl_nlmsg_put_extra_header(nlh, tables[table].header);

	nlh->nlmsg_type = tables[table].request;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header[0] = tables[table].family; /* each of them begins with it */
	return nlh;
}

static void content_init(struct ctl_content *c)
{
	memset(c, 0, sizeof(*c));
	c->addrs.size = sizeof(struct dp_net_addr);
	c->routes[0].size = c->routes[1].size = sizeof(struct dp_net_route);
}

static void content_fini(struct ctl_content *c)
{
	free(c->addrs.at);
	free(c->routes[0].at);
	free(c->routes[1].at);
}

void ctl_tables_init(struct ctl_tables *t)
{
	content_init(&t->now);
	content_init(&t->next);
}

void ctl_tables_fini(struct ctl_tables *t)
{
	content_fini(&t->now);
	content_fini(&t->next);
}

static int list_add(struct ctl_list *l, const void *element)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		void *at = reallocarray(l->at, room, l->size);

		if (!at)
			return -ENOMEM;
		l->at = at;
		l->room = room;
	}
	memcpy((char *)l->at + l->size * l->n++, element, l->size);
	return 0;
}

static bool list_swap(struct ctl_list *now, struct ctl_list *next)
{
	struct ctl_list old = *now;
	bool changed =
		now->n != next->n || (now->n && memcmp(now->at, next->at, now->n * now->size) != 0);

	*now = *next;
	*next = old;
	return changed;
}

static struct ctl_list *list_of(struct ctl_content *c, enum ctl_table table)
{
	switch (table) {
	case CTL_TABLE_ADDRESSES: return &c->addrs;
	case CTL_TABLE_ROUTES4: return &c->routes[0];
	case CTL_TABLE_ROUTES6: return &c->routes[1];
	default: return NULL;
	}
}

void ctl_tables_begin(struct ctl_tables *t, enum ctl_table table)
{
	struct ctl_list *l = list_of(&t->next, table);

	if (l)
		l->n = 0;
	if (table == CTL_TABLE_LINKS)
		memset(t->next.port, 0, sizeof(t->next.port));
}

static int take_address(struct ctl_content *c, const struct nlmsghdr *nlh,
			const struct ctl_netdev_map *map)
{
	struct dp_net_addr addr[2];
	unsigned int n = ctl_parse_address(nlh, map, addr);
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < n; i++)
		ret = list_add(&c->addrs, &addr[i]);
	return ret;
}

static int take_route(struct ctl_content *c, const struct nlmsghdr *nlh,
		      const struct ctl_netdev_map *map)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(nlh);
	struct dp_net_route route;

	if (!ctl_parse_route(nlh, map, &route))
		return 0;
	return list_add(&c->routes[m->rtm_family == AF_INET6], &route);
}

int ctl_tables_take(struct ctl_tables *t, const struct nlmsghdr *nlh,
		    const struct ctl_netdev_map *map)
{
	struct dp_net_port link;
	unsigned int port;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
		port = ctl_parse_link(nlh, map, &link);
		if (port != CTL_NO_PORT)
			t->next.port[port] = link;
		return 0;
	case RTM_NEWADDR: return take_address(&t->next, nlh, map);
	case RTM_NEWROUTE: return take_route(&t->next, nlh, map);
	default: return 0;
	}
}

bool ctl_tables_end(struct ctl_tables *t, enum ctl_table table)
{
	struct ctl_list *now = list_of(&t->now, table);
	bool changed;

	if (now)
		return list_swap(now, list_of(&t->next, table));
	changed = memcmp(t->now.port, t->next.port, sizeof(t->now.port)) != 0;
	memcpy(t->now.port, t->next.port, sizeof(t->now.port));
	return changed;
}

struct dp_net_route *ctl_tables_routes(const struct ctl_tables *t, size_t *n)
{
	const struct ctl_list *r = t->now.routes;
	struct dp_net_route *all = calloc(r[0].n + r[1].n + 1, sizeof(*all));

	*n = r[0].n + r[1].n;
	if (!all)
		return NULL;
	if (r[0].n)
		memcpy(all, r[0].at, r[0].n * r[0].size);
	if (r[1].n)
		memcpy(all + r[0].n, r[1].at, r[1].n * r[1].size);
	return all;
}
