/*
 * Requests in flight as JSON: copies, response contexts, rescues by cause and method, and what was
 * absorbed or sent on their account; the sum over the workers. And one member's share.
 */
#include "control/daemon/ctl_live.h"
#include "control/daemon/ctl_methods.h"

static const char *const causes[DP_RESCUE_N] = {
	[DP_RESCUE_SENDS] = "sends", [DP_RESCUE_TIMEOUT] = "timeout", [DP_RESCUE_CODE] = "code",
	[DP_RESCUE_ICMP] = "icmp",   [DP_RESCUE_STREAM] = "stream",   [DP_RESCUE_DOWN] = "down",
	[DP_RESCUE_TRIAL] = "trial",
};

/* Sums of the worker's counter at an offset. */
static uint64_t sum(const struct ctl_daemon *d, size_t offset)
{
	uint64_t n = 0;

	for (unsigned int w = 0; w < d->region->boot.n_workers; w++) {
		const struct dp_worker_counters *c = &dp_region_worker(d->region, w)->counters;

		n += __atomic_load_n((const uint64_t *)(const void *)((const char *)c + offset),
				     __ATOMIC_RELAXED);
	}
	return n;
}

static void put(json_t *o, const char *name, uint64_t value)
{
	json_object_set_new(o, name, json_integer((json_int_t)value));
}

/* Methods that were never rescued are left out. */
static json_t *by_method(const struct ctl_daemon *d, size_t row)
{
	json_t *o = json_object();

	for (unsigned int m = 0; m < SIP_METHOD_N; m++) {
		uint64_t n = sum(d, row + m * sizeof(uint64_t));

		if (n)
			put(o, m ? sip_method_name((enum sip_method)m) : "other", n);
	}
	return o;
}

static json_t *rescued_json(const struct ctl_daemon *d)
{
	size_t at = offsetof(struct dp_worker_counters, rescued);
	json_t *o = json_object();

	for (unsigned int cause = 0; cause < DP_RESCUE_N; cause++)
		json_object_set_new(o, causes[cause],
				    by_method(d, at + cause * SIP_METHOD_N * sizeof(uint64_t)));
	return o;
}

json_t *ctl_flight_json(const struct ctl_daemon *d)
{
#define AT(field) offsetof(struct dp_worker_counters, field)
	static const struct {
		const char *name;
		size_t offset;
	} rows[] = {
		{ "copies_in_use", AT(copies_in_use) },
		{ "copies_made", AT(copies_made) },
		{ "copies_full", AT(copies_full) },
		{ "store_used", AT(store_used) },
		{ "store_size", AT(store_size) },
		{ "contexts_in_use", AT(contexts_in_use) },
		{ "contexts_made", AT(contexts_made) },
		{ "contexts_full", AT(contexts_full) },
		{ "absorbed_responses", AT(absorbed_responses) },
		{ "own_finals", AT(own_finals) },
		{ "own_retransmits", AT(own_retransmits) },
		{ "own_cancels", AT(own_cancels) },
		{ "own_acks", AT(own_acks) },
		{ "timer_c", AT(timer_c) },
		{ "trials", AT(trials) },
	};
#undef AT
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put(o, rows[i].name, sum(d, rows[i].offset));
	json_object_set_new(o, "rescued", rescued_json(d));
	return o;
}

json_t *ctl_member_live_json(const struct dp_member_counters *c)
{
	json_t *delay =
		c->delays ? json_integer((json_int_t)(c->delay_us / c->delays)) : json_null();

	return json_pack("{s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "judged",
			 (json_int_t)c->judged, "failed", (json_int_t)c->failed, "mean_delay_us",
			 delay, "unanswered", (json_int_t)c->unanswered, "icmp",
			 (json_int_t)c->icmp, "rescued_from", (json_int_t)c->rescued_from,
			 "rescued_to", (json_int_t)c->rescued_to, "trials", (json_int_t)c->trials,
			 "copies", (json_int_t)c->copies, "copies_refused",
			 (json_int_t)c->copies_refused);
}
