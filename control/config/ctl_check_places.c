/*
 * Endpoints and sources across the whole file: nothing that is meant to be one's own may be
 * another's too. Everything of one kind is sorted, then neighbours are compared.
 */
#include "control/config/ctl_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_ip.h"
#include "control/config/ctl_schema.h"

/* ---- Endpoints */

enum place_kind { PLACE_LISTEN, PLACE_EGRESS, PLACE_MEMBER };

struct place {
	struct dp_endpoint at;
	enum place_kind kind;
	size_t owner; /* service or pair */
	unsigned int line;
};

static int by_endpoint(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int at = memcmp(&x->at, &y->at, sizeof(x->at));

	if (at)
		return at;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static bool same_endpoint(const struct place *a, const struct place *b)
{
	return memcmp(&a->at, &b->at, sizeof(a->at)) == 0;
}

static const char *pair_name(const struct ctl_model *m, size_t i)
{
	return m->pairs[i].name ? m->pairs[i].name : "?";
}

static void check_two_members(const struct ctl_model *m, const struct place *a,
			      const struct place *b, struct ctl_diag *d)
{
	char text[CTL_ENDPOINT_SIZE];
	const struct place *later = a->line > b->line ? a : b, *first = later == a ? b : a;

	ctl_endpoint_format(&a->at, text);
	if (a->owner == b->owner)
		ctl_diag_add(d, true, later->line,
			     "address: %s is in pair \"%s\" twice, also in line %u; each member is "
			     "a server of its own",
			     text, pair_name(m, a->owner), first->line);
	else
		ctl_diag_add(
			d, false, later->line,
			"address: %s is a member of pair \"%s\" too, in line %u; requests from "
			"there are taken for one of these pairs only",
			text, pair_name(m, first->owner), first->line);
}

static bool serves(const struct ctl_service *s, size_t pair)
{
	for (size_t i = 0; i < s->n_pairs; i++) {
		if (s->pairs[i] == pair)
			return true;
	}
	return false;
}

/* Sorted: listeners come before egress addresses, members last. */
static void check_two_places(const struct ctl_model *m, const struct place *a,
			     const struct place *b, struct ctl_diag *d)
{
	char text[CTL_ENDPOINT_SIZE];
	const struct place *later = a->line > b->line ? a : b, *first = later == a ? b : a;

	ctl_endpoint_format(&a->at, text);
	if (a->kind == PLACE_LISTEN && b->kind == PLACE_LISTEN)
		ctl_diag_add(d, true, later->line,
			     "listen: %s is a listener already, in line %u; give this one another "
			     "port or address",
			     text, first->line);
	else if (a->kind == PLACE_LISTEN && b->kind == PLACE_EGRESS
		 && !serves(&m->services[a->owner], b->owner))
		ctl_diag_add(d, true, b->line,
			     "egress: %s is the listener of a service that has not pair \"%s\", in "
			     "line %u; give the egress another port",
			     text, pair_name(m, b->owner), a->line);
	else if (a->kind == PLACE_MEMBER && b->kind == PLACE_MEMBER)
		check_two_members(m, a, b, d);
}

/* ---- Listeners' keys */

struct keyed {
	uint32_t key;
	const struct place *p;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return by_endpoint(x->p, y->p);
}

/* Neighbours of the sorted keys: the same endpoint, or a collision. */
static void check_two_keys(const struct keyed *a, const struct keyed *b, struct ctl_diag *d)
{
	const struct place *later = a->p->line > b->p->line ? a->p : b->p;
	const struct place *first = later == a->p ? b->p : a->p;
	char one[CTL_ENDPOINT_SIZE], other[CTL_ENDPOINT_SIZE];

	if (a->key != b->key || same_endpoint(a->p, b->p))
		return;
	ctl_diag_add(d, true, later->line,
		     "%s: its key, made of address and port, is the same as that of %s in line %u; "
		     "change one of the port numbers",
		     ctl_endpoint_format(&later->at, one), ctl_endpoint_format(&first->at, other),
		     first->line);
}

/* An endpoint's text makes the key of a listener, which branches and cookies hold. */
static int check_listener_keys(const struct place *p, size_t n, struct ctl_diag *d)
{
	struct keyed *v = calloc(n + 1, sizeof(*v));
	char text[CTL_ENDPOINT_SIZE];
	size_t n_different = n > 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ctl_endpoint_format(&p[i].at, text);
		v[i] = (struct keyed){ dp_key(text, strlen(text)), &p[i] };
	}
	qsort(v, n, sizeof(*v), by_key);
	for (size_t i = 1; i < n; i++) {
		check_two_keys(&v[i - 1], &v[i], d);
		n_different += !same_endpoint(v[i - 1].p, v[i].p);
	}
	if (n_different > CTL_MAX_LISTENERS)
		ctl_diag_add(d, true, p[n - 1].line,
			     "%zu different listen and egress endpoints in all; at most %d are "
			     "possible",
			     n_different, CTL_MAX_LISTENERS);
	free(v);
	return 0;
}

/* ---- All endpoints */

static size_t count_places(const struct ctl_model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		n += m->services[i].n_listens;
	for (size_t i = 0; i < m->n_pairs; i++)
		n += 2 + m->pairs[i].n_members;
	return n;
}

static size_t collect_local(const struct ctl_model *m, struct place *v)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++) {
		for (size_t k = 0; k < m->services[i].n_listens; k++) {
			const struct ctl_listen *l = &m->services[i].listens[k];

			v[n++] = (struct place){ l->at, PLACE_LISTEN, i, l->line };
		}
	}
	for (size_t i = 0; i < m->n_pairs; i++) {
		for (size_t k = 0; k < m->pairs[i].n_egress_as_written; k++) {
			const struct ctl_listen *l = &m->pairs[i].egress_as_written[k];

			v[n++] = (struct place){ l->at, PLACE_EGRESS, i, l->line };
		}
	}
	return n;
}

static size_t collect_members(const struct ctl_model *m, struct place *v)
{
	static const struct sip_ip none;
	size_t n = 0;

	for (size_t i = 0; i < m->n_pairs; i++) {
		for (size_t k = 0; k < m->pairs[i].n_members; k++) {
			const struct ctl_member *mb = &m->pairs[i].members[k];

			if (!dp_ip_equal(&mb->at.ip, &none))
				v[n++] = (struct place){ mb->at, PLACE_MEMBER, i,
							 ctl_map_line(&ctl_map_member, mb,
								      "address") };
		}
	}
	return n;
}

int ctl_check_endpoints(struct ctl_model *m, struct ctl_diag *d)
{
	struct place *v = calloc(count_places(m) + 1, sizeof(*v));
	size_t n, n_local;
	int ret;

	if (!v)
		return -ENOMEM;
	n_local = collect_local(m, v);
	ret = check_listener_keys(v, n_local, d);
	n = n_local + collect_members(m, v + n_local);
	qsort(v, n, sizeof(*v), by_endpoint);
	for (size_t i = 1; i < n; i++) {
		if (same_endpoint(&v[i - 1], &v[i]))
			check_two_places(m, &v[i - 1], &v[i], d);
	}
	free(v);
	return ret;
}

/* ---- Sources */

struct source {
	struct ctl_source s;
	size_t pair;
};

/* By address, then the wider prefix first: whatever lies in a prefix follows it directly. */
static int by_prefix(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int ip = memcmp(&x->s.ip, &y->s.ip, sizeof(x->s.ip));

	if (ip)
		return ip;
	if (x->s.prefix_len != y->s.prefix_len)
		return x->s.prefix_len < y->s.prefix_len ? -1 : 1;
	return (x->s.line > y->s.line) - (x->s.line < y->s.line);
}

static void check_two_sources(const struct ctl_model *m, const struct source *outer,
			      const struct source *inner, struct ctl_diag *d)
{
	bool same = outer->s.prefix_len == inner->s.prefix_len;
	unsigned int len = inner->s.prefix_len;
	char ip[46];

	dp_ip_format(&inner->s.ip, ip);
	if (dp_ip_is_v4(&inner->s.ip))
		len -= 96;
	if (outer->pair == inner->pair)
		ctl_diag_add(d, false, inner->s.line,
			     "sources: %s/%u is in line %u's already; it has no effect", ip, len,
			     outer->s.line);
	else
		ctl_diag_add(d, same, inner->s.line,
			     "sources: %s/%u is %s pair \"%s\"'s in line %u; %s", ip, len,
			     same ? "also" : "part of", pair_name(m, outer->pair), outer->s.line,
			     same ? "whose request is it? Remove one of them"
				  : "what comes from there is taken for the narrower one's");
}

static void check_own_source(const struct ctl_model *m, const struct source *s, struct ctl_diag *d)
{
	char ip[46];

	if (s->s.prefix_len < 128 || ctl_own_port(m, &s->s.ip) < 0)
		return;
	dp_ip_format(&s->s.ip, ip);
	ctl_diag_add(d, true, s->s.line,
		     "sources: %s is an address of our own; write the servers' addresses", ip);
}

static bool lies_in(const struct source *inner, const struct source *outer)
{
	return dp_ip_is_v4(&inner->s.ip) == dp_ip_is_v4(&outer->s.ip)
	       && ctl_ip_in(&inner->s.ip, &outer->s.ip, outer->s.prefix_len);
}

/* Walks the sorted prefixes with a stack of those that hold the current one: the top is the
 * narrowest. Prefixes in one another have different lengths or are the same, so 130 are enough for
 * all that differ; more of the same replace each other. */
static void check_nesting(const struct ctl_model *m, const struct source *v, size_t n,
			  struct ctl_diag *d)
{
	const struct source *holds[130];
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		check_own_source(m, &v[i], d);
		while (depth && !lies_in(&v[i], holds[depth - 1]))
			depth--;
		if (depth)
			check_two_sources(m, holds[depth - 1], &v[i], d);
		if (depth && holds[depth - 1]->s.prefix_len == v[i].s.prefix_len)
			depth--;
		holds[depth++] = &v[i];
	}
}

int ctl_check_sources(struct ctl_model *m, struct ctl_diag *d)
{
	size_t n = 0, most = 1;
	struct source *v;

	for (size_t i = 0; i < m->n_pairs; i++)
		most += m->pairs[i].n_sources;
	v = calloc(most, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_pairs; i++) {
		for (size_t k = 0; k < m->pairs[i].n_sources; k++)
			v[n++] = (struct source){ m->pairs[i].sources[k], i };
	}
	qsort(v, n, sizeof(*v), by_prefix);
	check_nesting(m, v, n, d);
	free(v);
	return 0;
}
