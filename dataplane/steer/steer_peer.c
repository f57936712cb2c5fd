/*
 * Smoothed times and metered events. Pure functions of one member's row.
 */
#include "dataplane/steer/steer_peer.h"

#define T1_US        500000u /* RFC 3261 17.1.1.1 */
#define PATIENCE_US  100000u
#define ROUND_TRIPS  4u
#define SRTT_MAX_US  (T1_US * 64)
#define UNIT_SHIFT   10 /* of told[]: some milliseconds */
#define ICMPS_A_TIME 8u

void steer_peer_measure(struct steer_peer *p, uint32_t us)
{
	if (us > SRTT_MAX_US)
		us = SRTT_MAX_US;
	if (p->srtt_us == 0)
		p->srtt_us = us ? us : 1;
	else
		p->srtt_us = p->srtt_us - p->srtt_us / 8 + us / 8;
}

uint32_t steer_peer_patience(const struct steer_peer *p)
{
	uint32_t us = p->srtt_us * ROUND_TRIPS;

	if (us < PATIENCE_US)
		return PATIENCE_US;
	return us < T1_US ? us : T1_US;
}

bool steer_peer_tell(struct steer_peer *p, enum dp_event_type type, uint64_t now_us)
{
	/* Units between two events; a first one passes at once. */
	static const struct {
		uint8_t type, apart;
	} kinds[4] = {
		{ DP_EVENT_UNANSWERED, 20 },
		{ DP_EVENT_RESPONSE_5XX, 20 },
		{ DP_EVENT_ICMP, 20 },
		{ DP_EVENT_ALIVE, 2 },
	};
	uint32_t now = (uint32_t)(now_us >> UNIT_SHIFT) | 1;

	for (unsigned int i = 0; i < 4; i++) {
		if (kinds[i].type != type)
			continue;
		if (p->told[i] == 0 || now - p->told[i] >= kinds[i].apart) {
			p->told[i] = now;
			if (type == DP_EVENT_ICMP)
				p->icmps = 1;
			return true;
		}
		/* Two errors of different branches prove more than one. */
		return type == DP_EVENT_ICMP && p->icmps++ < ICMPS_A_TIME;
	}
	return true;
}
