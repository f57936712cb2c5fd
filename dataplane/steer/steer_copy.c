/*
 * Concurrent registration: a REGISTER that goes to the active member is copied to the next one that
 * is not down, under an attempt number that no failover uses. Nothing of what it answers reaches
 * the client; whether it refuses is counted.
 */
#include "dataplane/steer/steer_flight.h"

void steer_copy_sent(struct steer_ctx *c, const struct steer_hop *hop)
{
	struct steer_way way = { .listener = hop->from->key, .attempt = STEER_COPY_ATTEMPT };
	const struct dp_member *m;
	struct steer *s = c->s;

	if (!s->replay)
		return;
	m = steer_next_member(hop->pair, steer_word(s, dp_cfg_pair_number(c->cfg, hop->pair)),
			      SIP_METHOD_REGISTER, false, (uint16_t)(1u << hop->member->slot),
			      false);
	if (!m)
		return;
	way.member = steer_member_number(c->cfg, hop->pair, m);
	if (!steer_replay_datagram(s, c->in, &way))
		return;
	steer_replay_send(s);
	if (s->p.members)
		++*DP_MEMBER_COUNTER(s->p.members, way.member, copies);
}

bool steer_copy_response(struct steer_ctx *c, const struct steer_resp *r)
{
	if (c->m->status >= 300 && r->member != STEER_NO_MEMBER && c->s->p.members)
		++*DP_MEMBER_COUNTER(c->s->p.members, r->member, copies_refused);
	steer_drop(c, DP_REASON_RESP_ABSORBED, "to a copy of concurrent registration");
	return false;
}
