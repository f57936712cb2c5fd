#include "control/probe/ctl_probe.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/probe/ctl_clock.h"
#include "control/probe/ctl_probe_int.h"

#define T1_US CTL_PAIR_T1_US
#define T2_US 4000000u
/* A send that failed here is told so much later: that its netdev has gone, and the clock is to be
 * stopped, may be on its way. */
#define FAIL_US  50000u
#define BUCKETS  1024u  /* at first; a power of two */
#define ENDED    16384u /* branches that ended lately; a power of two */
#define ATTEMPTS 3      /* REGISTERs of one probe: plain, with credentials, with a fresh nonce */

const char *ctl_probe_count_name(enum ctl_probe_count c)
{
	static const char *const names[CTL_PROBE_COUNTS] = {
		[CTL_PROBE_SENT] = "sent",
		[CTL_PROBE_ANSWERED] = "answered",
		[CTL_PROBE_PROVISIONAL] = "provisional",
		[CTL_PROBE_CHALLENGED] = "challenged",
		[CTL_PROBE_FAILED] = "failed",
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

/* ---- The table of branches */

enum how_ended { ENDED_ANSWERED, ENDED_GIVEN_UP };

struct ended {
	uint64_t key;
	enum how_ended how;
};

struct ctl_prober {
	struct ctl_timers *timers;
	struct ctl_udp *udp;
	struct ctl_probe **buckets;
	size_t n_buckets, n_probes, n_targets;
	uint64_t counts[CTL_PROBE_COUNTS];
	struct ended ended[ENDED];
};

struct ctl_probe {
	struct ctl_timer timer; /* first: the next send, or the end that must be told */
	struct ctl_probe *next; /* in its bucket */
	struct ctl_target *t;
	struct ctl_probe_ids ids;
	uint64_t key;
	ctl_probe_cb cb;
	void *arg;
	bool is_register;
	bool proceeding; /* a provisional response has come */
	unsigned int n_sends, sent, attempts;
	uint64_t spread_us, first_us, wait_us;
	struct ctl_probe_text own; /* with credentials; b NULL: the target's template */
	bool failed;               /* to send; told after FAIL_US unless the clock was stopped */
	uint32_t stops;            /* of the clock, when it failed */
	struct ctl_probe_result result;
};

/* The prober's time, which may stand still. */
static uint64_t now(const struct ctl_prober *p)
{
	return p->timers->now_us(p->timers->arg);
}

/* A branch is random: its first digits are hash enough. UINT64_MAX: no hexadecimal. */
static uint64_t branch_key(const char *token)
{
	uint64_t k = 0;

	for (unsigned int i = 0; i < 16; i++) {
		char c = token[i];

		if (c >= '0' && c <= '9')
			k = k << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			k = k << 4 | (uint64_t)(c - 'a' + 10);
		else
			return UINT64_MAX;
	}
	return k;
}

static struct ctl_probe **bucket(const struct ctl_prober *p, uint64_t key)
{
	return &p->buckets[key & (p->n_buckets - 1)];
}

/* When there is no memory for more buckets, the lists get longer. */
static void grow(struct ctl_prober *p)
{
	size_t n = 2 * p->n_buckets;
	struct ctl_probe **old = p->buckets, **b = calloc(n, sizeof(struct ctl_probe *));
	size_t n_old = p->n_buckets;

	if (b == NULL)
		return;
	p->buckets = b;
	p->n_buckets = n;
	for (size_t i = 0; i < n_old; i++) {
		while (old[i] != NULL) {
			struct ctl_probe *pr = old[i];

			old[i] = pr->next;
			pr->next = *bucket(p, pr->key);
			*bucket(p, pr->key) = pr;
		}
	}
	free(old);
}

static void insert(struct ctl_prober *p, struct ctl_probe *pr)
{
	if (p->n_probes >= p->n_buckets)
		grow(p);
	pr->key = branch_key(pr->ids.branch);
	pr->next = *bucket(p, pr->key);
	*bucket(p, pr->key) = pr;
	p->n_probes++;
}

static void take_out(struct ctl_prober *p, struct ctl_probe *pr, enum how_ended how)
{
	struct ctl_probe **at = bucket(p, pr->key);

	while (*at != pr)
		at = &(*at)->next;
	*at = pr->next;
	p->n_probes--;
	p->ended[pr->key & (ENDED - 1)] = (struct ended){ .key = pr->key, .how = how };
}

static struct ctl_probe *find(const struct ctl_prober *p, const char *token)
{
	struct ctl_probe *pr = *bucket(p, branch_key(token));

	while (pr != NULL && memcmp(pr->ids.branch, token, CTL_PROBE_TOKEN) != 0)
		pr = pr->next;
	return pr;
}

/* ---- Ends */

static void probe_free(struct ctl_probe *pr, enum how_ended how)
{
	ctl_timer_cancel(pr->t->prober->timers, &pr->timer);
	take_out(pr->t->prober, pr, how);
	pr->t->n_probes--;
	ctl_probe_text_fini(&pr->own);
	free(pr);
}

void ctl_probe_cancel(struct ctl_probe *pr)
{
	if (pr != NULL)
		probe_free(pr, ENDED_GIVEN_UP);
}

static void finish(struct ctl_probe *pr, const struct ctl_probe_result *r)
{
	ctl_probe_cb cb = pr->cb;
	void *arg = pr->arg;
	const struct ctl_probe_result result = *r;

	pr->t->prober->counts[r->answered ? CTL_PROBE_ANSWERED : CTL_PROBE_FAILED]++;
	probe_free(pr, r->answered ? ENDED_ANSWERED : ENDED_GIVEN_UP);
	cb(arg, &result);
}

static void fail(struct ctl_probe *pr, enum ctl_pair_error error, uint32_t detail)
{
	finish(pr, &(struct ctl_probe_result){ .code = (uint16_t)error, .detail = detail });
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
	if (err != 0 && err != -EAGAIN) {
		pr->failed = true;
		pr->stops = ts->stops;
		pr->result = (struct ctl_probe_result){ .code = CTL_ERROR_SEND,
							.detail = (uint32_t)-err };
	}
}

/* RFC 3261 17.1.2.2, timer E: T1, doubled up to T2; T2 once a provisional has come. Or the order's
 * own number of sends, evenly spread. */
static void plan_next(struct ctl_probe *pr, uint64_t now_us)
{
	struct ctl_timers *ts = pr->t->prober->timers;

	if (pr->failed) {
		ctl_timer_set(ts, &pr->timer, now_us + FAIL_US);
	} else if (pr->n_sends != 0) {
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
	send_once(pr, now_us);
	plan_next(pr, now_us);
}

struct ctl_probe *ctl_probe_send(struct ctl_target *t, const struct ctl_pair_send *order,
				 ctl_probe_cb cb, void *arg)
{
	struct ctl_probe *pr = calloc(1, sizeof(*pr));
	uint64_t now_us = now(t->prober);

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
	pr->attempts = 1;
	t->n_probes++;
	insert(t->prober, pr);
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
	uint64_t now_us = now(p);

	if (!pr->is_register || pr->attempts >= ATTEMPTS || pr->t->user == NULL
	    || (pr->attempts > 1 && !is_stale(r)) || ctl_probe_ids_new(&fresh) != 0
	    || ctl_target_credentials(pr->t, r, &text) != 0)
		return false;
	ctl_probe_text_fini(&pr->own);
	pr->own = text;
	take_out(p, pr, ENDED_ANSWERED);
	memcpy(pr->ids.branch, fresh.branch, CTL_PROBE_TOKEN);
	pr->ids.cseq++;
	pr->attempts++;
	pr->sent = 0;
	pr->proceeding = false;
	insert(p, pr);
	p->counts[CTL_PROBE_CHALLENGED]++;
	send_once(pr, now_us);
	plan_next(pr, now_us);
	return true;
}

static void response(struct ctl_probe *pr, const char *buf, size_t len)
{
	struct ctl_prober *p = pr->t->prober;
	struct ctl_probe_response r;
	int err = ctl_probe_parse(buf, len, &pr->ids, pr->is_register, &r);
	uint64_t rtt_us = now(p) - pr->first_us;

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
	if (pr->sent > 1 || rtt_us > UINT32_MAX)
		rtt_us = 0;
	else if (rtt_us == 0)
		rtt_us = 1;
	finish(pr, &(struct ctl_probe_result){ .answered = true,
					       .code = (uint16_t)r.code,
					       .rtt_us = (uint32_t)rtt_us });
}

/* Why a datagram whose branch is none of the open ones'. */
static enum ctl_probe_count stray(const struct ctl_prober *p, const char *token)
{
	uint64_t key = branch_key(token);
	const struct ended *e = &p->ended[key & (ENDED - 1)];

	if (key == UINT64_MAX || e->key != key)
		return CTL_PROBE_OTHER_BRANCH;
	return e->how == ENDED_ANSWERED ? CTL_PROBE_DUPLICATE : CTL_PROBE_LATE;
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
	pr = find(p, token);
	if (pr == NULL)
		p->counts[stray(p, token)]++;
	else if (!dp_ip_equal(&pr->t->at.ip, &from->ip) || pr->t->at.port != from->port)
		p->counts[CTL_PROBE_OTHER_ADDRESS]++;
	else
		response(pr, buf, len);
}

/* Whoever could not read our datagram cannot quote its branch. */
static void on_icmp(void *arg, uint32_t icmp, const char *buf, size_t len,
		    const struct dp_endpoint *to)
{
	struct ctl_prober *p = arg;
	const char *token = ctl_probe_find_branch(buf, len);
	struct ctl_probe *pr = token != NULL ? find(p, token) : NULL;

	if (pr == NULL || !dp_ip_equal(&pr->t->at.ip, &to->ip) || pr->t->at.port != to->port) {
		p->counts[CTL_PROBE_ICMP_UNPROVEN]++;
		return;
	}
	p->counts[CTL_PROBE_ICMP]++;
	if (ctl_pair_icmp_counts(icmp))
		fail(pr, CTL_ERROR_ICMP, icmp);
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

	p->timers = timers;
	p->n_buckets = BUCKETS;
	p->buckets = calloc(BUCKETS, sizeof(struct ctl_probe *));
	p->udp = ctl_udp_new(base, &h);
	for (size_t i = 0; i < ENDED; i++)
		p->ended[i].key = UINT64_MAX;
	if (p->buckets == NULL || p->udp == NULL) {
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
	assert(p->n_targets == 0 && p->n_probes == 0);
	p->timers->before = NULL;
	ctl_udp_free(p->udp);
	free(p->buckets);
	free(p);
}

uint64_t ctl_prober_now_us(const struct ctl_prober *p)
{
	return now(p);
}

const uint64_t *ctl_prober_counts(const struct ctl_prober *p)
{
	return p->counts;
}

struct ctl_udp *ctl_prober_udp(struct ctl_prober *p)
{
	return p->udp;
}

void ctl_prober_count_target(struct ctl_prober *p, int by)
{
	p->n_targets += (size_t)by;
}
