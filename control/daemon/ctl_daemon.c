/*
 * The ladder, up and down, and what the data plane's coming and going sets off.
 *
 * While the ladder is climbed the event base is run from within its steps (step_until), so that
 * the link and the mirror are the same code at start and later.
 */
#include "control/daemon/ctl_daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/base/ctl_log.h"
#include "control/config/ctl_keys.h"
#include "control/daemon/ctl_adopt.h"
#include "control/daemon/ctl_boot.h"
#include "control/daemon/ctl_live.h"
#include "control/daemon/ctl_methods.h"
#include "control/daemon/ctl_reload.h"
#include "control/daemon/ctl_self.h"
#include "control/daemon/ctl_watch.h"
#include "control/link/ctl_spawn.h"
#include "control/net/ctl_netdev.h"
#include "control/rpc/ctl_rpc_listen.h"

enum {
	STEP_MS = 5000, /* for the mirror and the acks at start */
	STOP_LOOK_MS = 5,
	HISTORY_PER_PAIR = 200,
	HISTORY_ALL = 10000,
};

/* Room for three snapshots of the largest configuration; untouched pages cost nothing. */
#define HEAP_SIZE (256ull << 20)

uint64_t ctl_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* @return -1, for the step that fails. */
static int say(const char *format, ...)
{
	va_list ap;

	fputs("sipsteerd: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

/* ---- The data plane comes and goes */

static void record(struct ctl_daemon *d, const char *from, const char *to, const char *cause,
		   const char *evidence)
{
	struct ctl_event e = { .from = from, .to = to, .cause = cause, .evidence = evidence };

	ctl_history_add(d->history, &e);
}

static void on_up(void *arg, bool found)
{
	struct ctl_daemon *d = arg;
	char text[160], err[CTL_NETDEV_ERROR_SIZE];

	d->region = ctl_link_region(d->link);
	snprintf(text, sizeof(text), "process %u, start %llu on this region%s",
		 atomic_load(&d->region->pid),
		 (unsigned long long)atomic_load(&d->region->incarnation),
		 found ? ", it ran before" : "");
	record(d, found ? "running" : "down", "running", found ? "adopted" : "dataplane", text);
	if (d->starting) {
		d->found = found;
		return;
	}
	if (ctl_ports_add(d, d->model, err) < 0)
		ctl_log(LOG_ERR, "%s", err);
	ctl_ports_follow(d);
}

static void on_down(void *arg, const char *why)
{
	struct ctl_daemon *d = arg;

	if (d->mirror)
		ctl_mirror_suspend(d->mirror);
	record(d, "running", "down", "dataplane", why);
}

static void on_failed(void *arg, const char *why)
{
	struct ctl_daemon *d = arg;

	if (d->starting)
		snprintf(d->failure, sizeof(d->failure), "%s", why);
	else
		ctl_log(LOG_ERR, "%s", why);
}

/* Its region is another control's work: taking it over means to start from the beginning. */
static void on_foreign(void *arg)
{
	struct ctl_daemon *d = arg;

	ctl_log(LOG_WARNING, "the data plane runs on a region that is not ours; starting over to "
			     "adopt it");
	d->again = true;
	d->quit = true;
	event_base_loopbreak(d->base);
}

static bool publish_net(void *arg, const struct ctl_net_view *view)
{
	struct ctl_daemon *d = arg;
	struct dp_net *net = ctl_build_net(view);
	bool done = net && ctl_publish_net(d->publisher, net) != 0;

	free(net);
	return done;
}

/* Probes that have no way to their members are no evidence against them. */
static void on_away(void *arg, bool away)
{
	struct ctl_daemon *d = arg;

	if (d->pairs)
		ctl_pairs_pause(d->pairs, away);
	if (d->dns && !away)
		ctl_dns_hurry(d->dns);
}

static void set_word(void *arg, unsigned int pair, uint64_t word)
{
	struct ctl_daemon *d = arg;

	dp_region_set_word(d->region, pair, word);
}

/* ---- Signals */

static void on_end(evutil_socket_t sig, short what, void *arg)
{
	struct ctl_daemon *d = arg;

	(void)what;
	ctl_log(LOG_NOTICE, "ending on signal %d (%s); the data plane goes on", (int)sig,
		strsignal((int)sig));
	d->quit = true;
	event_base_loopbreak(d->base);
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct ctl_daemon *d = arg;

	(void)sig;
	(void)what;
	if (d->serving)
		ctl_reload_ask(d->reload, NULL);
}

/* ---- Rungs */

static int load_config(struct ctl_daemon *d)
{
	struct ctl_diag diag;
	bool made = false;

	ctl_diag_init(&diag);
	d->model = ctl_config_load(d->opt.config, &diag);
	ctl_diag_print(&diag, d->opt.config, stderr);
	ctl_diag_fini(&diag);
	if (!d->model)
		return say("%s cannot be used; 'sipsteerd --check-config FILE' checks a file",
			   d->opt.config);
	ctl_log_level(d->model->log_level);
	ctl_boot_fill(&d->boot, d->model);

	ctl_diag_init(&diag);
	ctl_keys_load_or_make(d->model->key_file, &d->secrets, &made, &diag);
	ctl_diag_print(&diag, d->model->key_file, stderr);
	if (made)
		ctl_log(LOG_NOTICE,
			"made the key file %s; other instances for the same pairs need "
			"a copy of it",
			d->model->key_file);
	made = diag.n_errors > 0;
	ctl_diag_fini(&diag);
	return made ? say("%s cannot be used", d->model->key_file) : 0;
}

static int take_socket(struct ctl_daemon *d)
{
	char err[CTL_LISTEN_ERROR_SIZE];

	d->lock = ctl_rpc_lock(d->model->control_socket, err);
	if (d->lock < 0)
		return say("%s", err);
	if (ctl_rpc_beside(d->model->control_socket, "dataplane.sock", d->dataplane_socket) < 0)
		return say("control-socket %s: too long; a Unix socket's path has at most 107 "
			   "bytes, and \"dataplane.sock\" comes beside it",
			   d->model->control_socket);
	return 0;
}

static int make_parts(struct ctl_daemon *d)
{
	static const int sigs[] = { SIGTERM, SIGINT, SIGHUP };
	struct ctl_mirror_params mp = { .publish = publish_net, .away = on_away, .arg = d };

	signal(SIGPIPE, SIG_IGN);
	d->base = event_base_new();
	d->history = ctl_history_new(HISTORY_PER_PAIR, HISTORY_ALL);
	d->numbers = ctl_numbers_new();
	d->netlink = ctl_netlink_open();
	if (!d->netlink)
		return say("cannot talk to the kernel's network: netlink: %s", strerror(errno));
	if (!d->base || !d->history || !d->numbers)
		return say("out of memory");
	for (size_t i = 0; i < 3; i++) {
		d->signals[i] =
			evsignal_new(d->base, sigs[i], sigs[i] == SIGHUP ? on_hup : on_end, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL) < 0)
			return say("out of memory");
	}
	mp.base = d->base;
	mp.netlink = d->netlink;
	d->mirror = ctl_mirror_new(&mp);
	return d->mirror ? 0 : say("cannot follow the kernel's network: %s", strerror(errno));
}

static int find_program(struct ctl_daemon *d, const char **program)
{
	*program = NULL;
	if (!d->opt.start_dataplane)
		return 0;
	*program = d->opt.dataplane;
	if (*program)
		return access(*program, X_OK) == 0
			       ? 0
			       : say("--dataplane %s: %s", *program, strerror(errno));
	*program = d->dataplane_path;
	if (ctl_spawn_find(d->dataplane_path, sizeof(d->dataplane_path)) == 0)
		return 0;
	return say("there is no data plane at %s nor in %s: build or install it, or say where it "
		   "is with --dataplane",
		   d->dataplane_path, SIPSTEER_LIBEXECDIR);
}

/* Until it forwards, or cannot. */
static int reach_dataplane(struct ctl_daemon *d)
{
	struct ctl_link_params p = {
		.socket = d->dataplane_socket,
		.replace = d->opt.replace_dataplane,
		.boot = &d->boot,
		.heap_size = HEAP_SIZE,
		.up = on_up,
		.down = on_down,
		.failed = on_failed,
		.foreign = on_foreign,
		.arg = d,
	};

	if (find_program(d, &p.program) < 0)
		return -1;
	p.base = d->base;
	d->link = ctl_link_new(&p);
	if (!d->link)
		return say("out of memory");
	while (!d->failure[0] && !d->quit && ctl_link_state(d->link) != CTL_LINK_UP)
		event_base_loop(d->base, EVLOOP_ONCE);
	if (d->failure[0]) {
		ctl_link_stop(d->link); /* what we started shall not stay behind */
		return say("%s", d->failure);
	}
	d->starting = false; /* from here on it may go and come back */
	return d->quit ? -1 : 0;
}

/* The region: new, or as an earlier control left it. */
static int take_region(struct ctl_daemon *d)
{
	struct ctl_diag diag;
	bool other;

	ctl_diag_init(&diag);
	ctl_boot_compare(&d->boot, &d->region->boot, &diag);
	for (size_t i = 0; i < diag.n; i++)
		ctl_log(diag.e[i].error ? LOG_ERR : LOG_WARNING, "%s", diag.e[i].text);
	other = diag.n_errors > 0;
	ctl_diag_fini(&diag);
	if (other)
		return say("%s does not fit the data plane that runs (process %u), which goes on "
			   "as it was told last",
			   d->opt.config, atomic_load(&d->region->pid));
	d->publisher = ctl_publisher_new(d->region);
	d->draft = ctl_draft_new();
	if (!d->publisher || !d->draft)
		return say("out of memory");
	if (ctl_publisher_cfg(d->publisher)
	    && ctl_numbers_adopt(d->numbers, ctl_publisher_cfg(d->publisher)) < 0)
		return say("out of memory");
	return 0;
}

/* Run the loop until *done(d), a signal, or for STEP_MS. @return whether it is done. */
static bool step_until(struct ctl_daemon *d, bool (*done)(struct ctl_daemon *d))
{
	uint64_t end = ctl_now_ms() + STEP_MS;

	while (!done(d) && !d->quit && ctl_now_ms() < end) {
		event_base_loop(d->base, EVLOOP_NONBLOCK);
		usleep(500);
	}
	return done(d);
}

static bool in_step(struct ctl_daemon *d)
{
	return ctl_mirror_in_step(d->mirror);
}

static int bring_up_network(struct ctl_daemon *d)
{
	char err[CTL_NETDEV_ERROR_SIZE];

	/* What forwards is not given up because the kernel refuses a route. */
	if (ctl_ports_add(d, d->model, err) < 0) {
		if (!d->found)
			return say("%s", err);
		ctl_log(LOG_ERR, "%s", err);
	}
	ctl_ports_follow(d);
	if (!step_until(d, in_step) && !d->quit)
		ctl_log(LOG_WARNING, "the kernel's network has not been read in %d s; going on",
			STEP_MS / 1000);
	return d->quit ? -1 : 0;
}

static bool acked(struct ctl_daemon *d)
{
	return ctl_publisher_acked(d->publisher, atomic_load(&d->region->generation));
}

static bool publish_cfg(struct ctl_daemon *d)
{
	const struct dp_cfg *old = ctl_publisher_cfg(d->publisher);
	const struct dp_cfg *cfg =
		ctl_draft_update(d->draft, d->model, d->numbers, &d->secrets, old);

	if (cfg && old)
		ctl_adopt_words(d->region, old, cfg);
	return cfg && ctl_publish_cfg(d->publisher, cfg) != 0;
}

static int start_dns(struct ctl_daemon *d)
{
	const char *why;

	return ctl_daemon_start_dns(d, &why) < 0 ? say("%s", why) : 0;
}

static int publish_first(struct ctl_daemon *d)
{
	int ret = ctl_numbers_assign(d->numbers, d->model, ctl_now_ms());

	if (ret == -ENOSPC)
		return say("too many pairs or members at once; those that the running data plane "
			   "still knows keep their place for %d s",
			   CTL_NUMBER_GRACE_MS / 1000);
	if (ret < 0 || !step_until(d, publish_cfg))
		return d->quit ? -1
			       : say("the snapshot cannot be published: a worker of the data plane "
				     "is stalled (sipsteerd --replace-dataplane ends it)");
	if (!step_until(d, acked) && !d->quit)
		return say("a worker of the data plane is stalled and takes no new snapshot "
			   "(sipsteerd --replace-dataplane ends it)");
	return d->quit ? -1 : 0;
}

static int start_pairs(struct ctl_daemon *d)
{
	struct ctl_pairs_params pp = { .base = d->base,
				       .history = d->history,
				       .state_file = d->model->state_file,
				       .set_word = set_word,
				       .arg = d,
				       .trials = d->region->pair_trials };
	struct ctl_watch_params wp = {
		.base = d->base, .region = d->region, .mirror = d->mirror, .history = d->history
	};
	struct ctl_self_params sp = { .base = d->base,
				      .region = d->region,
				      .publisher = d->publisher,
				      .history = d->history };

	d->pairs = ctl_pairs_new(&pp);
	if (!d->pairs || ctl_pairs_apply(d->pairs, d->model, d->numbers, d->region->pair_words) < 0)
		return say("out of memory");
	wp.pairs = d->pairs;
	d->watch = ctl_watch_new(&wp);
	d->live = ctl_live_new(d->base, d->region, d->pairs);
	d->self = ctl_self_new(&sp);
	d->reload = ctl_reload_new(d);
	if (!d->watch || !d->live || !d->self || !d->reload)
		return say("out of memory");
	if (d->found)
		ctl_ports_settle(d, d->model);
	return 0;
}

static int serve(struct ctl_daemon *d)
{
	char err[CTL_LISTEN_ERROR_SIZE];

	d->listener = ctl_rpc_listen(d->model->control_socket, err);
	if (d->listener < 0)
		return say("%s", err);
	if (d->model->control_group
	    && ctl_rpc_group(d->model->control_socket, d->model->control_group, err) < 0)
		return say("%s", err);
	d->rpc = ctl_methods_serve(d);
	if (!d->rpc)
		return say("out of memory");
	d->serving = true;
	ctl_reload_dns(d->reload); /* what has been answered meanwhile */
	ctl_log(LOG_NOTICE, "serving %s: %zu services, %zu pairs; data plane process %u",
		d->model->control_socket, d->model->n_services, d->model->n_pairs,
		atomic_load(&d->region->pid));
	return 0;
}

int ctl_daemon_start(struct ctl_daemon *d, const struct ctl_options *opt)
{
	static int (*const rungs[])(struct ctl_daemon * d) = {
		load_config,      take_socket, make_parts,    reach_dataplane, take_region,
		bring_up_network, start_dns,   publish_first, start_pairs,     serve,
	};

	memset(d, 0, sizeof(*d));
	d->opt = *opt;
	d->lock = d->listener = -1;
	d->starting = true;
	d->started_ms = ctl_now_ms();
	for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++) {
		if (rungs[i](d) < 0)
			return -1;
	}
	return 0;
}

void ctl_daemon_run(struct ctl_daemon *d)
{
	while (!d->quit)
		event_base_loop(d->base, EVLOOP_ONCE);
}

static void free_event(struct event *ev)
{
	if (ev)
		event_free(ev);
}

void ctl_daemon_end(struct ctl_daemon *d)
{
	ctl_reload_free(d->reload);
	d->reload = NULL;
	ctl_dns_free(d->dns); /* answers those who wait for a name */
	d->dns = NULL;
	if (d->rpc)
		ctl_rpc_flush(d->rpc, 500);
	ctl_methods_end(d);
	if (d->listener >= 0) {
		unlink(d->model->control_socket);
		close(d->listener);
	}
	ctl_self_free(d->self);
	ctl_live_free(d->live);
	ctl_watch_free(d->watch);
	if (d->pairs)
		ctl_pairs_free(d->pairs);
	ctl_mirror_free(d->mirror);
	ctl_draft_free(d->draft);
	if (d->publisher)
		ctl_publisher_free(d->publisher);
	ctl_link_free(d->link);
	for (size_t i = 0; i < 3; i++)
		free_event(d->signals[i]);
	free_event(d->stopping);
	ctl_netlink_close(d->netlink);
	if (d->numbers)
		ctl_numbers_free(d->numbers);
	if (d->history)
		ctl_history_free(d->history);
	if (d->base)
		event_base_free(d->base);
	if (d->lock >= 0)
		close(d->lock);
	ctl_model_free(d->model);
}

/* ---- Ending both */

static void on_stopping(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_daemon *d = arg;

	(void)fd;
	(void)what;
	if (ctl_link_state(d->link) != CTL_LINK_STOPPED)
		return;
	ctl_rpc_reply(d->stop_call, json_pack("{s:s}", "stopped", "sipsteerd, data plane"));
	d->stop_call = NULL;
	d->quit = true;
	event_base_loopbreak(d->base);
}

void ctl_daemon_shutdown(struct ctl_daemon *d, struct ctl_rpc_call *call)
{
	const struct timeval tv = { .tv_usec = STOP_LOOK_MS * 1000 };

	if (d->stop_call) {
		ctl_rpc_refuse(call, CTL_RPC_BUSY, NULL, "a shutdown is under way already");
		return;
	}
	ctl_log(LOG_NOTICE, "shutdown by %s: ending the data plane too", ctl_rpc_who(call));
	d->stop_call = call;
	ctl_mirror_suspend(d->mirror);
	ctl_link_stop(d->link);
	d->stopping = event_new(d->base, -1, EV_PERSIST, on_stopping, d);
	if (d->stopping)
		event_add(d->stopping, &tv);
}
