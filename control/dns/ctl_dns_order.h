/*
 * From what DNS said of a name to an order of servers: primary, backup, fallbacks. Pure; the same
 * records give the same order on every instance, after every restart, and in whatever sequence a
 * server of DNS rotates them, so that looking a name up again never swaps roles. Any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "dataplane/dp_cfg.h"

/** One address of one target: what an SRV record and an address record say together. */
struct ctl_dns_server {
	struct dp_endpoint at;
	uint16_t priority, weight; /* 0 without SRV */
	const char *target;        /* the SRV's, else the name itself; small letters */
};

/**
 * Put servers in order, in place:
 *
 *  - by priority, the smallest first (RFC 2782);
 *  - within a priority by weight: where RFC 2782 draws at random, here each target's lot is a hash
 * of seed, target and port. Over many seeds (the pairs that use a name) a target comes first as
 *    often as its weight says; for one seed its place never changes, and a target that comes or
 *    goes moves no other. Weight 0 comes first only where it must;
 *  - addresses of one target: IPv6, then IPv4 (RFC 6724 2.1, as RFC 7984 4 asks), then by value.
 *
 * What is there twice stays once.
 *
 * @param seed  The pair's name.
 * @return      How many are left.
 */
size_t ctl_dns_order(struct ctl_dns_server *v, size_t n, const char *seed);
