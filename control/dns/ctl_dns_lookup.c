/*
 * One question at a time for NAPTR and SRV, then all addresses at once. Whatever is read from the
 * network is bounded where it comes in: records (ctl_dns_msg.h), NAPTR candidates, SRV records,
 * addresses of a target, aliases that lead to further questions.
 *
 * `depth` counts the calls into the machine that are on the stack: a reply may come from within
 * ask(), and the end is told when none is left.
 */
#include "control/dns/ctl_dns_lookup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_ip.h"

#define CANDIDATES 8  /* NAPTR records that are followed */
#define ADDRESSES  16 /* of a target */

/* An SRV record that is followed, or the name itself with its port. */
struct pick {
	uint16_t priority, weight, port;
	unsigned int host;
};

/* A target and its addresses. */
struct host {
	char name[CTL_DNS_NAME_SIZE];
	unsigned int n;
	struct sip_ip ip[ADDRESSES];
	unsigned int failed; /* CTL_DNS_FAMILY_*: whose question failed */
};

struct question {
	struct ctl_dns_lookup *l;
	void (*answered)(struct question *q, const struct ctl_dns_answer *a, const char *error);
	void *handle;
	bool open;
	uint16_t type;
	unsigned int host;
	unsigned int restarts;
	char name[CTL_DNS_NAME_SIZE];
};

struct ctl_dns_lookup {
	const struct ctl_dns_io *io;
	const struct ctl_dns_spec *spec;
	const struct ctl_dns_result *last;
	ctl_dns_done_cb done;
	void *arg;
	unsigned int depth, n_open;
	bool over;
	struct ctl_dns_outcome out;
	uint32_t ttl_s;
	struct question one; /* NAPTR and SRV */
	unsigned int n_candidates, n_naptr, next_candidate;
	char candidates[CANDIDATES + 1][CTL_DNS_NAME_SIZE]; /* names that may have SRV */
	char trouble[CTL_DNS_TEXT];                         /* of a candidate that was of no use */
	unsigned int n_picks, n_hosts;
	struct pick picks[CTL_DNS_TARGETS];
	struct host hosts[CTL_DNS_TARGETS];
	struct question addresses[2 * CTL_DNS_TARGETS];
};

/* ---- What is said in the end */

static void add_text(char text[CTL_DNS_TEXT], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Further remarks after the first; what has no room is left out. */
static void add_text(char text[CTL_DNS_TEXT], const char *format, ...)
{
	char more[CTL_DNS_TEXT];
	size_t len = strlen(text), more_len;
	va_list ap;

	va_start(ap, format);
	vsnprintf(more, sizeof(more), format, ap);
	va_end(ap);
	more_len = strlen(more);
	if (!len) {
		memcpy(text, more, more_len + 1);
	} else if (len + 2 + more_len < CTL_DNS_TEXT) {
		memcpy(text + len, "; ", 2);
		memcpy(text + len + 2, more, more_len + 1);
	}
}

static void fail(struct ctl_dns_lookup *l, const char *text)
{
	l->over = true;
	l->out.good = false;
	snprintf(l->out.error, sizeof(l->out.error), "%s", text);
}

static const char *type_name(uint16_t type)
{
	switch (type) {
	case CTL_DNS_A: return "A";
	case CTL_DNS_AAAA: return "AAAA";
	case CTL_DNS_SRV: return "SRV";
	default: return "NAPTR";
	}
}

static void note_left_out(struct ctl_dns_lookup *l, const struct question *q,
			  const struct ctl_dns_answer *a)
{
	if (a->bad)
		add_text(l->out.refused, "%u %s records of %s make no sense", a->bad,
			 type_name(q->type), q->name);
	if (a->excess)
		add_text(l->out.refused, "%u of %zu %s records of %s are left out", a->excess,
			 a->n + a->excess, type_name(q->type), q->name);
}

/* ---- Questions */

static void leave(struct ctl_dns_lookup *l)
{
	if (--l->depth > 0 || !l->over)
		return;
	l->done(l->arg, &l->out);
	ctl_dns_lookup_free(l);
}

static void on_reply(void *arg, const struct ctl_dns_reply *r);

static void ask(struct question *q)
{
	struct ctl_dns_lookup *l = q->l;
	void *handle;

	q->open = true;
	l->n_open++;
	handle = l->io->ask(l->io->arg, q->name, q->type, on_reply, q);
	if (handle)
		q->handle = handle;
}

/* An alias that the answer did not follow to its end. @return whether it is asked for. */
static bool follow(struct question *q, const struct ctl_dns_answer *a)
{
	if (++q->restarts > CTL_DNS_ALIASES)
		return false;
	if (a->ttl < q->l->ttl_s)
		q->l->ttl_s = a->ttl;
	memcpy(q->name, a->alias, sizeof(q->name));
	ask(q);
	return true;
}

static void take_answer(struct question *q, const struct ctl_dns_reply *r)
{
	struct ctl_dns_lookup *l = q->l;
	struct ctl_dns_answer a;
	const char *error = NULL;

	if (ctl_dns_answer_parse(r->msg, r->len, q->name, q->type, &a) < 0)
		error = "out of memory";
	else if (a.kind == CTL_DNS_MALFORMED)
		error = "malformed answer";
	else if (a.kind == CTL_DNS_ALIAS && follow(q, &a))
		goto out;
	else if (a.kind == CTL_DNS_ALIAS)
		error = "aliases (CNAME) without end";
	if (!error && a.ttl == CTL_DNS_NO_TTL)
		a.ttl = CTL_DNS_DEFAULT_TTL;
	if (!error && a.ttl < l->ttl_s)
		l->ttl_s = a.ttl;
	if (!error)
		note_left_out(l, q, &a);
	q->answered(q, error ? NULL : &a, error);
out:
	ctl_dns_answer_fini(&a);
}

static void on_reply(void *arg, const struct ctl_dns_reply *r)
{
	struct question *q = arg;
	struct ctl_dns_lookup *l = q->l;

	l->depth++;
	q->open = false;
	q->handle = NULL;
	l->n_open--;
	if (!r->msg)
		q->answered(q, NULL, r->error);
	else
		take_answer(q, r);
	leave(l);
}

static void ask_one(struct ctl_dns_lookup *l, const char *name, uint16_t type,
		    void (*answered)(struct question *, const struct ctl_dns_answer *,
				     const char *))
{
	l->one = (struct question){ .l = l, .answered = answered, .type = type };
	snprintf(l->one.name, sizeof(l->one.name), "%s", name);
	ask(&l->one);
}

/* ---- Addresses */

/* The last good addresses of a target, of these families. @return how many were added. */
static unsigned int keep_last(struct ctl_dns_lookup *l, struct host *h, unsigned int families)
{
	unsigned int kept = 0;

	for (size_t i = 0; l->last && i < l->last->n; i++) {
		const struct ctl_dns_server *s = &l->last->servers[i];
		unsigned int family =
			dp_ip_is_v4(&s->at.ip) ? CTL_DNS_FAMILY_V4 : CTL_DNS_FAMILY_V6;
		bool there = false;

		if (!(families & family) || strcmp(s->target, h->name) != 0)
			continue;
		for (unsigned int k = 0; k < h->n; k++)
			there |= dp_ip_equal(&h->ip[k], &s->at.ip);
		if (!there && h->n < ADDRESSES) {
			h->ip[h->n++] = s->at.ip;
			kept++;
		}
	}
	return kept;
}

static void stand_in(struct ctl_dns_lookup *l, struct host *h)
{
	bool empty = h->n == 0 && !h->failed;
	unsigned int families = empty ? l->spec->families : h->failed;

	if (!families)
		return;
	if (empty)
		add_text(l->out.error, "%s has no address", h->name);
	if (keep_last(l, h, families))
		add_text(l->out.error, "addresses of %s stay as they were", h->name);
}

/* @return 0 or -ENOMEM. */
static int build_result(struct ctl_dns_lookup *l, struct ctl_dns_result *r)
{
	struct ctl_dns_server servers[CTL_DNS_SERVERS];
	size_t n = 0, excess = 0;

	for (unsigned int i = 0; i < l->n_picks; i++) {
		const struct pick *p = &l->picks[i];
		const struct host *h = &l->hosts[p->host];

		for (unsigned int k = 0; k < h->n; k++) {
			if (n == CTL_DNS_SERVERS) {
				excess++;
				continue;
			}
			servers[n++] = (struct ctl_dns_server){
				.at = { .ip = h->ip[k],
					.port = p->port,
					.transport = l->spec->transport },
				.priority = p->priority,
				.weight = p->weight,
				.target = h->name,
			};
		}
	}
	if (excess)
		add_text(l->out.refused, "%zu addresses are left out", excess);
	return ctl_dns_result_copy(r, &(struct ctl_dns_result){ .n = n,
								.servers = servers,
								.by_naptr = r->by_naptr,
								.by_srv = r->by_srv,
								.ttl_s = l->ttl_s });
}

static void finish(struct ctl_dns_lookup *l)
{
	struct ctl_dns_result *r = &l->out.result;

	for (unsigned int i = 0; i < l->n_hosts; i++)
		stand_in(l, &l->hosts[i]);
	if (build_result(l, r) < 0) {
		fail(l, "out of memory");
		return;
	}
	l->over = true;
	l->out.good = r->n > 0;
	if (!r->n && !l->out.error[0])
		snprintf(l->out.error, sizeof(l->out.error), "no address of any use%s%.200s",
			 l->out.refused[0] ? ": " : "", l->out.refused);
}

static void take_addresses(struct ctl_dns_lookup *l, struct host *h, const struct ctl_dns_answer *a)
{
	char text[46];

	for (size_t i = 0; i < a->n; i++) {
		const struct sip_ip *ip = &a->records[i].ip;
		const char *unfit =
			ctl_ip_is_link_local(ip) ? "a link-local address" : ctl_ip_unfit(ip);

		dp_ip_format(ip, text);
		if (unfit)
			add_text(l->out.refused, "%s of %s is %s", text, h->name, unfit);
		else if (h->n < ADDRESSES)
			h->ip[h->n++] = *ip;
		else if (i == a->n - 1)
			add_text(l->out.refused, "%s has more than %d addresses", h->name,
				 ADDRESSES);
	}
}

/* What a target has more of than is used must not depend on the order of an answer. */
static int by_value(const void *a, const void *b)
{
	return memcmp(&((const struct ctl_dns_record *)a)->ip,
		      &((const struct ctl_dns_record *)b)->ip, sizeof(struct sip_ip));
}

static void on_addresses(struct question *q, const struct ctl_dns_answer *a, const char *error)
{
	struct ctl_dns_lookup *l = q->l;
	struct host *h = &l->hosts[q->host];

	if (a) {
		qsort(a->records, a->n, sizeof(*a->records), by_value);
		take_addresses(l, h, a);
	} else {
		h->failed |= q->type == CTL_DNS_A ? CTL_DNS_FAMILY_V4 : CTL_DNS_FAMILY_V6;
		add_text(l->out.error, "%s %s: %s", type_name(q->type), h->name, error);
	}
	if (l->n_open == 0)
		finish(l);
}

static unsigned int host_of(struct ctl_dns_lookup *l, const char *name)
{
	unsigned int i = 0;

	while (i < l->n_hosts && strcmp(l->hosts[i].name, name) != 0)
		i++;
	if (i == l->n_hosts)
		snprintf(l->hosts[l->n_hosts++].name, CTL_DNS_NAME_SIZE, "%s", name);
	return i;
}

static void ask_addresses(struct ctl_dns_lookup *l)
{
	static const uint16_t types[] = { CTL_DNS_A, CTL_DNS_AAAA };
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->n_hosts; i++) {
		for (unsigned int t = 0; t < 2; t++) {
			struct question *q = &l->addresses[n];

			if (!(l->spec->families & (1u << t)))
				continue;
			*q = (struct question){
				.l = l, .answered = on_addresses, .type = types[t], .host = i
			};
			memcpy(q->name, l->hosts[i].name, sizeof(q->name));
			n++;
		}
	}
	/* Held open, so that the last reply comes last. */
	l->n_open++;
	for (unsigned int i = 0; i < n; i++)
		ask(&l->addresses[i]);
	if (--l->n_open == 0)
		finish(l);
}

/* RFC 3263 4.2: the name's own addresses, at its port or the transport's own (RFC 3261 19.1.2). */
static void plain_addresses(struct ctl_dns_lookup *l)
{
	uint16_t port = l->spec->port;

	if (l->spec->srv)
		port = l->spec->transport == DP_TLS ? 5061 : 5060;
	l->picks[l->n_picks++] = (struct pick){ .port = port, .host = host_of(l, l->spec->name) };
	ask_addresses(l);
}

/* ---- SRV */

static void next_srv(struct ctl_dns_lookup *l);

/* RFC 2782's order, but for the draw: which are cut off must not change from answer to answer. */
static int by_priority(const void *a, const void *b)
{
	const struct ctl_dns_srv *x = &((const struct ctl_dns_record *)a)->srv;
	const struct ctl_dns_srv *y = &((const struct ctl_dns_record *)b)->srv;
	int target = strcmp(x->target, y->target);

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return target ? target : (x->port > y->port) - (x->port < y->port);
}

/* Why a record is of no use, or NULL. */
static const char *srv_unfit(const struct ctl_dns_srv *s)
{
	if (!s->target[0])
		return "says that there is no such service";
	if (!ctl_dns_name_fits(s->target))
		return "names no host";
	return s->port == 0 ? "has port 0" : NULL;
}

static void take_srv(struct ctl_dns_lookup *l, const char *name, const struct ctl_dns_answer *a)
{
	size_t excess = 0, zero = 0;

	qsort(a->records, a->n, sizeof(*a->records), by_priority);
	for (size_t i = 0; i < a->n; i++) {
		const struct ctl_dns_srv *s = &a->records[i].srv;
		const char *unfit = srv_unfit(s);

		if (unfit && zero++ < 3)
			add_text(l->out.refused, "SRV %s: %.60s %s", name,
				 s->target[0] ? s->target : "\".\"", unfit);
		else if (!unfit && l->n_picks < CTL_DNS_TARGETS)
			l->picks[l->n_picks++] = (struct pick){ s->priority, s->weight, s->port,
								host_of(l, s->target) };
		else
			excess += !unfit;
	}
	if (excess)
		add_text(l->out.refused, "%zu of %zu SRV records of %s are left out", excess, a->n,
			 name);
}

static void on_srv(struct question *q, const struct ctl_dns_answer *a, const char *error)
{
	struct ctl_dns_lookup *l = q->l;
	char text[CTL_DNS_TEXT];

	if (error) {
		snprintf(text, sizeof(text), "SRV %.200s: %s", q->name, error);
		/* Servers that were found by SRV are not exchanged for others by a failure. */
		if (l->last)
			fail(l, text);
		else
			add_text(l->trouble, "%s", text);
	} else if (a->kind == CTL_DNS_ANSWER) {
		take_srv(l, q->name, a);
		if (!l->n_picks)
			add_text(l->trouble, "SRV %s: no record is of any use", q->name);
	}
	if (l->over)
		return;
	if (!l->n_picks) {
		next_srv(l);
		return;
	}
	if (l->trouble[0])
		add_text(l->out.error, "%s", l->trouble);
	l->out.result.by_naptr = l->next_candidate <= l->n_naptr;
	l->out.result.by_srv = true;
	ask_addresses(l);
}

static void next_srv(struct ctl_dns_lookup *l)
{
	char name[CTL_DNS_NAME_SIZE];

	if (l->next_candidate < l->n_candidates) {
		snprintf(name, sizeof(name), "%s", l->candidates[l->next_candidate++]);
		ask_one(l, name, CTL_DNS_SRV, on_srv);
	} else if (l->trouble[0]) {
		if (l->out.refused[0] && !strstr(l->trouble, l->out.refused))
			add_text(l->trouble, "%s", l->out.refused);
		fail(l, l->trouble);
	} else {
		plain_addresses(l);
	}
}

/* RFC 3263 4.1: "the client ... constructs SRV queries". */
static void add_constructed(struct ctl_dns_lookup *l)
{
	static const char *const prefix[] = {
		[DP_UDP] = "_sip._udp", [DP_TCP] = "_sip._tcp", [DP_TLS] = "_sips._tcp"
	};
	char name[CTL_DNS_NAME_SIZE];
	int n = snprintf(name, sizeof(name), "%s.%s", prefix[l->spec->transport], l->spec->name);

	for (unsigned int i = 0; i < l->n_candidates; i++) {
		if (strcmp(l->candidates[i], name) == 0)
			return;
	}
	/* A name with no room for the prefix cannot have SRV records. */
	if (n < (int)sizeof(name) - 2)
		memcpy(l->candidates[l->n_candidates++], name, sizeof(name));
}

/* ---- NAPTR */

static int by_preference(const void *a, const void *b)
{
	const struct ctl_dns_naptr *x = &((const struct ctl_dns_record *)a)->naptr;
	const struct ctl_dns_naptr *y = &((const struct ctl_dns_record *)b)->naptr;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return strcmp(x->replacement, y->replacement);
}

/* RFC 3263 4.1: of our transport, and leading to SRV. */
static bool naptr_is_ours(const struct ctl_dns_lookup *l, const struct ctl_dns_naptr *r)
{
	static const char *const services[] = {
		[DP_UDP] = "SIP+D2U", [DP_TCP] = "SIP+D2T", [DP_TLS] = "SIPS+D2T"
	};

	return strcasecmp(r->service, services[l->spec->transport]) == 0;
}

static void on_naptr(struct question *q, const struct ctl_dns_answer *a, const char *error)
{
	struct ctl_dns_lookup *l = q->l;
	char text[CTL_DNS_TEXT];

	if (error && l->last && l->last->by_naptr) {
		snprintf(text, sizeof(text), "NAPTR %.200s: %s", q->name, error);
		fail(l, text);
		return;
	}
	if (error)
		add_text(l->out.error, "NAPTR %s: %s", q->name, error);
	if (a)
		qsort(a->records, a->n, sizeof(*a->records), by_preference);
	for (size_t i = 0; a && i < a->n; i++) {
		const struct ctl_dns_naptr *r = &a->records[i].naptr;

		if (!naptr_is_ours(l, r))
			continue;
		if (strcasecmp(r->flags, "s") != 0 || r->has_regexp
		    || !ctl_dns_name_fits(r->replacement))
			add_text(l->out.refused, "NAPTR %s: a record does not lead to SRV",
				 q->name);
		else if (l->n_candidates < CANDIDATES)
			memcpy(l->candidates[l->n_candidates++], r->replacement,
			       sizeof(r->replacement));
	}
	l->n_naptr = l->n_candidates;
	add_constructed(l);
	next_srv(l);
}

/* ---- The whole */

struct ctl_dns_lookup *ctl_dns_lookup_new(const struct ctl_dns_io *io,
					  const struct ctl_dns_spec *spec,
					  const struct ctl_dns_result *last, ctl_dns_done_cb done,
					  void *arg)
{
	struct ctl_dns_lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->io = io;
	l->spec = spec;
	l->last = last && last->n ? last : NULL;
	l->done = done;
	l->arg = arg;
	l->ttl_s = CTL_DNS_NO_TTL;
	return l;
}

void ctl_dns_lookup_start(struct ctl_dns_lookup *l)
{
	l->depth++;
	if (l->spec->srv)
		ask_one(l, l->spec->name, CTL_DNS_NAPTR, on_naptr);
	else
		plain_addresses(l);
	leave(l);
}

static void forget(struct question *q)
{
	if (q->open && q->handle)
		q->l->io->forget(q->l->io->arg, q->handle);
}

void ctl_dns_lookup_free(struct ctl_dns_lookup *l)
{
	if (!l)
		return;
	forget(&l->one);
	for (size_t i = 0; i < 2 * CTL_DNS_TARGETS; i++)
		forget(&l->addresses[i]);
	ctl_dns_result_fini(&l->out.result);
	free(l);
}
