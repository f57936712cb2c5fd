/*
 * The rings' reader. A pass over idle rings is one load each; a busy ring is read for at most its
 * own length, so that a pass ends however fast a worker writes.
 *
 * Timers: `look` 5 ms, `beat` 500 ms.
 */
#include "control/daemon/ctl_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/base/ctl_log.h"

enum {
	LOOK_MS = 5,
	BEAT_MS = 500,
	SILENT_MS = 2000, /* a worker that is silent for so long is reported */
};

struct ctl_watch {
	struct ctl_watch_params p;
	struct event *look, *beat;
	struct dp_event_reader reader[DP_MAX_WORKERS];
	bool silent[DP_MAX_WORKERS];
};

uint64_t ctl_worker_silent_ms(const struct dp_region *r, unsigned int worker)
{
	uint64_t last = atomic_load_explicit(&dp_region_worker(r, worker)->heartbeat_ns,
					     memory_order_relaxed);
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if (!last)
		return UINT64_MAX;
	return now > last ? (now - last) / 1000000 : 0;
}

static const char *port_name(const struct ctl_watch *w, uint32_t port)
{
	const struct dp_boot *b = &w->p.region->boot;

	return port < b->n_ports ? b->ports[port].name : "unknown";
}

static void say_link(struct ctl_watch *w, const struct dp_event *ev)
{
	char evidence[96];
	struct ctl_event e = { .from = ev->value ? "down" : "up",
			       .to = ev->value ? "up" : "down",
			       .cause = ev->value ? "port-up" : "port-down",
			       .evidence = evidence };

	snprintf(evidence, sizeof(evidence), "port %.*s %s", DP_NAME_SIZE, port_name(w, ev->port),
		 ev->value ? "has a link" : "has lost its link");
	ctl_history_add(w->p.history, &e);
}

/* RFC 5227 2.4: two hosts with one address; the kernel defends ours. */
static void say_claim(struct ctl_watch *w, const struct dp_event *ev, const struct sip_ip *ip)
{
	char evidence[160], text[46];
	const uint8_t *mac = (const uint8_t *)&ev->id;
	struct ctl_event e = {
		.from = "ours", .to = "claimed", .cause = "duplicate-address", .evidence = evidence
	};

	dp_ip_format(ip, text);
	snprintf(evidence, sizeof(evidence),
		 "port %.*s: %s is also claimed by %02x:%02x:%02x:%02x:%02x:%02x", DP_NAME_SIZE,
		 port_name(w, ev->port), text, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	ctl_history_add(w->p.history, &e);
}

static void dispatch(struct ctl_watch *w, const struct dp_event *ev)
{
	struct sip_ip ip;

	memcpy(ip.b, ev->ip, sizeof(ip.b));
	switch (ev->type) {
	case DP_EVENT_NEIGH_MISS: ctl_mirror_miss(w->p.mirror, ev->port, &ip); break;
	case DP_EVENT_NEIGH_USED: ctl_mirror_used(w->p.mirror, ev->port, &ip); break;
	case DP_EVENT_LINK: say_link(w, ev); break;
	case DP_EVENT_CLAIM: say_claim(w, ev, &ip); break;
	case DP_EVENT_NONE: break;
	default: ctl_pairs_dataplane_event(w->p.pairs, ev); break;
	}
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_watch *w = arg;

	(void)fd;
	(void)what;
	for (unsigned int i = 0; i < w->p.region->boot.n_workers; i++) {
		const struct dp_event_ring *ring = &dp_region_worker(w->p.region, i)->events;
		struct dp_event ev;

		for (int n = 0; n < DP_EVENTS && dp_event_get(ring, &w->reader[i], &ev); n++)
			dispatch(w, &ev);
	}
}

static void say_silence(struct ctl_watch *w, unsigned int worker, bool silent)
{
	char evidence[96];
	struct ctl_event e = { .from = silent ? "running" : "stalled",
			       .to = silent ? "stalled" : "running",
			       .cause = "worker",
			       .evidence = evidence };

	snprintf(evidence, sizeof(evidence), "worker %u %s", worker,
		 silent ? "has not gone round its loop for 2 s" : "goes on");
	ctl_history_add(w->p.history, &e);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_watch *w = arg;
	bool running = atomic_load(&w->p.region->state) == DP_STATE_RUNNING;

	(void)fd;
	(void)what;
	for (unsigned int i = 0; running && i < w->p.region->boot.n_workers; i++) {
		uint64_t ms = ctl_worker_silent_ms(w->p.region, i);
		bool silent = ms != UINT64_MAX && ms >= SILENT_MS;

		if (silent != w->silent[i])
			say_silence(w, i, silent);
		w->silent[i] = silent;
	}
}

static struct event *every(struct ctl_watch *w, event_callback_fn fn, int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct event *ev = event_new(w->p.base, -1, EV_PERSIST, fn, w);

	if (ev)
		event_add(ev, &tv);
	return ev;
}

struct ctl_watch *ctl_watch_new(const struct ctl_watch_params *p)
{
	struct ctl_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->p = *p;
	for (unsigned int i = 0; i < p->region->boot.n_workers; i++) {
		const struct dp_event_ring *ring = &dp_region_worker(p->region, i)->events;

		w->reader[i].next = atomic_load(&ring->head) + 1;
	}
	w->look = every(w, on_look, LOOK_MS);
	w->beat = every(w, on_beat, BEAT_MS);
	if (!w->look || !w->beat) {
		ctl_watch_free(w);
		return NULL;
	}
	return w;
}

void ctl_watch_free(struct ctl_watch *w)
{
	if (!w)
		return;
	if (w->look)
		event_free(w->look);
	if (w->beat)
		event_free(w->beat);
	free(w);
}

uint64_t ctl_watch_missed(const struct ctl_watch *w, unsigned int worker)
{
	return w->reader[worker].missed;
}
