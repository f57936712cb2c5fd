/*
 * One question at a time for NAPTR and SRV, then all addresses at once. Whatever is read from the
 * network is bounded where it comes in: records (ctl_dns_msg.h), NAPTR candidates, SRV records,
 * addresses of a target, aliases that lead to further questions.
 *
 * `depth` counts the calls into the machine that are on the stack: a reply may come from within
 * ask(), and the end is told when none is left.
 */
#include "control/dns/ctl_dns_lookup_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_ip.h"

/* ---- What is said in the end */

void ctl_dns_add_text(char text[CTL_DNS_TEXT], const char *format, ...)
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

void ctl_dns_fail(struct ctl_dns_lookup *l, const char *text)
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

static void note_left_out(struct ctl_dns_lookup *l, const struct ctl_dns_question *q,
			  const struct ctl_dns_answer *a)
{
	if (a->bad)
		ctl_dns_add_text(l->out.refused, "%u %s records of %s make no sense", a->bad,
				 type_name(q->type), q->name);
	if (a->excess)
		ctl_dns_add_text(l->out.refused, "%u of %zu %s records of %s are left out",
				 a->excess, a->n + a->excess, type_name(q->type), q->name);
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

static void ask(struct ctl_dns_question *q)
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
static bool follow(struct ctl_dns_question *q, const struct ctl_dns_answer *a)
{
	if (++q->restarts > CTL_DNS_ALIASES)
		return false;
	if (a->ttl < q->l->ttl_s)
		q->l->ttl_s = a->ttl;
	memcpy(q->name, a->alias, sizeof(q->name));
	ask(q);
	return true;
}

static void take_answer(struct ctl_dns_question *q, const struct ctl_dns_reply *r)
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
	struct ctl_dns_question *q = arg;
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

void ctl_dns_ask_one(struct ctl_dns_lookup *l, const char *name, uint16_t type,
		     void (*answered)(struct ctl_dns_question *, const struct ctl_dns_answer *,
				      const char *))
{
	l->one = (struct ctl_dns_question){ .l = l, .answered = answered, .type = type };
	snprintf(l->one.name, sizeof(l->one.name), "%s", name);
	ask(&l->one);
}

/* ---- Addresses */

/* The last good addresses of a target, of these families. @return how many were added. */
static unsigned int keep_last(struct ctl_dns_lookup *l, struct ctl_dns_host *h,
			      unsigned int families)
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
		if (!there && h->n < CTL_DNS_ADDRESSES) {
			h->ip[h->n++] = s->at.ip;
			kept++;
		}
	}
	return kept;
}

static void stand_in(struct ctl_dns_lookup *l, struct ctl_dns_host *h)
{
	bool empty = h->n == 0 && !h->failed;
	unsigned int families = empty ? l->spec->families : h->failed;

	if (!families)
		return;
	if (empty)
		ctl_dns_add_text(l->out.error, "%s has no address", h->name);
	if (keep_last(l, h, families))
		ctl_dns_add_text(l->out.error, "addresses of %s stay as they were", h->name);
}

/* @return 0 or -ENOMEM. */
static int build_result(struct ctl_dns_lookup *l, struct ctl_dns_result *r)
{
	struct ctl_dns_server servers[CTL_DNS_SERVERS];
	size_t n = 0, excess = 0;

	for (unsigned int i = 0; i < l->n_picks; i++) {
		const struct ctl_dns_pick *p = &l->picks[i];
		const struct ctl_dns_host *h = &l->hosts[p->host];

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
		ctl_dns_add_text(l->out.refused, "%zu addresses are left out", excess);
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
		ctl_dns_fail(l, "out of memory");
		return;
	}
	l->over = true;
	l->out.good = r->n > 0;
	if (!r->n && !l->out.error[0])
		snprintf(l->out.error, sizeof(l->out.error), "no address of any use%s%.200s",
			 l->out.refused[0] ? ": " : "", l->out.refused);
}

static void take_addresses(struct ctl_dns_lookup *l, struct ctl_dns_host *h,
			   const struct ctl_dns_answer *a)
{
	char text[46];

	for (size_t i = 0; i < a->n; i++) {
		const struct sip_ip *ip = &a->records[i].ip;
		const char *unfit =
			ctl_ip_is_link_local(ip) ? "a link-local address" : ctl_ip_unfit(ip);

		dp_ip_format(ip, text);
		if (unfit)
			ctl_dns_add_text(l->out.refused, "%s of %s is %s", text, h->name, unfit);
		else if (h->n < CTL_DNS_ADDRESSES)
			h->ip[h->n++] = *ip;
		else if (i == a->n - 1)
			ctl_dns_add_text(l->out.refused, "%s has more than %d addresses", h->name,
					 CTL_DNS_ADDRESSES);
	}
}

/* What a target has more of than is used must not depend on the order of an answer. */
static int by_value(const void *a, const void *b)
{
	return memcmp(&((const struct ctl_dns_record *)a)->ip,
		      &((const struct ctl_dns_record *)b)->ip, sizeof(struct sip_ip));
}

static void on_addresses(struct ctl_dns_question *q, const struct ctl_dns_answer *a,
			 const char *error)
{
	struct ctl_dns_lookup *l = q->l;
	struct ctl_dns_host *h = &l->hosts[q->host];

	if (a) {
		qsort(a->records, a->n, sizeof(*a->records), by_value);
		take_addresses(l, h, a);
	} else {
		h->failed |= q->type == CTL_DNS_A ? CTL_DNS_FAMILY_V4 : CTL_DNS_FAMILY_V6;
		ctl_dns_add_text(l->out.error, "%s %s: %s", type_name(q->type), h->name, error);
	}
	if (l->n_open == 0)
		finish(l);
}

unsigned int ctl_dns_host_of(struct ctl_dns_lookup *l, const char *name)
{
	unsigned int i = 0;

	while (i < l->n_hosts && strcmp(l->hosts[i].name, name) != 0)
		i++;
	if (i == l->n_hosts)
		snprintf(l->hosts[l->n_hosts++].name, CTL_DNS_NAME_SIZE, "%s", name);
	return i;
}

void ctl_dns_ask_addresses(struct ctl_dns_lookup *l)
{
	static const uint16_t types[] = { CTL_DNS_A, CTL_DNS_AAAA };
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->n_hosts; i++) {
		for (unsigned int t = 0; t < 2; t++) {
			struct ctl_dns_question *q = &l->addresses[n];

			if (!(l->spec->families & (1u << t)))
				continue;
			*q = (struct ctl_dns_question){
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

void ctl_dns_plain_addresses(struct ctl_dns_lookup *l)
{
	uint16_t port = l->spec->port;

	if (l->spec->srv)
		port = l->spec->transport == DP_TLS ? 5061 : 5060;
	l->picks[l->n_picks++] =
		(struct ctl_dns_pick){ .port = port, .host = ctl_dns_host_of(l, l->spec->name) };
	ctl_dns_ask_addresses(l);
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
		ctl_dns_ask_one(l, l->spec->name, CTL_DNS_NAPTR, ctl_dns_on_naptr);
	else
		ctl_dns_plain_addresses(l);
	leave(l);
}

static void forget(struct ctl_dns_question *q)
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
