/*
 * Hand-over under stress: workers that hand packets to one another all at once, through rings that
 * run full. Every packet arrives once or is given back, in its sender's order, with what was
 * written into it.
 *
 *	io_handover_stress PACKETS WORKERS
 *
 * Exit status 0, or 1 with what was seen.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/io/dp_handover.h"

#define RING    64
#define BURST   32
#define DOZE_MS 200

struct parcel {
	uint32_t from, to;
	uint64_t number, twice; /* of its sender's to this receiver, from 1; written plainly */
};

struct person {
	struct dp_mail mail;
	unsigned int n, n_workers;
	uint64_t todo;
	atomic_uint *done;
	uint64_t sent[DP_MAX_WORKERS], last[DP_MAX_WORKERS];
	uint64_t taken, returned, wrong, missed;
	pthread_t thread;
};

static void full(void *arg, void *p)
{
	struct person *me = arg;

	me->returned++;
	free(p);
}

static void send_some(struct person *me, unsigned int *random)
{
	uint64_t before = me->returned;

	for (unsigned int i = 0; i < BURST && me->todo; i++, me->todo--) {
		unsigned int to = (unsigned int)rand_r(random) % me->n_workers;
		struct parcel *p;

		if (to == me->n)
			to = (to + 1) % me->n_workers;
		p = malloc(sizeof(*p));
		if (!p)
			abort();
		p->from = me->n;
		p->to = to;
		p->number = ++me->sent[to];
		p->twice = p->number * 2;
		dp_mail_put(&me->mail, to, p);
	}
	dp_mail_send(&me->mail);
	/* A ring is full: let its reader run, most of the time. */
	if (me->returned != before && rand_r(random) % 4)
		sched_yield();
}

static unsigned int take_some(struct person *me)
{
	void *got[BURST];
	unsigned int n = dp_mail_take(&me->mail, got, BURST);

	for (unsigned int i = 0; i < n; i++) {
		struct parcel *p = got[i];

		me->wrong += p->to != me->n || p->twice != p->number * 2
			     || p->number <= me->last[p->from];
		me->last[p->from] = p->number;
		me->taken++;
		free(p);
	}
	return n;
}

/* Sleep until there is mail. Mail that was there all the time has woken nobody. */
static void doze(struct person *me)
{
	struct pollfd p = { .fd = dp_mail_fd(&me->mail), .events = POLLIN };

	if (!dp_mail_sleep(&me->mail))
		return;
	if (poll(&p, 1, me->todo ? 0 : DOZE_MS) == 0 && !me->todo && take_some(me) > 0)
		me->missed++;
	dp_mail_wake(&me->mail);
}

static void *work(void *arg)
{
	struct person *me = arg;
	unsigned int random = me->n + 1;
	bool told = false;

	for (;;) {
		/* All have sent: what this look does not find is not there. */
		bool last = atomic_load(me->done) == me->n_workers;

		send_some(me, &random);
		if (!me->todo && !told) {
			told = true;
			atomic_fetch_add(me->done, 1);
		}
		if (take_some(me) == 0) {
			if (last)
				return NULL;
			doze(me);
		}
	}
}

int main(int argc, char **argv)
{
	static struct person people[DP_MAX_WORKERS];
	unsigned int n = argc == 3 ? (unsigned int)strtoul(argv[2], NULL, 10) : 0;
	uint64_t sent = 0, taken = 0, returned = 0, wrong = 0;
	struct dp_handover *h;
	atomic_uint done = 0;

	if (n < 2 || n > DP_MAX_WORKERS) {
		fprintf(stderr, "usage: %s PACKETS WORKERS\n", argv[0]);
		return 2;
	}
	h = dp_handover_new(n, RING);
	if (!h)
		abort();
	for (unsigned int i = 0; i < n; i++) {
		struct person *p = &people[i];

		p->n = i;
		p->n_workers = n;
		p->todo = strtoull(argv[1], NULL, 10);
		p->done = &done;
		sent += p->todo;
		dp_mail_init(&p->mail, h, i, full, p);
	}
	for (unsigned int i = 0; i < n; i++)
		if (pthread_create(&people[i].thread, NULL, work, &people[i]) != 0)
			abort();
	for (unsigned int i = 0; i < n; i++) {
		pthread_join(people[i].thread, NULL);
		taken += people[i].taken;
		returned += people[i].returned;
		wrong += people[i].wrong + people[i].missed;
	}
	dp_handover_free(h, free);
	printf("%llu sent: %llu taken, %llu given back, %llu wrong\n", (unsigned long long)sent,
	       (unsigned long long)taken, (unsigned long long)returned, (unsigned long long)wrong);
	return wrong == 0 && taken + returned == sent && returned > 0 ? 0 : 1;
}
