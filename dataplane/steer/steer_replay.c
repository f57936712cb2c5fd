/*
 * Messages made anew from the store: a copy goes through the steering code once more, for the
 * branch that is wanted, so that there is one way in which requests and responses are edited, and
 * what is sent twice on one branch is the same twice. CANCEL and ACK are built from the request as
 * it was sent.
 *
 * Works in buffers of its own, made at the start: it may be called while a message is being
 * steered.
 */
#include "dataplane/steer/steer_flight.h"

#include <stdlib.h>
#include <string.h>

#include "sip/sip_build.h"

#define DATAGRAM_SIZE 65536

struct steer_replay {
	struct sip_msg msg;  /* the copy */
	struct sip_msg sent; /* the request as it was sent */
	struct steer_verdict v;
	struct steer_in in;
	struct steer_send send; /* what was made last */
	uint8_t copy[DATAGRAM_SIZE];
	uint8_t out[DATAGRAM_SIZE];
	uint8_t built[DATAGRAM_SIZE];
};

struct steer_replay *steer_replay_new(void)
{
	return calloc(1, sizeof(struct steer_replay));
}

void steer_replay_free(struct steer_replay *rp)
{
	free(rp);
}

static struct dp_endpoint endpoint(const struct sip_ip *ip, uint16_t port)
{
	return (struct dp_endpoint){ .ip = *ip, .port = port, .transport = DP_UDP };
}

/* A context for a datagram that lies in rp->copy. @return false: its listener is gone. */
static bool context_init(struct steer *s, struct steer_ctx *c, const struct steer_way *way,
			 const struct dp_endpoint *src, const struct dp_endpoint *dst, uint32_t len)
{
	struct steer_replay *rp = s->replay;

	rp->in = (struct steer_in){
		.buf = rp->copy,
		.len = len,
		.src = *src,
		.dst = *dst,
		.listener = dp_cfg_listener_at(s->cfg, dst),
	};
	*c = (struct steer_ctx){
		.s = s,
		.cfg = s->cfg,
		.in = &rp->in,
		.v = &rp->v,
		.m = &rp->msg,
		.way = way,
		.cause = DP_RESCUE_N,
	};
	if (!rp->in.listener)
		return false;
	c->service = dp_cfg_service(s->cfg, rp->in.listener->service);
	steer_verdict_init(&rp->v);
	return c->service && sip_msg_parse(&rp->msg, rp->copy, len) == SIP_OK;
}

/* The copy of a request, parsed. */
static bool load(struct steer *s, struct steer_ctx *c, const struct steer_flight *f,
		 const struct steer_way *way)
{
	struct dp_endpoint src = endpoint(&f->src_ip, f->src_port);
	struct dp_endpoint dst = endpoint(&f->dst_ip, f->dst_port);

	steer_store_get(s->store, &f->copy, s->replay->copy);
	return context_init(s, c, way, &src, &dst, f->copy.len);
}

/* A forwarding verdict, carried out. */
static bool apply(struct steer *s)
{
	struct steer_replay *rp = s->replay;
	int len;

	if (rp->v.action != STEER_FORWARD)
		return false;
	len = sip_edits_apply(&rp->v.edits, rp->copy, rp->in.len, rp->out, sizeof(rp->out));
	if (len < 0)
		return false;
	rp->send = (struct steer_send){
		.from = rp->v.from,
		.to = rp->v.to,
		.member = rp->v.member,
		.buf = rp->out,
		.len = (uint32_t)len,
	};
	return true;
}

bool steer_replay_request(struct steer *s, struct steer_flight *f, const struct steer_way *way)
{
	struct steer_ctx c;

	if (!load(s, &c, f, way))
		return false;
	steer_request_again(&c);
	return apply(s);
}

bool steer_replay_datagram(struct steer *s, const struct steer_in *in, const struct steer_way *way)
{
	struct steer_ctx c;

	memcpy(s->replay->copy, in->buf, in->len);
	if (!context_init(s, &c, way, &in->src, &in->dst, in->len))
		return false;
	steer_request_again(&c);
	return apply(s);
}

void steer_replay_send(struct steer *s)
{
	s->p.send(s->p.send_arg, &s->replay->send);
}

uint32_t steer_replay_listener(const struct steer *s)
{
	return s->replay->send.from->key;
}

uint64_t steer_replay_tag(const struct steer *s)
{
	const struct sip_msg *m = &s->replay->sent;
	struct steer_branch b = { 0 };

	steer_branch_read(sip_at(m, m->via.branch), m->via.branch.len, &b);
	return b.tag;
}

static struct steer_way way_of(const struct steer_try *t)
{
	return (struct steer_way){ t->member, t->listener, t->attempt };
}

bool steer_replay_again(struct steer *s, struct steer_flight *f, const struct steer_try *t)
{
	struct steer_way way = way_of(t);

	if (!steer_replay_request(s, f, &way))
		return false;
	steer_replay_send(s);
	return true;
}

/* The request as it was sent on a branch, parsed, for what is built from it. */
static bool as_sent(struct steer *s, struct steer_flight *f, const struct steer_try *t)
{
	struct steer_replay *rp = s->replay;
	struct steer_way way = way_of(t);

	return steer_replay_request(s, f, &way)
	       && sip_msg_parse(&rp->sent, rp->out, rp->send.len) == SIP_OK;
}

static bool send_built(struct steer *s, int len)
{
	struct steer_replay *rp = s->replay;

	if (len < 0)
		return false;
	rp->send.buf = rp->built;
	rp->send.len = (uint32_t)len;
	steer_replay_send(s);
	return true;
}

bool steer_replay_cancel(struct steer *s, struct steer_flight *f, const struct steer_try *t)
{
	struct steer_replay *rp = s->replay;

	return as_sent(s, f, t)
	       && send_built(s, sip_build_cancel(rp->built, sizeof(rp->built), &rp->sent));
}

bool steer_replay_ack(struct steer *s, struct steer_flight *f, const struct steer_try *t,
		      const struct sip_msg *response)
{
	struct steer_replay *rp = s->replay;

	return as_sent(s, f, t)
	       && send_built(s, sip_build_ack(rp->built, sizeof(rp->built), &rp->sent, response));
}

bool steer_replay_answer(struct steer *s, struct steer_flight *f, uint16_t status)
{
	struct steer_replay *rp = s->replay;
	struct steer_ctx c;
	int len;

	if (!load(s, &c, f, NULL))
		return false;
	len = steer_answer_build(&c, status, NULL, NULL, rp->built, sizeof(rp->built));
	rp->send = (struct steer_send){
		.from = rp->in.listener,
		.to = steer_answer_to(&c),
		.member = STEER_NO_MEMBER,
	};
	return send_built(s, len);
}

bool steer_replay_kept(struct steer *s, struct steer_flight *f, const struct steer_context *x)
{
	const struct steer_try *t = &x->t[x->best];
	const struct dp_pair *pair = dp_cfg_pair(s->cfg, t->member / DP_PAIR_MEMBERS);
	const struct dp_listener *l = dp_cfg_listener_by_key(s->cfg, t->listener);
	struct steer_way way = way_of(t);
	struct steer_ctx c;

	(void)f;
	if (!pair || !l)
		return false;
	steer_store_get(s->store, &x->best_copy, s->replay->copy);
	if (!context_init(s, &c, &way, &dp_pair_member(pair, t->member % DP_PAIR_MEMBERS)->at,
			  &l->at, x->best_copy.len))
		return false;
	steer_response(&c, dp_ip_hash(&c.in->src.ip));
	s->replay->v.member = STEER_NO_MEMBER;
	if (!apply(s))
		return false;
	steer_replay_send(s);
	return true;
}
