/*
 * The pairs as JSON, for RPC. Names are the CLI's contract.
 */
#include <stdio.h>
#include <time.h>

#include "control/pair/ctl_pairs_int.h"

/* ISO 8601, UTC, of a monotonic time; null when it is not set. */
static json_t *time_json(const struct ctl_pairs *ps, uint64_t mono_us)
{
	uint64_t wall_us = ctl_pairs_wall(ps, mono_us);
	time_t s = (time_t)(wall_us / 1000000);
	char text[64];
	struct tm tm;
	size_t n;

	if (wall_us == 0)
		return json_null();
	gmtime_r(&s, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%06uZ", (unsigned int)(wall_us % 1000000));
	return json_string(text);
}

static json_t *address_json(const struct sip_ip *ip)
{
	char text[46];

	return json_stringn(text, dp_ip_format(ip, text));
}

static const char *transport_name(unsigned int t)
{
	static const char *const names[] = { [DP_UDP] = "udp", [DP_TCP] = "tcp", [DP_TLS] = "tls" };

	return t <= DP_TLS ? names[t] : "?";
}

static const char *role_name(unsigned int role)
{
	static const char *const names[] = { [DP_ROLE_PRIMARY] = "primary",
					     [DP_ROLE_BACKUP] = "backup",
					     [DP_ROLE_FALLBACK] = "fallback" };

	return role <= DP_ROLE_FALLBACK ? names[role] : "?";
}

static json_t *rtt_json(const struct ctl_pair_member *m)
{
	return m->last_rtt_us != 0 ? json_integer(m->last_rtt_us) : json_null();
}

static json_t *failure_json(const struct ctl_pair_member *m)
{
	char text[CTL_PAIR_TEXT];
	const char *why = ctl_pair_last_failure(m, text, sizeof(text));

	return why != NULL ? json_string(why) : json_null();
}

static json_t *member_json(const struct ctl_pairs_pair *rp, unsigned int slot)
{
	const struct ctl_pair_member *m = &rp->st.m[slot];
	const struct ctl_pairs_member *rm = &rp->m[slot];

	return json_pack(
		"{s:s, s:s, s:o, s:i, s:s, s:s, s:o, s:o, s:s, s:b, s:b, s:b, s:o, s:I, s:I, s:i, "
		"s:o, "
		"s:o}",
		"name", rm->name, "role", role_name(rp->conf.m[slot].role), "address",
		address_json(&rm->at.ip), "port", (int)rm->at.port, "transport",
		transport_name(rm->at.transport), "state", ctl_pair_member_name(m), "last_rtt_us",
		rtt_json(m), "last_change", time_json(rp->ps, m->changed_us), "health",
		ctl_pair_health_name(m->health), "draining", m->draining, "disabled", m->disabled,
		"degraded", m->degraded, "last_answer", time_json(rp->ps, m->good_us), "suspicions",
		(json_int_t)m->suspicions, "suspicions_cleared", (json_int_t)m->cleared, "number",
		(int)(rp->number * DP_PAIR_MEMBERS + slot), "last_failure", failure_json(m),
		"last_failure_at", time_json(rp->ps, m->last_bad_us));
}

static json_t *members_json(const struct ctl_pairs_pair *rp)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < rp->conf.n; i++) {
		if (rp->st.m[rp->conf.order[i]].present)
			json_array_append_new(a, member_json(rp, rp->conf.order[i]));
	}
	return a;
}

/* What keeps the pair from coming back to a better member, and when it tries. */
static json_t *failback_json(const struct ctl_pairs_pair *rp)
{
	const struct ctl_pairs *ps = rp->ps;
	uint64_t hold_us = ctl_pair_hold_until(&rp->st, &rp->conf);
	json_t *modes = json_array();

	if ((rp->conf.failback & CTL_FAILBACK_IMMEDIATE) != 0)
		json_array_append_new(modes, json_string("immediate"));
	if ((rp->conf.failback & CTL_FAILBACK_TIMED) != 0)
		json_array_append_new(modes, json_string("timed"));
	if ((rp->conf.failback & CTL_FAILBACK_SIGNAL) != 0)
		json_array_append_new(modes, json_string("signal"));
	if (hold_us <= ps->io.now_us(ps->io.arg))
		hold_us = 0;
	return json_pack("{s:o, s:o, s:o, s:i, s:b}", "modes", modes, "held_until",
			 time_json(ps, hold_us), "next_probe", time_json(ps, rp->st.failback_us),
			 "flaps", (int)rp->st.flaps, "switched_by_operator", rp->st.manual);
}

static json_t *pair_json(const struct ctl_pairs_pair *rp)
{
	const char *active = rp->st.active < DP_PAIR_MEMBERS ? rp->m[rp->st.active].name : NULL;

	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:b, s:b, s:o, s:I}", "name", rp->name,
			 "state", ctl_pair_phase_name(rp->st.phase), "active", active, "members",
			 members_json(rp), "since", time_json(rp->ps, rp->st.since_us), "pinned",
			 rp->st.pinned, "cut_off", rp->ps->cut.on, "failback", failback_json(rp),
			 "detect_bound_us", (json_int_t)ctl_pair_detect_bound(&rp->conf));
}

json_t *ctl_pairs_json(const struct ctl_pairs *ps)
{
	json_t *a = json_array();

	for (size_t i = 0; i < ps->n_order; i++)
		json_array_append_new(a, pair_json(ps->order[i]));
	return a;
}

json_t *ctl_pair_json(const struct ctl_pairs *ps, const char *pair)
{
	const struct ctl_pairs_pair *rp = ctl_pairs_find(ps, pair);
	json_t *o = rp != NULL ? pair_json(rp) : NULL;

	if (o != NULL)
		json_object_set_new(o, "events", ctl_history_json(ps->history, pair));
	return o;
}

json_t *ctl_pairs_probes_json(const struct ctl_pairs *ps)
{
	const uint64_t *counts = ps->io.counts != NULL ? ps->io.counts(ps->io.arg) : NULL;
	json_t *o = json_object();

	for (unsigned int i = 0; counts != NULL && i < CTL_PROBE_COUNTS; i++)
		json_object_set_new(o, ctl_probe_count_name((enum ctl_probe_count)i),
				    json_integer((json_int_t)counts[i]));
	return o;
}
