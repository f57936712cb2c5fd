/*
 * Publication under stress: a writer publishes as fast as it can into few blocks, which it fills
 * with rubbish before it uses them again; readers look at every byte of what they hold, over and
 * over, and go offline and online, the odd ones of them between any two looks. No reader may ever
 * see a block that changes under it, or one that is not what its generation published.
 *
 *	dp_region_stress GENERATIONS READERS MAPPINGS
 *
 * Goes on for that many generations, and until each reader has taken a hundredth as many. The
 * writer never yields while it has blocks: readers shall be interrupted anywhere, not where it
 * suits. With one mapping ThreadSanitizer sees all accesses; with two, readers and writer have
 * different addresses, as two processes do. Exit status 0, or 1 with what was seen.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/dp_region.h"

#define N_BLOCKS    12
#define BLOCK_WORDS 64

/* What stands for a snapshot. Plain memory, as a snapshot is. */
struct block {
	uint64_t generation;
	uint64_t word[BLOCK_WORDS];
	uint64_t sum;
};

/* Shared by all; written before the threads start but for the atomics. */
struct stress {
	struct dp_region *writer_region, *reader_region;
	uint64_t generations;
	atomic_bool stop;
	atomic_ullong failures;
};

/* A reader, alone in its thread. */
struct reader {
	struct stress *s;
	unsigned int worker;
	atomic_ullong changes; /* its own thread: wo, the writer: ro */
	uint64_t looks, absences;
};

static uint64_t sum_of(const struct block *b)
{
	uint64_t sum = b->generation * 0x9e3779b97f4a7c15ull;

	for (unsigned int i = 0; i < BLOCK_WORDS; i++)
		sum = (sum << 7 | sum >> 57) ^ b->word[i];
	return sum;
}

static void fail(struct stress *s, unsigned int worker, const char *what, uint64_t seen,
		 uint64_t generation)
{
	if (atomic_fetch_add(&s->failures, 1) < 10)
		fprintf(stderr, "worker %u: %s: %llu in generation %llu\n", worker, what,
			(unsigned long long)seen, (unsigned long long)generation);
}

static void look_at(struct reader *rd, const void *p, uint64_t generation)
{
	const struct block *b = p;

	if (b->generation != generation)
		fail(rd->s, rd->worker, "block of another generation", b->generation, generation);
	if (b->sum != sum_of(b))
		fail(rd->s, rd->worker, "block with a wrong sum", b->generation, generation);
	rd->looks++;
}

static void *read_on(void *arg)
{
	struct reader *rd = arg;
	struct dp_region *r = rd->s->reader_region;
	uint64_t random = rd->worker + 1, last = 0;
	struct dp_view v;

	dp_region_online(r, rd->worker, &v);
	while (!atomic_load_explicit(&rd->s->stop, memory_order_relaxed)) {
		unsigned int n;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		if (v.generation < last)
			fail(rd->s, rd->worker, "went back from", last, v.generation);
		for (n = 1 + (unsigned int)(random >> 40) % 3; n > 0 && v.generation != 0; n--) {
			look_at(rd, v.cfg, v.generation);
			look_at(rd, v.net, v.generation);
		}
		if (v.generation != last)
			atomic_fetch_add_explicit(&rd->changes, 1, memory_order_relaxed);
		last = v.generation;
		if (rd->worker % 2 == 0 && (random >> 50) % 8 != 0) {
			if (dp_region_quiesce(r, rd->worker, &v) != (v.generation != last))
				fail(rd->s, rd->worker, "change not told", last, v.generation);
			continue;
		}
		dp_region_offline(r, rd->worker, &v);
		if ((random >> 54) % 8 == 0)
			sched_yield();
		dp_region_online(r, rd->worker, &v);
		rd->absences++;
	}
	dp_region_offline(r, rd->worker, &v);
	return NULL;
}

/* The writer's heap: when each block went out of use. */
struct heap {
	struct dp_region *r;
	uint64_t retired[N_BLOCKS]; /* by generation; 0: never used, UINT64_MAX: in use */
};

static struct block *block_at(const struct heap *h, unsigned int i)
{
	return (struct block *)dp_at(h->r, h->r->heap) + i;
}

/*
 * A block that no reader can hold, filled with rubbish first. Not inlined: clang 14 at -O3
 * unswitches the caller's loops over these conditions for more than ten minutes.
 */
__attribute__((noinline)) static unsigned int reuse(struct heap *h, unsigned int not_this)
{
	for (;;) {
		uint64_t min = dp_region_min_ack(h->r);

		for (unsigned int i = 0; i < N_BLOCKS; i++) {
			if (i == not_this || h->retired[i] > min)
				continue;
			if (h->retired[i] == UINT64_MAX)
				continue;
			memset(block_at(h, i), 0xdb, sizeof(struct block));
			return i;
		}
		sched_yield();
	}
}

static void fill(struct block *b, uint64_t generation)
{
	b->generation = generation;
	for (unsigned int i = 0; i < BLOCK_WORDS; i++)
		b->word[i] = generation * 31 + i;
	b->sum = sum_of(b);
}

static dp_off off_of(const struct heap *h, unsigned int i)
{
	return h->r->heap + i * sizeof(struct block);
}

static bool all_took(struct reader *reader, unsigned int n, uint64_t least)
{
	for (unsigned int i = 0; i < n; i++) {
		if (atomic_load_explicit(&reader[i].changes, memory_order_relaxed) < least)
			return false;
	}
	return true;
}

static void write_on(struct stress *s, struct reader *reader, unsigned int n_readers)
{
	struct heap h = { .r = s->writer_region };
	unsigned int cfg = N_BLOCKS, net = N_BLOCKS;

	for (uint64_t g = 1;
	     g <= s->generations || !all_took(reader, n_readers, s->generations / 100); g++) {
		unsigned int old_cfg = cfg, old_net = net;
		struct dp_root root;

		cfg = reuse(&h, N_BLOCKS);
		net = reuse(&h, cfg);
		fill(block_at(&h, cfg), g);
		fill(block_at(&h, net), g);
		root = (struct dp_root){ off_of(&h, cfg), off_of(&h, net) };
		while (dp_region_publish(s->writer_region, &root) != g)
			sched_yield();
		h.retired[cfg] = h.retired[net] = UINT64_MAX;
		/* What this generation replaced is free once all have acked this one. */
		if (g > 1)
			h.retired[old_cfg] = h.retired[old_net] = g;
	}
}

static int run(struct stress *s, unsigned int n_readers)
{
	pthread_t thread[DP_MAX_WORKERS];
	struct reader reader[DP_MAX_WORKERS];
	uint64_t looks = 0, changes = 0, absences = 0;
	uint64_t failures;

	for (unsigned int i = 0; i < n_readers; i++) {
		reader[i].s = s;
		reader[i].worker = i;
		reader[i].looks = reader[i].absences = 0;
		atomic_init(&reader[i].changes, 0);
		if (pthread_create(&thread[i], NULL, read_on, &reader[i]) != 0)
			abort();
	}
	write_on(s, reader, n_readers);
	atomic_store(&s->stop, true);
	for (unsigned int i = 0; i < n_readers; i++) {
		pthread_join(thread[i], NULL);
		looks += reader[i].looks;
		changes += atomic_load(&reader[i].changes);
		absences += reader[i].absences;
	}
	failures = atomic_load(&s->failures);
	printf("%llu generations; %u readers looked %llu times, took %llu new ones, were offline "
	       "%llu times; %llu failures\n",
	       (unsigned long long)s->writer_region->generation, n_readers,
	       (unsigned long long)looks, (unsigned long long)changes, (unsigned long long)absences,
	       (unsigned long long)failures);
	return failures == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct dp_boot boot = { 0 };
	struct stress s = { 0 };
	int fd, status;

	if (argc != 4) {
		fprintf(stderr, "usage: %s GENERATIONS READERS MAPPINGS\n", argv[0]);
		return 2;
	}
	s.generations = strtoull(argv[1], NULL, 10);
	boot.n_workers = (uint16_t)strtoul(argv[2], NULL, 10);
	s.writer_region = dp_region_create(&boot, N_BLOCKS * sizeof(struct block), &fd);
	s.reader_region = argv[3][0] == '2' ? dp_region_map(fd) : s.writer_region;
	if (s.writer_region == NULL || s.reader_region == NULL) {
		perror("region");
		return 2;
	}
	status = run(&s, boot.n_workers);
	if (s.reader_region != s.writer_region)
		dp_region_unmap(s.reader_region);
	dp_region_unmap(s.writer_region);
	close(fd);
	return status;
}
