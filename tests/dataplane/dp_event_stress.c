/*
 * Event rings under stress: a writer that never waits, a reader that it overtakes again and again.
 * No record is ever torn, they come in order, and those read and those missed add up to those
 * written.
 *
 *	dp_event_stress CONTENDED
 *
 * Goes on until so many records have been read from where the writer came next, while it wrote.
 * Exit status 0, or 1 with what was seen.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/dp_region.h"

struct stress {
	_Alignas(DP_CACHE_LINE) struct dp_event_ring ring;
	uint64_t written; /* the writer's; read when it has ended */
	atomic_bool stop;
};

/* What the reader has seen. */
struct seen {
	uint64_t read, contended, torn, disordered;
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

	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		struct dp_event ev = event_of(++s->written);

		dp_event_put(&s->ring, &ev);
		/* Stretches without a pause, so that the reader is overtaken; and some with. */
		if (s->written % 1000 == 0 && s->written / 100000 % 2 != 0)
			sched_yield();
	}
	return NULL;
}

/* Read the oldest record, the one that is written over next. */
static void look_late(struct stress *s, struct seen *seen)
{
	for (unsigned int i = 0; i < 100; i++) {
		struct dp_event_reader late = { .next = 1 };
		uint64_t head = atomic_load(&s->ring.head);
		struct dp_event ev;

		if (!dp_event_get(&s->ring, &late, &ev))
			continue;
		seen->torn += !is_whole(&ev);
		seen->contended += atomic_load(&s->ring.head) != head;
	}
}

static void look_on(struct stress *s, struct dp_event_reader *rd, struct seen *seen)
{
	struct dp_event ev;

	while (dp_event_get(&s->ring, rd, &ev)) {
		seen->torn += !is_whole(&ev);
		seen->disordered += ev.seq + 1 != rd->next;
		seen->read++;
		if (seen->read + rd->missed != ev.seq)
			seen->disordered++;
	}
}

int main(int argc, char **argv)
{
	static _Alignas(DP_CACHE_LINE) struct stress stress;
	struct stress *s = &stress;
	struct dp_event_reader rd = { 0 };
	struct seen seen = { 0 };
	pthread_t thread;
	uint64_t due;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CONTENDED\n", argv[0]);
		return 2;
	}
	due = strtoull(argv[1], NULL, 10);
	if (pthread_create(&thread, NULL, write_on, s) != 0)
		abort();
	while (seen.contended < due || rd.missed == 0) {
		look_on(s, &rd, &seen);
		look_late(s, &seen);
	}
	atomic_store(&s->stop, true);
	pthread_join(thread, NULL);
	look_on(s, &rd, &seen);
	printf("%llu written: %llu read, %llu missed; %llu read under the writer's pen; %llu torn, "
	       "%llu out of order\n",
	       (unsigned long long)s->written, (unsigned long long)seen.read,
	       (unsigned long long)rd.missed, (unsigned long long)seen.contended,
	       (unsigned long long)seen.torn, (unsigned long long)seen.disordered);
	if (seen.read + rd.missed != s->written)
		printf("read and missed do not add up to written\n");
	return seen.torn == 0 && seen.disordered == 0 && seen.read + rd.missed == s->written ? 0
											     : 1;
}
