/*
 * The reader is a cursor with a sticky error: whatever would go beyond the message sets `bad` and
 * yields 0. A compressed name may only point backwards, to before the part that points, so that no
 * loop of pointers exists (RFC 1035 4.1.4 speaks of "a prior occurrence").
 */
#include "control/dns/ctl_dns_msg.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_LEN     12
#define CLASS_IN       1
#define RCODE_NXDOMAIN 3

struct cursor {
	const uint8_t *msg;
	size_t len, at;
	bool bad;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->msg + c->at;

	if (c->bad || c->len - c->at < n) {
		c->bad = true;
		return NULL;
	}
	c->at += n;
	return p;
}

static uint8_t take8(struct cursor *c)
{
	const uint8_t *p = take(c, 1);

	return p ? p[0] : 0;
}

static uint16_t take16(struct cursor *c)
{
	const uint8_t *p = take(c, 2);
	unsigned int v = p ? (unsigned int)p[0] << 8 | p[1] : 0;

	return (uint16_t)v;
}

static uint32_t take32(struct cursor *c)
{
	uint32_t high = take16(c);

	return high << 16 | take16(c);
}

/* ---- Names */

static bool is_name_char(uint8_t c)
{
	return isalnum(c) || c == '-' || c == '_';
}

/* A name being read: its text, and whether that is one of ours to use. */
struct name {
	char text[CTL_DNS_NAME_SIZE];
	size_t len;
	bool odd; /* a well-formed name, of bytes that no host's name has */
};

static void add_label(struct name *n, const uint8_t *label, size_t len, struct cursor *c)
{
	/* RFC 1035 2.3.4: 255 bytes in the message, 253 as text. */
	if (n->len + (n->len > 0) + len > 253) {
		c->bad = true;
		return;
	}
	if (n->len)
		n->text[n->len++] = '.';
	for (size_t i = 0; i < len; i++) {
		n->odd |= !is_name_char(label[i]);
		n->text[n->len++] = (char)tolower(label[i]);
	}
	n->text[n->len] = '\0';
}

static void take_name(struct cursor *c, struct name *n)
{
	struct cursor here = *c; /* moves away from c at the first pointer */
	size_t start = c->at;    /* of the part that is read now */
	bool jumped = false;

	n->len = 0;
	n->odd = false;
	n->text[0] = '\0';
	for (;;) {
		uint8_t len = take8(&here);

		if ((len & 0xc0) == 0xc0) {
			size_t to = (size_t)(len & 0x3f) << 8 | take8(&here);

			if (!jumped)
				c->at = here.at;
			jumped = true;
			here.bad |= to >= start;
			here.at = start = here.bad ? 0 : to;
		} else if (len & 0xc0) {
			here.bad = true; /* RFC 6891 5: no other kinds of labels */
		} else if (len && !here.bad) {
			const uint8_t *label = take(&here, len);

			if (label)
				add_label(n, label, len, &here);
		}
		if (here.bad || len == 0)
			break;
	}
	c->bad |= here.bad;
	if (!jumped)
		c->at = here.at;
}

bool ctl_dns_name_fits(const char *name)
{
	size_t len = strlen(name), label = 0;
	const char *last;

	if (len && name[len - 1] == '.')
		len--;
	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] != '.' && !is_name_char((uint8_t)name[i]))
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (label > 63 || (name[i] == '.' && (i == 0 || name[i - 1] == '.')))
			return false;
	}
	last = name + len;
	while (last > name && last[-1] != '.')
		last--;
	return strspn(last, "0123456789") < (size_t)(name + len - last);
}

char *ctl_dns_name_lower(const char *name, char *out, size_t size)
{
	size_t n = 0;

	for (; name[n] && n + 1 < size; n++)
		out[n] = (char)tolower((unsigned char)name[n]);
	if (n > 1 && out[n - 1] == '.')
		n--;
	out[n] = '\0';
	return out;
}

/* ---- Records */

struct rr {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl;
	struct cursor data; /* ends with the record; names in it may point into the message */
};

static bool take_rr(struct cursor *c, struct rr *r)
{
	uint16_t len;

	take_name(c, &r->owner);
	r->type = take16(c);
	r->class = take16(c);
	r->ttl = take32(c);
	/* RFC 2181 8: one with the top bit set counts as zero. */
	if (r->ttl & 0x80000000u)
		r->ttl = 0;
	len = take16(c);
	r->data = *c;
	if (!take(c, len))
		return false;
	r->data.len = r->data.at + len;
	return true;
}

/* A character-string (RFC 1035 3.3); one that is longer than the room makes no sense to us. */
static bool take_string(struct cursor *c, char *out, size_t size)
{
	uint8_t len = take8(c);
	const uint8_t *p = take(c, len);

	if (!p || len >= size || memchr(p, '\0', len))
		return false;
	memcpy(out, p, len);
	out[len] = '\0';
	return true;
}

static bool read_address(struct rr *r, struct ctl_dns_record *to)
{
	size_t want = r->type == CTL_DNS_A ? 4 : 16;
	const uint8_t *p = take(&r->data, want);

	if (!p || r->data.at != r->data.len)
		return false;
	memset(&to->ip, 0, sizeof(to->ip));
	if (r->type == CTL_DNS_A)
		to->ip.b[10] = to->ip.b[11] = 0xff;
	memcpy(to->ip.b + 16 - want, p, want);
	/* An IPv4 address within an AAAA is another host's notation of it. */
	return r->type == CTL_DNS_A || !dp_ip_is_v4(&to->ip);
}

static bool read_srv(struct rr *r, struct ctl_dns_srv *to)
{
	struct name target;

	to->priority = take16(&r->data);
	to->weight = take16(&r->data);
	to->port = take16(&r->data);
	take_name(&r->data, &target);
	memcpy(to->target, target.text, sizeof(to->target));
	return !r->data.bad && !target.odd && r->data.at == r->data.len;
}

static bool read_naptr(struct rr *r, struct ctl_dns_naptr *to)
{
	struct name replacement;
	uint8_t regexp_len;

	to->order = take16(&r->data);
	to->preference = take16(&r->data);
	if (!take_string(&r->data, to->flags, sizeof(to->flags))
	    || !take_string(&r->data, to->service, sizeof(to->service)))
		return false;
	regexp_len = take8(&r->data);
	to->has_regexp = regexp_len > 0;
	take(&r->data, regexp_len);
	take_name(&r->data, &replacement);
	memcpy(to->replacement, replacement.text, sizeof(to->replacement));
	return !r->data.bad && !replacement.odd && r->data.at == r->data.len;
}

static bool read_data(struct rr *r, struct ctl_dns_record *to)
{
	to->ttl = r->ttl;
	switch (r->type) {
	case CTL_DNS_A:
	case CTL_DNS_AAAA: return read_address(r, to);
	case CTL_DNS_SRV: return read_srv(r, &to->srv);
	default: return read_naptr(r, &to->naptr);
	}
}

/* ---- The message */

struct header {
	uint16_t flags, n_questions, n_answers, n_authority;
};

static bool take_header(struct cursor *c, const char *name, uint16_t type, struct header *h)
{
	struct name asked;

	take16(c);
	h->flags = take16(c);
	h->n_questions = take16(c);
	h->n_answers = take16(c);
	h->n_authority = take16(c);
	take16(c);
	if (c->bad || !(h->flags & 0x8000) || h->n_questions != 1)
		return false;
	take_name(c, &asked);
	return take16(c) == type && take16(c) == CLASS_IN && !c->bad
	       && strcmp(asked.text, name) == 0;
}

/* Where the CNAME of `name` leads, if there is one. The section is read anew for each: it may hold
 * them in any order. */
static bool next_alias(struct cursor c, unsigned int n, const char *name, struct name *to,
		       uint32_t *ttl)
{
	struct rr r;

	for (unsigned int i = 0; i < n && take_rr(&c, &r); i++) {
		if (r.type != CTL_DNS_CNAME || r.class != CLASS_IN || strcmp(r.owner.text, name))
			continue;
		take_name(&r.data, to);
		if (r.data.bad || to->odd || !to->len)
			return false;
		*ttl = r.ttl < *ttl ? r.ttl : *ttl;
		return true;
	}
	return false;
}

/* Whether all the records are there that the header promises. */
static bool is_whole(struct cursor c, unsigned int n)
{
	struct rr r;

	for (unsigned int i = 0; i < n; i++) {
		if (!take_rr(&c, &r))
			return false;
	}
	return true;
}

/* @return 0 or -ENOMEM. */
static int collect(struct cursor c, unsigned int n, const char *name, uint16_t type,
		   struct ctl_dns_answer *a)
{
	struct rr r;

	a->records = calloc((n < CTL_DNS_RECORDS ? n : CTL_DNS_RECORDS) + 1, sizeof(*a->records));
	if (!a->records)
		return -ENOMEM;
	for (unsigned int i = 0; i < n && take_rr(&c, &r); i++) {
		if (r.type != type || r.class != CLASS_IN || strcmp(r.owner.text, name) != 0)
			continue;
		if (a->n == CTL_DNS_RECORDS)
			a->excess++;
		else if (!read_data(&r, &a->records[a->n]))
			a->bad++;
		else if (a->records[a->n++].ttl < a->ttl)
			a->ttl = r.ttl;
	}
	return 0;
}

/* RFC 2308 5: the smaller of the SOA's TTL and its last field. */
static uint32_t negative_ttl(struct cursor c, const struct header *h)
{
	struct rr r;
	struct name n;

	for (unsigned int i = 0; i < h->n_answers; i++) {
		if (!take_rr(&c, &r))
			return CTL_DNS_NO_TTL;
	}
	for (unsigned int i = 0; i < h->n_authority && take_rr(&c, &r); i++) {
		uint32_t minimum;

		if (r.type != CTL_DNS_SOA || r.class != CLASS_IN)
			continue;
		take_name(&r.data, &n);
		take_name(&r.data, &n);
		take(&r.data, 16);
		minimum = take32(&r.data);
		if (!r.data.bad)
			return minimum < r.ttl ? minimum : r.ttl;
	}
	return CTL_DNS_NO_TTL;
}

int ctl_dns_answer_parse(const uint8_t *msg, size_t len, const char *name, uint16_t type,
			 struct ctl_dns_answer *a)
{
	struct cursor c = { .msg = msg, .len = len };
	char lower[CTL_DNS_NAME_SIZE];
	struct header h;
	struct name at;
	unsigned int aliases = 0;

	memset(a, 0, sizeof(*a));
	a->kind = CTL_DNS_MALFORMED;
	a->ttl = CTL_DNS_NO_TTL;
	ctl_dns_name_lower(name, lower, sizeof(lower));
	if (len < HEADER_LEN || !take_header(&c, lower, type, &h) || !is_whole(c, h.n_answers))
		return 0;
	while (next_alias(c, h.n_answers, lower, &at, &a->ttl)) {
		if (++aliases > CTL_DNS_ALIASES)
			return 0;
		memcpy(lower, at.text, sizeof(lower));
	}
	if (collect(c, h.n_answers, lower, type, a) < 0)
		return -ENOMEM;
	if (a->n || a->bad) {
		a->kind = CTL_DNS_ANSWER;
	} else if (aliases && (h.flags & 15) != RCODE_NXDOMAIN) {
		memcpy(a->alias, lower, sizeof(a->alias));
		a->kind = CTL_DNS_ALIAS;
	} else {
		uint32_t ttl = negative_ttl(c, &h);

		a->kind = CTL_DNS_NOTHING;
		a->ttl = ttl < a->ttl ? ttl : a->ttl;
	}
	return 0;
}

void ctl_dns_answer_fini(struct ctl_dns_answer *a)
{
	free(a->records);
	a->records = NULL;
	a->n = 0;
}
