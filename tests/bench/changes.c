/*
 * How soon changes are in force: a snapshot with one pair changed, and a failover.
 *
 *	changes CONFIG WORKERS ROUNDS
 *
 * WORKERS threads do what workers do between bursts: take the newest snapshot and read pair words.
 * A line per round: "publish US", from a checked model in hand (built, copied into the region,
 * published) until every worker has acknowledged it; "publish_cpu US", the processor time that
 * control took for it, without waiting; and "failover NS", from before the store of a pair's word
 * until the last worker has read it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/config/ctl_config.h"
#include "control/snapshot/ctl_draft.h"

#define HEAP_SIZE (256ull << 20)
#define PAIR      0 /* that fails over */

struct bench {
	struct ctl_model *model;
	struct ctl_numbers *numbers;
	struct ctl_secrets secrets;
	struct dp_region *region;
	struct ctl_publisher *publisher;
	struct ctl_draft *draft;
	unsigned int n_workers;
	_Atomic bool quit;
	_Atomic uint64_t seen_ns[DP_MAX_WORKERS]; /* when the worker read another active member */
};

struct worker {
	struct bench *b;
	unsigned int index;
	pthread_t thread;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct dp_region *r = w->b->region;
	struct dp_view v;
	unsigned int active = 0;

	dp_region_online(r, w->index, &v);
	while (!atomic_load_explicit(&w->b->quit, memory_order_relaxed)) {
		unsigned int now = dp_word_active(
			atomic_load_explicit(&r->pair_words[PAIR], memory_order_acquire));

		if (now != active) {
			active = now;
			atomic_store(&w->b->seen_ns[w->index], now_ns());
		}
		dp_region_quiesce(r, w->index, &v);
	}
	dp_region_offline(r, w->index, &v);
	return NULL;
}

static void load(struct bench *b, const char *path)
{
	struct ctl_diag diag;

	ctl_diag_init(&diag);
	b->model = ctl_config_load(path, &diag);
	ctl_diag_print(&diag, path, stderr);
	ctl_diag_fini(&diag);
	b->numbers = ctl_numbers_new();
	b->secrets.n = 1;
	if (!b->model || !b->numbers || ctl_numbers_assign(b->numbers, b->model, 0) != 0)
		die(path);
}

static void open_region(struct bench *b)
{
	struct dp_boot boot = { .n_workers = (uint16_t)b->n_workers };
	const struct dp_cfg *cfg;
	int fd;

	b->region = dp_region_create(&boot, HEAP_SIZE, &fd);
	if (!b->region)
		die("region");
	close(fd);
	b->publisher = ctl_publisher_new(b->region);
	b->draft = ctl_draft_new();
	if (!b->publisher || !b->draft)
		die("publishing");
	cfg = ctl_draft_update(b->draft, b->model, b->numbers, &b->secrets, NULL);
	if (!cfg || ctl_publish_cfg(b->publisher, cfg) == 0)
		die("publishing");
	dp_region_set_word(b->region, PAIR, DP_WORD_VALID);
}

/* Until a snapshot in which one pair's primary has moved is everywhere. */
static void publish(struct bench *b, unsigned int round)
{
	struct ctl_pair *pair = &b->model->pairs[round % b->model->n_pairs];
	uint64_t begin, cpu, generation;
	const struct dp_cfg *cfg;

	pair->members[0].at.port ^= 1;
	begin = now_ns();
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	cfg = ctl_draft_update(b->draft, b->model, b->numbers, &b->secrets,
			       ctl_publisher_cfg(b->publisher));
	if (!cfg)
		die("building");
	while ((generation = ctl_publish_cfg(b->publisher, cfg)) == 0)
		sched_yield();
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	while (!ctl_publisher_acked(b->publisher, generation))
		sched_yield();
	begin = now_ns() - begin;
	printf("publish %.1f\npublish_cpu %.1f\n", (double)begin / 1000, (double)cpu / 1000);
}

/* Nanoseconds until every worker has seen a failover. */
static uint64_t fail_over(struct bench *b, unsigned int slot)
{
	uint64_t begin, last = 0;

	for (unsigned int i = 0; i < b->n_workers; i++)
		atomic_store(&b->seen_ns[i], 0);
	begin = now_ns();
	dp_region_set_word(b->region, PAIR, DP_WORD_VALID | slot);
	for (unsigned int i = 0; i < b->n_workers; i++) {
		uint64_t at;

		while ((at = atomic_load(&b->seen_ns[i])) == 0)
			sched_yield();
		last = at > last ? at : last;
	}
	return last - begin;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct worker w[DP_MAX_WORKERS];
	unsigned int rounds;

	if (argc != 4 || (b.n_workers = (unsigned int)atoi(argv[2])) == 0
	    || b.n_workers > DP_MAX_WORKERS) {
		fprintf(stderr, "Usage: changes CONFIG WORKERS ROUNDS\n");
		return 1;
	}
	rounds = (unsigned int)atoi(argv[3]);
	load(&b, argv[1]);
	open_region(&b);
	for (unsigned int i = 0; i < b.n_workers; i++) {
		w[i] = (struct worker){ .b = &b, .index = i };
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			die("thread");
	}
	for (unsigned int i = 0; i < rounds; i++) {
		publish(&b, i);
		printf("failover %lu\n", fail_over(&b, (i + 1) & 1));
	}
	atomic_store(&b.quit, true);
	for (unsigned int i = 0; i < b.n_workers; i++)
		pthread_join(w[i].thread, NULL);
	ctl_publisher_free(b.publisher);
	dp_region_unmap(b.region);
	ctl_numbers_free(b.numbers);
	ctl_model_free(b.model);
	ctl_draft_free(b.draft);
	return 0;
}
