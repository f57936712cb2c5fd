/*
 * The kernel's messages about links, addresses, routes and neighbours, in the terms of the
 * snapshot's network half. Pure functions of a message and of which netdev is which port's.
 */
#pragma once

#include <limits.h>
#include <linux/netlink.h>

#include "control/net/ctl_neighs.h"

#define CTL_NO_PORT UINT_MAX

/** Which netdevs are the ports': index 0 means that a port has none now. */
struct ctl_netdev_map {
	unsigned int n;
	unsigned int ifindex[DP_MAX_PORTS];
};

/** @return the port whose exception netdev it is, or CTL_NO_PORT. */
unsigned int ctl_netdev_port(const struct ctl_netdev_map *map, unsigned int ifindex);

/** What a link message says. @return the port it is about, or CTL_NO_PORT. */
unsigned int ctl_parse_link(const struct nlmsghdr *nlh, const struct ctl_netdev_map *map,
			    struct dp_net_port *out);

/**
 * What an address message says: an address of ours and perhaps its subnet's broadcast address.
 * @return how many of `out` were filled: 0 when it is of another netdev or not usable.
 */
unsigned int ctl_parse_address(const struct nlmsghdr *nlh, const struct ctl_netdev_map *map,
			       struct dp_net_addr out[2]);

/**
 * What a route message says. Of several next hops the first through a port of ours counts; a route
 * that leads elsewhere, to this host or nowhere is `unreachable`.
 * @return false for what is no business of forwarding: other tables, cached and multicast routes.
 */
bool ctl_parse_route(const struct nlmsghdr *nlh, const struct ctl_netdev_map *map,
		     struct dp_net_route *out);

/** What a neighbour message says. @return false when it is of another netdev or a proxy entry. */
bool ctl_parse_neigh(const struct nlmsghdr *nlh, const struct ctl_netdev_map *map,
		     struct ctl_neigh *out);
