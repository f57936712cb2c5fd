#include "dataplane/io/dp_frags.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/io/dp_checksum.h"

#define NONE      UINT16_MAX
#define BUCKETS   (2u * DP_FRAGS_DATAGRAMS) /* a power of two */
#define END_UNSET UINT32_MAX

_Static_assert(DP_FRAGS_PACKETS < NONE && DP_FRAGS_DATAGRAMS < NONE, "indices of 16 bits");
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "masked");

/* A fragment that is kept. */
struct piece {
	void *packet;
	const uint8_t *data;
	uint32_t off, len;
	uint16_t port;
	uint16_t next; /* of its datagram, by offset; or of the free ones */
};

enum state {
	COLLECTING, /* nobody knows yet whose it is, or it is ours and incomplete */
	PASSING,    /* the kernel's */
	DEAD,       /* what still comes of it is dropped */
};

/* Places in a doubly linked list, oldest first. */
struct links {
	uint16_t prev, next;
};

struct datagram {
	struct dp_fragment first; /* its first fragment; until that came only what all have alike */
	uint8_t state;
	uint8_t reason; /* of a dead one: enum dp_reason */
	bool wanted;
	uint16_t n;    /* pieces */
	uint16_t head; /* pieces, by offset */
	uint16_t tail;
	uint16_t source;
	uint16_t bucket, chain; /* next in the same bucket; or of the free ones */
	uint32_t have;          /* bytes that came */
	uint32_t end;           /* bytes that there are, END_UNSET before the last fragment */
	uint64_t since_us;
	struct links by_age, by_source;
};

/* A source that has datagrams here. */
struct source {
	struct sip_ip ip;
	uint16_t n_datagrams, n_pieces;
	uint16_t oldest, newest;
	uint16_t bucket, chain;
};

struct dp_frags {
	struct dp_frags_ops ops;
	uint64_t seed;
	unsigned int n; /* pieces in use */
	uint16_t free_piece, free_datagram, free_source;
	uint16_t oldest, newest; /* datagrams */
	uint16_t datagram_at[BUCKETS], source_at[BUCKETS];
	struct piece piece[DP_FRAGS_PACKETS];
	struct datagram datagram[DP_FRAGS_DATAGRAMS];
	struct source source[DP_FRAGS_DATAGRAMS];
};

struct dp_frags *dp_frags_new(const struct dp_frags_ops *ops, uint64_t seed)
{
	struct dp_frags *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ops = *ops;
	t->seed = seed;
	t->oldest = t->newest = NONE;
	for (uint16_t i = 0; i < BUCKETS; i++)
		t->datagram_at[i] = t->source_at[i] = NONE;
	for (uint16_t i = 0; i < DP_FRAGS_PACKETS; i++)
		t->piece[i].next = i + 1u < DP_FRAGS_PACKETS ? (uint16_t)(i + 1) : NONE;
	for (uint16_t i = 0; i < DP_FRAGS_DATAGRAMS; i++) {
		uint16_t next = i + 1u < DP_FRAGS_DATAGRAMS ? (uint16_t)(i + 1) : NONE;

		t->datagram[i].chain = t->source[i].chain = next;
	}
	return t;
}

/* ---- Hashing */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static uint64_t mix_ip(uint64_t h, const struct sip_ip *ip)
{
	uint64_t w[2];

	memcpy(w, ip->b, sizeof(w));
	return mix(mix(h, w[0]), w[1]);
}

static uint16_t bucket_of(const struct dp_frags *t, const struct dp_fragment *f)
{
	uint64_t h = mix(t->seed, (uint64_t)f->id << 16 | f->port);

	return (uint16_t)(mix_ip(mix_ip(h, &f->src), &f->dst) >> 40 & (BUCKETS - 1));
}

/* What is metered together: who has an IPv6 address has its /64 as well. */
static struct sip_ip metered(const struct sip_ip *ip)
{
	struct sip_ip m = *ip;

	if (!dp_ip_is_v4(ip))
		memset(m.b + 8, 0, 8);
	return m;
}

static bool same_datagram(const struct dp_fragment *a, const struct dp_fragment *b)
{
	return a->id == b->id && a->port == b->port && dp_ip_equal(&a->src, &b->src)
	       && dp_ip_equal(&a->dst, &b->dst);
}

/* ---- Sources */

static uint16_t source_bucket(const struct dp_frags *t, const struct sip_ip *ip)
{
	return (uint16_t)(mix_ip(t->seed, ip) >> 40 & (BUCKETS - 1));
}

static uint16_t source_find(const struct dp_frags *t, const struct sip_ip *ip)
{
	struct sip_ip m = metered(ip);
	uint16_t i = t->source_at[source_bucket(t, &m)];

	while (i != NONE && !dp_ip_equal(&t->source[i].ip, &m))
		i = t->source[i].chain;
	return i;
}

/* There are as many as datagrams, each of which has one: where a datagram is free, so is one. */
static uint16_t source_get(struct dp_frags *t, const struct sip_ip *ip)
{
	struct sip_ip m = metered(ip);
	uint16_t i = source_find(t, ip), b = source_bucket(t, &m);

	if (i != NONE)
		return i;
	i = t->free_source;
	t->free_source = t->source[i].chain;
	t->source[i] = (struct source){
		.ip = m, .oldest = NONE, .newest = NONE, .bucket = b, .chain = t->source_at[b]
	};
	t->source_at[b] = i;
	return i;
}

static void source_release(struct dp_frags *t, uint16_t s)
{
	uint16_t *at = &t->source_at[t->source[s].bucket];

	if (t->source[s].n_datagrams)
		return;
	while (*at != s)
		at = &t->source[*at].chain;
	*at = t->source[s].chain;
	t->source[s].chain = t->free_source;
	t->free_source = s;
}

/* ---- Datagrams, in two lists by age: of all, and of their source */

static void append(struct dp_frags *t, uint16_t d, uint16_t s)
{
	struct datagram *g = &t->datagram[d];
	struct source *o = &t->source[s];

	g->source = s;
	g->by_age = (struct links){ t->newest, NONE };
	g->by_source = (struct links){ o->newest, NONE };
	if (t->newest != NONE)
		t->datagram[t->newest].by_age.next = d;
	else
		t->oldest = d;
	t->newest = d;
	if (o->newest != NONE)
		t->datagram[o->newest].by_source.next = d;
	else
		o->oldest = d;
	o->newest = d;
	o->n_datagrams++;
}

static void unlink_age(struct dp_frags *t, const struct datagram *g)
{
	if (g->by_age.prev != NONE)
		t->datagram[g->by_age.prev].by_age.next = g->by_age.next;
	else
		t->oldest = g->by_age.next;
	if (g->by_age.next != NONE)
		t->datagram[g->by_age.next].by_age.prev = g->by_age.prev;
	else
		t->newest = g->by_age.prev;
}

static void unlink_source(struct dp_frags *t, const struct datagram *g)
{
	struct source *o = &t->source[g->source];

	if (g->by_source.prev != NONE)
		t->datagram[g->by_source.prev].by_source.next = g->by_source.next;
	else
		o->oldest = g->by_source.next;
	if (g->by_source.next != NONE)
		t->datagram[g->by_source.next].by_source.prev = g->by_source.prev;
	else
		o->newest = g->by_source.prev;
	o->n_datagrams--;
}

/* Hand all its pieces on, in order: to the kernel, or to their end. */
static void let_go(struct dp_frags *t, struct datagram *g, bool pass, enum dp_reason reason)
{
	uint16_t i = g->head;

	while (i != NONE) {
		struct piece *p = &t->piece[i];
		uint16_t next = p->next;

		if (pass)
			t->ops.pass(t->ops.arg, p->packet, p->port);
		else
			t->ops.drop(t->ops.arg, p->packet, reason);
		p->next = t->free_piece;
		t->free_piece = i;
		i = next;
	}
	t->n -= g->n;
	t->source[g->source].n_pieces = (uint16_t)(t->source[g->source].n_pieces - g->n);
	g->n = 0;
	g->head = g->tail = NONE;
}

/* Forget a datagram; its pieces go for `reason`. */
static void discard(struct dp_frags *t, uint16_t d, enum dp_reason reason)
{
	struct datagram *g = &t->datagram[d];
	uint16_t *at = &t->datagram_at[g->bucket];

	let_go(t, g, false, reason);
	while (*at != d)
		at = &t->datagram[*at].chain;
	*at = g->chain;
	unlink_age(t, g);
	unlink_source(t, g);
	source_release(t, g->source);
	g->chain = t->free_datagram;
	t->free_datagram = d;
}

void dp_frags_free(struct dp_frags *t)
{
	if (!t)
		return;
	while (t->oldest != NONE)
		discard(t, t->oldest, DP_REASON_FRAG_TIMEOUT);
	free(t);
}

static uint16_t find(const struct dp_frags *t, const struct dp_fragment *f, uint16_t bucket)
{
	uint16_t d = t->datagram_at[bucket];

	while (d != NONE && !same_datagram(&t->datagram[d].first, f))
		d = t->datagram[d].chain;
	return d;
}

static uint16_t open_datagram(struct dp_frags *t, const struct dp_fragment *f, uint16_t bucket,
			      uint64_t now_us)
{
	uint16_t d, s = source_find(t, &f->src);

	if (s != NONE && t->source[s].n_datagrams >= DP_FRAGS_SOURCE_DATAGRAMS)
		discard(t, t->source[s].oldest, DP_REASON_FRAG_LIMIT);
	else if (t->free_datagram == NONE)
		discard(t, t->oldest, DP_REASON_FRAG_LIMIT);
	s = source_get(t, &f->src);
	d = t->free_datagram;
	t->free_datagram = t->datagram[d].chain;
	t->datagram[d] = (struct datagram){ .first = *f,
					    .state = COLLECTING,
					    .head = NONE,
					    .tail = NONE,
					    .bucket = bucket,
					    .chain = t->datagram_at[bucket],
					    .end = END_UNSET,
					    .since_us = now_us };
	t->datagram_at[bucket] = d;
	append(t, d, s);
	return d;
}

/* Nothing of it is of use any more. */
static void kill(struct dp_frags *t, struct datagram *g, enum dp_reason reason)
{
	let_go(t, g, false, reason);
	g->state = DEAD;
	g->reason = (uint8_t)reason;
}

/* Make room for one more piece of datagram d. Returns false when d itself had to go. */
static bool make_room(struct dp_frags *t, uint16_t d)
{
	const struct source *o = &t->source[t->datagram[d].source];
	uint16_t victim;

	while (o->n_pieces >= DP_FRAGS_SOURCE_PACKETS || t->free_piece == NONE) {
		victim = o->n_pieces >= DP_FRAGS_SOURCE_PACKETS ? o->oldest : t->oldest;
		discard(t, victim, DP_REASON_FRAG_LIMIT);
		if (victim == d)
			return false;
	}
	return true;
}

/* What is wrong with a fragment beside those that are there, DP_REASON_N: nothing. Sets *prev to
 * the piece that it comes behind. */
static enum dp_reason place(const struct dp_frags *t, const struct datagram *g,
			    const struct dp_fragment *f, uint16_t *prev)
{
	uint32_t end = f->off + f->len;
	uint16_t before = NONE, after = g->head;

	/* In order is how most come. */
	if (g->tail != NONE && f->off > t->piece[g->tail].off) {
		before = g->tail;
		after = NONE;
	}
	while (after != NONE && t->piece[after].off < f->off) {
		before = after;
		after = t->piece[after].next;
	}
	*prev = before;
	if (after != NONE && t->piece[after].off == f->off && t->piece[after].len == f->len)
		return DP_REASON_FRAG_DUPLICATE;
	if ((before != NONE && t->piece[before].off + t->piece[before].len > f->off)
	    || (after != NONE && t->piece[after].off < end))
		return DP_REASON_FRAG_OVERLAP;
	/* There is one end, and nothing behind it. */
	if (f->more ? end > g->end : (g->end != END_UNSET && g->end != end) || after != NONE)
		return DP_REASON_IP_FRAGMENT;
	if (g->n >= DP_FRAGS_PIECES)
		return DP_REASON_FRAG_LIMIT;
	return DP_REASON_N;
}

static void insert(struct dp_frags *t, struct datagram *g, const struct dp_fragment *f,
		   const uint8_t *frame, void *packet, uint16_t prev)
{
	uint16_t i = t->free_piece, *at = prev == NONE ? &g->head : &t->piece[prev].next;

	t->free_piece = t->piece[i].next;
	t->piece[i] = (struct piece){ .packet = packet,
				      .data = frame + f->data_off,
				      .off = f->off,
				      .len = f->len,
				      .port = f->port,
				      .next = *at };
	*at = i;
	if (t->piece[i].next == NONE)
		g->tail = i;
	g->n++;
	g->have += f->len;
	if (!f->more)
		g->end = f->off + f->len;
	t->n++;
	t->source[g->source].n_pieces++;
}

/* The kernel's: on it goes. What overlaps or came twice there is none of our business. */
static void pass(struct dp_frags *t, uint16_t d, const struct dp_fragment *f, void *packet)
{
	struct datagram *g = &t->datagram[d];

	g->have += f->len;
	if (!f->more)
		g->end = f->off + f->len;
	t->ops.pass(t->ops.arg, packet, f->port);
	if (g->have >= g->end)
		discard(t, d, DP_REASON_N);
}

static void complete(struct dp_frags *t, uint16_t d)
{
	const struct datagram *g = &t->datagram[d];
	struct dp_frags_datagram whole = { &g->first, g->end, t, g->head };

	t->ops.whole(t->ops.arg, &whole);
	discard(t, d, DP_REASON_N);
}

/* Of a datagram that is being collected. */
static void collect(struct dp_frags *t, uint16_t d, const struct dp_fragment *f,
		    const uint8_t *frame, void *packet)
{
	struct datagram *g = &t->datagram[d];
	enum dp_reason reason;
	uint16_t prev;

	reason = place(t, g, f, &prev);
	if (reason == DP_REASON_FRAG_DUPLICATE) {
		t->ops.drop(t->ops.arg, packet, reason);
		return;
	}
	if (reason != DP_REASON_N) {
		kill(t, g, reason);
		t->ops.drop(t->ops.arg, packet, reason);
		return;
	}
	if (!make_room(t, d)) {
		t->ops.drop(t->ops.arg, packet, DP_REASON_FRAG_LIMIT);
		return;
	}
	insert(t, g, f, frame, packet, prev);
	if (g->wanted && g->have == g->end)
		complete(t, d);
}

/* Whose the datagram is, as its first fragment says. */
static void identify(struct dp_frags *t, struct datagram *g, const struct dp_fragment *f,
		     const uint8_t *frame)
{
	struct dp_endpoint to;

	g->wanted = dp_fragment_to(frame, f, &to) && t->ops.wanted(t->ops.arg, &to);
	if (g->wanted) {
		g->first = *f;
	} else {
		let_go(t, g, true, DP_REASON_N);
		g->state = PASSING;
	}
}

void dp_frags_put(struct dp_frags *t, const struct dp_fragment *f, const uint8_t *frame,
		  void *packet, uint64_t now_us)
{
	uint16_t bucket = bucket_of(t, f), d = find(t, f, bucket);

	/* A tick may be late; an identification that was used again is another datagram. */
	if (d != NONE && now_us - t->datagram[d].since_us >= DP_FRAGS_US) {
		discard(t, d, DP_REASON_FRAG_TIMEOUT);
		d = NONE;
	}
	if (d == NONE)
		d = open_datagram(t, f, bucket, now_us);
	if (f->off == 0 && t->datagram[d].state == COLLECTING && !t->datagram[d].wanted)
		identify(t, &t->datagram[d], f, frame);
	switch (t->datagram[d].state) {
	case COLLECTING: collect(t, d, f, frame, packet); break;
	case PASSING: pass(t, d, f, packet); break;
	default: t->ops.drop(t->ops.arg, packet, (enum dp_reason)t->datagram[d].reason); break;
	}
}

void dp_frags_tick(struct dp_frags *t, uint64_t now_us)
{
	while (t->oldest != NONE && now_us - t->datagram[t->oldest].since_us >= DP_FRAGS_US)
		discard(t, t->oldest, DP_REASON_FRAG_TIMEOUT);
}

unsigned int dp_frags_count(const struct dp_frags *t)
{
	return t->n;
}

/* ---- The datagram in one piece */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put_ipv4(uint8_t *ip, const struct dp_frags_datagram *d)
{
	const struct dp_fragment *f = d->first;

	ip[0] = 0x45;
	ip[1] = f->tclass;
	put16(ip + 2, DP_IPV4_LEN + d->len);
	put16(ip + 4, f->id);
	ip[8] = 1;
	ip[9] = f->next;
	memcpy(ip + 12, f->src.b + 12, 4);
	memcpy(ip + 16, f->dst.b + 12, 4);
	memcpy(ip + 10, &(uint16_t){ dp_sum_finish(dp_sum(ip, DP_IPV4_LEN)) }, 2);
}

static void put_ipv6(uint8_t *ip, const struct dp_frags_datagram *d)
{
	const struct dp_fragment *f = d->first;

	put16(ip, 0x6000u | (uint32_t)f->tclass << 4);
	put16(ip + 4, d->len);
	ip[6] = f->next;
	ip[7] = 1;
	memcpy(ip + 8, f->src.b, 16);
	memcpy(ip + 24, f->dst.b, 16);
}

uint32_t dp_frags_frame(const struct dp_frags_datagram *d, uint8_t *out, uint32_t size)
{
	bool v4 = dp_ip_is_v4(&d->first->src);
	uint32_t headers = DP_ETHER_LEN + (v4 ? DP_IPV4_LEN : DP_IPV6_LEN);
	uint32_t ip_max = v4 ? UINT16_MAX - DP_IPV4_LEN : UINT16_MAX;

	if (headers + d->len > size || d->len > ip_max)
		return 0;
	memset(out, 0, headers);
	out[0] = d->first->multicast ? 1 : 0;
	put16(out + 12, v4 ? DP_ETHER_IPV4 : DP_ETHER_IPV6);
	if (v4)
		put_ipv4(out + DP_ETHER_LEN, d);
	else
		put_ipv6(out + DP_ETHER_LEN, d);
	for (uint16_t i = (uint16_t)d->piece; i != NONE; i = d->table->piece[i].next)
		memcpy(out + headers + d->table->piece[i].off, d->table->piece[i].data,
		       d->table->piece[i].len);
	return headers + d->len;
}
