/*
 * Services: from NAPTR to SRV to the targets whose addresses are asked for (RFC 3263 4.1 and 4.2).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/dns/ctl_dns_lookup_int.h"

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
			ctl_dns_add_text(l->out.refused, "SRV %s: %.60s %s", name,
					 s->target[0] ? s->target : "\".\"", unfit);
		else if (!unfit && l->n_picks < CTL_DNS_TARGETS)
			l->picks[l->n_picks++] =
				(struct ctl_dns_pick){ s->priority, s->weight, s->port,
						       ctl_dns_host_of(l, s->target) };
		else
			excess += !unfit;
	}
	if (excess)
		ctl_dns_add_text(l->out.refused, "%zu of %zu SRV records of %s are left out",
				 excess, a->n, name);
}

static void on_srv(struct ctl_dns_question *q, const struct ctl_dns_answer *a, const char *error)
{
	struct ctl_dns_lookup *l = q->l;
	char text[CTL_DNS_TEXT];

	if (error) {
		snprintf(text, sizeof(text), "SRV %.200s: %s", q->name, error);
		/* Servers that were found by SRV are not exchanged for others by a failure. */
		if (l->last)
			ctl_dns_fail(l, text);
		else
			ctl_dns_add_text(l->trouble, "%s", text);
	} else if (a->kind == CTL_DNS_ANSWER) {
		take_srv(l, q->name, a);
		if (!l->n_picks)
			ctl_dns_add_text(l->trouble, "SRV %s: no record is of any use", q->name);
	}
	if (l->over)
		return;
	if (!l->n_picks) {
		next_srv(l);
		return;
	}
	if (l->trouble[0])
		ctl_dns_add_text(l->out.error, "%s", l->trouble);
	l->out.result.by_naptr = l->next_candidate <= l->n_naptr;
	l->out.result.by_srv = true;
	ctl_dns_ask_addresses(l);
}

static void next_srv(struct ctl_dns_lookup *l)
{
	char name[CTL_DNS_NAME_SIZE];

	if (l->next_candidate < l->n_candidates) {
		snprintf(name, sizeof(name), "%s", l->candidates[l->next_candidate++]);
		ctl_dns_ask_one(l, name, CTL_DNS_SRV, on_srv);
	} else if (l->trouble[0]) {
		if (l->out.refused[0] && !strstr(l->trouble, l->out.refused))
			ctl_dns_add_text(l->trouble, "%s", l->out.refused);
		ctl_dns_fail(l, l->trouble);
	} else {
		ctl_dns_plain_addresses(l);
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

void ctl_dns_on_naptr(struct ctl_dns_question *q, const struct ctl_dns_answer *a, const char *error)
{
	struct ctl_dns_lookup *l = q->l;
	char text[CTL_DNS_TEXT];

	if (error && l->last && l->last->by_naptr) {
		snprintf(text, sizeof(text), "NAPTR %.200s: %s", q->name, error);
		ctl_dns_fail(l, text);
		return;
	}
	if (error)
		ctl_dns_add_text(l->out.error, "NAPTR %s: %s", q->name, error);
	if (a)
		qsort(a->records, a->n, sizeof(*a->records), by_preference);
	for (size_t i = 0; a && i < a->n; i++) {
		const struct ctl_dns_naptr *r = &a->records[i].naptr;

		if (!naptr_is_ours(l, r))
			continue;
		if (strcasecmp(r->flags, "s") != 0 || r->has_regexp
		    || !ctl_dns_name_fits(r->replacement))
			ctl_dns_add_text(l->out.refused, "NAPTR %s: a record does not lead to SRV",
					 q->name);
		else if (l->n_candidates < CTL_DNS_CANDIDATES)
			memcpy(l->candidates[l->n_candidates++], r->replacement,
			       sizeof(r->replacement));
	}
	l->n_naptr = l->n_candidates;
	add_constructed(l);
	next_srv(l);
}
