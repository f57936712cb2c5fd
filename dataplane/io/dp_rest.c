#include "dataplane/io/dp_rest.h"

/* Bits that the shortest SIP request worth the name takes on the wire, with preamble and gap: 200
 * bytes of SIP behind 42 bytes of headers, 4 of CRC, 20 of preamble and gap. */
#define FRAME_BITS ((200 + 42 + 4 + 20) * 8)

void dp_rest_init(struct dp_rest *r, bool poll, uint32_t ring, uint32_t mbps)
{
	/* Half of the ring: the other half is for what comes while we wake up. */
	uint64_t us = mbps ? (uint64_t)ring / 2 * FRAME_BITS / mbps : DP_REST_MOST_US;

	if (us < DP_REST_LEAST_US)
		us = DP_REST_LEAST_US;
	if (us > DP_REST_MOST_US)
		us = DP_REST_MOST_US;
	*r = (struct dp_rest){ .bound_us = (uint32_t)us, .poll = poll };
}

uint32_t dp_rest_next(struct dp_rest *r)
{
	uint32_t us;

	if (r->poll || ++r->empty <= DP_REST_SPINS)
		return 0;
	r->empty = DP_REST_SPINS;
	us = r->sleep_us ? r->sleep_us * 2 : DP_REST_FIRST_US;
	r->sleep_us = us < r->bound_us ? us : r->bound_us;
	r->slept_us += r->sleep_us;
	return r->sleep_us;
}
