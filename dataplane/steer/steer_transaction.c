/*
 * Transactions as their clients name them: the key of a record, what our branch is made from, the
 * hash that tells a loop from a spiral, and the To tag of our own answers.
 *
 * None of these takes in the To tag, the method, Proxy-Require or credentials (RFC 3261 16.11), nor
 * anything that a response does not carry back: a response is proven ours by computing its
 * transaction anew from the Via below ours.
 */
#include "dataplane/steer/steer_internal.h"

#include <string.h>

void steer_lower_vias(struct sip_via_iter *it, const struct sip_msg *m)
{
	uint32_t off = (uint32_t)m->via.value.off + m->via.value.len, end;

	sip_via_iter_init(it, m);
	end = (uint32_t)it->hdr->value_off + it->hdr->value_len;
	/* The next one stands behind a comma with white space around it, or in another line. */
	while (off < end && (m->buf[off] <= ' ' || m->buf[off] == ','))
		off++;
	it->off = (uint16_t)(off < end ? off : end + 1);
}

#define MAGIC_COOKIE_LEN 7 /* "z9hG4bK", RFC 3261 8.1.1.7 */

/* As all write it. */
static inline bool is_magic(const uint8_t *branch)
{
	return memcmp(branch, "z9hG4bK", MAGIC_COOKIE_LEN) == 0;
}

static __attribute__((noinline)) bool is_magic_nocase(const uint8_t *buf, struct sip_span cookie)
{
	return sip_span_is_nocase(buf, cookie, "z9hG4bK");
}

/* RFC 4475 3.2.1: the cookie alone identifies nothing. */
bool steer_is_rfc3261_branch(const struct sip_msg *m, struct sip_span branch)
{
	struct sip_span cookie = { branch.off, MAGIC_COOKIE_LEN };

	if (branch.len <= MAGIC_COOKIE_LEN)
		return false;
	/* It is compared as a token, in any case (7.3.1). */
	return is_magic(m->buf + branch.off) || is_magic_nocase(m->buf, cookie);
}

static struct steer_part part_of(const struct sip_msg *m, struct sip_span s)
{
	return (struct steer_part){ sip_at(m, s), s.len };
}

/* An RFC 2543 client: what names its transaction in requests and responses alike (16.11, 17.2.3),
 * ACK and CANCEL included. */
static __attribute__((noinline)) uint64_t mac_rfc2543(const struct dp_secret *key,
						      const struct sip_msg *m, uint64_t mac)
{
	const struct steer_part part[] = { { &mac, sizeof(mac) },
					   part_of(m, m->from_tag),
					   part_of(m, m->call_id) };

	return steer_digest(key, STEER_DOMAIN_TRANSACTION, m->cseq, part, 3);
}

/* A branch that is not written as most are. */
static __attribute__((noinline)) uint64_t mac_other(const struct dp_secret *key,
						    const struct sip_msg *m,
						    const struct sip_via *via, uint64_t mac)
{
	if (!steer_is_rfc3261_branch(m, via->branch))
		mac = mac_rfc2543(key, m, mac);
	return mac ? mac : 1;
}

static __attribute__((noinline)) uint64_t
mac_any(const struct dp_secret *key, const struct sip_msg *m, const struct sip_via *via)
{
	uint64_t mac = steer_digest2_any(key, STEER_DOMAIN_TRANSACTION, via->port,
					 part_of(m, via->branch), part_of(m, via->host));

	if (__builtin_expect(via->branch.len <= MAGIC_COOKIE_LEN
				     || !is_magic(m->buf + via->branch.off) || mac == 0,
			     0))
		return mac_other(key, m, via, mac);
	return mac;
}

/* What is not as usual is told at first, so that the rest needs to keep nothing for it. */
uint64_t steer_transaction_mac(const struct dp_secret *key, const struct sip_msg *m,
			       const struct sip_via *via)
{
	struct steer_part branch = part_of(m, via->branch), host = part_of(m, via->host);
	uint64_t mac;

	if (__builtin_expect(!steer_digest2_is_short(branch, host) || !is_magic(branch.p), 0))
		return mac_any(key, m, via);
	mac = steer_digest2_short(key, STEER_DOMAIN_TRANSACTION, via->port, branch, host);
	return __builtin_expect(mac != 0, 1) ? mac : mac_any(key, m, via);
}

/* Parts of one digest; a longer list is chained. */
#define LOOP_PARTS STEER_DIGEST_PARTS

static __attribute__((noinline)) uint64_t digest_with_routes(const struct dp_secret *key,
							     const struct sip_msg *m)
{
	struct steer_part part[LOOP_PARTS];
	uint64_t mac;
	size_t n = 1;

	part[0] = part_of(m, m->uri);
	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_ROUTE); h;
	     h = sip_msg_hdr_next(m, h)) {
		if (n == LOOP_PARTS) {
			mac = steer_digest(key, STEER_DOMAIN_LOOP, 0, part, n);
			part[0] = (struct steer_part){ &mac, sizeof(mac) };
			n = 1;
		}
		part[n++] = (struct steer_part){ m->buf + h->value_off, h->value_len };
	}
	return steer_digest(key, STEER_DOMAIN_LOOP, 0, part, n);
}

uint32_t steer_loop_hash(const struct dp_secret *key, const struct sip_msg *m)
{
	uint64_t mac = sip_msg_has(m, SIP_HDR_ROUTE)
			       ? digest_with_routes(key, m)
			       : steer_digest1(key, STEER_DOMAIN_LOOP, 0, part_of(m, m->uri));

	return (uint32_t)steer_seal(key, STEER_DOMAIN_LOOP, &mac, 1);
}

uint64_t steer_client_mix(const struct dp_secret *key, const struct dp_endpoint *e)
{
	uint32_t place = (uint32_t)e->transport << 16 | e->port, v4;
	struct steer_part ip = { e->ip.b, sizeof(e->ip.b) };

	if (dp_ip_is_v4(&e->ip)) {
		memcpy(&v4, e->ip.b + 12, sizeof(v4));
		return (uint64_t)v4 << 24 | place;
	}
	return steer_digest1(key, STEER_DOMAIN_CLIENT, place, ip) | 1ull << 63;
}

/* A record belongs to a request when it was made by it: the same method, or the ACK or CANCEL of
 * an INVITE (RFC 3261 17.2.3; CANCEL of anything else: 9.1). Another method under the same branch
 * is a faulty client's new request. */
static bool record_fits(const struct steer_record *r, uint8_t method)
{
	return r->method == method || method == SIP_METHOD_CANCEL
	       || (method == SIP_METHOD_ACK && r->method == SIP_METHOD_INVITE);
}

/* Older keys: what was begun before the keys changed is finished under the old one. */
static __attribute__((noinline)) bool find_older(struct steer_ctx *c)
{
	struct steer_records *rs = c->s->records;
	struct steer_record *r;

	for (uint32_t i = c->cfg->n_secrets; i-- > 1;) {
		const struct dp_secret *key = &c->cfg->secrets[i];
		uint64_t mac = steer_transaction_mac(key, c->m, &c->m->via);

		r = steer_records_find(rs, mac, c->s->now_us);
		if (r && record_fits(r, c->m->method)) {
			c->t = (struct steer_transaction){
				.secret = key, .mac = mac, .loop = r->loop, .record = r
			};
			return true;
		}
	}
	return false;
}

static __attribute__((noinline)) void find_record(struct steer_ctx *c)
{
	struct steer_record *r = steer_records_find(c->s->records, c->t.mac, c->s->now_us);

	if (!r)
		return;
	if (record_fits(r, c->m->method)) {
		c->t.record = r;
		c->t.loop = r->loop;
	} else {
		c->t.taken = true;
	}
}

void steer_transaction_find(struct steer_ctx *c)
{
	struct steer_records *rs = c->s->records;

	if (rs && c->cfg->n_secrets > 1 && find_older(c))
		return;
	c->t.secret = &c->cfg->secrets[0];
	c->t.mac = c->in->ahead && c->in->ahead->mac
			   ? c->in->ahead->mac
			   : steer_transaction_mac(c->t.secret, c->m, &c->m->via);
	if (rs)
		find_record(c);
}

static uint64_t open_hold(uint8_t method)
{
	return method == SIP_METHOD_INVITE ? STEER_TIMER_C_US : STEER_T1_64_US;
}

void steer_transaction_record(struct steer_ctx *c, const struct steer_hop *hop)
{
	struct dp_worker_counters *n = c->s->p.counters;
	struct steer_record *r = c->t.record;
	uint8_t method = c->m->method;

	if (!c->s->records || c->t.taken || method == SIP_METHOD_ACK || method == SIP_METHOD_CANCEL)
		return;
	if (!r) {
		r = steer_records_insert(c->s->records, c->t.mac, c->s->now_us, open_hold(method));
		if (!r) {
			n->records_full++;
			return;
		}
		n->records_made++;
		r->method = method;
		r->state = STEER_RECORD_OPEN;
		r->loop = c->t.loop;
		r->client = steer_client_mix(c->t.secret, &c->in->src);
		c->t.record = r;
	}
	/* The one in the branch: what has to keep its branch may go to another. */
	r->member =
		hop->member ? steer_member_number(c->cfg, hop->pair, hop->member) : STEER_NO_MEMBER;
	r->attempt = hop->attempt;
	r->listener = hop->from->key;
}

void steer_to_tag(const struct dp_secret *key, const struct sip_msg *m, char *out)
{
	static const char digit[] = "0123456789abcdef";
	uint64_t mac = steer_transaction_mac(key, m, &m->via);

	mac = steer_seal(key, STEER_DOMAIN_TO_TAG, &mac, 1);
	*out++ = 's';
	*out++ = 's';
	for (int shift = 60; shift >= 0; shift -= 4)
		*out++ = digit[mac >> shift & 15];
	*out = '\0';
}
