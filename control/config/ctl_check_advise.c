/*
 * Warnings about a file without errors: settings without effect, servers that nothing leads to, a
 * pair that nobody uses.
 */
#include "control/config/ctl_check.h"

#include <stdlib.h>

#include "control/config/ctl_ip.h"
#include "control/config/ctl_schema.h"

#define MBUF_BYTES 2560 /* a packet buffer with its headroom and bookkeeping, rounded up */

/* Of the keys that together ask for too much, one that is in the file. */
static unsigned int memory_line(const struct ctl_model *m)
{
	static const char *const keys[] = { "memory", "packet-buffers", "workers" };
	unsigned int line = 0;

	for (size_t i = 0; i < 3 && !line; i++)
		line = ctl_map_line(&ctl_map_global, m, keys[i]);
	return line;
}

static void advise_global(const struct ctl_model *m, struct ctl_diag *d)
{
	uint64_t need_mb = (uint64_t)m->n_mbufs * m->workers * MBUF_BYTES >> 20;

	if (need_mb > m->memory_mb)
		ctl_diag_add(d, false, memory_line(m),
			     "memory: %uM is little for %u packet-buffers for each of %u workers; "
			     "they need about %uM",
			     m->memory_mb, m->n_mbufs, m->workers, (unsigned int)need_mb);
	if (m->record_hold_ms < 32000)
		ctl_diag_add(d, false, ctl_map_line(&ctl_map_global, m, "record-hold"),
			     "record-hold: below 32s (64*T1), late retransmissions may go to "
			     "another member than their request");
}

/* ---- Failback */

static void without_effect(const struct ctl_pair *p, const char *key, enum ctl_failback mode,
			   const char *mode_name, struct ctl_diag *d)
{
	if (ctl_map_given(&ctl_map_pair, p, key) && !(p->set.failback & mode))
		ctl_diag_add(d, false, ctl_map_line(&ctl_map_pair, p, key),
			     "%s: it has no effect without %s in failback", key, mode_name);
}

static void advise_failback(const struct ctl_pair *p, struct ctl_diag *d)
{
	unsigned int both = CTL_FAILBACK_IMMEDIATE | CTL_FAILBACK_TIMED;

	without_effect(p, "failback-interval", CTL_FAILBACK_TIMED, "timed", d);
	without_effect(p, "signal-methods", CTL_FAILBACK_SIGNAL, "signal", d);
	if (ctl_map_given(&ctl_map_pair, p, "failback-hold") && !p->set.failback)
		ctl_diag_add(d, false, ctl_map_line(&ctl_map_pair, p, "failback-hold"),
			     "failback-hold: it has no effect while failback is empty");
	if ((p->set.failback & both) == both)
		ctl_diag_add(d, false, ctl_map_line(&ctl_map_pair, p, "failback"),
			     "failback: timed never gets its turn beside immediate; write one of "
			     "them");
}

/* ---- Members */

static void advise_account(const struct ctl_pair *p, const struct ctl_member *m, struct ctl_diag *d)
{
	unsigned int line = ctl_map_line(&ctl_map_member, m, "user");

	if (m->user && m->role != DP_ROLE_PRIMARY)
		ctl_diag_add(
			d, false, line,
			"user: it has no effect here; only the primary is tried with REGISTER");
	else if (m->user && !(p->set.failback & CTL_FAILBACK_TIMED))
		ctl_diag_add(d, false, line, "user: it has no effect without timed in failback");
}

static bool in_subnet(const struct sip_ip *ip, const struct sip_ip *net, unsigned int len)
{
	return dp_ip_is_v4(ip) == dp_ip_is_v4(net) && ctl_ip_in(ip, net, ctl_ip_bits(net, len));
}

static bool leads_to(const struct ctl_port *p, const struct sip_ip *ip)
{
	for (size_t i = 0; i < p->n_addresses; i++) {
		if (in_subnet(ip, &p->addresses[i].ip, p->addresses[i].prefix_len))
			return true;
	}
	for (size_t i = 0; i < p->n_routes; i++) {
		if (in_subnet(ip, &p->routes[i].to, p->routes[i].prefix_len))
			return true;
	}
	return false;
}

static void advise_reach(const struct ctl_model *m, const struct ctl_member *mb, struct ctl_diag *d)
{
	static const struct sip_ip none;

	if (dp_ip_equal(&mb->at.ip, &none))
		return; /* a name */
	for (size_t i = 0; i < m->n_ports; i++) {
		if (leads_to(&m->ports[i], &mb->at.ip))
			return;
	}
	ctl_diag_add(d, false, ctl_map_line(&ctl_map_member, mb, "address"),
		     "address: \"%s\" is in no subnet of a port, and no route here leads to it; "
		     "unless a routing daemon learns one, it cannot be reached",
		     mb->host);
}

/* ---- Requests in flight */

static void advise_failover(const struct ctl_pair *p, struct ctl_diag *d)
{
	static const char *const keys[] = { "retry-counts", "no-response-timeout", "shares" };

	for (size_t i = 0; i < 3 && !p->set.failover_methods; i++) {
		if (ctl_map_given(&ctl_map_pair, p, keys[i]))
			ctl_diag_add(d, false, ctl_map_line(&ctl_map_pair, p, keys[i]),
				     "%s: it has no effect while failover-methods is empty",
				     keys[i]);
	}
	if (p->n_members == 1 && p->set.concurrent
	    && ctl_map_given(&ctl_map_pair, p, "registration"))
		ctl_diag_add(d, false, ctl_map_line(&ctl_map_pair, p, "registration"),
			     "registration: there is no other member that a copy could go to");
}

static void advise_ttl(const struct ctl_model *m, struct ctl_diag *d)
{
	if (m->dns.min_ttl_ms > m->dns.max_ttl_ms)
		ctl_diag_add(d, false, ctl_map_line(&ctl_map_global, m, "dns"),
			     "min-ttl: it is longer than max-ttl, which then counts for nothing");
}

static void advise_pair(const struct ctl_model *m, const struct ctl_pair *p, struct ctl_diag *d)
{
	if (p->n_members == 1)
		ctl_diag_add(d, false, ctl_map_line(&ctl_map_pair, p, "members"),
			     "members: pair \"%s\" has no backup; nobody takes over when its "
			     "primary fails",
			     p->name);
	for (size_t i = 0; i < p->n_members; i++) {
		advise_account(p, &p->members[i], d);
		advise_reach(m, &p->members[i], d);
	}
	advise_failback(p, d);
	advise_failover(p, d);
	ctl_advise_probe(p, d);
}

/* ---- The whole */

static void advise_unused(const struct ctl_model *m, struct ctl_diag *d)
{
	bool *used = calloc(m->n_pairs + 1, sizeof(*used));

	if (!used) {
		ctl_diag_add(d, true, 0, "out of memory");
		return;
	}
	for (size_t i = 0; i < m->n_services; i++) {
		for (size_t k = 0; k < m->services[i].n_pairs; k++)
			used[m->services[i].pairs[k]] = true;
	}
	for (size_t i = 0; i < m->n_pairs; i++) {
		if (!used[i])
			ctl_diag_add(d, false, m->pairs[i].line,
				     "pair \"%s\": no service has it; add it to a service's pairs",
				     m->pairs[i].name);
	}
	free(used);
}

void ctl_check_advise(const struct ctl_model *m, struct ctl_diag *d)
{
	advise_global(m, d);
	advise_ttl(m, d);
	for (size_t i = 0; i < m->n_pairs; i++)
		advise_pair(m, &m->pairs[i], d);
	advise_unused(m, d);
}
