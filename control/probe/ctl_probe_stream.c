/*
 * Probes over TCP and TLS. A connection carries one probe at a time: one that was answered leaves
 * its connection to the member's next probe, one that was not takes it along, since what becomes of
 * it nobody knows.
 *
 * RFC 3261 17.1.2.2: over a reliable transport a request is sent once. What stands for the repeated
 * sends of UDP are several attempts to connect, spread like those. Connect and handshake have to be
 * done within the probe's time; what then is missing is told just before it ends, and a missing
 * answer is the owner's to find.
 */
#include <errno.h>
#include <string.h>

#include "control/probe/ctl_probe_int.h"

#define BEFORE_END_US 1000u /* so that we speak before the owner's deadline does */

/* ---- Connections */

static void on_ready(void *arg)
{
	struct ctl_probe *pr = arg;

	pr->t->prober->counts[CTL_PROBE_CONNECTED]++;
	ctl_probe_stream_send(pr);
}

static void stray(struct ctl_prober *p, const char *buf, size_t len)
{
	const char *token = ctl_probe_find_branch(buf, len);

	if (token == NULL || len < 8 || memcmp(buf, "SIP/2.0 ", 8) != 0)
		p->counts[CTL_PROBE_MALFORMED]++;
	else if (ctl_probe_table_find(&p->table, token) != NULL)
		p->counts[CTL_PROBE_OTHER_ADDRESS]++;
	else
		p->counts[ctl_probe_table_stray(&p->table, token)]++;
}

static void on_message(void *arg, const char *buf, size_t len)
{
	struct ctl_probe *pr = arg;
	const char *token = ctl_probe_find_branch(buf, len);

	if (token != NULL && len >= 8 && memcmp(buf, "SIP/2.0 ", 8) == 0
	    && ctl_probe_table_find(&pr->t->prober->table, token) == pr)
		ctl_probe_response(pr, buf, len);
	else
		stray(pr->t->prober, buf, len);
}

static void open_fresh(struct ctl_probe *pr, uint64_t now_us);

/* A connection that served before may have been closed while nobody looked: one more is opened. So
 * it is when the clock stands: that there is no way is known, and said otherwise. */
static void on_closed(void *arg, enum ctl_pair_error error, uint32_t detail)
{
	struct ctl_probe *pr = arg;
	struct ctl_prober *p = pr->t->prober;
	uint64_t now_us = ctl_probe_now(p);

	ctl_stream_free(pr->stream);
	pr->stream = NULL;
	if (error == CTL_ERROR_STREAM && (detail == EBADMSG || detail == EMSGSIZE))
		p->counts[CTL_PROBE_MALFORMED]++;
	if (p->timers->stopped) {
		ctl_probe_hindered(pr, now_us, -EAGAIN);
	} else if (pr->may_reopen) {
		open_fresh(pr, now_us);
	} else {
		p->counts[error == CTL_ERROR_TLS ? CTL_PROBE_TLS_FAILED : CTL_PROBE_BROKEN]++;
		ctl_probe_fail(pr, error, detail);
	}
}

static const struct ctl_stream_handler busy = { on_ready, on_message, on_closed };

/* Of a connection that waits for the next probe. That a server closes it behind each answer is its
 * way; one that has kept it and closes it now may have died. */
static void idle_ready(void *arg)
{
	(void)arg;
}

static void idle_message(void *arg, const char *buf, size_t len)
{
	stray(((struct ctl_target *)arg)->prober, buf, len);
}

static void idle_closed(void *arg, enum ctl_pair_error error, uint32_t detail)
{
	struct ctl_target *t = arg;
	bool served = ctl_stream_uses(t->idle) > 1;

	(void)error;
	(void)detail;
	ctl_stream_free(t->idle);
	t->idle = NULL;
	if (served && t->lost != NULL && !t->prober->timers->stopped)
		t->lost(t->lost_arg);
}

static const struct ctl_stream_handler idle = { idle_ready, idle_message, idle_closed };

/* ---- Time */

/* The next attempt to connect, and the end of the time for it. */
static void plan(struct ctl_probe *pr)
{
	struct ctl_timers *ts = pr->t->prober->timers;
	uint64_t end_us = 0, next_us = 0;

	if (pr->timeout_us > BEFORE_END_US)
		end_us = pr->begun_us + pr->timeout_us - BEFORE_END_US;
	if (ctl_stream_stage(pr->stream) == CTL_STREAM_CONNECTING && pr->n_connects < pr->n_sends
	    && pr->n_connects < CTL_STREAM_ATTEMPTS)
		next_us = pr->begun_us + pr->n_connects * pr->spread_us / pr->n_sends;
	if (next_us == 0 || (end_us != 0 && end_us < next_us))
		next_us = end_us;
	if (next_us != 0)
		ctl_timer_set(ts, &pr->timer, next_us);
}

/* A process that did not get to run cannot tell who was late: the owner excuses that. */
static void time_is_over(struct ctl_probe *pr, uint64_t now_us)
{
	enum ctl_stream_stage stage = ctl_stream_stage(pr->stream);
	struct ctl_prober *p = pr->t->prober;

	if (stage == CTL_STREAM_READY || now_us > pr->begun_us + pr->timeout_us + CTL_PAIR_STALL_US)
		return;
	p->counts[stage == CTL_STREAM_SHAKING ? CTL_PROBE_TLS_FAILED : CTL_PROBE_BROKEN]++;
	if (stage == CTL_STREAM_SHAKING)
		ctl_probe_fail(pr, CTL_ERROR_TLS, CTL_TLS_TIMED_OUT);
	else
		ctl_probe_fail(pr, CTL_ERROR_STREAM, ETIMEDOUT);
}

void ctl_probe_stream_timer(struct ctl_probe *pr, uint64_t now_us)
{
	if (pr->stream == NULL) {
		ctl_probe_stream_begin(pr, now_us);
	} else if (pr->timeout_us > BEFORE_END_US
		   && now_us >= pr->begun_us + pr->timeout_us - BEFORE_END_US) {
		time_is_over(pr, now_us);
	} else {
		pr->n_connects++;
		ctl_stream_attempt(pr->stream);
		plan(pr);
	}
}

/* ---- Probes */

static void open_fresh(struct ctl_probe *pr, uint64_t now_us)
{
	struct ctl_target *t = pr->t;
	const struct ctl_stream_params params = { .base = t->prober->base,
						  .to = t->at,
						  .from = t->from,
						  .tls = t->tls,
						  .name = t->tls_name };
	int err = ctl_stream_open(&params, &busy, pr, &pr->stream);

	pr->may_reopen = false;
	pr->n_connects = 1;
	if (err != 0)
		ctl_probe_hindered(pr, now_us, err);
	else
		plan(pr);
}

void ctl_probe_stream_begin(struct ctl_probe *pr, uint64_t now_us)
{
	struct ctl_target *t = pr->t;

	if (t->prober->timers->stopped) {
		ctl_probe_hindered(pr, now_us, -EAGAIN);
		return;
	}
	pr->begun_us = now_us;
	if (t->idle == NULL) {
		open_fresh(pr, now_us);
		return;
	}
	pr->stream = t->idle;
	pr->may_reopen = true;
	t->idle = NULL;
	ctl_stream_give(pr->stream, &busy, pr);
	ctl_probe_stream_send(pr);
	plan(pr);
}

void ctl_probe_stream_send(struct ctl_probe *pr)
{
	struct ctl_target *t = pr->t;
	struct ctl_probe_text *text = &pr->own;
	int err = 0;

	ctl_stream_expect(pr->stream);
	if (text->b == NULL) {
		err = ctl_target_ready_from(t, pr->is_register, ctl_stream_local(pr->stream));
		text = &t->text[pr->is_register];
	}
	pr->first_us = ctl_probe_now(t->prober);
	pr->sent++;
	if (err == 0) {
		ctl_probe_text_put(text, &pr->ids);
		err = ctl_stream_write(pr->stream, text->b, text->len);
	}
	t->prober->counts[err == 0 ? CTL_PROBE_SENT : CTL_PROBE_LOST]++;
}

void ctl_probe_stream_end(struct ctl_probe *pr, enum ctl_probe_end how)
{
	struct ctl_target *t = pr->t;

	if (pr->stream == NULL)
		return;
	if (how == CTL_PROBE_END_ANSWERED && t->idle == NULL) {
		t->idle = pr->stream;
		ctl_stream_give(t->idle, &idle, t);
	} else {
		ctl_stream_free(pr->stream);
	}
	pr->stream = NULL;
}
