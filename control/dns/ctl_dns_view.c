/*
 * All that is refused here is refused for one pair: an address of our own, of a family that its
 * listeners have not, one that another member has. What a whole answer must not have is kept out by
 * the lookup.
 */
#include "control/dns/ctl_dns_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_check.h"

/* One pair's view under construction. */
struct making {
	const struct ctl_model *of;
	const struct ctl_dns_view *v;
	const struct ctl_pair *written;
	const struct ctl_pair *now; /* the pair in force, or NULL */
	unsigned int families;
	uint64_t again_ms;
	size_t n;
	struct ctl_member members[DP_PAIR_MEMBERS];
	char note[160];
};

static void note(struct making *k, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first remark stands for all. */
static void note(struct making *k, const char *format, ...)
{
	va_list ap;

	if (k->note[0])
		return;
	va_start(ap, format);
	vsnprintf(k->note, sizeof(k->note), format, ap);
	va_end(ap);
}

static void tell_note(struct making *k, const struct ctl_dns_key *key, const char *member)
{
	if (k->v->note)
		k->v->note(k->v->arg, key, k->written->name, member, k->note);
	k->note[0] = '\0';
}

static void again(struct making *k, uint64_t at_ms)
{
	if (!k->again_ms || at_ms < k->again_ms)
		k->again_ms = at_ms;
}

/* ---- Which addresses a pair can use */

static bool same_place(const struct dp_endpoint *a, const struct dp_endpoint *b)
{
	return dp_ip_equal(&a->ip, &b->ip) && a->port == b->port && a->transport == b->transport;
}

static bool has_place(const struct making *k, const struct dp_endpoint *at)
{
	for (size_t i = 0; i < k->n; i++) {
		if (same_place(&k->members[i].at, at))
			return true;
	}
	return false;
}

/* What is written as an address goes before what a name has. */
static bool is_written(const struct making *k, const struct dp_endpoint *at)
{
	for (size_t i = 0; i < k->written->n_members; i++) {
		if (same_place(&k->written->members[i].at, at))
			return true;
	}
	return false;
}

/* Why not, or NULL. */
static const char *unfit(const struct making *k, const struct dp_endpoint *at)
{
	bool v4 = dp_ip_is_v4(&at->ip);

	if (!(k->families & (v4 ? CTL_DNS_FAMILY_V4 : CTL_DNS_FAMILY_V6)))
		return v4 ? "is IPv4, which is not wanted or has no listener"
			  : "is IPv6, which is not wanted or has no listener";
	if (ctl_own_port(k->of, &at->ip) >= 0)
		return "is an address of our own";
	if (ctl_own_broadcast(k->of, &at->ip))
		return "is the broadcast address of a port's subnet";
	return has_place(k, at) || is_written(k, at) ? "is another member's" : NULL;
}

/* The usable servers of a name in the pair's order. @return how many; places: CTL_DNS_SERVERS. */
static size_t usable(struct making *k, const struct ctl_dns_key *key, uint16_t port,
		     struct dp_endpoint *places)
{
	const struct ctl_dns_result *r = k->v->find(k->v->arg, key);
	struct ctl_dns_server servers[CTL_DNS_SERVERS];
	size_t n = r ? (r->n < CTL_DNS_SERVERS ? r->n : CTL_DNS_SERVERS) : 0, kept = 0;

	if (n)
		memcpy(servers, r->servers, n * sizeof(servers[0]));
	for (size_t i = 0; i < n; i++) {
		if (!key->srv)
			servers[i].at.port = port;
	}
	n = ctl_dns_order(servers, n, k->written->name);
	for (size_t i = 0; i < n; i++) {
		const char *why = unfit(k, &servers[i].at);
		char text[CTL_ENDPOINT_SIZE];

		if (why)
			note(k, "%s %s", ctl_endpoint_format(&servers[i].at, text), why);
		else
			places[kept++] = servers[i].at;
	}
	return kept;
}

/* ---- Members of `servers` */

static bool add(struct making *k, const struct dp_endpoint *at, uint64_t leaves_ms)
{
	const struct ctl_servers *s = &k->written->servers;
	char text[CTL_ENDPOINT_SIZE];
	struct ctl_member *m = &k->members[k->n];

	*m = (struct ctl_member){
		.name = strdup(ctl_endpoint_format(at, text)),
		.host = s->name,
		.at = *at,
		.user = s->user,
		.password = s->password,
		.methods = UINT32_MAX,
		.leaves_ms = leaves_ms,
		.line = s->line,
	};
	if (!m->name)
		return false;
	k->n++;
	return true;
}

static void give_roles(struct making *k)
{
	static const enum dp_role roles[] = { DP_ROLE_PRIMARY, DP_ROLE_BACKUP };

	for (size_t i = 0; i < k->n; i++) {
		bool stays = i < 2 && !k->members[i].leaves_ms;

		k->members[i].role = stays ? roles[i] : DP_ROLE_FALLBACK;
	}
}

/* What the pair has now and the answer has no more; without a time limit while nobody else has a
 * place. */
static bool linger(struct making *k)
{
	const struct ctl_pair *now = k->now;
	bool alone = k->n == 0;

	for (size_t i = 0; now && now->servers.name && i < now->n_members; i++) {
		const struct ctl_member *m = &now->members[i];
		uint64_t leaves = m->leaves_ms ? m->leaves_ms : k->v->now_ms + CTL_DNS_LINGER_MS;

		if (alone && leaves <= k->v->now_ms)
			leaves = k->v->now_ms + CTL_DNS_LINGER_MS;
		if (leaves <= k->v->now_ms || k->n == DP_PAIR_MEMBERS || unfit(k, &m->at))
			continue;
		if (!add(k, &m->at, leaves))
			return false;
		again(k, leaves);
	}
	return true;
}

/* A slot whose owner has left is free after a grace (ctl_numbers.h): until then whoever comes has
 * to wait, so that a name whose answers change all the time takes nothing from others. */
static void leave_out_of_room(struct making *k)
{
	bool fits[DP_PAIR_MEMBERS];
	const char *names[DP_PAIR_MEMBERS];
	size_t kept = 0;

	if (!k->v->numbers)
		return;
	for (size_t i = 0; i < k->n; i++)
		names[i] = k->members[i].name;
	ctl_numbers_fit(k->v->numbers, k->written->name, names, k->n, k->v->now_ms, fits);
	for (size_t i = 0; i < k->n; i++) {
		if (fits[i]) {
			k->members[kept++] = k->members[i];
			continue;
		}
		note(k, "%s waits until a place of the pair is free", k->members[i].name);
		again(k, k->v->now_ms + CTL_NUMBER_GRACE_MS);
		free(k->members[i].name);
	}
	k->n = kept;
}

/* @return false when out of memory. */
static bool make_servers(struct making *k)
{
	const struct ctl_servers *s = &k->written->servers;
	struct ctl_dns_key key = ctl_dns_key_of_servers(s);
	struct dp_endpoint places[CTL_DNS_SERVERS];
	size_t n = usable(k, &key, s->port, places);
	bool good = true;

	if (n > DP_PAIR_MEMBERS) {
		note(k, "%zu of %zu servers are left out; a pair has at most %d members",
		     n - DP_PAIR_MEMBERS, n, DP_PAIR_MEMBERS);
		n = DP_PAIR_MEMBERS;
	}
	for (size_t i = 0; i < n && good; i++)
		good = add(k, &places[i], 0);
	/* An answer of which nothing is of use leaves the pair as it is. */
	for (size_t i = 0; !n && k->now && k->now->servers.name && i < k->now->n_members; i++) {
		if (good && !k->now->members[i].leaves_ms && !unfit(k, &k->now->members[i].at))
			good = add(k, &k->now->members[i].at, 0);
	}
	leave_out_of_room(k);
	good = good && linger(k);
	give_roles(k);
	tell_note(k, &key, NULL);
	return good;
}

/* ---- Members whose address is a name */

static const struct ctl_member *member_in(const struct ctl_pair *p, const char *name)
{
	for (size_t i = 0; p && i < p->n_members; i++) {
		if (strcmp(p->members[i].name, name) == 0)
			return &p->members[i];
	}
	return NULL;
}

/* The first of its servers; while there is none of any use, where it was. */
static bool find_place(struct making *k, const struct ctl_member *m, struct dp_endpoint *at)
{
	struct ctl_dns_key key = ctl_dns_key_of_member(m);
	struct dp_endpoint places[CTL_DNS_SERVERS];
	const struct ctl_member *was = member_in(k->now, m->name);
	bool found = usable(k, &key, m->at.port, places) > 0;

	if (found) {
		*at = places[0];
	} else if (was && strcmp(was->host, m->host) == 0 && !unfit(k, &was->at)) {
		*at = was->at;
		found = true;
	}
	tell_note(k, &key, m->name);
	return found;
}

static bool make_members(struct making *k)
{
	for (size_t i = 0; i < k->written->n_members; i++) {
		const struct ctl_member *m = &k->written->members[i];
		struct ctl_member *to = &k->members[k->n];
		struct dp_endpoint at = m->at;

		if (ctl_dns_is_name(m) && !find_place(k, m, &at))
			continue;
		*to = *m;
		to->at = at;
		to->name = strdup(m->name);
		if (!to->name)
			return false;
		k->n++;
	}
	return true;
}

/* ---- The whole */

static bool has_names(const struct ctl_pair *p)
{
	for (size_t i = 0; i < p->n_members; i++) {
		if (ctl_dns_is_name(&p->members[i]))
			return true;
	}
	return p->servers.name != NULL;
}

static bool make_pair(struct ctl_model *view, size_t i, const struct ctl_dns_view *v,
		      unsigned int families, uint64_t *again_ms)
{
	static const uint8_t wanted[] = {
		[CTL_FAMILY_ANY] = 3, [CTL_FAMILY_IPV4] = 1, [CTL_FAMILY_IPV6] = 2
	};
	struct ctl_pair *p = &view->pairs[i];
	int now = v->now ? ctl_model_find_pair(v->now, p->name) : -1;
	struct making k = {
		.of = view->of,
		.v = v,
		.written = &view->of->pairs[i],
		.now = now >= 0 ? &v->now->pairs[now] : NULL,
		.families = families & (p->servers.name ? wanted[p->servers.family] : 3u),
		.again_ms = *again_ms,
	};
	bool good = k.written->servers.name ? make_servers(&k) : make_members(&k);

	p->n_members = 0;
	p->members = calloc(k.n + 1, sizeof(*p->members));
	if (p->members) {
		memcpy(p->members, k.members, k.n * sizeof(*p->members));
		p->n_members = k.n;
	}
	for (size_t m = 0; !p->members && m < k.n; m++)
		free(k.members[m].name);
	*again_ms = k.again_ms;
	return good && p->members;
}

struct ctl_model *ctl_dns_view_new(struct ctl_model *of, const struct ctl_dns_view *v,
				   uint64_t *again_ms)
{
	struct ctl_model *view = calloc(1, sizeof(*view));
	uint8_t *families = malloc(of->n_pairs + 1);
	bool good = view && families;

	*again_ms = 0;
	if (good) {
		*view = *of;
		view->refs = 0;
		view->of = of;
		view->pairs = calloc(of->n_pairs + 1, sizeof(*view->pairs));
		good = view->pairs != NULL;
	}
	if (!good) {
		free(view);
		free(families);
		return NULL;
	}
	of->refs++;
	memcpy(view->pairs, of->pairs, of->n_pairs * sizeof(*view->pairs));
	ctl_pair_families(of, families);
	for (size_t i = 0; i < of->n_pairs && good; i++) {
		if (has_names(&of->pairs[i]))
			good = make_pair(view, i, v, families[i], again_ms);
	}
	free(families);
	if (!good) {
		ctl_model_free(view);
		return NULL;
	}
	return view;
}

static bool same_member(const struct ctl_member *a, const struct ctl_member *b)
{
	return strcmp(a->name, b->name) == 0 && same_place(&a->at, &b->at) && a->role == b->role
	       && !a->leaves_ms == !b->leaves_ms;
}

bool ctl_dns_view_same(const struct ctl_model *a, const struct ctl_model *b)
{
	for (size_t i = 0; i < a->n_pairs; i++) {
		const struct ctl_pair *p = &a->pairs[i], *q = &b->pairs[i];

		if (p->n_members != q->n_members)
			return false;
		for (size_t k = 0; p->members != q->members && k < p->n_members; k++) {
			if (!same_member(&p->members[k], &q->members[k]))
				return false;
		}
	}
	return true;
}
