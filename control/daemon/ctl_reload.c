/*
 * The reload's steps:
 *
 *	load, check          nothing has changed yet
 *	look names up        new ones; for at most 3 s, then without those that have no answer
 *	netdevs: add         undone by settling them for the old model
 *	numbers, build       a number given in vain is free again after its grace
 *	retire               undone by applying the old model
 *	publish              again every 5 ms for 2 s, else undone
 *	wait for acks        looked at every millisecond, for as long as it takes
 *	pairs: apply         the new model is in force
 *	netdevs: settle
 *
 * A member that leaves is let go of before the snapshot without it is published, and one that comes
 * is named only when all workers have it, so that no word ever names what a worker does not know.
 */
#include "control/daemon/ctl_reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/ctl_log.h"
#include "control/config/ctl_keys.h"
#include "control/dns/ctl_dns_view.h"
#include "control/net/ctl_netdev.h"

enum {
	PUBLISH_MS = 5,
	PUBLISH_FOR_MS = 2000,
	ACK_MS = 1,
	ACK_PATIENCE_MS = 5000, /* then callers are told that they need not wait */
	APPLY_MS = 100,
	RESOLVE_MS = 5,
	RESOLVE_FOR_MS = 3000,
	DNS_GAP_MS = 500,    /* between two changes that DNS brings */
	DNS_RETRY_MS = 1000, /* after one that could not be made */
};

enum step { IDLE, RESOLVING, PUBLISHING, ACKING, APPLYING };

struct waiter {
	struct waiter *next;
	struct ctl_rpc_call *call;
};

struct ctl_reload {
	struct ctl_daemon *d;
	struct event *timer;
	enum step step;
	struct waiter *now, *then; /* wait for this reload, for the next one */
	bool again;                /* a next one was asked for */
	bool by_dns;               /* this one comes from DNS, not from the file */
	bool dns_again;            /* likewise the next one */
	struct event *dns_timer;
	uint64_t dns_done_ms, dns_again_ms; /* the last change by DNS; when the view is another */
	struct ctl_model *file;             /* what was loaded, until `next` is its view */
	struct ctl_model *next;
	struct ctl_secrets secrets;
	json_t *warnings;
	const struct dp_cfg *cfg; /* the draft */
	uint64_t generation, since_ms;
	char who[64];
};

static void begin(struct ctl_reload *r);

static void arm(struct ctl_reload *r, int ms)
{
	const struct timeval tv = { .tv_usec = ms * 1000 };

	evtimer_add(r->timer, &tv);
}

static void enter(struct ctl_reload *r, enum step step, int ms)
{
	r->step = step;
	r->since_ms = ctl_now_ms();
	arm(r, ms);
}

/* ---- The waiting */

static struct waiter *take_all(struct waiter **list)
{
	struct waiter *w = *list;

	*list = NULL;
	return w;
}

/* Takes data. */
static void refuse_all(struct ctl_reload *r, enum ctl_rpc_code code, json_t *data, const char *text)
{
	for (struct waiter *w = take_all(&r->now), *next; w; w = next) {
		next = w->next;
		ctl_rpc_refuse(w->call, code, json_incref(data), "%s", text);
		free(w);
	}
	json_decref(data);
}

static void reply_all(struct ctl_reload *r, json_t *result)
{
	for (struct waiter *w = take_all(&r->now), *next; w; w = next) {
		next = w->next;
		ctl_rpc_reply(w->call, json_incref(result));
		free(w);
	}
	json_decref(result);
}

/* ---- The end, good or bad */

/* Milliseconds until the next change by DNS may begin. */
static void arm_dns(struct ctl_reload *r)
{
	uint64_t now_ms = ctl_now_ms(), at_ms = r->dns_again_ms;
	struct timeval tv;

	if (r->dns_again)
		at_ms = r->dns_done_ms + DNS_GAP_MS;
	if (!at_ms)
		return;
	at_ms = at_ms > now_ms ? at_ms - now_ms : 0;
	tv = (struct timeval){ .tv_sec = (time_t)(at_ms / 1000),
			       .tv_usec = (suseconds_t)(at_ms % 1000 * 1000) };
	evtimer_add(r->dns_timer, &tv);
}

static void finish(struct ctl_reload *r)
{
	ctl_model_free(r->file);
	ctl_model_free(r->next);
	json_decref(r->warnings);
	r->file = NULL;
	r->next = NULL;
	r->cfg = NULL;
	r->warnings = NULL;
	r->step = IDLE;
	if (r->again)
		begin(r);
	else
		arm_dns(r);
}

static void refuse(struct ctl_reload *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void refuse(struct ctl_reload *r, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (r->by_dns) {
		ctl_log(LOG_ERR, "dns: %s; the members stay as they are for now", text);
		r->dns_again = true;
		r->dns_done_ms = ctl_now_ms() + DNS_RETRY_MS - DNS_GAP_MS;
	} else {
		ctl_log(LOG_ERR, "reload: %s; the old configuration stays in force", text);
		ctl_dns_keep(r->d->dns, r->d->model);
	}
	refuse_all(r, CTL_RPC_REFUSED, NULL, text);
	finish(r);
}

static void log_diag(const struct ctl_reload *r, const struct ctl_diag *diag)
{
	for (size_t i = 0; i < diag->n; i++)
		ctl_log(diag->e[i].error ? LOG_ERR : LOG_WARNING, "%s:%u: %s", r->d->opt.config,
			diag->e[i].line, diag->e[i].text);
}

static void refuse_config(struct ctl_reload *r, const struct ctl_diag *diag)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "the configuration has %zu error%s; the old one stays in force", diag->n_errors,
		 diag->n_errors == 1 ? "" : "s");
	ctl_log(LOG_ERR, "reload: %s", text);
	refuse_all(r, CTL_RPC_CONFIG,
		   json_pack("{s:s, s:o}", "file", r->d->opt.config, "errors", ctl_diag_json(diag)),
		   text);
	finish(r);
}

static size_t total(const json_t *diff, const char *what)
{
	static const char *const kinds[] = { "services", "pairs", "members" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		n += json_array_size(json_object_get(json_object_get(diff, kinds[i]), what));
	return n;
}

static void say_dns_done(struct ctl_reload *r, const json_t *diff)
{
	char evidence[128];
	struct ctl_event e = { .cause = "dns", .evidence = evidence };

	snprintf(evidence, sizeof(evidence), "%zu members came, %zu went", total(diff, "added"),
		 total(diff, "removed"));
	ctl_history_add(r->d->history, &e);
}

static void say_done(struct ctl_reload *r, const json_t *diff)
{
	char evidence[192];
	struct ctl_event e = { .cause = "reload",
			       .evidence = evidence,
			       .who = r->who[0] ? r->who : NULL };

	snprintf(evidence, sizeof(evidence),
		 "%zu services and %zu pairs in force, %zu names came, %zu went",
		 r->d->model->n_services, r->d->model->n_pairs, total(diff, "added"),
		 total(diff, "removed"));
	ctl_history_add(r->d->history, &e);
}

static void apply(struct ctl_reload *r)
{
	struct ctl_daemon *d = r->d;
	struct ctl_model *old = d->model;
	json_t *diff;

	if (ctl_pairs_apply(d->pairs, r->next, d->numbers, d->region->pair_words) < 0) {
		ctl_log(LOG_CRIT, "reload: out of memory; trying again");
		enter(r, APPLYING, APPLY_MS);
		return;
	}
	diff = ctl_reload_diff(old, r->next);
	d->model = r->next;
	d->secrets = r->secrets;
	r->next = NULL;
	if (r->by_dns) {
		say_dns_done(r, diff);
		r->dns_done_ms = ctl_now_ms();
	} else {
		ctl_log_level(d->model->log_level);
		ctl_ports_settle(d, d->model);
		ctl_dns_keep(d->dns, d->model);
		say_done(r, diff);
	}
	ctl_model_free(old);
	reply_all(r, json_pack("{s:I, s:o, s:O}", "generation", (json_int_t)r->generation,
			       "changes", diff, "warnings", r->warnings));
	finish(r);
}

/* ---- Publishing */

/* Before the publication: everything as it was. */
static void undo(struct ctl_reload *r)
{
	struct ctl_daemon *d = r->d;

	if (ctl_pairs_go_back(d->pairs, d->model, d->numbers, ctl_now_ms(), d->region->pair_words)
	    < 0)
		ctl_log(LOG_CRIT, "reload: out of memory while going back");
	ctl_ports_settle(d, d->model);
}

static void publish(struct ctl_reload *r)
{
	bool full;

	r->generation = ctl_publish_cfg(r->d->publisher, r->cfg);
	if (r->generation) {
		enter(r, ACKING, ACK_MS);
		return;
	}
	if (ctl_now_ms() - r->since_ms < PUBLISH_FOR_MS) {
		arm(r, PUBLISH_MS);
		return;
	}
	full = errno == ENOMEM;
	undo(r);
	if (full)
		refuse(r, "no room for the snapshot in the shared region");
	else
		refuse(r, "a worker of the data plane is stalled and takes no new snapshot");
}

/* Nothing is undone: what is published may be in use by other workers. */
static void say_stalled(struct ctl_reload *r)
{
	static const char text[] = "a worker of the data plane is stalled: what is published comes "
				   "into force when it goes on";

	refuse_all(r, CTL_RPC_BUSY, NULL, text);
	r->now = take_all(&r->then);
	refuse_all(r, CTL_RPC_BUSY, NULL, text);
}

static void look(struct ctl_reload *r)
{
	if (ctl_publisher_acked(r->d->publisher, r->generation)) {
		apply(r);
		return;
	}
	if (ctl_now_ms() - r->since_ms >= ACK_PATIENCE_MS)
		say_stalled(r);
	arm(r, ACK_MS);
}

/* ---- The beginning */

static bool load(struct ctl_reload *r)
{
	struct ctl_daemon *d = r->d;
	struct ctl_diag diag;
	bool good;

	ctl_diag_init(&diag);
	r->file = ctl_config_load(d->opt.config, &diag);
	if (r->file)
		ctl_model_check_reload(d->model, r->file, &diag);
	if (r->file && diag.n_errors == 0)
		ctl_keys_load(r->file->key_file, &r->secrets, &diag);
	log_diag(r, &diag);
	good = diag.n_errors == 0;
	if (good)
		r->warnings = ctl_diag_json(&diag);
	else
		refuse_config(r, &diag);
	ctl_diag_fini(&diag);
	return good;
}

/* Numbers, and the block to be published. @return false after refusing. */
static bool build(struct ctl_reload *r)
{
	struct ctl_daemon *d = r->d;
	int ret = ctl_numbers_assign(d->numbers, r->next, ctl_now_ms());

	if (ret == 0)
		r->cfg = ctl_draft_update(d->draft, r->next, d->numbers, &r->secrets,
					  ctl_publisher_cfg(d->publisher));
	if (r->cfg)
		return true;
	ctl_ports_settle(d, d->model);
	if (ret == -ENOSPC)
		refuse(r,
		       "too many pairs or members at once; those that left keep their place for "
		       "%d s",
		       CTL_NUMBER_GRACE_MS / 1000);
	else
		refuse(r, "out of memory");
	return false;
}

/* From here on the change is the same, whether the file or DNS brings it. */
static void carry_out(struct ctl_reload *r)
{
	if (!build(r))
		return;
	ctl_pairs_retire(r->d->pairs, r->next);
	enter(r, PUBLISHING, PUBLISH_MS);
	publish(r);
}

/* What is loaded becomes what DNS makes of it. */
static void look_up(struct ctl_reload *r)
{
	struct ctl_daemon *d = r->d;
	char err[CTL_NETDEV_ERROR_SIZE];

	r->next = ctl_daemon_view(d, r->file, &r->dns_again_ms);
	if (!r->next) {
		refuse(r, "out of memory");
		return;
	}
	ctl_model_free(r->file); /* the view has it now */
	r->file = NULL;
	if (ctl_link_state(d->link) == CTL_LINK_UP && ctl_ports_add(d, r->next, err) < 0) {
		ctl_ports_settle(d, d->model);
		refuse(r, "%s", err);
		return;
	}
	carry_out(r);
}

/* A pair that goes from addresses to a name shall not be without servers in between. */
static void resolve(struct ctl_reload *r)
{
	if (ctl_dns_is_settled(r->d->dns, r->file) || ctl_now_ms() - r->since_ms >= RESOLVE_FOR_MS)
		look_up(r);
	else
		arm(r, RESOLVE_MS);
}

static void begin_dns(struct ctl_reload *r)
{
	struct ctl_daemon *d = r->d;

	r->dns_again = false;
	r->by_dns = true;
	r->secrets = d->secrets;
	r->who[0] = '\0';
	r->next = ctl_daemon_view(d, d->model->of, &r->dns_again_ms);
	if (!r->next)
		refuse(r, "out of memory");
	else if (ctl_dns_view_same(d->model, r->next))
		finish(r);
	else
		carry_out(r);
}

static void begin(struct ctl_reload *r)
{
	struct ctl_daemon *d = r->d;

	r->again = r->dns_again = false;
	r->by_dns = false;
	r->now = take_all(&r->then);
	snprintf(r->who, sizeof(r->who), "%s", r->now ? ctl_rpc_who(r->now->call) : "");
	if (!load(r))
		return;
	if (ctl_dns_want(d->dns, r->file) == -ENOMEM) {
		refuse(r, "out of memory");
		return;
	}
	enter(r, RESOLVING, RESOLVE_MS);
	resolve(r);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_reload *r = arg;

	(void)fd;
	(void)what;
	switch (r->step) {
	case RESOLVING: resolve(r); break;
	case PUBLISHING: publish(r); break;
	case ACKING: look(r); break;
	case APPLYING: apply(r); break;
	default: break;
	}
}

static void on_dns_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_reload *r = arg;

	(void)fd;
	(void)what;
	if (r->step == IDLE)
		begin_dns(r);
	else
		r->dns_again = true;
}

void ctl_reload_dns(struct ctl_reload *r)
{
	r->dns_again = true;
	if (r->step == IDLE)
		arm_dns(r);
}

static void remember(struct ctl_reload *r, struct ctl_rpc_call *call)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w) {
		ctl_rpc_refuse(call, CTL_RPC_INTERNAL, NULL, "out of memory");
		return;
	}
	w->call = call;
	w->next = r->then;
	r->then = w;
}

void ctl_reload_ask(struct ctl_reload *r, struct ctl_rpc_call *call)
{
	if (call)
		remember(r, call);
	r->again = true;
	if (r->step == IDLE)
		begin(r);
}

struct ctl_reload *ctl_reload_new(struct ctl_daemon *d)
{
	struct ctl_reload *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->d = d;
	r->timer = evtimer_new(d->base, on_timer, r);
	r->dns_timer = evtimer_new(d->base, on_dns_timer, r);
	if (!r->timer || !r->dns_timer) {
		if (r->timer)
			event_free(r->timer);
		free(r);
		return NULL;
	}
	return r;
}

void ctl_reload_free(struct ctl_reload *r)
{
	if (!r)
		return;
	refuse_all(r, CTL_RPC_REFUSED, NULL, "sipsteerd ends");
	r->now = take_all(&r->then);
	refuse_all(r, CTL_RPC_REFUSED, NULL, "sipsteerd ends");
	event_free(r->timer);
	event_free(r->dns_timer);
	ctl_model_free(r->file);
	ctl_model_free(r->next);
	json_decref(r->warnings);
	free(r);
}
