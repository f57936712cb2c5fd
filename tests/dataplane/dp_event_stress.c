/*
 * Event rings under stress: a writer that never waits, a reader that it overtakes again and again.
 * No record is ever torn, they come in order, and those read and those missed add up to those
 * written.
 *
 *	dp_event_stress RECORDS
 *
 * Exit status 0, or 1 with what was seen.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/dp_region.h"

struct stress {
	struct dp_event_ring ring;
	uint64_t records;
	atomic_bool done;
};

/* Every word says which record it belongs to. */
static struct dp_event event_of(uint64_t n)
{
	struct dp_event ev = { .time_ns = n * 3,
			       .type = (uint32_t)n,
			       .member = (uint32_t)(n * 5),
			       .port = (uint32_t)(n * 7),
			       .value = (uint32_t)(n * 11),
			       .id = n * 13,
			       .reserved = ~n };

	for (unsigned int i = 0; i < sizeof(ev.ip); i++)
		ev.ip[i] = (uint8_t)(n * (i + 1));
	return ev;
}

static bool is_whole(const struct dp_event *ev)
{
	struct dp_event due = event_of(ev->seq);
	bool same = ev->time_ns == due.time_ns && ev->type == due.type && ev->member == due.member
		    && ev->port == due.port && ev->value == due.value && ev->id == due.id
		    && ev->reserved == due.reserved;

	for (unsigned int i = 0; i < sizeof(due.ip); i++)
		same = same && ev->ip[i] == due.ip[i];
	return same;
}

static void *write_on(void *arg)
{
	struct stress *s = arg;

	for (uint64_t n = 1; n <= s->records; n++) {
		struct dp_event ev = event_of(n);

		dp_event_put(&s->ring, &ev);
		/* Some stretches without a pause, so that a reader is overtaken; some with. */
		if (n % 1000 == 0 && n / 100000 % 2 != 0)
			sched_yield();
	}
	atomic_store(&s->done, true);
	return NULL;
}

static int read_on(struct stress *s)
{
	struct dp_event_reader rd = { 0 };
	uint64_t n_read = 0, last = 0, torn = 0, disordered = 0;
	struct dp_event ev;
	bool done;

	do {
		done = atomic_load(&s->done);
		while (dp_event_get(&s->ring, &rd, &ev)) {
			torn += !is_whole(&ev);
			disordered += ev.seq <= last || ev.seq >= rd.next;
			last = ev.seq;
			n_read++;
		}
		sched_yield();
	} while (!done || rd.next <= s->records);
	printf("%llu written: %llu read, %llu missed, %llu torn, %llu out of order\n",
	       (unsigned long long)s->records, (unsigned long long)n_read,
	       (unsigned long long)rd.missed, (unsigned long long)torn,
	       (unsigned long long)disordered);
	if (n_read + rd.missed != s->records)
		printf("read and missed do not add up to written\n");
	return torn == 0 && disordered == 0 && n_read + rd.missed == s->records ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct stress *s = calloc(1, sizeof(*s));
	pthread_t thread;
	int status;

	if (argc != 2 || s == NULL) {
		fprintf(stderr, "usage: %s RECORDS\n", argv[0]);
		return 2;
	}
	s->records = strtoull(argv[1], NULL, 10);
	if (pthread_create(&thread, NULL, write_on, s) != 0)
		abort();
	status = read_on(s);
	pthread_join(thread, NULL);
	free(s);
	return status;
}
