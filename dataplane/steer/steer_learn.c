/*
 * What requests in flight tell of their members: silence, failures, refusals, times; counted for
 * control, and told to it as events.
 */
#include "dataplane/steer/steer_flight.h"

void steer_flight_doubt(struct steer *s, struct steer_record *rec, uint32_t member, uint8_t method)
{
	if (rec->flags & (STEER_RECORD_DOUBTED | STEER_RECORD_HEARD))
		return;
	rec->flags |= STEER_RECORD_DOUBTED;
	if (s->p.members)
		++*DP_MEMBER_COUNTER(s->p.members, member, unanswered);
	steer_event(s, DP_EVENT_UNANSWERED, member, method, 0);
}

void steer_flight_failed(struct steer *s, struct steer_record *rec, uint32_t member)
{
	if (rec->flags & STEER_RECORD_JUDGED || rec->attempt > 0)
		return;
	rec->flags |= STEER_RECORD_JUDGED;
	if (s->p.members) {
		++*DP_MEMBER_COUNTER(s->p.members, member, judged);
		++*DP_MEMBER_COUNTER(s->p.members, member, failed);
	}
}

static bool is_refusal(uint8_t method, uint16_t status)
{
	return status == 503 || (status == 500 && method == SIP_METHOD_REGISTER);
}

static void judge(struct steer *s, struct steer_record *rec, uint32_t us, uint16_t status)
{
	struct dp_member_group *members = s->p.members;
	uint32_t member = rec->member;

	rec->flags |= STEER_RECORD_JUDGED;
	if (!members)
		return;
	++*DP_MEMBER_COUNTER(members, member, judged);
	++*DP_MEMBER_COUNTER(members, member, delays);
	*DP_MEMBER_COUNTER(members, member, delay_us) += us;
	if (is_refusal(rec->method, status)
	    && (status == 503 || rec->method == SIP_METHOD_REGISTER))
		++*DP_MEMBER_COUNTER(members, member, failed);
}

void steer_flight_heard(struct steer *s, struct steer_record *rec, const struct steer_resp *r,
			uint16_t status)
{
	uint32_t us = (uint32_t)s->now_us - rec->sent_us;

	if (r->branch.attempt != rec->attempt || rec->flags & STEER_RECORD_HEARD)
		return;
	rec->flags |= STEER_RECORD_HEARD;
	if (rec->method == SIP_METHOD_INVITE)
		steer_peer_measure(&s->peers[rec->member], us);
	if (rec->attempt == 0 && !(rec->flags & STEER_RECORD_JUDGED))
		judge(s, rec, us, status);
}

void steer_flight_rescued(struct steer *s, const struct steer_record *rec, uint32_t from,
			  uint32_t to, enum dp_rescue cause)
{
	s->p.counters->rescued[cause][rec->method]++;
	if (cause == DP_RESCUE_DOWN && s->peers)
		s->peers[to].taken_us = s->now_us;
	if (!s->p.members)
		return;
	++*DP_MEMBER_COUNTER(s->p.members, from, rescued_from);
	++*DP_MEMBER_COUNTER(s->p.members, to, rescued_to);
}

bool steer_flight_refused(const struct steer *s, const struct steer_record *rec, uint16_t status,
			  uint8_t attempt)
{
	const struct dp_pair *p = dp_cfg_pair(s->cfg, rec->member / DP_PAIR_MEMBERS);

	/* A server that shares registrations with its twin, which has died after taking this one,
	 * answers our own second send 500 (RFC 3261 10.3 item 7). */
	if (status == 500 && attempt > 0)
		return false;
	return is_refusal(rec->method, status) && p && p->failover_methods >> rec->method & 1
	       && rec->state == STEER_RECORD_OPEN
	       && !(rec->flags & (STEER_RECORD_PROVISIONAL | STEER_RECORD_CANCELLED));
}
