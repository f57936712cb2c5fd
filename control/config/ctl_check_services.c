/*
 * Services: the pairs they name, the ports their listeners and the pairs' egress addresses are on,
 * and whether every member can be reached in its own address family.
 */
#include "control/config/ctl_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_near.h"
#include "control/config/ctl_schema.h"

#define SUGGEST_MAX \
	100 /* suggestions for a mistyped pair cost; after so many errors none is made */

/* ---- Local addresses */

static void list_addresses(const struct ctl_model *m, bool v4, char *text, size_t size)
{
	size_t len = 0;
	char ip[46];

	text[0] = '\0';
	for (size_t i = 0; i < m->n_ports; i++) {
		for (size_t k = 0; k < m->ports[i].n_addresses; k++) {
			const struct sip_ip *a = &m->ports[i].addresses[k].ip;

			if (dp_ip_is_v4(a) != v4 || len + sizeof(ip) + 2 > size)
				continue;
			dp_ip_format(a, ip);
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? ", " : "",
						ip);
		}
	}
}

/* @return the port, or 0 with an error. */
static unsigned int port_of(const struct ctl_model *m, const char *key, const struct ctl_listen *l,
			    struct ctl_diag *d)
{
	int port = ctl_own_port(m, &l->at.ip);
	bool v4 = dp_ip_is_v4(&l->at.ip);
	char ip[46], known[256];

	if (port >= 0)
		return (unsigned int)port;
	dp_ip_format(&l->at.ip, ip);
	list_addresses(m, v4, known, sizeof(known));
	if (known[0])
		ctl_diag_add(d, true, l->line,
			     "%s: %s is no address of a port; the ports' %s addresses are %s", key,
			     ip, v4 ? "IPv4" : "IPv6", known);
	else
		ctl_diag_add(
			d, true, l->line,
			"%s: %s is no address of a port, and no port has an %s address; add it "
			"to the addresses of one",
			key, ip, v4 ? "IPv4" : "IPv6");
	return 0;
}

static void resolve_listens(struct ctl_model *m, struct ctl_diag *d)
{
	for (size_t i = 0; i < m->n_services; i++) {
		struct ctl_service *s = &m->services[i];

		for (size_t k = 0; k < s->n_listens; k++)
			s->listens[k].port = port_of(m, "listen", &s->listens[k], d);
	}
}

static void resolve_egress(const struct ctl_model *m, struct ctl_pair *p, struct ctl_diag *d)
{
	for (size_t i = 0; i < p->n_egress_as_written; i++) {
		struct ctl_listen *l = &p->egress_as_written[i];
		unsigned int family = dp_ip_is_v4(&l->at.ip) ? 0 : 1;

		if (p->egress[family].port) {
			ctl_diag_add(d, true, l->line,
				     "egress: pair \"%s\" has an %s address already; one of each "
				     "family is possible",
				     p->name ? p->name : "?", family ? "IPv6" : "IPv4");
			continue;
		}
		l->port = port_of(m, "egress", l, d);
		p->egress[family] = l->at;
		p->egress_port[family] = l->port;
		p->has_egress = true;
	}
}

/* ---- Pairs of a service */

static const char *name_of_pair(const void *model, size_t i)
{
	return ((const struct ctl_model *)model)->pairs[i].name;
}

static void unknown_pair(const struct ctl_model *m, const struct ctl_word_at *w, struct ctl_diag *d)
{
	int near = d->n_errors < SUGGEST_MAX
			   ? ctl_nearest(w->text, strlen(w->text), m->n_pairs, name_of_pair, m)
			   : -1;

	if (near >= 0)
		ctl_diag_add(d, true, w->line,
			     "pairs: there is no pair \"%s\"; did you mean \"%s\"?", w->text,
			     m->pairs[near].name);
	else
		ctl_diag_add(d, true, w->line,
			     "pairs: there is no pair \"%s\"; add it to the file's pairs", w->text);
}

/** Of each pair: how many services have it, and which had it last. */
struct use {
	unsigned int n;
	size_t last; /* service + 1 */
};

static void add_pair(struct ctl_service *s, size_t service, int pair, const struct ctl_word_at *w,
		     struct use *use, struct ctl_diag *d)
{
	if (use->last == service + 1) {
		ctl_diag_add(d, true, w->line, "pairs: \"%s\" is in the list twice", w->text);
		return;
	}
	use->last = service + 1;
	if (++use->n == DP_PAIR_SERVICES + 1)
		ctl_diag_add(d, true, w->line,
			     "pairs: \"%s\" is behind %d services already; more are not possible",
			     w->text, DP_PAIR_SERVICES);
	s->pairs[s->n_pairs++] = (unsigned int)pair;
}

static int resolve_pairs(struct ctl_model *m, struct use *uses, struct ctl_diag *d)
{
	for (size_t i = 0; i < m->n_services; i++) {
		struct ctl_service *s = &m->services[i];

		s->pairs = calloc(s->n_pair_names + 1, sizeof(*s->pairs));
		if (!s->pairs)
			return -ENOMEM;
		for (size_t k = 0; k < s->n_pair_names; k++) {
			const struct ctl_word_at *w = &s->pair_names[k];
			int pair = ctl_model_find_pair(m, w->text);

			if (pair < 0)
				unknown_pair(m, w, d);
			else
				add_pair(s, i, pair, w, &uses[pair], d);
		}
	}
	return 0;
}

/* ---- Families */

static bool has_listener(const struct ctl_service *s, bool v4)
{
	for (size_t i = 0; i < s->n_listens; i++) {
		if (dp_ip_is_v4(&s->listens[i].at.ip) == v4)
			return true;
	}
	return false;
}

static void check_families(const struct ctl_service *s, const struct ctl_pair *p,
			   struct ctl_diag *d)
{
	static const struct sip_ip none;

	if (ctl_map_bad(&ctl_map_service, s, "listen") || ctl_map_bad(&ctl_map_pair, p, "egress"))
		return;
	for (size_t i = 0; i < p->n_members; i++) {
		const struct ctl_member *m = &p->members[i];
		bool v4 = dp_ip_is_v4(&m->at.ip);

		if (dp_ip_equal(&m->at.ip, &none) || p->egress[v4 ? 0 : 1].port
		    || has_listener(s, v4))
			continue;
		ctl_diag_add(
			d, true, ctl_map_line(&ctl_map_member, m, "address"),
			"address: %s is %s, but service \"%s\" has no %s listener to send from; "
			"add one to listen, or an %s address to the pair's egress",
			m->host, v4 ? "IPv4" : "IPv6", s->name ? s->name : "?",
			v4 ? "IPv4" : "IPv6", v4 ? "IPv4" : "IPv6");
	}
}

void ctl_pair_families(const struct ctl_model *m, uint8_t *families)
{
	memset(families, 3, m->n_pairs);
	for (size_t i = 0; i < m->n_services; i++) {
		const struct ctl_service *s = &m->services[i];
		unsigned int has = (unsigned int)has_listener(s, true)
				   | (unsigned int)has_listener(s, false) << 1;

		for (size_t k = 0; k < s->n_pairs; k++)
			families[s->pairs[k]] &= (uint8_t)has;
	}
	for (size_t i = 0; i < m->n_pairs; i++)
		families[i] |= (uint8_t)((m->pairs[i].egress[0].port != 0)
					 | (m->pairs[i].egress[1].port != 0) << 1);
}

/* A name's addresses are of use in the families that can be reached. */
static int check_named(const struct ctl_model *m, struct ctl_diag *d)
{
	static const uint8_t wanted[] = {
		[CTL_FAMILY_ANY] = 3, [CTL_FAMILY_IPV4] = 1, [CTL_FAMILY_IPV6] = 2
	};
	uint8_t *families = malloc(m->n_pairs + 1);

	if (!families)
		return -ENOMEM;
	ctl_pair_families(m, families);
	for (size_t i = 0; i < m->n_pairs; i++) {
		const struct ctl_pair *p = &m->pairs[i];

		if (!p->servers.name || ctl_map_bad(&ctl_map_pair, p, "servers")
		    || families[i] & wanted[p->servers.family])
			continue;
		ctl_diag_add(
			d, true, ctl_map_line(&ctl_map_servers, &p->servers, "family"),
			"family: no server of this kind can be reached by pair \"%s\"; add a "
			"listener of that family to each of its services, or an egress address "
			"to the pair",
			p->name ? p->name : "?");
	}
	free(families);
	return 0;
}

int ctl_check_services(struct ctl_model *m, struct ctl_diag *d)
{
	struct use *uses = calloc(m->n_pairs + 1, sizeof(*uses));
	int ret = uses ? 0 : -ENOMEM;

	resolve_listens(m, d);
	for (size_t i = 0; i < m->n_pairs; i++)
		resolve_egress(m, &m->pairs[i], d);
	if (ret == 0)
		ret = resolve_pairs(m, uses, d);
	for (size_t i = 0; ret == 0 && i < m->n_services; i++) {
		const struct ctl_service *s = &m->services[i];

		for (size_t k = 0; ctl_map_given(&ctl_map_service, s, "listen") && k < s->n_pairs;
		     k++)
			check_families(s, &m->pairs[s->pairs[k]], d);
	}
	/* A listen list that could not be read has been told of. */
	if (ret == 0 && d->n_errors == 0)
		ret = check_named(m, d);
	free(uses);
	return ret;
}
