/*
 * Names, their timers, and the turns that they take: at most RUNNING lookups at once, so that a
 * start with thousands of names floods no resolver.
 */
#include "control/dns/ctl_dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "control/base/ctl_log.h"
#include "control/dns/ctl_dns_int.h"

enum {
	RUNNING = 16,    /* lookups at once */
	RETRY_MS = 1000, /* after the first failure; doubled at each further one */
	RETRY_MAX_MS = 60000,
	JITTER_MAX_MS = 5000, /* a TTL is stretched by a tenth at most, and by no more than this */
	TELL_MS = 20,
	SAVE_MS = 100,
};

uint64_t ctl_dns_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t ctl_dns_wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Uniform in [0, n). */
uint64_t ctl_dns_below(uint64_t n)
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = ctl_dns_wall_us();
	return n ? r % n : 0;
}

/* ---- Time */

static void arm(struct event *ev, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
				    .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(ev, &tv);
}

void ctl_dns_later(struct ctl_dns_entry *e, uint64_t ms)
{
	e->next_ms = ctl_dns_now_ms() + ms;
	arm(e->timer, ms);
}

/* Between 3/4 and 5/4 of a pause that doubles. */
static uint64_t retry_ms(unsigned int fails)
{
	uint64_t ms = fails < 7 ? (uint64_t)RETRY_MS << (fails - 1) : RETRY_MAX_MS;

	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	return ms - ms / 4 + ctl_dns_below(ms / 2 + 1);
}

static uint64_t ttl_ms(const struct ctl_dns *dns, uint32_t ttl_s)
{
	uint64_t ms = ttl_s * 1000ull;

	if (ms < dns->set.min_ttl_ms)
		ms = dns->set.min_ttl_ms;
	return ms > dns->set.max_ttl_ms ? dns->set.max_ttl_ms : ms;
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_dns *dns = arg;

	(void)fd;
	(void)what;
	dns->p.changed(dns->p.arg);
}

static void on_save(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_dns *dns = arg;
	char *text = dns->file ? ctl_dns_file_text(dns) : NULL;

	(void)fd;
	(void)what;
	if (!dns->writer && text)
		dns->writer = ctl_writer_new(dns->file);
	if (dns->writer && text)
		ctl_writer_put(dns->writer, text);
	else
		free(text);
}

static void soon(struct event *ev, uint64_t ms)
{
	if (!evtimer_pending(ev, NULL))
		arm(ev, ms);
}

void ctl_dns_save_soon(struct ctl_dns *dns)
{
	soon(dns->save, SAVE_MS);
}

/* ---- What happened, for the history */

const char *ctl_dns_state_name(const struct ctl_dns_entry *e)
{
	if (!e->good.n)
		return "unresolved";
	if (e->failing)
		return "stale";
	return e->expires_ms ? "good" : "saved";
}

void ctl_dns_servers_text(const struct ctl_dns_result *r, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < r->n && n < size; i++) {
		const struct dp_endpoint *at = &r->servers[i].at;
		bool v6 = !dp_ip_is_v4(&at->ip) && at->port;
		char ip[46];

		dp_ip_format(&at->ip, ip);
		n += (size_t)snprintf(text + n, size - n, "%s%s%s%s", n ? ", " : "", v6 ? "[" : "",
				      ip, v6 ? "]" : "");
		if (at->port && n < size)
			n += (size_t)snprintf(text + n, size - n, ":%u", at->port);
	}
}

static void record(const struct ctl_dns_entry *e, const char *from, const char *cause,
		   const char *evidence)
{
	const struct ctl_event ev = {
		.pair = e->n_users == 1 ? e->users[0].pair : NULL,
		.member = e->n_users == 1 ? e->users[0].member : NULL,
		.from = from,
		.to = ctl_dns_state_name(e),
		.cause = cause,
		.evidence = evidence,
	};

	ctl_history_add(e->dns->p.history, &ev);
}

static const char *way(const struct ctl_dns_result *r)
{
	return r->by_naptr ? "NAPTR and SRV" : r->by_srv ? "SRV" : "address";
}

static void say_change(const struct ctl_dns_entry *e, const char *from)
{
	char servers[512], text[1024];

	ctl_dns_servers_text(&e->good, servers, sizeof(servers));
	snprintf(text, sizeof(text), "%s: by %s: %s", e->name, way(&e->good), servers);
	record(e, from, "dns", text);
}

static void say_failure(const struct ctl_dns_entry *e, const char *from)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s: %s; %s", e->name, e->error,
		 e->good.n ? "the last good answer stays in force"
			   : "nothing is known of it yet, so it has no servers");
	record(e, from, "dns-failed", text);
}

void ctl_dns_say_refused(const struct ctl_dns_entry *e, const char *refused)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s: not used: %s", e->name, refused);
	record(e, ctl_dns_state_name(e), "dns-refused", text);
}

/* ---- Turns */

static void on_done(void *arg, struct ctl_dns_outcome *o);

static void start(struct ctl_dns_entry *e)
{
	struct ctl_dns *dns = e->dns;

	e->lookup = ctl_dns_lookup_new(ctl_dns_ares_io(dns->ares), &e->spec, &e->good, on_done, e);
	if (!e->lookup) {
		ctl_log(LOG_ERR, "out of memory: %s is looked up later", e->name);
		ctl_dns_later(e, RETRY_MS);
		return;
	}
	dns->n_running++;
	ctl_dns_lookup_start(e->lookup);
}

void ctl_dns_next_turns(struct ctl_dns *dns)
{
	while (dns->first_waiting && dns->n_running < RUNNING && dns->ares) {
		struct ctl_dns_entry *e = dns->first_waiting;

		dns->first_waiting = e->next_waiting;
		if (!dns->first_waiting)
			dns->last_waiting = NULL;
		e->next_waiting = NULL;
		e->waiting = false;
		start(e);
	}
}

/* Look a name up as soon as it is its turn. */
void ctl_dns_enqueue(struct ctl_dns_entry *e)
{
	struct ctl_dns *dns = e->dns;

	evtimer_del(e->timer);
	e->next_ms = ctl_dns_now_ms();
	if (e->waiting || e->lookup)
		return;
	e->waiting = true;
	if (dns->last_waiting)
		dns->last_waiting->next_waiting = e;
	else
		dns->first_waiting = e;
	dns->last_waiting = e;
}

void ctl_dns_leave_queue(struct ctl_dns_entry *e)
{
	struct ctl_dns *dns = e->dns;
	struct ctl_dns_entry **at = &dns->first_waiting, *before = NULL;

	while (*at && *at != e) {
		before = *at;
		at = &before->next_waiting;
	}
	if (*at)
		*at = e->next_waiting;
	if (dns->last_waiting == e)
		dns->last_waiting = before;
	e->waiting = false;
	e->next_waiting = NULL;
}

void ctl_dns_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_dns_entry *e = arg;

	(void)fd;
	(void)what;
	ctl_dns_enqueue(e);
	ctl_dns_next_turns(e->dns);
}

/* ---- Outcomes */

static bool same_server(const struct ctl_dns_server *a, const struct ctl_dns_server *b)
{
	return dp_ip_equal(&a->at.ip, &b->at.ip) && a->at.port == b->at.port
	       && a->priority == b->priority && a->weight == b->weight
	       && strcmp(a->target, b->target) == 0;
}

/* Both in the general order. */
static bool same_result(const struct ctl_dns_result *a, const struct ctl_dns_result *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++) {
		if (!same_server(&a->servers[i], &b->servers[i]))
			return false;
	}
	return a->n == b->n && a->by_srv == b->by_srv && a->by_naptr == b->by_naptr;
}

/* @return whether it is another answer than before. */
static bool take_good(struct ctl_dns_entry *e, struct ctl_dns_outcome *o)
{
	bool changed;

	o->result.n = ctl_dns_order(o->result.servers, o->result.n, "");
	changed = !same_result(&o->result, &e->good);
	e->good_wall_us = ctl_dns_wall_us();
	e->expires_ms = ctl_dns_now_ms() + ttl_ms(e->dns, o->result.ttl_s);
	ctl_dns_result_move(&e->good, &o->result);
	if (changed) {
		soon(e->dns->tell, TELL_MS);
		ctl_dns_save_soon(e->dns);
	}
	return changed;
}

/* One event for an answer that is new or good again, one for the beginning of a failure. */
static void take(struct ctl_dns_entry *e, struct ctl_dns_outcome *o)
{
	const char *from = ctl_dns_state_name(e);
	bool failed_before = e->failing, changed = o->good && take_good(e, o);

	e->failing = o->error[0] != '\0';
	snprintf(e->error, sizeof(e->error), "%s", o->error);
	if (!e->failing)
		e->fails = 0;
	if (changed || (failed_before && !e->failing))
		say_change(e, from);
	if (e->failing && !failed_before) {
		e->failing_wall_us = ctl_dns_wall_us();
		say_failure(e, from);
	}
	if (strcmp(e->refused, o->refused) != 0) {
		snprintf(e->refused, sizeof(e->refused), "%s", o->refused);
		if (o->refused[0])
			ctl_dns_say_refused(e, o->refused);
	}
}

void ctl_dns_tell_waiters(struct ctl_dns_entry *e)
{
	while (e->waiters) {
		struct ctl_dns_waiter *w = e->waiters;

		e->waiters = w->next;
		if (--w->of->n == 0) {
			w->of->done(w->of->arg);
			free(w->of);
		}
		free(w);
	}
}

static void on_done(void *arg, struct ctl_dns_outcome *o)
{
	struct ctl_dns_entry *e = arg;
	uint64_t ttl = ttl_ms(e->dns, o->result.ttl_s), next = ttl;

	e->lookup = NULL;
	e->dns->n_running--;
	e->looked = true;
	take(e, o);
	if (e->failing) {
		e->fails++;
		next = retry_ms(e->fails);
		if (o->good && ttl < next)
			next = ttl;
	} else {
		next += ctl_dns_below(next / 10 < JITTER_MAX_MS ? next / 10 : JITTER_MAX_MS);
	}
	ctl_dns_later(e, next);
	ctl_dns_tell_waiters(e);
	ctl_dns_next_turns(e->dns);
}

/* ---- By command */

void ctl_dns_hurry(struct ctl_dns *dns)
{
	for (size_t i = 0; i < CTL_DNS_BUCKETS; i++) {
		for (struct ctl_dns_entry *e = dns->buckets[i]; e; e = e->next) {
			if (!e->failing && e->looked)
				continue;
			e->fails = 0;
			ctl_dns_enqueue(e);
		}
	}
	ctl_dns_next_turns(dns);
}

static int add_waiter(struct ctl_dns_entry *e, struct ctl_dns_refresh *of)
{
	struct ctl_dns_waiter *w = malloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct ctl_dns_waiter){ .next = e->waiters, .of = of };
	e->waiters = w;
	of->n++;
	return 0;
}

int ctl_dns_refresh(struct ctl_dns *dns, const char *name, ctl_dns_refreshed_cb done, void *arg)
{
	struct ctl_dns_refresh *of;
	char lower[CTL_DNS_NAME_SIZE];
	struct ctl_dns_entry *e;
	int ret = -ENOENT;

	of = calloc(1, sizeof(*of));
	if (!of)
		return -ENOMEM;
	*of = (struct ctl_dns_refresh){ .n = 1, .done = done, .arg = arg };
	ctl_dns_name_lower(name, lower, sizeof(lower));
	e = dns->buckets[dp_key(lower, strlen(lower)) % CTL_DNS_BUCKETS];
	for (; e; e = e->next) {
		if (strcmp(e->name, lower) != 0)
			continue;
		ret = 0;
		ctl_dns_enqueue(e);
		/* Without memory to wait with, the answer comes early. */
		if (add_waiter(e, of) < 0)
			ctl_log(LOG_ERR, "out of memory: nobody waits for %s", lower);
	}
	if (ret == 0)
		ctl_dns_next_turns(dns);
	if (--of->n == 0) {
		if (ret == 0)
			done(arg);
		free(of);
	}
	return ret;
}

/* ---- Begin and end */

struct ctl_dns *ctl_dns_new(const struct ctl_dns_params *p)
{
	struct ctl_dns *dns = calloc(1, sizeof(*dns));

	if (!dns)
		return NULL;
	dns->p = *p;
	dns->tell = evtimer_new(p->base, on_tell, dns);
	dns->save = evtimer_new(p->base, on_save, dns);
	if (p->file)
		dns->file = strdup(p->file);
	if (!dns->tell || !dns->save || (p->file && !dns->file)) {
		ctl_dns_free(dns);
		return NULL;
	}
	if (dns->file)
		dns->file_names = ctl_dns_file_read(dns->file);
	return dns;
}

void ctl_dns_free(struct ctl_dns *dns)
{
	if (!dns)
		return;
	if (dns->save && evtimer_pending(dns->save, NULL))
		on_save(-1, 0, dns);
	ctl_dns_drop_all(dns);
	ctl_dns_ares_free(dns->ares);
	ctl_writer_free(dns->writer);
	if (dns->tell)
		event_free(dns->tell);
	if (dns->save)
		event_free(dns->save);
	json_decref(dns->file_names);
	free(dns->set.servers);
	free(dns->set.resolv_conf);
	free(dns->file);
	free(dns);
}
