#include "control/probe/ctl_clock.h"

#include <stdlib.h>
#include <time.h>

/* A run so late comes after a time in which we did not run, and may be not we alone: what answers
 * that the timers wait for could not be sent then. They have as long again, up to the second. */
#define LATE_US  20000
#define GRACE_US 30000

struct ctl_clock {
	struct ctl_timers timers;
	struct event *ev;
	bool running;        /* the end of the run arms the event once */
	bool late;           /* the next run was due long ago, and is put off: once */
	uint64_t stopped_us; /* its time when it was stopped; 0: it goes */
	uint64_t lag_us;     /* how long it was stopped, all in all */
};

static uint64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t ctl_now_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t ctl_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

uint64_t ctl_clock_now_us(const struct ctl_clock *c)
{
	return c->stopped_us ? c->stopped_us : ctl_now_us() - c->lag_us;
}

static uint64_t timers_now(void *arg)
{
	return ctl_clock_now_us(arg);
}

static void arm_in(struct ctl_clock *c, uint64_t in_us)
{
	const struct timeval tv = { .tv_sec = (time_t)(in_us / 1000000),
				    .tv_usec = (suseconds_t)(in_us % 1000000) };

	evtimer_add(c->ev, &tv);
}

static void arm(struct ctl_clock *c, uint64_t at_us)
{
	uint64_t now_us = ctl_clock_now_us(c);

	arm_in(c, at_us > now_us ? at_us - now_us : 0);
}

static void on_sooner(void *arg, uint64_t at_us)
{
	struct ctl_clock *c = arg;

	if (!c->running && !c->stopped_us && !c->late)
		arm(c, at_us);
}

/* @return whether the run is put off. */
static bool put_off(struct ctl_clock *c)
{
	uint64_t due_us = ctl_timers_next(&c->timers), now_us = ctl_clock_now_us(c);

	if (c->late || due_us == 0 || now_us < due_us + LATE_US) {
		c->late = false;
		return false;
	}
	c->late = true;
	arm_in(c, now_us - due_us < GRACE_US ? now_us - due_us : GRACE_US);
	return true;
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_clock *c = arg;

	(void)fd;
	(void)what;
	if (put_off(c))
		return;
	c->running = true;
	ctl_timers_run(&c->timers, ctl_clock_now_us(c));
	c->running = false;
	if (ctl_timers_next(&c->timers) != 0 && !c->stopped_us)
		arm(c, ctl_timers_next(&c->timers));
}

struct ctl_clock *ctl_clock_new(struct event_base *base)
{
	struct ctl_clock *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->ev = evtimer_new(base, on_time, c);
	if (c->ev == NULL) {
		free(c);
		return NULL;
	}
	c->timers.sooner = on_sooner;
	c->timers.now_us = timers_now;
	c->timers.arg = c;
	return c;
}

void ctl_clock_stop(struct ctl_clock *c, bool stop)
{
	if (stop == (c->stopped_us != 0))
		return;
	c->timers.stopped = stop;
	if (stop) {
		c->stopped_us = ctl_clock_now_us(c);
		c->timers.stops++;
		c->late = false;
		evtimer_del(c->ev);
		return;
	}
	c->lag_us = ctl_now_us() - c->stopped_us;
	c->stopped_us = 0;
	if (ctl_timers_next(&c->timers) != 0)
		arm(c, ctl_timers_next(&c->timers));
}

void ctl_clock_free(struct ctl_clock *c)
{
	if (c == NULL)
		return;
	event_free(c->ev);
	free(c);
}

struct ctl_timers *ctl_clock_timers(struct ctl_clock *c)
{
	return &c->timers;
}
