/*
 * Counters as JSON. Workers write them without locks; a reader may be a burst behind, never wrong
 * for good.
 */
#include <errno.h>
#include <stdio.h>

#include "control/daemon/ctl_live.h"
#include "control/daemon/ctl_methods.h"
#include "control/daemon/ctl_self.h"
#include "control/daemon/ctl_watch.h"
#include "dataplane/dp_cfg.h"

static uint64_t get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void put(json_t *o, const char *name, uint64_t value)
{
	json_object_set_new(o, name, json_integer((json_int_t)value));
}

/* One decimal; null where there is nothing to divide by. */
static void put_ratio(json_t *o, const char *name, uint64_t a, uint64_t b)
{
	json_object_set_new(o, name, b ? json_real((double)(a * 10 / b) / 10.0) : json_null());
}

static json_t *drops_json(const struct dp_worker_counters *c)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < DP_REASON_N; i++)
		put(o, dp_reason_name((enum dp_reason)i), get(&c->reason[i]));
	return o;
}

static json_t *worker_json(const struct ctl_daemon *d, unsigned int i)
{
	const struct dp_worker_block *b = dp_region_worker(d->region, i);
	const struct dp_worker_counters *c = &b->counters;
	const struct {
		const char *name;
		const uint64_t *counter;
	} rows[] = {
		{ "polls", &c->polls },
		{ "bursts", &c->bursts },
		{ "packets", &c->packets },
		{ "busy_cycles", &c->busy_cycles },
		{ "sleeps", &c->sleeps },
		{ "woken", &c->woken },
		{ "sip_requests", &c->sip_requests },
		{ "sip_responses", &c->sip_responses },
		{ "forwarded", &c->forwarded },
		{ "answered", &c->answered },
		{ "records_made", &c->records_made },
		{ "records_full", &c->records_full },
		{ "records_in_use", &c->records_in_use },
		{ "challenges_made", &c->challenges_made },
		{ "challenges_full", &c->challenges_full },
		{ "handed_requests", &c->handed_requests },
		{ "handed_responses", &c->handed_responses },
		{ "handed_others", &c->handed_others },
		{ "handed_in", &c->handed_in },
		{ "neigh_held", &c->neigh_held },
		{ "neigh_flushed", &c->neigh_flushed },
		{ "fragments", &c->fragments },
		{ "reassembled", &c->reassembled },
		{ "fragmented", &c->fragmented },
		{ "fragments_sent", &c->fragments_sent },
		{ "icmp_errors", &c->icmp_errors },
		{ "pmtu_lowered", &c->pmtu_lowered },
		{ "events", &c->events },
	};
	uint64_t silent = ctl_worker_silent_ms(d->region, i);
	json_t *o = json_object();

	put(o, "worker", i);
	json_object_set_new(o, "silent_ms",
			    silent == UINT64_MAX ? json_null() : json_integer((json_int_t)silent));
	put_ratio(o, "packets_per_burst", get(&c->packets), get(&c->bursts));
	put_ratio(o, "cycles_per_packet", get(&c->busy_cycles),
		  get(&c->packets) + get(&c->handed_in));
	put(o, "tsc_hz", b->tsc_hz);
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
		put(o, rows[r].name, get(rows[r].counter));
	put(o, "events_missed", ctl_watch_missed(d->watch, i));
	json_object_set_new(o, "drops", drops_json(c));
	return o;
}

static json_t *workers_json(const struct ctl_daemon *d)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < d->region->boot.n_workers; i++)
		json_array_append_new(a, worker_json(d, i));
	return a;
}

/* ---- Ports: the sum over workers */

static json_t *port_json(const struct ctl_daemon *d, unsigned int port)
{
	struct dp_port_counters sum = { 0 };
	json_t *o = json_pack("{s:s, s:b}", "port", d->region->boot.ports[port].name, "link",
			      (int)d->region->port[port].link_up);

	for (unsigned int i = 0; i < d->region->boot.n_workers; i++) {
		const struct dp_port_counters *c =
			&dp_region_worker(d->region, i)->counters.port[port];

		sum.rx_packets += get(&c->rx_packets);
		sum.rx_bytes += get(&c->rx_bytes);
		sum.tx_packets += get(&c->tx_packets);
		sum.tx_bytes += get(&c->tx_bytes);
		sum.tx_dropped += get(&c->tx_dropped);
		sum.to_kernel += get(&c->to_kernel);
		sum.from_kernel += get(&c->from_kernel);
	}
	json_object_set_new(o, "self_probe", json_string(ctl_self_state(d->self, port)));
	put(o, "self_probe_us", ctl_self_rtt_us(d->self, port));
	put(o, "rx_packets", sum.rx_packets);
	put(o, "rx_bytes", sum.rx_bytes);
	put(o, "tx_packets", sum.tx_packets);
	put(o, "tx_bytes", sum.tx_bytes);
	put(o, "tx_dropped", sum.tx_dropped);
	put(o, "to_kernel", sum.to_kernel);
	put(o, "from_kernel", sum.from_kernel);
	return o;
}

static json_t *ports_json(const struct ctl_daemon *d)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < d->region->boot.n_ports; i++)
		json_array_append_new(a, port_json(d, i));
	return a;
}

/* ---- Members: the sum over workers */

static json_t *methods_json(const uint64_t *requests)
{
	static const char *const names[SIP_METHOD_N] = {
		[SIP_METHOD_OTHER] = "other",
		[SIP_METHOD_INVITE] = "INVITE",
		[SIP_METHOD_ACK] = "ACK",
		[SIP_METHOD_BYE] = "BYE",
		[SIP_METHOD_CANCEL] = "CANCEL",
		[SIP_METHOD_REGISTER] = "REGISTER",
		[SIP_METHOD_OPTIONS] = "OPTIONS",
		[SIP_METHOD_PRACK] = "PRACK",
		[SIP_METHOD_SUBSCRIBE] = "SUBSCRIBE",
		[SIP_METHOD_NOTIFY] = "NOTIFY",
		[SIP_METHOD_PUBLISH] = "PUBLISH",
		[SIP_METHOD_INFO] = "INFO",
		[SIP_METHOD_REFER] = "REFER",
		[SIP_METHOD_MESSAGE] = "MESSAGE",
		[SIP_METHOD_UPDATE] = "UPDATE",
	};
	json_t *o = json_object();

	for (unsigned int i = 0; i < SIP_METHOD_N; i++)
		put(o, names[i], requests[i]);
	return o;
}

static json_t *classes_json(const uint64_t *responses)
{
	static const char *const names[6] = { "1xx", "2xx", "3xx", "4xx", "5xx", "6xx" };
	json_t *o = json_object();

	for (unsigned int i = 0; i < 6; i++)
		put(o, names[i], responses[i]);
	return o;
}

static json_t *member_json(const struct ctl_daemon *d, const char *pair, const char *member,
			   unsigned int number)
{
	const struct dp_member_counters sum = ctl_member_counters(d->region, number);

	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:o}", "pair", pair, "member", member,
			 "requests", methods_json(sum.requests), "responses",
			 classes_json(sum.responses), "originated", (json_int_t)sum.from, "live",
			 ctl_member_live_json(&sum));
}

static json_t *members_json(const struct ctl_daemon *d)
{
	json_t *a = json_array();

	for (size_t p = 0; p < d->model->n_pairs; p++) {
		const struct ctl_pair *pair = &d->model->pairs[p];
		int number = ctl_numbers_pair(d->numbers, pair->name);

		for (size_t m = 0; m < pair->n_members; m++) {
			const char *name = pair->members[m].name;
			int slot = ctl_numbers_slot(d->numbers, pair->name, name);

			if (number >= 0 && slot >= 0)
				json_array_append_new(
					a, member_json(d, pair->name, name,
						       (unsigned int)number * DP_PAIR_MEMBERS
							       + (unsigned int)slot));
		}
	}
	return a;
}

/* ---- The whole */

static json_t *reasons_json(void)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < DP_REASON_N; i++)
		json_object_set_new(o, dp_reason_name((enum dp_reason)i),
				    json_string(dp_reason_help((enum dp_reason)i)));
	return o;
}

static json_t *snapshot_json(const struct ctl_daemon *d)
{
	struct ctl_publisher_stats s;
	json_t *o = json_object();

	ctl_publisher_stats(d->publisher, &s);
	put(o, "generation", atomic_load(&d->region->generation));
	put(o, "published", s.published);
	put(o, "refused", s.refused);
	put(o, "heap_used", s.heap_used);
	put(o, "heap_size", s.heap_size);
	put(o, "blocks", s.blocks);
	put(o, "blocks_waiting", s.waiting);
	put(o, "netlink_overflows", ctl_mirror_overflows(d->mirror));
	return o;
}

json_t *ctl_stats_json(const struct ctl_daemon *d)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "workers", workers_json(d), "ports",
			 ports_json(d), "members", members_json(d), "in_flight", ctl_flight_json(d),
			 "probes", ctl_pairs_probes_json(d->pairs), "reasons", reasons_json(),
			 "snapshot", snapshot_json(d));
}
