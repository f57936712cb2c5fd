#include "dataplane/io/dp_rest.h"

/* Bits that the shortest SIP request worth the name takes on the wire, with preamble and gap: 200
 * bytes of SIP behind 42 bytes of headers, 4 of CRC, 20 of preamble and gap. */
#define FRAME_BITS ((200 + 42 + 4 + 20) * 8)

static uint32_t within(uint64_t us, uint32_t most)
{
	return us < DP_REST_LEAST_US ? DP_REST_LEAST_US : us > most ? most : (uint32_t)us;
}

void dp_rest_init(struct dp_rest *r, bool poll, uint32_t ring, uint32_t mbps)
{
	/* Half of the ring: the other half is for what comes while we wake up. */
	uint64_t us = mbps ? (uint64_t)ring / 2 * FRAME_BITS / mbps : DP_REST_MOST_US;
	uint32_t most = mbps ? within(us, DP_REST_SLOW_US) : DP_REST_SLOW_US;

	*r = (struct dp_rest){ .bound_us = within(us, DP_REST_MOST_US),
			       .most_us = most,
			       .poll = poll };
	r->slow_us = r->bound_us;
}

void dp_rest_weigh(struct dp_rest *r, uint64_t cpu_us, uint64_t span_us)
{
	uint64_t permille = span_us ? cpu_us * 1000 / span_us : 0;
	uint32_t us = r->slow_us;

	/* Up by a quarter, down by a fifth, with a gap between, so that it settles. */
	if (permille > DP_REST_PERMILLE)
		us += us / 4 + 1;
	else if (permille * 2 < DP_REST_PERMILLE)
		us -= us / 5;
	r->slow_us = us > r->most_us ? r->most_us : us < r->bound_us ? r->bound_us : us;
}

uint32_t dp_rest_next(struct dp_rest *r)
{
	uint32_t us, bound = dp_rest_is_slow(r) ? r->slow_us : r->bound_us;

	if (r->poll || ++r->empty <= DP_REST_SPINS)
		return 0;
	r->empty = DP_REST_SPINS;
	us = r->sleep_us ? r->sleep_us * 2 : DP_REST_FIRST_US;
	r->sleep_us = us < bound ? us : bound;
	if (r->slept_us < UINT32_MAX / 2)
		r->slept_us += r->sleep_us;
	return r->sleep_us;
}
