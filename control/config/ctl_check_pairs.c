/*
 * One pair: roles, accounts, addresses of members, timers.
 */
#include "control/config/ctl_check.h"

#include <string.h>

#include "control/config/ctl_ip.h"
#include "control/config/ctl_schema.h"
#include "control/config/ctl_types.h"
#include "control/dns/ctl_dns_msg.h"

static unsigned int member_line(const struct ctl_member *m, const char *key)
{
	return ctl_map_line(&ctl_map_member, m, key);
}

static const char *pair_name(const struct ctl_pair *p)
{
	return p->name ? p->name : "?";
}

/* ---- Roles */

static const struct ctl_member *first_with(const struct ctl_pair *p, enum dp_role role)
{
	for (size_t i = 0; i < p->n_members; i++) {
		if (p->members[i].role == role
		    && ctl_map_given(&ctl_map_member, &p->members[i], "role"))
			return &p->members[i];
	}
	return NULL;
}

/* Every role could be read: else what is missing is perhaps only misspelt. */
static bool roles_are_known(const struct ctl_pair *p)
{
	for (size_t i = 0; i < p->n_members; i++) {
		if (!ctl_map_given(&ctl_map_member, &p->members[i], "role"))
			return false;
	}
	return p->n_members > 0;
}

static void check_only_one(const struct ctl_pair *p, enum dp_role role, const char *what,
			   const char *remedy, struct ctl_diag *d)
{
	const struct ctl_member *first = first_with(p, role);

	for (size_t i = 0; first && i < p->n_members; i++) {
		const struct ctl_member *m = &p->members[i];

		if (m != first && m->role == role && ctl_map_given(&ctl_map_member, m, "role"))
			ctl_diag_add(d, true, member_line(m, "role"),
				     "role: pair \"%s\" has a %s in line %u already; %s",
				     pair_name(p), what, first->line, remedy);
	}
}

static void check_roles(const struct ctl_pair *p, struct ctl_diag *d)
{
	const struct ctl_member *backup = first_with(p, DP_ROLE_BACKUP);
	const struct ctl_member *fallback = first_with(p, DP_ROLE_FALLBACK);

	check_only_one(p, DP_ROLE_PRIMARY, "primary", "make this the backup or a fallback", d);
	check_only_one(p, DP_ROLE_BACKUP, "backup", "make this a fallback", d);
	if (!roles_are_known(p))
		return;
	if (!first_with(p, DP_ROLE_PRIMARY))
		ctl_diag_add(d, true, ctl_map_line(&ctl_map_pair, p, "members"),
			     "members: pair \"%s\" has no primary; give one member role: primary",
			     pair_name(p));
	else if (fallback && !backup)
		ctl_diag_add(
			d, true, member_line(fallback, "role"),
			"role: pair \"%s\" has a fallback, but no backup; make this the backup",
			pair_name(p));
}

/* Primary, backup, fallbacks; the file's order among equals. */
static void sort_members(struct ctl_pair *p)
{
	for (size_t i = 1; i < p->n_members; i++) {
		struct ctl_member m = p->members[i];
		size_t k = i;

		for (; k > 0 && p->members[k - 1].role > m.role; k--)
			p->members[k] = p->members[k - 1];
		p->members[k] = m;
	}
}

/* ---- Members */

/* Of a member, or of servers. */
static void check_account(const struct ctl_map *map, const void *m, const char *user,
			  const char *password, struct ctl_diag *d)
{
	if (ctl_map_bad(map, m, "user") || ctl_map_bad(map, m, "password"))
		return;
	if (user && !password)
		ctl_diag_add(d, true, ctl_map_line(map, m, "user"),
			     "user: \"%s\" has no password; add password, or remove user", user);
	else if (password && !user)
		ctl_diag_add(d, true, ctl_map_line(map, m, "password"),
			     "password: there is no user for it; add user, or remove password");
}

static void check_methods(struct ctl_member *m, struct ctl_diag *d)
{
	if (m->methods && m->role != DP_ROLE_FALLBACK)
		ctl_diag_add(d, true, member_line(m, "methods"),
			     "methods: only a fallback can be limited to some requests; remove it");
	if (m->methods & 1u << SIP_METHOD_INVITE)
		m->methods |= 1u << SIP_METHOD_ACK | 1u << SIP_METHOD_CANCEL;
	if (!m->methods)
		m->methods = UINT32_MAX;
}

/* A dotted number is meant as an address, and is a wrong one. */
static bool looks_numeric(const char *host)
{
	return strchr(host, ':') || strspn(host, "0123456789.") == strlen(host);
}

static bool is_subnet_broadcast(const struct ctl_port *p, const struct sip_ip *ip)
{
	for (size_t i = 0; i < p->n_addresses; i++) {
		const struct ctl_address *a = &p->addresses[i];

		if (dp_ip_is_v4(&a->ip) && ctl_ip_in(ip, &a->ip, ctl_ip_bits(&a->ip, a->prefix_len))
		    && ctl_ip_is_broadcast(ip, a->prefix_len))
			return true;
	}
	return false;
}

bool ctl_own_broadcast(const struct ctl_model *m, const struct sip_ip *ip)
{
	for (size_t i = 0; i < m->n_ports; i++) {
		if (is_subnet_broadcast(&m->ports[i], ip))
			return true;
	}
	return false;
}

static void check_literal(const struct ctl_model *m, struct ctl_member *mb, struct ctl_diag *d)
{
	unsigned int line = member_line(mb, "address");
	const char *unfit = ctl_ip_unfit(&mb->at.ip);
	char ip[46];

	if (strchr(mb->host, ':') && dp_ip_is_v4(&mb->at.ip)) {
		dp_ip_format(&mb->at.ip, ip);
		ctl_diag_add(d, true, line,
			     "address: \"%s\" is an IPv4 address written as IPv6; write %s",
			     mb->host, ip);
	} else if (unfit) {
		ctl_diag_add(d, true, line, "address: \"%s\" is %s; no server can be there",
			     mb->host, unfit);
	} else if (ctl_ip_is_link_local(&mb->at.ip)) {
		ctl_diag_add(d, true, line,
			     "address: \"%s\" is link-local; write a routable address of the "
			     "server",
			     mb->host);
	} else if (ctl_own_broadcast(m, &mb->at.ip)) {
		ctl_diag_add(
			d, true, line,
			"address: \"%s\" is the broadcast address of a port's subnet; write the "
			"server's",
			mb->host);
	} else if (ctl_own_port(m, &mb->at.ip) >= 0) {
		ctl_diag_add(d, true, line,
			     "address: \"%s\" is an address of our own; write the server's",
			     mb->host);
	}
}

static void check_name(const char *key, const char *name, unsigned int line, struct ctl_diag *d)
{
	if (looks_numeric(name))
		ctl_diag_add(d, true, line, "%s: \"%s\" is no IPv4 or IPv6 address", key, name);
	else if (!ctl_dns_name_fits(name))
		ctl_diag_add(
			d, true, line,
			"%s: \"%s\" is no DNS name; it has labels of letters, digits and "
			"hyphens with a dot between them, at most 63 bytes each and 253 in all",
			key, name);
}

static void check_transport(const struct ctl_map *map, const void *m, unsigned int transport,
			    struct ctl_diag *d)
{
	if (transport != CTL_UDP)
		ctl_diag_add(d, true, ctl_map_line(map, m, "transport"),
			     "transport: a stream (TCP or TLS), and streams cannot be forwarded "
			     "yet; write udp");
}

static void check_address(const struct ctl_model *m, struct ctl_member *mb, struct ctl_diag *d)
{
	check_transport(&ctl_map_member, mb, mb->at.transport, d);
	if (!mb->host)
		return;
	if (dp_ip_parse(mb->host, &mb->at.ip) < 0) {
		check_name("address", mb->host, member_line(mb, "address"), d);
		return;
	}
	/* RFC 3263 4.2: a numeric address has no SRV, and no port means the transport's own. */
	if (ctl_port_is_srv(mb->at.port))
		mb->at.port = mb->at.transport == CTL_TLS ? 5061 : 5060;
	check_literal(m, mb, d);
}

/* ---- Servers: members by name */

static void check_servers(const struct ctl_pair *p, struct ctl_diag *d)
{
	const struct ctl_servers *s = &p->servers;
	struct sip_ip literal;

	if (ctl_map_bad(&ctl_map_servers, s, "name"))
		return;
	if (!s->name)
		ctl_diag_add(d, true, s->line,
			     "servers: there is no name; add the DNS name that stands for the "
			     "servers of pair \"%s\"",
			     pair_name(p));
	else if (dp_ip_parse(s->name, &literal) == 0)
		ctl_diag_add(d, true, ctl_map_line(&ctl_map_servers, s, "name"),
			     "name: \"%s\" is an address, and needs no DNS; write members instead "
			     "of servers",
			     s->name);
	else
		check_name("name", s->name, ctl_map_line(&ctl_map_servers, s, "name"), d);
	check_transport(&ctl_map_servers, s, s->transport, d);
	check_account(&ctl_map_servers, s, s->user, s->password, d);
}

static bool is_written(const struct ctl_pair *p, const char *key)
{
	return ctl_map_given(&ctl_map_pair, p, key) || ctl_map_bad(&ctl_map_pair, p, key);
}

/* Where the members come from: the list, or a name. */
static void check_origin(const struct ctl_pair *p, struct ctl_diag *d)
{
	bool listed = is_written(p, "members"), named = is_written(p, "servers");

	if (listed && named)
		ctl_diag_add(
			d, true, ctl_map_line(&ctl_map_pair, p, "servers"),
			"servers: pair \"%s\" has members too, in line %u; either list them, or "
			"have DNS say who they are",
			pair_name(p), ctl_map_line(&ctl_map_pair, p, "members"));
	else if (!listed && !named)
		ctl_diag_add(
			d, true, p->line,
			"a pair has no \"members\"; it needs a list of mappings, or servers with "
			"a DNS name");
	else if (ctl_map_given(&ctl_map_pair, p, "servers"))
		check_servers(p, d);
}

void ctl_check_pair(const struct ctl_model *m, struct ctl_pair *p, struct ctl_diag *d)
{
	check_origin(p, d);
	check_roles(p, d);
	for (size_t i = 0; i < p->n_members; i++) {
		const struct ctl_member *mb = &p->members[i];

		check_account(&ctl_map_member, mb, mb->user, mb->password, d);
		check_methods(&p->members[i], d);
		check_address(m, &p->members[i], d);
	}
	sort_members(p);
	ctl_check_settings(p, d);
	ctl_check_probe(m, p, d);
}
