#include "tests/control/cfg_same.h"

#include <stdio.h>

static char what[160];

#define DIFFER(...)                                        \
	do {                                               \
		snprintf(what, sizeof(what), __VA_ARGS__); \
		return what;                               \
	} while (0)

static bool same_text(const struct dp_cfg *a, struct dp_text x, const struct dp_cfg *b,
		      struct dp_text y)
{
	return x.len == y.len && memcmp(dp_cfg_text(a, x), dp_cfg_text(b, y), x.len) == 0;
}

/* ---- Pairs */

/* Rows of slots that nobody has are empty: nothing of a former owner stays. */
static bool same_member(const struct dp_cfg *a, const struct dp_member *x, const struct dp_cfg *b,
			const struct dp_member *y)
{
	struct dp_member u = *x, v = *y;

	u.name = v.name = (struct dp_text){ 0 };
	return memcmp(&u, &v, sizeof(u)) == 0 && same_text(a, x->name, b, y->name);
}

static const char *same_pair(const struct dp_cfg *a, const struct dp_cfg *b, unsigned int i)
{
	const struct dp_pair *x = (const struct dp_pair *)dp_cfg_at(a, a->pairs) + i;
	const struct dp_pair *y = (const struct dp_pair *)dp_cfg_at(b, b->pairs) + i;
	struct dp_pair u = *x, v = *y;

	/* Room for members is not what they are. */
	u.more = v.more = 0;
	u.n_more = v.n_more = 0;
	if (memcmp(&u, &v, offsetof(struct dp_pair, first)) != 0)
		DIFFER("the line of pair %u", i);
	if (!same_text(a, dp_cfg_pair_info(a, i)->name, b, dp_cfg_pair_info(b, i)->name)
	    || dp_cfg_pair_info(a, i)->weight != dp_cfg_pair_info(b, i)->weight)
		DIFFER("the name or weight of pair %u", i);
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (!same_member(a, dp_pair_member(x, s), b, dp_pair_member(y, s)))
			DIFFER("slot %u of pair %u", s, i);
	}
	if (x->valid && (dp_cfg_pair_by_key(a, x->key) != x || dp_cfg_pair_by_key(b, x->key) != y))
		DIFFER("the key of pair %u", i);
	return NULL;
}

/* ---- Services and listeners */

static bool same_bytes(const struct dp_cfg *a, uint32_t x, const struct dp_cfg *b, uint32_t y,
		       size_t n)
{
	return n == 0 || memcmp(dp_cfg_at(a, x), dp_cfg_at(b, y), n) == 0;
}

static const char *same_service(const struct dp_cfg *a, const struct dp_cfg *b, unsigned int i)
{
	const struct dp_service *x = dp_cfg_service(a, i), *y = dp_cfg_service(b, i);
	struct dp_service u = *x, v = *y;

	u.name = v.name = (struct dp_text){ 0 };
	u.pairs = u.maglev = u.emergency = u.access = u.names = 0;
	v.pairs = v.maglev = v.emergency = v.access = v.names = 0;
	if (memcmp(&u, &v, sizeof(u)) != 0 || !same_text(a, x->name, b, y->name))
		DIFFER("the row of service %u", i);
	if (!same_bytes(a, x->pairs, b, y->pairs, x->n_pairs * sizeof(uint16_t)))
		DIFFER("the pairs of service %u", i);
	if (!same_bytes(a, x->maglev, b, y->maglev, x->maglev_size * sizeof(uint16_t)))
		DIFFER("the table of service %u", i);
	if (!same_bytes(a, x->access, b, y->access,
			((size_t)x->n_allow + x->n_deny) * sizeof(struct dp_access)))
		DIFFER("the access of service %u", i);
	for (uint32_t k = 0; k < x->n_emergency; k++) {
		const struct dp_text *s = dp_cfg_at(a, x->emergency);
		const struct dp_text *t = dp_cfg_at(b, y->emergency);

		if (!same_text(a, s[k], b, t[k]))
			DIFFER("emergency number %u of service %u", k, i);
	}
	return NULL;
}

static const char *same_listener(const struct dp_cfg *a, const struct dp_cfg *b, unsigned int i)
{
	const struct dp_listener *x = dp_cfg_listener(a, i), *y = dp_cfg_listener(b, i);
	struct dp_listener u = *x, v = *y;

	u.hostport = v.hostport = (struct dp_text){ 0 };
	if (memcmp(&u, &v, sizeof(u)) != 0 || !same_text(a, x->hostport, b, y->hostport)
	    || dp_cfg_listener_at(a, &x->at) != x || dp_cfg_listener_at(b, &x->at) != y)
		DIFFER("listener %u", i);
	return NULL;
}

/* ---- The whole */

const char *cfg_same_rows(const struct dp_cfg *a, const struct dp_cfg *b)
{
	const char *why = NULL;

	if (a->n_listeners != b->n_listeners || a->n_services != b->n_services
	    || a->n_pairs != b->n_pairs || a->n_members != b->n_members
	    || a->n_exact_sources != b->n_exact_sources || a->n_prefixes != b->n_prefixes)
		DIFFER("numbers: listeners %u %u, services %u %u, pairs %u %u, members %u %u, "
		       "sources %u %u, prefixes %u %u",
		       a->n_listeners, b->n_listeners, a->n_services, b->n_services, a->n_pairs,
		       b->n_pairs, a->n_members, b->n_members, a->n_exact_sources,
		       b->n_exact_sources, a->n_prefixes, b->n_prefixes);
	if (a->instance != b->instance || a->n_secrets != b->n_secrets
	    || memcmp(a->secrets, b->secrets, sizeof(a->secrets)) != 0
	    || memcmp(a->punt_per_s, b->punt_per_s, sizeof(a->punt_per_s)) != 0)
		DIFFER("the head");
	if (!same_bytes(a, a->prefixes, b, b->prefixes, a->n_prefixes * sizeof(struct dp_source)))
		DIFFER("the prefixes");
	for (unsigned int i = 0; !why && i < a->n_pairs; i++)
		why = same_pair(a, b, i);
	for (unsigned int i = 0; !why && i < a->n_services; i++)
		why = same_service(a, b, i);
	for (unsigned int i = 0; !why && i < a->n_listeners; i++)
		why = same_listener(a, b, i);
	return why;
}

const char *cfg_same_at(const struct dp_cfg *a, const struct dp_cfg *b,
			const struct dp_endpoint *at)
{
	uint16_t p = 0, q = 0;
	const struct dp_member *m = dp_cfg_member_at(a, at, &p), *n = dp_cfg_member_at(b, at, &q);
	const struct dp_source *s = dp_cfg_source(a, &at->ip, at->port);
	const struct dp_source *t = dp_cfg_source(b, &at->ip, at->port);
	char ip[48];

	dp_ip_format(&at->ip, ip);
	if (!m != !n || p != q || (m && m->slot != n->slot))
		DIFFER("the member at %s port %u", ip, at->port);
	if (!s != !t || (s && memcmp(s, t, sizeof(*s)) != 0))
		DIFFER("the source %s port %u", ip, at->port);
	return NULL;
}
