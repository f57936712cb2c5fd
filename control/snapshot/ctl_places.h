/*
 * The look-ups of a configuration block by address: exact sources, and members by endpoint. A
 * table of either kind is never more than half full. Control thread.
 */
#pragma once

#include "dataplane/dp_cfg.h"

/** Room in the tables for n members, with some to spare. */
struct ctl_places_size {
	uint32_t sources, source_hash, member_hash;
};

struct ctl_places_size ctl_places_size(size_t n_members);

/** Smallest power of two that is at least n, and 8. */
uint32_t ctl_pow2_at_least(size_t n);

/** Put a value into a hash of buckets. */
void ctl_bucket_put(uint32_t *bucket, uint32_t size, uint32_t hash, uint32_t value);

/**
 * An endpoint, or with port 0 an address with any port. The first pair that names it keeps it; two
 * members of one pair behind one address are the pair as a whole.
 * @return false when there is no room.
 */
bool ctl_places_add_source(struct dp_cfg *c, const struct sip_ip *ip, uint16_t port, uint16_t pair,
			   uint8_t slot);
void ctl_places_remove_source(struct dp_cfg *c, const struct sip_ip *ip, uint16_t port);

/** Of several members at one endpoint the first that was added is found. @return false when there
 * is no room. */
bool ctl_places_add_member(struct dp_cfg *c, const struct dp_endpoint *at, uint32_t number);

/** All members at that endpoint; their rows must still say so. */
void ctl_places_remove_members(struct dp_cfg *c, const struct dp_endpoint *at);
