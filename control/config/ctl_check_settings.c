/*
 * Timers of a pair that must fit together.
 */
#include "control/config/ctl_check.h"

#include "control/config/ctl_schema.h"
#include "control/config/ctl_types.h"

static unsigned int line_of(const struct ctl_pair *p, const char *key)
{
	return ctl_map_line(&ctl_map_pair, p, key);
}

static bool given(const struct ctl_pair *p, const char *key)
{
	return ctl_map_given(&ctl_map_pair, p, key);
}

/* oos-force is the hurried period, so it never exceeds oos-check: one that was not written follows
 * a shorter oos-check, one that was written is held against it. */
static void check_periods(struct ctl_pair *p, struct ctl_diag *d)
{
	struct ctl_pair_settings *s = &p->set;
	char force[CTL_DURATION_SIZE], check[CTL_DURATION_SIZE];

	if (s->oos_check_ms == 0 || s->oos_force_ms <= s->oos_check_ms)
		return;
	if (!given(p, "oos-force")) {
		s->oos_force_ms = s->oos_check_ms;
		return;
	}
	ctl_diag_add(d, true, line_of(p, "oos-force"),
		     "oos-force: %s is longer than oos-check (%s%s); make it at most that long, or "
		     "oos-check longer",
		     ctl_duration_format(s->oos_force_ms, force),
		     ctl_duration_format(s->oos_check_ms, check),
		     given(p, "oos-check") ? "" : ", its default");
}

/* A single failed probe takes a member down, so it must not be a single lost datagram: three sends
 * have to fit. */
static void check_probe_room(const struct ctl_pair *p, struct ctl_diag *d)
{
	const struct ctl_pair_settings *s = &p->set;
	char timeout[CTL_DURATION_SIZE];

	if (s->fall > 1 || !s->probe_timeout_ms
	    || s->probe_timeout_ms >= CTL_PROBE_SENDS * CTL_PROBE_GAP_MS)
		return;
	ctl_diag_add(
		d, true, line_of(p, "probe-timeout"),
		"probe-timeout: %s leaves no room for the %d sends of a probe, %dms apart, and "
		"with fall: 1 one lost datagram would be a failure; make it %dms or more, or "
		"fall 2 or more",
		ctl_duration_format(s->probe_timeout_ms, timeout), CTL_PROBE_SENDS,
		CTL_PROBE_GAP_MS, CTL_PROBE_SENDS * CTL_PROBE_GAP_MS);
}

void ctl_check_settings(struct ctl_pair *p, struct ctl_diag *d)
{
	check_periods(p, d);
	check_probe_room(p, d);
}
