#include "control/base/ctl_history.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "control/base/ctl_log.h"

#define BUCKETS 1024u

/* An event; its strings stand behind it in one block. */
struct entry {
	TAILQ_ENTRY(entry) in_all, in_pair;
	struct pair_events *pair; /* NULL: not about a pair */
	uint64_t serial;
	struct timespec at;
	const char *member, *from, *to, *cause, *evidence, *who; /* NULL as given */
};
TAILQ_HEAD(entries, entry);

struct pair_events {
	struct pair_events *next; /* in its bucket */
	struct entries list;
	size_t n;
	char name[];
};

struct follower {
	TAILQ_ENTRY(follower) link;
	ctl_history_cb cb;
	void *arg;
	uint64_t since; /* first event that it sees */
	bool gone;      /* unfollowed while it was being told */
};
TAILQ_HEAD(followers, follower);

struct ctl_history {
	size_t per_pair, total, n;
	uint64_t serial;
	struct entries all;
	struct pair_events *buckets[BUCKETS];
	struct followers followers;
	unsigned int telling;
};

struct ctl_history *ctl_history_new(size_t per_pair, size_t total)
{
	struct ctl_history *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->per_pair = per_pair > 0 ? per_pair : 1;
	h->total = total > 0 ? total : 1;
	TAILQ_INIT(&h->all);
	TAILQ_INIT(&h->followers);
	return h;
}

/* ---- Pairs */

/* FNV-1a. */
static struct pair_events **bucket(struct ctl_history *h, const char *name)
{
	uint32_t k = 2166136261u;

	for (; *name != '\0'; name++)
		k = (k ^ (uint8_t)*name) * 16777619u;
	return &h->buckets[k % BUCKETS];
}

static struct pair_events *find_pair(const struct ctl_history *h, const char *name)
{
	struct pair_events *p = *bucket((struct ctl_history *)(uintptr_t)h, name);

	while (p != NULL && strcmp(p->name, name) != 0)
		p = p->next;
	return p;
}

static struct pair_events *get_pair(struct ctl_history *h, const char *name)
{
	struct pair_events *p = find_pair(h, name), **at = bucket(h, name);
	size_t size = strlen(name) + 1;

	if (p != NULL)
		return p;
	p = calloc(1, sizeof(*p) + size);
	if (p == NULL)
		return NULL;
	memcpy(p->name, name, size);
	TAILQ_INIT(&p->list);
	p->next = *at;
	*at = p;
	return p;
}

static void drop_pair(struct ctl_history *h, struct pair_events *p)
{
	struct pair_events **at = bucket(h, p->name);

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p);
}

/* ---- Entries */

static void drop(struct ctl_history *h, struct entry *e)
{
	struct pair_events *p = e->pair;

	TAILQ_REMOVE(&h->all, e, in_all);
	h->n--;
	if (p != NULL) {
		TAILQ_REMOVE(&p->list, e, in_pair);
		if (--p->n == 0)
			drop_pair(h, p);
	}
	free(e);
}

static const char *put(char **at, const char *s)
{
	const char *to = *at;

	if (s == NULL)
		return NULL;
	strcpy(*at, s);
	*at += strlen(s) + 1;
	return to;
}

static size_t room(const char *s)
{
	return s != NULL ? strlen(s) + 1 : 0;
}

static struct entry *entry_new(const struct ctl_event *ev)
{
	struct entry *e = calloc(1, sizeof(*e) + room(ev->member) + room(ev->from) + room(ev->to)
					    + room(ev->cause) + room(ev->evidence) + room(ev->who));
	char *at = (char *)(e + 1);

	if (e == NULL)
		return NULL;
	e->member = put(&at, ev->member);
	e->from = put(&at, ev->from);
	e->to = put(&at, ev->to);
	e->cause = put(&at, ev->cause);
	e->evidence = put(&at, ev->evidence);
	e->who = put(&at, ev->who);
	return e;
}

static json_t *text(const char *s)
{
	return s != NULL ? json_string(s) : json_null();
}

static json_t *entry_json(const struct entry *e)
{
	char time[64];
	struct tm tm;
	size_t n;

	gmtime_r(&e->at.tv_sec, &tm);
	n = strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(time + n, sizeof(time) - n, ".%06ldZ", e->at.tv_nsec / 1000);
	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "serial",
			 (json_int_t)e->serial, "time", time, "pair",
			 text(e->pair != NULL ? e->pair->name : NULL), "member", text(e->member),
			 "from", text(e->from), "to", text(e->to), "cause", text(e->cause),
			 "evidence", text(e->evidence), "who", text(e->who));
}

/* ---- Followers */

/* A follower that goes while others are told is only marked: the list is being walked. */
static void sweep(struct ctl_history *h)
{
	struct follower *f = TAILQ_FIRST(&h->followers), *next;

	for (; f != NULL && h->telling == 0; f = next) {
		next = TAILQ_NEXT(f, link);
		if (f->gone) {
			TAILQ_REMOVE(&h->followers, f, link);
			free(f);
		}
	}
}

static void tell(struct ctl_history *h, const struct entry *e)
{
	uint64_t serial = e->serial;
	struct follower *f;
	json_t *j;

	if (TAILQ_EMPTY(&h->followers))
		return;
	j = entry_json(e);
	if (j == NULL)
		return;
	h->telling++;
	TAILQ_FOREACH (f, &h->followers, link) {
		if (!f->gone && f->since <= serial)
			f->cb(f->arg, j);
	}
	h->telling--;
	sweep(h);
	json_decref(j);
}

int ctl_history_follow(struct ctl_history *h, ctl_history_cb cb, void *arg)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	f->cb = cb;
	f->arg = arg;
	f->since = h->serial + 1;
	TAILQ_INSERT_TAIL(&h->followers, f, link);
	return 0;
}

void ctl_history_unfollow(struct ctl_history *h, ctl_history_cb cb, void *arg)
{
	struct follower *f;

	TAILQ_FOREACH (f, &h->followers, link) {
		if (f->cb == cb && f->arg == arg && !f->gone) {
			f->gone = true;
			break;
		}
	}
	sweep(h);
}

/* ---- Adding, reading */

static void log_event(const struct ctl_event *ev)
{
	char about[300];

	if (ev->pair != NULL && ev->member != NULL)
		snprintf(about, sizeof(about), "pair %s, member %s", ev->pair, ev->member);
	else
		snprintf(about, sizeof(about), "%s%s", ev->pair != NULL ? "pair " : "",
			 ev->pair != NULL ? ev->pair : "all pairs");
	ctl_log(LOG_NOTICE, "%s: %s to %s (%s%s%s): %s", about, ev->from != NULL ? ev->from : "-",
		ev->to != NULL ? ev->to : "-", ev->cause != NULL ? ev->cause : "-",
		ev->who != NULL ? " " : "", ev->who != NULL ? ev->who : "",
		ev->evidence != NULL ? ev->evidence : "-");
}

void ctl_history_add(struct ctl_history *h, const struct ctl_event *ev)
{
	struct entry *e = entry_new(ev);

	log_event(ev);
	if (e != NULL && ev->pair != NULL) {
		e->pair = get_pair(h, ev->pair);
		if (e->pair == NULL) {
			free(e);
			e = NULL;
		}
	}
	if (e == NULL) {
		ctl_log(LOG_ERR, "out of memory: the event above is not kept");
		return;
	}
	clock_gettime(CLOCK_REALTIME, &e->at);
	e->serial = ++h->serial;
	TAILQ_INSERT_TAIL(&h->all, e, in_all);
	h->n++;
	if (e->pair != NULL) {
		TAILQ_INSERT_TAIL(&e->pair->list, e, in_pair);
		if (++e->pair->n > h->per_pair)
			drop(h, TAILQ_FIRST(&e->pair->list));
	}
	if (h->n > h->total)
		drop(h, TAILQ_FIRST(&h->all));
	tell(h, TAILQ_LAST(&h->all, entries));
}

json_t *ctl_history_json(const struct ctl_history *h, const char *pair)
{
	const struct pair_events *p = pair != NULL ? find_pair(h, pair) : NULL;
	json_t *array = json_array();
	const struct entry *e;

	if (pair != NULL && p == NULL)
		return array;
	e = p != NULL ? TAILQ_FIRST(&p->list) : TAILQ_FIRST(&h->all);
	while (e != NULL) {
		if (json_array_append_new(array, entry_json(e)) != 0) {
			json_decref(array);
			return NULL;
		}
		e = p != NULL ? TAILQ_NEXT(e, in_pair) : TAILQ_NEXT(e, in_all);
	}
	return array;
}

void ctl_history_free(struct ctl_history *h)
{
	struct follower *f;

	if (h == NULL)
		return;
	while (!TAILQ_EMPTY(&h->all))
		drop(h, TAILQ_FIRST(&h->all));
	while ((f = TAILQ_FIRST(&h->followers)) != NULL) {
		TAILQ_REMOVE(&h->followers, f, link);
		free(f);
	}
	free(h);
}
