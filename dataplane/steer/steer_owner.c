/*
 * The owner of a call, and the one question that the way of a request begins with when its source
 * is spread: is it ours?
 */
#include "dataplane/steer/steer_owner.h"

#include <string.h>

#include "dataplane/steer/steer_internal.h"

unsigned int steer_owner_of_call(const struct dp_secret *key, const uint8_t *call_id, size_t len,
				 unsigned int n_workers)
{
	uint64_t hash = steer_siphash(key, call_id, len) >> 32;

	return (unsigned int)(hash * n_workers >> 32);
}

void steer_hand_over(struct steer_ctx *c, unsigned int owner, const char *why)
{
	struct dp_worker_counters *n = c->s->p.counters;

	*(c->m->is_request ? &n->handed_requests : &n->handed_responses) += 1;
	c->v->action = STEER_HAND_OVER;
	c->v->owner = (uint8_t)owner;
	c->v->why = why;
}

/* Our cookie in Route: a request in a dialog, of which nothing is recorded but by its own
 * transaction. */
static bool has_cookie(const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_ROUTE);

	return h && memmem(m->buf + h->value_off, h->value_len, ";ss=", 4);
}

/* What belongs to an INVITE that may have come while its source was hot: the INVITE may ring for
 * longer than any source stays hot. */
static bool is_late(const struct sip_msg *m)
{
	return m->method == SIP_METHOD_CANCEL || (m->method == SIP_METHOD_ACK && !has_cookie(m));
}

bool steer_hands_on(struct steer_ctx *c)
{
	const struct steer_params *p = &c->s->p;
	unsigned int owner;

	if (c->in->spread == STEER_SPREAD_LATE && !is_late(c->m))
		return false;
	owner = steer_owner_of_call(&p->owner_key, sip_at(c->m, c->m->call_id), c->m->call_id.len,
				    p->n_workers);
	if (!steer_owner_is_other(owner, p->worker, p->n_workers))
		return false;
	/* What was begun here ends here. */
	steer_transaction_find(c);
	if (c->t.record)
		return false;
	steer_hand_over(c, owner, "its Call-ID belongs to another worker");
	return true;
}
