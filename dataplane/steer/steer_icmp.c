/*
 * ICMP errors: whether they are about a request that we sent to a member, which only what they
 * quote can prove. A quote is a message without its end, and is read as far as it goes.
 */
#include "dataplane/steer/steer_internal.h"

/* RFC 3261 18.4 with RFC 1122 3.2.2.1 and RFC 4443 3.1: the codes that say that nobody is there. */
static bool is_unreachable(const struct steer_icmp *in)
{
	const uint32_t v4 = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 7 | 1u << 9
			    | 1u << 10 | 1u << 13;

	if (in->v6)
		return in->type == 1 || (in->type == 4 && in->code == 1);
	return in->type == 3 && in->code < 32 && (v4 >> in->code & 1);
}

/* The branch of our Via on top, when its tag fits the transaction in the Via below. */
static bool read_branch(const struct steer *s, const struct sip_msg *m, struct steer_branch *b)
{
	struct sip_via_iter it;
	struct sip_via next;

	if (!m->is_request || !sip_msg_hdr(m, SIP_HDR_VIA)
	    || steer_branch_read(sip_at(m, m->via.branch), m->via.branch.len, b) < 0)
		return false;
	steer_lower_vias(&it, m);
	if (sip_via_iter_next(&it, &next) <= 0)
		return false;
	for (uint32_t i = 0; i < s->cfg->n_secrets; i++) {
		const struct dp_secret *key = &s->cfg->secrets[i];

		if (steer_branch_tag(key, b, steer_transaction_mac(key, m, &next)) == b->tag)
			return true;
	}
	return false;
}

bool steer_icmp(struct steer *s, const struct steer_icmp *in)
{
	struct steer_branch b;
	const struct dp_member *m;
	uint16_t pair;
	struct dp_event ev = {
		.time_ns = s->now_us * 1000,
		.type = DP_EVENT_ICMP,
		.value = (uint32_t)in->type << 8 | in->code,
	};

	sip_msg_parse(&s->msg, in->quote, in->quote_len);
	if (!read_branch(s, &s->msg, &b) || b.outward)
		return false;
	m = dp_cfg_member_at(s->cfg, &in->to, &pair);
	if (!m || m->key != b.member)
		return false;
	if (is_unreachable(in) && s->p.events) {
		ev.member = (uint32_t)pair * DP_PAIR_MEMBERS + m->slot;
		ev.id = b.tag;
		dp_event_put(s->p.events, &ev);
		s->p.counters->events++;
	}
	return true;
}
