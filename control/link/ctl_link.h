/*
 * The link, seen from control: find the data plane or start it, agree on the region, watch it run,
 * and when it dies have the next one go on with the same region.
 *
 * Every attempt begins with connecting: what already runs is adopted, never disturbed. Only when
 * nobody listens is a data plane started (where that is ours to do), at once at first, then after
 * pauses that double from 100 ms to 5 s, without end. A data plane that ran for 10 s starts the
 * count anew. Control thread.
 */
#pragma once

#include <event2/event.h>

#include "dataplane/dp_region.h"

struct ctl_link;

#define CTL_LINK_WHY_SIZE 640

struct ctl_link_params {
	struct event_base *base;
	const char *socket;         /* the data plane's; borrowed */
	const char *program;        /* sipsteer-dataplane; NULL: others start it. Borrowed */
	bool replace;               /* end a data plane that runs already, and start anew */
	const struct dp_boot *boot; /* for a new region; borrowed */
	uint64_t heap_size;

	/* The data plane runs on ctl_link_region(). found: it ran before we came. */
	void (*up)(void *arg, bool found);
	/* It ran and is gone; the next attempt begins by itself. */
	void (*down)(void *arg, const char *why);
	/* An attempt failed; the next one begins by itself unless the link is freed. */
	void (*failed)(void *arg, const char *why);
	/* It runs on a region that is not ours: somebody else's. Nothing more happens by itself. */
	void (*foreign)(void *arg);
	void *arg;
};

enum ctl_link_state {
	CTL_LINK_WAITING,    /* for the next attempt */
	CTL_LINK_CONNECTING, /* until somebody listens */
	CTL_LINK_GREETING,   /* until the hellos are said */
	CTL_LINK_STARTING,   /* until it forwards */
	CTL_LINK_UP,
	CTL_LINK_STOPPING, /* on our behalf */
	CTL_LINK_STOPPED,
};

/** @return NULL when out of memory. Nothing is called back before the event base runs. */
struct ctl_link *ctl_link_new(const struct ctl_link_params *p);

/** Let go of it; the data plane goes on. Unmaps the region. */
void ctl_link_free(struct ctl_link *l);

enum ctl_link_state ctl_link_state(const struct ctl_link *l);

/** The region, or NULL before there is one. Stays the same for the link's life. */
struct dp_region *ctl_link_region(const struct ctl_link *l);

/** Have the data plane end, and do not start another one. */
void ctl_link_stop(struct ctl_link *l);
