/*
 * Probes of a pair: where from, over what, and with which certificates.
 */
#include <string.h>

#include "control/config/ctl_check.h"
#include "control/config/ctl_schema.h"
#include "control/config/ctl_types.h"
#include "control/probe/ctl_tls.h"

#define STREAM_TIMEOUT_MS 500 /* TCP sends a lost segment again after 200 ms at the earliest */

static unsigned int probe_line(const struct ctl_pair *p, const char *key)
{
	return ctl_map_line(&ctl_map_probe, &p->set, key);
}

static unsigned int tls_line(const struct ctl_pair *p, const char *key)
{
	return ctl_map_line(&ctl_map_tls, &p->tls, key);
}

/* ---- Source addresses */

static void check_source(const struct ctl_model *m, const struct ctl_pair *p, struct ctl_diag *d)
{
	const struct ctl_pair_settings *s = &p->set;
	char ip[46];

	for (unsigned int i = 0; i < s->n_probe_source; i++) {
		dp_ip_format(&s->probe_source[i], ip);
		if (ctl_own_port(m, &s->probe_source[i]) < 0)
			ctl_diag_add(
				d, true, probe_line(p, "source"),
				"source: %s is no address of a port; probes can only come from "
				"one that is ours",
				ip);
		if (i > 0
		    && dp_ip_is_v4(&s->probe_source[i]) == dp_ip_is_v4(&s->probe_source[i - 1]))
			ctl_diag_add(d, true, probe_line(p, "source"),
				     "source: %s is the second %s address; one of each family is "
				     "possible",
				     ip, dp_ip_is_v4(&s->probe_source[i]) ? "IPv4" : "IPv6");
	}
}

/* ---- Certificates */

/* Of the first member, or of those that DNS will name. */
static unsigned int probe_transport(const struct ctl_pair *p)
{
	const struct ctl_member named = { .at.transport = p->servers.transport };

	return ctl_model_probe_at(p, p->n_members ? &p->members[0] : &named).transport;
}

static bool uses_tls(const struct ctl_pair *p)
{
	if (p->servers.name)
		return probe_transport(p) == CTL_TLS;
	for (size_t i = 0; i < p->n_members; i++) {
		if (ctl_model_probe_at(p, &p->members[i]).transport == CTL_TLS)
			return true;
	}
	return false;
}

static bool tls_is_bad(const struct ctl_pair *p)
{
	for (size_t i = 0; i < ctl_map_tls.n_keys; i++) {
		if (ctl_map_bad(&ctl_map_tls, &p->tls, ctl_map_tls.keys[i].name))
			return true;
	}
	return false;
}

static void check_files(const struct ctl_pair *p, struct ctl_diag *d)
{
	const struct ctl_tls_files f = {
		.ca = p->tls.ca, .cert = p->tls.cert, .key = p->tls.key, .verify = p->tls.verify
	};
	char why[CTL_TLS_WHY], key[16];

	if (ctl_tls_usable(&f, why))
		return;
	snprintf(key, sizeof(key), "%.*s", (int)strcspn(why, ":"), why);
	ctl_diag_add(d, true, tls_line(p, key), "%s", why);
}

static void check_tls(const struct ctl_pair *p, struct ctl_diag *d)
{
	if (tls_is_bad(p))
		return;
	if (p->tls.cert && !p->tls.key)
		ctl_diag_add(d, true, tls_line(p, "cert"),
			     "cert: it has no key; add key, or remove cert");
	else if (p->tls.key && !p->tls.cert)
		ctl_diag_add(d, true, tls_line(p, "key"),
			     "key: there is no cert for it; add cert, or remove key");
	else if (p->tls.ca || p->tls.cert)
		check_files(p, d);
}

void ctl_check_probe(const struct ctl_model *m, const struct ctl_pair *p, struct ctl_diag *d)
{
	check_source(m, p, d);
	check_tls(p, d);
}

/* ---- Unwise */

static bool gives_tls(const struct ctl_pair *p)
{
	for (size_t i = 0; i < ctl_map_tls.n_keys; i++) {
		if (ctl_map_given(&ctl_map_tls, &p->tls, ctl_map_tls.keys[i].name))
			return true;
	}
	return false;
}

static void advise_tls(const struct ctl_pair *p, struct ctl_diag *d)
{
	bool used = uses_tls(p);

	if (!used && gives_tls(p))
		ctl_diag_add(d, false, ctl_map_line(&ctl_map_pair, p, "tls"),
			     "tls: it has no effect: nothing of pair \"%s\" is over TLS", p->name);
	for (size_t i = 0; !used && i < p->n_members; i++) {
		if (p->members[i].server_name)
			ctl_diag_add(d, false,
				     ctl_map_line(&ctl_map_member, &p->members[i], "server-name"),
				     "server-name: it has no effect: nothing is over TLS");
	}
	if (used && !p->tls.verify)
		ctl_diag_add(d, false, tls_line(p, "verify"),
			     "verify: without it, anybody on the way can pass for the server");
}

static void advise_stream_timeout(const struct ctl_pair *p, struct ctl_diag *d)
{
	const struct ctl_pair_settings *s = &p->set;
	uint32_t period_ms = s->oos_check_ms ? s->oos_check_ms : s->oos_force_ms;
	uint32_t timeout_ms = s->probe_timeout_ms ? s->probe_timeout_ms : period_ms;
	char text[CTL_DURATION_SIZE];

	if (timeout_ms > s->oos_force_ms && !s->probe_timeout_ms)
		timeout_ms = s->oos_force_ms;
	if (timeout_ms >= STREAM_TIMEOUT_MS || probe_transport(p) == CTL_UDP)
		return;
	ctl_diag_add(
		d, false,
		ctl_map_line(&ctl_map_pair, p, s->probe_timeout_ms ? "probe-timeout" : "oos-check"),
		"%s: a probe over a stream has %s only, and TCP sends what was lost again "
		"after 200ms at the earliest; make it %dms or more",
		s->probe_timeout_ms ? "probe-timeout" : "oos-check",
		ctl_duration_format(timeout_ms, text), STREAM_TIMEOUT_MS);
}

static void advise_periods(const struct ctl_pair *p, struct ctl_diag *d)
{
	if (p->set.oos_check_ms || !p->set.probe_all
	    || !ctl_map_given(&ctl_map_pair, p, "probe-all"))
		return;
	ctl_diag_add(
		d, false, ctl_map_line(&ctl_map_pair, p, "probe-all"),
		"probe-all: it has no effect while oos-check is 0: nobody is probed periodically");
}

void ctl_advise_probe(const struct ctl_pair *p, struct ctl_diag *d)
{
	advise_periods(p, d);
	advise_tls(p, d);
	advise_stream_timeout(p, d);
}
