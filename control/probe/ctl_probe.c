#include "control/probe/ctl_probe.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/probe/ctl_clock.h"
#include "control/probe/ctl_probe_int.h"

#define T1_US    CTL_PROBE_T1_US
#define T2_US    4000000u
#define ATTEMPTS 3 /* REGISTERs of one probe: plain, with credentials, with a fresh nonce */

const char *ctl_probe_count_name(enum ctl_probe_count c)
{
	static const char *const names[CTL_PROBE_COUNTS] = {
		[CTL_PROBE_SENT] = "sent",
		[CTL_PROBE_ANSWERED] = "answered",
		[CTL_PROBE_PROVISIONAL] = "provisional",
		[CTL_PROBE_CHALLENGED] = "challenged",
		[CTL_PROBE_FAILED] = "failed",
		[CTL_PROBE_CONNECTED] = "connected",
		[CTL_PROBE_BROKEN] = "connection-failed",
		[CTL_PROBE_TLS_FAILED] = "tls-failed",
		[CTL_PROBE_LOST] = "lost",
		[CTL_PROBE_MALFORMED] = "malformed",
		[CTL_PROBE_MISMATCHED] = "mismatched",
		[CTL_PROBE_LATE] = "late",
		[CTL_PROBE_DUPLICATE] = "duplicate",
		[CTL_PROBE_OTHER_BRANCH] = "other-branch",
		[CTL_PROBE_OTHER_ADDRESS] = "other-address",
		[CTL_PROBE_ICMP] = "icmp",
		[CTL_PROBE_ICMP_UNPROVEN] = "icmp-unproven",
	};

	return c < CTL_PROBE_COUNTS ? names[c] : "?";
}

/* ---- Ends */

static void probe_free(struct ctl_probe *pr, enum ctl_probe_end how)
{
	struct ctl_prober *p = pr->t->prober;

	ctl_timer_cancel(p->timers, &pr->timer);
	ctl_probe_stream_end(pr, how);
	ctl_probe_table_remove(&p->table, pr, how);
	pr->t->n_probes--;
	ctl_probe_text_fini(&pr->own);
	free(pr);
}

void ctl_probe_cancel(struct ctl_probe *pr)
{
	if (pr != NULL)
		probe_free(pr, CTL_PROBE_END_GIVEN_UP);
}

static void finish(struct ctl_probe *pr, const struct ctl_probe_result *r)
{
	ctl_probe_cb cb = pr->cb;
	void *arg = pr->arg;
	const struct ctl_probe_result result = *r;

	pr->t->prober->counts[r->answered ? CTL_PROBE_ANSWERED : CTL_PROBE_FAILED]++;
	probe_free(pr, r->answered ? CTL_PROBE_END_ANSWERED : CTL_PROBE_END_GIVEN_UP);
	cb(arg, &result);
}

void ctl_probe_fail(struct ctl_probe *pr, enum ctl_pair_error error, uint32_t detail)
{
	finish(pr, &(struct ctl_probe_result){ .code = (uint16_t)error, .detail = detail });
}

/* What stops the clock may follow an error, or have come before it: then it is none. */
void ctl_probe_hindered(struct ctl_probe *pr, uint64_t now_us, int err)
{
	struct ctl_timers *ts = pr->t->prober->timers;

	pr->failed = true;
	pr->stops = err == -EAGAIN ? ts->stops - 1 : ts->stops;
	pr->result = (struct ctl_probe_result){ .code = CTL_ERROR_SEND, .detail = (uint32_t)-err };
	ctl_timer_set(ts, &pr->timer, now_us + CTL_PROBE_FAIL_US);
}

/* ---- Sending */

static void send_once(struct ctl_probe *pr, uint64_t now_us)
{
	struct ctl_target *t = pr->t;
	struct ctl_probe_text *text;
	const struct ctl_timers *ts = t->prober->timers;
	int err = ts->stopped ? -EAGAIN : ctl_target_ready(t, pr->is_register, now_us);

	if (pr->sent == 0)
		pr->first_us = now_us;
	pr->sent++;
	if (err == 0) {
		text = pr->own.b != NULL ? &pr->own : &t->text[pr->is_register];
		ctl_probe_text_put(text, &pr->ids);
		err = ctl_udp_send(t->sock, &t->at, text->b, text->len);
	}
	t->prober->counts[err == -EAGAIN ? CTL_PROBE_LOST : CTL_PROBE_SENT]++;
	if (err != 0 && err != -EAGAIN)
		ctl_probe_hindered(pr, now_us, err);
}

/* RFC 3261 17.1.2.2, timer E: T1, doubled up to T2; T2 once a provisional has come. Or the order's
 * own number of sends, evenly spread. */
static void plan_next(struct ctl_probe *pr, uint64_t now_us)
{
	struct ctl_timers *ts = pr->t->prober->timers;

	if (pr->failed)
		return;
	if (pr->n_sends != 0) {
		if (pr->sent < pr->n_sends)
			ctl_timer_set(ts, &pr->timer,
				      pr->first_us + pr->sent * pr->spread_us / pr->n_sends);
	} else {
		pr->wait_us = pr->sent == 1 ? T1_US : 2 * pr->wait_us;
		if (pr->wait_us > T2_US || pr->proceeding)
			pr->wait_us = T2_US;
		ctl_timer_set(ts, &pr->timer, now_us + pr->wait_us);
	}
}

static void on_timer(struct ctl_timer *timer, uint64_t now_us)
{
	struct ctl_probe *pr = (struct ctl_probe *)timer;

	if (pr->failed && pr->stops == pr->t->prober->timers->stops) {
		finish(pr, &pr->result);
		return;
	}
	pr->failed = false;
	if (ctl_target_is_stream(pr->t)) {
		ctl_probe_stream_timer(pr, now_us);
		return;
	}
	send_once(pr, now_us);
	plan_next(pr, now_us);
}

struct ctl_probe *ctl_probe_send(struct ctl_target *t, const struct ctl_pair_send *order,
				 ctl_probe_cb cb, void *arg)
{
	struct ctl_probe *pr = calloc(1, sizeof(*pr));
	uint64_t now_us = ctl_probe_now(t->prober);

	if (pr == NULL)
		return NULL;
	if (ctl_probe_ids_new(&pr->ids) != 0) {
		free(pr);
		return NULL;
	}
	pr->timer.fire = on_timer;
	pr->t = t;
	pr->cb = cb;
	pr->arg = arg;
	pr->is_register = order->method == CTL_PROBE_REGISTER;
	pr->n_sends = order->n_sends;
	pr->spread_us = order->spread_us;
	pr->timeout_us = order->timeout_us;
	pr->attempts = 1;
	t->n_probes++;
	ctl_probe_table_insert(&t->prober->table, pr);
	if (ctl_target_is_stream(t)) {
		ctl_probe_stream_begin(pr, now_us);
		return pr;
	}
	send_once(pr, now_us);
	plan_next(pr, now_us);
	return pr;
}

/* ---- Receiving */

static bool is_stale(const struct ctl_probe_response *r)
{
	for (unsigned int i = 0; i < r->n_challenges; i++) {
		if (r->challenges[i].stale)
			return true;
	}
	return false;
}

/* RFC 3261 22.1: the same Call-ID and From tag, the next CSeq, a new branch. */
static bool answer_challenge(struct ctl_probe *pr, const struct ctl_probe_response *r)
{
	struct ctl_prober *p = pr->t->prober;
	struct ctl_probe_ids fresh;
	struct ctl_probe_text text;
	uint64_t now_us = ctl_probe_now(p);

	if (!pr->is_register || pr->attempts >= ATTEMPTS || pr->t->user == NULL
	    || (pr->attempts > 1 && !is_stale(r)) || ctl_probe_ids_new(&fresh) != 0
	    || ctl_target_credentials(pr->t, r, &text) != 0)
		return false;
	ctl_probe_text_fini(&pr->own);
	pr->own = text;
	ctl_probe_table_remove(&p->table, pr, CTL_PROBE_END_ANSWERED);
	memcpy(pr->ids.branch, fresh.branch, CTL_PROBE_TOKEN);
	pr->ids.cseq++;
	pr->attempts++;
	pr->sent = 0;
	pr->proceeding = false;
	ctl_probe_table_insert(&p->table, pr);
	p->counts[CTL_PROBE_CHALLENGED]++;
	if (ctl_target_is_stream(pr->t)) {
		/* Some close the connection behind a challenge. */
		pr->may_reopen = true;
		ctl_probe_stream_send(pr);
		return true;
	}
	send_once(pr, now_us);
	plan_next(pr, now_us);
	return true;
}

void ctl_probe_response(struct ctl_probe *pr, const char *buf, size_t len)
{
	struct ctl_prober *p = pr->t->prober;
	struct ctl_probe_response r;
	int err = ctl_probe_parse(buf, len, &pr->ids, pr->is_register, &r);
	uint64_t rtt_us = ctl_probe_now(p) - pr->first_us;

	if (err != 0) {
		p->counts[err == -ESRCH ? CTL_PROBE_MISMATCHED : CTL_PROBE_MALFORMED]++;
		return;
	}
	if (r.code < 200) {
		p->counts[CTL_PROBE_PROVISIONAL]++;
		pr->proceeding = true;
		return;
	}
	if (r.n_challenges > 0 && answer_challenge(pr, &r))
		return;
	if ((pr->sent > 1 && !ctl_target_is_stream(pr->t)) || rtt_us > UINT32_MAX)
		rtt_us = 0;
	else if (rtt_us == 0)
		rtt_us = 1;
	finish(pr, &(struct ctl_probe_result){ .answered = true,
					       .code = (uint16_t)r.code,
					       .rtt_us = (uint32_t)rtt_us });
}

static void on_datagram(void *arg, const char *buf, size_t len, const struct dp_endpoint *from)
{
	struct ctl_prober *p = arg;
	const char *token = ctl_probe_find_branch(buf, len);
	struct ctl_probe *pr;

	if (token == NULL || len < 8 || memcmp(buf, "SIP/2.0 ", 8) != 0) {
		p->counts[CTL_PROBE_MALFORMED]++;
		return;
	}
	pr = ctl_probe_table_find(&p->table, token);
	if (pr == NULL)
		p->counts[ctl_probe_table_stray(&p->table, token)]++;
	else if (ctl_target_is_stream(pr->t) || !dp_ip_equal(&pr->t->at.ip, &from->ip)
		 || pr->t->at.port != from->port)
		p->counts[CTL_PROBE_OTHER_ADDRESS]++;
	else
		ctl_probe_response(pr, buf, len);
}

/* Whoever could not read our datagram cannot quote its branch. */
static void on_icmp(void *arg, uint32_t icmp, const char *buf, size_t len,
		    const struct dp_endpoint *to)
{
	struct ctl_prober *p = arg;
	const char *token = ctl_probe_find_branch(buf, len);
	struct ctl_probe *pr = token != NULL ? ctl_probe_table_find(&p->table, token) : NULL;

	if (pr == NULL || !dp_ip_equal(&pr->t->at.ip, &to->ip) || pr->t->at.port != to->port) {
		p->counts[CTL_PROBE_ICMP_UNPROVEN]++;
		return;
	}
	p->counts[CTL_PROBE_ICMP]++;
	if (ctl_pair_icmp_counts(icmp))
		ctl_probe_fail(pr, CTL_ERROR_ICMP, icmp);
}

/* A process that did not get to run for a while finds answers and deadlines waiting side by side.
 */
static void before_timers(void *arg)
{
	ctl_udp_drain(((struct ctl_prober *)arg)->udp);
}

/* ---- The prober */

struct ctl_prober *ctl_prober_new(struct event_base *base, struct ctl_timers *timers)
{
	struct ctl_prober *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	const struct ctl_udp_handler h = { .datagram = on_datagram, .icmp = on_icmp, .arg = p };

	p->base = base;
	p->timers = timers;
	p->udp = ctl_udp_new(base, &h);
	p->tls = ctl_tls_new();
	if (ctl_probe_table_init(&p->table) != 0 || p->udp == NULL || p->tls == NULL) {
		ctl_prober_free(p);
		return NULL;
	}
	timers->before = before_timers;
	timers->before_arg = p;
	return p;
}

void ctl_prober_free(struct ctl_prober *p)
{
	if (p == NULL)
		return;
	assert(p->n_targets == 0 && p->table.n_probes == 0);
	p->timers->before = NULL;
	ctl_udp_free(p->udp);
	ctl_tls_free(p->tls);
	ctl_probe_table_fini(&p->table);
	free(p);
}

uint64_t ctl_prober_now_us(const struct ctl_prober *p)
{
	return ctl_probe_now(p);
}

const uint64_t *ctl_prober_counts(const struct ctl_prober *p)
{
	return p->counts;
}
