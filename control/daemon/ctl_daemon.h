/*
 * sipsteerd's parts and how they hang together: what runs on the event loop from start to end.
 * Private to control/daemon and control/main.c. Control thread.
 *
 * Start: ctl_daemon_start() is the ladder. A reload is control/daemon/ctl_reload.h's. The data
 * plane may go and come back at any time (control/link); everything else stays.
 */
#pragma once

#include <event2/event.h>

#include "control/base/ctl_history.h"
#include "control/config/ctl_config.h"
#include "control/dns/ctl_dns.h"
#include "control/link/ctl_link.h"
#include "control/net/ctl_mirror.h"
#include "control/net/ctl_netlink.h"
#include "control/pair/ctl_pairs.h"
#include "control/rpc/ctl_rpc.h"
#include "control/snapshot/ctl_draft.h"

struct ctl_live;
struct ctl_self;
struct ctl_watch;
struct ctl_reload;

struct ctl_options {
	const char *config;
	const char *dataplane; /* path of sipsteer-dataplane, NULL: find it */
	bool start_dataplane;
	bool replace_dataplane;
};

struct ctl_daemon {
	struct ctl_options opt;
	struct event_base *base;
	struct ctl_model *model; /* in force: the file's before DNS has begun, then a view of it */
	struct ctl_dns *dns;
	struct ctl_secrets secrets;
	struct ctl_history *history;
	struct ctl_numbers *numbers;
	struct ctl_netlink *netlink;
	struct ctl_link *link;
	struct dp_region *region; /* the link's */
	struct ctl_publisher *publisher;
	struct ctl_draft *draft; /* what was published last, or is to be */
	struct ctl_mirror *mirror;
	struct ctl_pairs *pairs;
	struct ctl_watch *watch;
	struct ctl_live *live;
	struct ctl_self *self;
	struct ctl_reload *reload;
	struct ctl_rpc *rpc;
	struct event *signals[3]; /* SIGTERM, SIGINT, SIGHUP */
	struct event *stopping;   /* looks whether the data plane has stopped */
	struct ctl_rpc_call *stop_call;
	struct dp_boot boot;
	char dataplane_socket[108], dataplane_path[4096];
	int lock, listener;
	uint64_t started_ms;
	bool starting; /* the data plane has not been reached yet: failing ends the start */
	bool found;    /* the data plane ran before we came */
	bool serving;  /* the ladder has been climbed */
	bool quit;
	bool again; /* start over by executing ourselves */
	char failure[CTL_LINK_WHY_SIZE];
};

/** Monotonic milliseconds. */
uint64_t ctl_now_ms(void);

/**
 * Climb the ladder: configuration, keys, socket, data plane, network, snapshot, pairs, RPC.
 * @return 0, or -1 after saying why on stderr; ctl_daemon_end() in either case.
 */
int ctl_daemon_start(struct ctl_daemon *d, const struct ctl_options *opt);

/** Until a signal or `shutdown`. */
void ctl_daemon_run(struct ctl_daemon *d);

/** Down the ladder. The data plane goes on unless it was stopped before. */
void ctl_daemon_end(struct ctl_daemon *d);

/** End both processes; the call is answered when the data plane has ended. */
void ctl_daemon_shutdown(struct ctl_daemon *d, struct ctl_rpc_call *call);

/**
 * The view of a model that DNS gives now (ctl_daemon_dns.c).
 * @param again_ms  Out: when it changes without a new answer; 0: never.
 * @return NULL when out of memory.
 */
struct ctl_model *ctl_daemon_view(struct ctl_daemon *d, struct ctl_model *of, uint64_t *again_ms);

/** Begin looking names up; the model in force becomes a view. @return 0, or -1 with *why. */
int ctl_daemon_start_dns(struct ctl_daemon *d, const char **why);

/* ---- The ports' netdevs (ctl_ports.c) */

/**
 * Add what a model wants on the exception netdevs.
 * @param err  CTL_NETDEV_ERROR_SIZE bytes.
 * @return 0, or negative errno for the first port that could not be served; err says why.
 */
int ctl_ports_add(struct ctl_daemon *d, const struct ctl_model *m, char *err);

/** Make them exactly what a model wants. What cannot be done is logged. */
void ctl_ports_settle(struct ctl_daemon *d, const struct ctl_model *m);

/** Have the mirror follow the netdevs that the data plane has now. */
void ctl_ports_follow(struct ctl_daemon *d);
