/*
 * What goes to the kernel, by class, and how much of each: a token bucket for each class of each
 * port, so that a flood of one kind starves no other. One worker; pure.
 */
#pragma once

#include "dataplane/dp_cfg.h"

/** One bucket: what a tenth of a second brings, at least 32 packets. Millionths of a packet. */
struct dp_punt_bucket {
	uint64_t used_us; /* `parts` is of that moment */
	uint64_t parts;
};

struct dp_punts {
	struct dp_punt_bucket bucket[DP_MAX_PORTS][DP_PUNT_N];
};

/** Class of a frame. @param cfg  Tells whose addresses members have; NULL: nobody's. */
enum dp_punt dp_punt_class(const uint8_t *frame, size_t len, const struct dp_cfg *cfg);

/** Take one packet's token. @param per_s  0: not limited. @return whether there was one. */
bool dp_punt_take(struct dp_punts *p, unsigned int port, enum dp_punt class, uint32_t per_s,
		  uint64_t now_us);
