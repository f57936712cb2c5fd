/*
 * The shared region: its making, its checks, and the protocol between control, which publishes, and
 * the workers, which acknowledge. Which thread may call what is said in the header.
 *
 * Invariant: a worker whose ack is A may read the roots and blocks of generation A and of any later
 * one, and of no earlier one. So control leaves those alone, and the slots of roots[] that they lie
 * in.
 *
 * Where two sides each store and then load what the other stores, stores and loads are sequentially
 * consistent: that is a full fence between them, in a form that ThreadSanitizer understands.
 */
#include "dataplane/dp_region.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define REGION_PAGE      4096ull
#define REGION_HUGE_PAGE (2ull << 20)
#define REGION_HEAP_MAX  (1ull << 40)
#define REGION_SEALS     (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert(offsetof(struct dp_region, generation) % DP_CACHE_LINE == 0, "a line of its own");
_Static_assert(offsetof(struct dp_region, roots) % DP_CACHE_LINE == 0, "workers read, not write");
_Static_assert(offsetof(struct dp_region, incarnation) % DP_CACHE_LINE == 0, "other writer");
_Static_assert(offsetof(struct dp_region, pair_words) % DP_CACHE_LINE == 0, "read per message");
_Static_assert(offsetof(struct dp_worker_block, ack) == 0, "a line of its own");
_Static_assert(offsetof(struct dp_worker_block, heartbeat_ns) % DP_CACHE_LINE == 0, "own line");
_Static_assert(offsetof(struct dp_worker_block, counters) % DP_CACHE_LINE == 0, "own line");
_Static_assert(offsetof(struct dp_worker_block, events.ev) % DP_CACHE_LINE == 0, "own line each");
_Static_assert(sizeof(struct dp_worker_block) % DP_CACHE_LINE == 0, "no line of two workers");
_Static_assert(sizeof(_Atomic uint64_t) == 8 && ATOMIC_LLONG_LOCK_FREE == 2,
	       "atomics are shared between processes: no hidden locks");

static uint64_t page_up(uint64_t n)
{
	return (n + REGION_PAGE - 1) & ~(REGION_PAGE - 1);
}

/* Where things lie, a function of two numbers: whoever maps a region computes it anew. */
struct layout {
	uint64_t workers, heap, heap_size, size;
};

static int layout_of(struct layout *l, unsigned int n_workers, uint64_t heap_size)
{
	if (n_workers < 1 || n_workers > DP_MAX_WORKERS || heap_size > REGION_HEAP_MAX)
		return -EINVAL;
	l->workers = page_up(sizeof(struct dp_region));
	l->heap = l->workers + page_up(n_workers * sizeof(struct dp_worker_block));
	l->heap_size = page_up(heap_size);
	l->size = l->heap + l->heap_size;
	return 0;
}

uint64_t dp_region_size(unsigned int n_workers, uint64_t heap_size)
{
	struct layout l;

	return layout_of(&l, n_workers, heap_size) == 0 ? l.size : 0;
}

/* Where huge pages can be mapped, and with the wish that they are: a message finds its pair, its
 * counters and its slot of a table anywhere in many MiB. */
static void *map_fd(int fd, uint64_t size)
{
	uint8_t *room = mmap(NULL, size + REGION_HUGE_PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t before, after;
	void *p;

	if (room == MAP_FAILED)
		return MAP_FAILED;
	before = -(uintptr_t)room & (REGION_HUGE_PAGE - 1);
	after = REGION_HUGE_PAGE - before;
	p = mmap(room + before, size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
	if (p == MAP_FAILED) {
		munmap(room, size + REGION_HUGE_PAGE);
		return MAP_FAILED;
	}
	if (before)
		munmap(room, before);
	munmap(room + before + size, after);
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

struct dp_region *dp_region_create(const struct dp_boot *boot, uint64_t heap_size, int *fd)
{
	struct dp_region *r = MAP_FAILED;
	struct layout l;
	int mfd = -1;
	int err;

	err = layout_of(&l, boot->n_workers, heap_size);
	if (err != 0 || boot->n_ports > DP_MAX_PORTS) {
		errno = EINVAL;
		return NULL;
	}
	mfd = memfd_create("sipsteer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (mfd < 0)
		return NULL;
	if (ftruncate(mfd, (off_t)l.size) != 0)
		goto fail;
	r = map_fd(mfd, l.size);
	if (r == MAP_FAILED)
		goto fail;
	/* A size that cannot change: neither side can make the other's loads fault. */
	if (fcntl(mfd, F_ADD_SEALS, REGION_SEALS) != 0)
		goto fail;

	/* All else begins as the memfd does, zero. */
	r->magic = DP_REGION_MAGIC;
	r->layout_version = DP_LAYOUT_VERSION;
	r->header_size = sizeof(struct dp_region);
	r->size = l.size;
	r->heap = l.heap;
	r->heap_size = l.heap_size;
	r->workers = l.workers;
	r->boot = *boot;
	for (unsigned int i = 0; i < boot->n_workers; i++)
		atomic_init(&dp_region_worker(r, i)->ack, DP_ACK_OFFLINE);
	*fd = mfd;
	return r;

fail:
	err = errno;
	if (r != MAP_FAILED)
		munmap(r, l.size);
	close(mfd);
	errno = err;
	return NULL;
}

/* The header as the descriptor holds it, read rather than mapped: nothing is trusted yet. */
struct head {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t header_size;
	uint64_t size, heap, heap_size, workers;
};
_Static_assert(offsetof(struct head, layout_version) == offsetof(struct dp_region, layout_version)
		       && offsetof(struct head, header_size)
				  == offsetof(struct dp_region, header_size)
		       && offsetof(struct head, size) == offsetof(struct dp_region, size)
		       && offsetof(struct head, heap) == offsetof(struct dp_region, heap)
		       && offsetof(struct head, heap_size) == offsetof(struct dp_region, heap_size)
		       && offsetof(struct head, workers) == offsetof(struct dp_region, workers),
	       "the head of struct dp_region");

/* @return 0 or the errno that says what is wrong. */
static int check_fd(int fd, struct layout *l)
{
	struct dp_boot boot;
	struct head h;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return errno == EBADF ? EBADF : EINVAL; /* no memfd */
	if ((seals & REGION_SEALS) != REGION_SEALS || (seals & F_SEAL_WRITE))
		return EINVAL;
	if (fstat(fd, &st) != 0)
		return errno;
	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.magic != DP_REGION_MAGIC)
		return EINVAL;
	if (h.layout_version != DP_LAYOUT_VERSION || h.header_size != sizeof(struct dp_region))
		return EPROTO;
	if (pread(fd, &boot, sizeof(boot), offsetof(struct dp_region, boot))
	    != (ssize_t)sizeof(boot))
		return EINVAL;
	if (boot.n_ports > DP_MAX_PORTS || layout_of(l, boot.n_workers, h.heap_size) != 0)
		return EINVAL;
	if (h.workers != l->workers || h.heap != l->heap || h.heap_size != l->heap_size
	    || h.size != l->size || (uint64_t)st.st_size != l->size)
		return EINVAL;
	return 0;
}

struct dp_region *dp_region_map(int fd)
{
	struct dp_region *r;
	struct layout l;
	int err = check_fd(fd, &l);

	if (err != 0) {
		errno = err;
		return NULL;
	}
	r = map_fd(fd, l.size);
	return r == MAP_FAILED ? NULL : r;
}

void dp_region_unmap(struct dp_region *r)
{
	if (r != NULL)
		munmap(r, r->size);
}

struct dp_worker_block *dp_region_worker(const struct dp_region *r, unsigned int worker)
{
	assert(worker < r->boot.n_workers);
	return (struct dp_worker_block *)dp_at(r, r->workers) + worker;
}

void dp_member_counters_add(const struct dp_member_group *groups, uint32_t member,
			    struct dp_member_counters *sum)
{
	const struct dp_member_group *g = &groups[dp_member_group_of(member)];
	uint32_t place = dp_member_place(member);
	uint64_t v[sizeof(*sum) / sizeof(uint64_t)];

	memcpy(v, sum, sizeof(v));
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		v[i] += __atomic_load_n(&g->count[i][place], __ATOMIC_RELAXED);
	memcpy(sum, v, sizeof(v));
}

/* ---- Worker side ---- */

static void take_root(const struct dp_region *r, uint64_t generation, struct dp_view *v)
{
	const struct dp_root *root = &r->roots[generation % DP_ROOTS];

	v->generation = generation;
	v->cfg = root->cfg != 0 ? dp_at(r, root->cfg) : NULL;
	v->net = root->net != 0 ? dp_at(r, root->net) : NULL;
}

void dp_region_online(struct dp_region *r, unsigned int worker, struct dp_view *v)
{
	struct dp_worker_block *w = dp_region_worker(r, worker);
	uint64_t g = atomic_load_explicit(&r->generation, memory_order_relaxed);

	/*
	 * The ack must be out before the generation is loaded again: were the load done first,
	 * control could find us offline, reuse the blocks of what we loaded, and never be seen.
	 * Partner: the generation's store and the acks' loads in dp_region_publish() and
	 * dp_region_min_ack(). Of the two sides, at least one sees the other's store.
	 */
	atomic_store_explicit(&w->ack, g, memory_order_seq_cst);
	g = atomic_load_explicit(&r->generation, memory_order_seq_cst);
	take_root(r, g, v);
	/* Nothing older was ever looked at. */
	atomic_store_explicit(&w->ack, g, memory_order_release);
}

void dp_region_offline(struct dp_region *r, unsigned int worker, struct dp_view *v)
{
	struct dp_worker_block *w = dp_region_worker(r, worker);

	*v = (struct dp_view){ 0 };
	/* Release: all reads of the view are done before control sees us gone. Partner: the
	 * acquiring loads of dp_region_min_ack(). */
	atomic_store_explicit(&w->ack, DP_ACK_OFFLINE, memory_order_release);
}

bool dp_region_quiesce(struct dp_region *r, unsigned int worker, struct dp_view *v)
{
	/* Acquire: the root and its blocks are read after the generation that announced them.
	 * Partner: the generation's store in dp_region_publish(). */
	uint64_t g = atomic_load_explicit(&r->generation, memory_order_acquire);

	if (g == v->generation)
		return false;
	take_root(r, g, v);
	/* Release: all reads of the old view, and of its root, are done before control sees the
	 * ack and reuses them. Partner: the acquiring loads of dp_region_min_ack(). */
	atomic_store_explicit(&dp_region_worker(r, worker)->ack, g, memory_order_release);
	return true;
}

/* ---- Control side ---- */

uint64_t dp_region_min_ack(struct dp_region *r)
{
	uint64_t min = DP_ACK_OFFLINE;

	for (unsigned int i = 0; i < r->boot.n_workers; i++) {
		/* Sequentially consistent: after the store of the generation that the caller
		 * published, or a worker that comes online could be missed while it takes an
		 * older one. Partner: dp_region_online(). It acquires too: blocks are reused
		 * after the reads that the ack stands for. */
		uint64_t ack =
			atomic_load_explicit(&dp_region_worker(r, i)->ack, memory_order_seq_cst);

		if (ack < min)
			min = ack;
	}
	return min;
}

static bool in_heap(const struct dp_region *r, dp_off off)
{
	return off == 0 || (off % 8 == 0 && off >= r->heap && off < r->heap + r->heap_size);
}

uint64_t dp_region_publish(struct dp_region *r, const struct dp_root *root)
{
	uint64_t next = atomic_load_explicit(&r->generation, memory_order_relaxed) + 1;
	uint64_t min = dp_region_min_ack(r);

	assert(in_heap(r, root->cfg) && in_heap(r, root->net));
	/* The slot that is written over belongs to generation next - DP_ROOTS, which a worker
	 * with that ack may still be reading. */
	if (min < next && next - min >= DP_ROOTS)
		return 0;
	r->roots[next % DP_ROOTS] = *root;
	/* Release: root and blocks are written before the generation that announces them.
	 * Partner: the acquiring loads of dp_region_quiesce() and dp_region_online(). More than
	 * release, for the loads in dp_region_min_ack() that follow. */
	atomic_store_explicit(&r->generation, next, memory_order_seq_cst);
	return next;
}

void dp_region_set_word(struct dp_region *r, unsigned int pair, uint64_t word)
{
	uint64_t count_mask = UINT64_MAX << DP_WORD_CHANGES_SHIFT;
	uint64_t old, count;

	assert(pair < DP_MAX_PAIRS);
	old = atomic_load_explicit(&r->pair_words[pair], memory_order_relaxed);
	count = (old & count_mask) + (1ull << DP_WORD_CHANGES_SHIFT);
	/* Release: a member that the word names is in the snapshots written before. Partner: the
	 * acquiring load of the word, once per message. */
	atomic_store_explicit(&r->pair_words[pair], (word & ~count_mask) | count,
			      memory_order_release);
	/* Release: whoever sees the count sees the word. Partner: the worker's acquiring load. */
	if (word & ~old & DP_WORD_DOWN_MASK)
		atomic_fetch_add_explicit(&r->word_downs, 1, memory_order_release);
}
