/*
 * The kernel's links, addresses and routes as whole tables: one is read at a time, aside, and
 * replaces the one in force when it is complete. Part of the mirror; control thread.
 */
#pragma once

#include "control/net/ctl_mirror_parse.h"

/** Tables of the kernel, in the order in which they are best read. */
enum ctl_table {
	CTL_TABLE_LINKS,
	CTL_TABLE_ADDRESSES,
	CTL_TABLE_ROUTES4,
	CTL_TABLE_ROUTES6,
	CTL_TABLE_NEIGHS, /* not kept here: see control/net/ctl_neighs.h */
	CTL_TABLE_N,
};

#define CTL_TABLES_ALL    ((1u << CTL_TABLE_N) - 1)
#define CTL_TABLES_ROUTES (1u << CTL_TABLE_ROUTES4 | 1u << CTL_TABLE_ROUTES6)

struct ctl_list {
	void *at;
	size_t n, room;
	size_t size; /* of an element */
};

struct ctl_content {
	struct dp_net_port port[DP_MAX_PORTS];
	struct ctl_list addrs;     /* struct dp_net_addr */
	struct ctl_list routes[2]; /* struct dp_net_route: IPv4, IPv6 */
};

struct ctl_tables {
	struct ctl_content now;  /* complete */
	struct ctl_content next; /* being read */
};

void ctl_tables_init(struct ctl_tables *t);
void ctl_tables_fini(struct ctl_tables *t);

/** The request that dumps a table. @return its header, in `room` of at least 128 bytes. */
struct nlmsghdr *ctl_table_request(enum ctl_table table, void *room);

/** A table's dump begins. */
void ctl_tables_begin(struct ctl_tables *t, enum ctl_table table);

/** One message of it. @return 0 or -ENOMEM. */
int ctl_tables_take(struct ctl_tables *t, const struct nlmsghdr *nlh,
		    const struct ctl_netdev_map *map);

/** Its dump is complete. @return whether the table differs from the one before. */
bool ctl_tables_end(struct ctl_tables *t, enum ctl_table table);

/** All routes in one new array; the caller frees it. NULL when out of memory. */
struct dp_net_route *ctl_tables_routes(const struct ctl_tables *t, size_t *n);
