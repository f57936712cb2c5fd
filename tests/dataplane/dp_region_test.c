/*
 * The shared region: made, handed over and checked; generations and acks, one step at a time. What
 * threads do to it is dp_region_stress.c's.
 */
#include "dataplane/dp_region.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/leaks.h"

TestSuite(dp_region, .fini = leaks_check);

#define HEAP_SIZE (64 << 10)

static struct dp_region *make(unsigned int n_workers, int *fd)
{
	struct dp_boot *boot = calloc(1, sizeof(*boot));
	struct dp_region *r;

	boot->n_workers = (uint16_t)n_workers;
	boot->n_ports = 1;
	strcpy(boot->ports[0].name, "net0");
	r = dp_region_create(boot, HEAP_SIZE, fd);
	cr_assert_not_null(r, "%s", strerror(errno));
	free(boot);
	return r;
}

/* Each counter has a place of its own, the last member's last one, too. */
Test(dp_region, counts_each_member_apart)
{
	enum { PAIR = DP_PAIR_MEMBERS, COUNTERS = sizeof(struct dp_member_counters) / 8 };
	static const uint32_t members[] = {
		0,
		1,
		PAIR - 1,
		PAIR,
		31 * PAIR,
		32 * PAIR,
		63 * PAIR,
		64 * PAIR,
		64 * PAIR + 1,
		65 * PAIR,
		4096 * PAIR + 3,
		DP_MAX_MEMBERS - PAIR,
		DP_MAX_MEMBERS - 1,
	};
	const size_t n = sizeof(members) / sizeof(members[0]);
	int fd = -1;
	struct dp_region *r = make(1, &fd);
	struct dp_member_group *groups = dp_region_worker(r, 0)->members;
	uint64_t *end =
		groups[DP_MAX_MEMBERS / DP_GROUP_PAIRS - 1].count[COUNTERS - 1] + DP_GROUP_PAIRS;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < COUNTERS; k++) {
			uint64_t *c = dp_member_counter(groups, members[i], k * sizeof(uint64_t));

			cr_assert(c >= groups[0].count[0] && c < end);
			*c += 1000 * i + k + 1;
		}
	for (size_t i = 0; i < n; i++) {
		struct dp_member_counters sum = { 0 };
		uint64_t v[COUNTERS];

		dp_member_counters_add(groups, members[i], &sum);
		memcpy(v, &sum, sizeof(v));
		for (size_t k = 0; k < COUNTERS; k++)
			cr_expect(v[k] == 1000 * i + k + 1, "%u, %zu: %lu", members[i], k, v[k]);
		dp_member_counters_add(groups, members[i], &sum);
		cr_expect(sum.copies_refused == 2 * v[COUNTERS - 1], "a sum goes on");
	}
	dp_region_unmap(r);
	close(fd);
}

Test(dp_region, is_made_with_everything_offline_and_nothing_published)
{
	struct dp_region *r;
	struct stat st;
	int fd = -1;

	r = make(3, &fd);
	cr_expect(fstat(fd, &st) == 0 && (uint64_t)st.st_size == r->size);
	cr_expect(r->size == dp_region_size(3, HEAP_SIZE));
	cr_expect(r->heap_size >= HEAP_SIZE && r->heap + r->heap_size == r->size);
	cr_expect(r->magic == DP_REGION_MAGIC && r->layout_version == DP_LAYOUT_VERSION);
	cr_expect(r->generation == 0 && r->incarnation == 0 && r->state == DP_STATE_NONE);
	cr_expect(r->boot.n_workers == 3);
	cr_expect_str_eq(r->boot.ports[0].name, "net0");
	for (unsigned int i = 0; i < 3; i++) {
		const struct dp_worker_block *w = dp_region_worker(r, i);
		uint64_t off = (uint64_t)((const uint8_t *)w - (const uint8_t *)r);

		cr_expect(w->ack == DP_ACK_OFFLINE, "worker %u", i);
		cr_expect(off % DP_CACHE_LINE == 0 && off >= sizeof(*r), "worker %u", i);
		cr_expect(off + sizeof(*w) <= r->heap, "worker %u", i);
		cr_expect(i == 0 || w == dp_region_worker(r, i - 1) + 1, "worker %u", i);
	}
	cr_expect(dp_region_min_ack(r) == UINT64_MAX);
	cr_expect(st.st_blocks * 512 < 1 << 20, "sparse: %ld blocks", (long)st.st_blocks);
	dp_region_unmap(r);
	close(fd);
}

Test(dp_region, size_of_the_memfd_is_sealed_and_it_closes_on_exec)
{
	struct dp_region *r;
	int fd = -1;

	r = make(1, &fd);
	cr_expect(ftruncate(fd, 4096) == -1 && errno == EPERM);
	cr_expect(ftruncate(fd, 1 << 30) == -1 && errno == EPERM);
	cr_expect(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EPERM);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	dp_region_unmap(r);
	close(fd);
}

Test(dp_region, two_mappings_are_one_region)
{
	struct dp_region *r, *q;
	int fd = -1;

	r = make(2, &fd);
	q = dp_region_map(fd);
	cr_assert_not_null(q, "%s", strerror(errno));
	cr_expect(q != r);
	dp_region_set_word(r, DP_MAX_PAIRS - 1, DP_WORD_VALID | 5);
	cr_expect(dp_word_active(q->pair_words[DP_MAX_PAIRS - 1]) == 5);
	memset(dp_at(q, q->heap + q->heap_size - 1), 0x5a, 1);
	cr_expect(*(uint8_t *)dp_at(r, r->heap + r->heap_size - 1) == 0x5a);
	dp_region_unmap(q);
	dp_region_unmap(r);
	dp_region_unmap(NULL);
	close(fd);
}

static const struct {
	uint16_t n_workers, n_ports;
	uint64_t heap_size;
} refused_boots[] = {
	{ 0, 1, HEAP_SIZE },
	{ DP_MAX_WORKERS + 1, 1, HEAP_SIZE },
	{ 1, DP_MAX_PORTS + 1, HEAP_SIZE },
	{ 1, 1, UINT64_MAX },
	{ 1, 1, 1ull << 62 },
};

Test(dp_region, is_not_made_of_nonsense)
{
	for (size_t i = 0; i < sizeof(refused_boots) / sizeof(refused_boots[0]); i++) {
		struct dp_boot *boot = calloc(1, sizeof(*boot));
		int fd = -2;

		boot->n_workers = refused_boots[i].n_workers;
		boot->n_ports = refused_boots[i].n_ports;
		errno = 0;
		cr_expect_null(dp_region_create(boot, refused_boots[i].heap_size, &fd), "row %zu",
			       i);
		cr_expect(errno == EINVAL && fd == -2, "row %zu", i);
		free(boot);
	}
	cr_expect(dp_region_size(0, 1) == 0 && dp_region_size(DP_MAX_WORKERS + 1, 1) == 0);
	cr_expect(dp_region_size(1, UINT64_MAX) == 0);
}

/* One field of a good region changed. */
static const struct {
	const char *what;
	size_t off, size;
	uint64_t add;
	int err;
} tampered[] = {
#define FIELD(f) offsetof(struct dp_region, f), sizeof(((struct dp_region *)0)->f)
	{ "untouched", FIELD(magic), 0, 0 },
	{ "magic", FIELD(magic), 1, EINVAL },
	{ "next layout", FIELD(layout_version), 1, EPROTO },
	{ "layout 0", FIELD(layout_version), (uint64_t)-DP_LAYOUT_VERSION, EPROTO },
	{ "longer header", FIELD(header_size), 64, EPROTO },
	{ "shorter header", FIELD(header_size), (uint64_t)-64, EPROTO },
	{ "size", FIELD(size), 4096, EINVAL },
	{ "size", FIELD(size), (uint64_t)-4096, EINVAL },
	{ "size 2^63", FIELD(size), 1ull << 63, EINVAL },
	{ "heap inside the workers", FIELD(heap), (uint64_t)-4096, EINVAL },
	{ "heap beyond the end", FIELD(heap), 1ull << 40, EINVAL },
	{ "heap not aligned", FIELD(heap), 1, EINVAL },
	{ "heap's size", FIELD(heap_size), 4096, EINVAL },
	{ "heap's size that wraps", FIELD(heap_size), (uint64_t)-HEAP_SIZE - 4096, EINVAL },
	{ "heap's size not aligned", FIELD(heap_size), 1, EINVAL },
	{ "heap's size that was rounded up", FIELD(heap_size), (uint64_t)-1, EINVAL },
	{ "workers inside the header", FIELD(workers), (uint64_t)-4096, EINVAL },
	{ "workers not aligned", FIELD(workers), 8, EINVAL },
	{ "workers that wrap", FIELD(workers), 1ull << 63, EINVAL },
	{ "no worker", FIELD(boot.n_workers), (uint64_t)-2, EINVAL },
	{ "one worker more", FIELD(boot.n_workers), 1, EINVAL },
	{ "too many workers", FIELD(boot.n_workers), DP_MAX_WORKERS, EINVAL },
	{ "too many ports", FIELD(boot.n_ports), DP_MAX_PORTS, EINVAL },
#undef FIELD
};

Test(dp_region, tampered_or_foreign_header_is_refused)
{
	struct dp_region *r;
	int fd = -1;

	r = make(2, &fd);
	for (size_t i = 0; i < sizeof(tampered) / sizeof(tampered[0]); i++) {
		uint8_t *field = (uint8_t *)r + tampered[i].off;
		uint64_t was = 0, now;
		struct dp_region *q;

		memcpy(&was, field, tampered[i].size);
		now = was + tampered[i].add;
		memcpy(field, &now, tampered[i].size);
		errno = 0;
		q = dp_region_map(fd);
		cr_expect((q != NULL) == (tampered[i].err == 0), "%s", tampered[i].what);
		cr_expect(errno == tampered[i].err, "%s: %s", tampered[i].what, strerror(errno));
		dp_region_unmap(q);
		memcpy(field, &was, tampered[i].size);
	}
	dp_region_unmap(r);
	close(fd);
}

/* A memfd that begins with the bytes of a good region. */
static int copy_of(const struct dp_region *r, uint64_t size, int seals)
{
	int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	cr_assert(pwrite(fd, r, sizeof(*r) < size ? sizeof(*r) : size, 0) > 0);
	cr_assert(fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static void expect_refused(int fd, int err, const char *what)
{
	errno = 0;
	cr_expect_null(dp_region_map(fd), "%s", what);
	cr_expect(errno == err, "%s: %s", what, strerror(errno));
	close(fd);
}

Test(dp_region, descriptor_that_is_no_sealed_memfd_of_its_size_is_refused)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct dp_region *r, *q;
	int good = -1, fd;
	int pipes[2];

	r = make(1, &good);
	fd = copy_of(r, r->size, seals);
	q = dp_region_map(fd);
	cr_expect_not_null(q, "a good copy");
	dp_region_unmap(q);
	close(fd);
	expect_refused(copy_of(r, r->size, 0), EINVAL, "not sealed");
	expect_refused(copy_of(r, r->size, F_SEAL_GROW | F_SEAL_SEAL), EINVAL, "may shrink");
	expect_refused(copy_of(r, r->size, seals | F_SEAL_WRITE), EINVAL, "may not be written");
	expect_refused(copy_of(r, r->size - 4096, seals), EINVAL, "a page short");
	expect_refused(copy_of(r, r->size + 4096, seals), EINVAL, "a page long");
	expect_refused(copy_of(r, 4096, seals), EINVAL, "no boot block");
	expect_refused(copy_of(r, 20, seals), EINVAL, "not even a header");
	expect_refused(copy_of(r, 1, seals), EINVAL, "a byte");
	expect_refused(open("/dev/zero", O_RDWR | O_CLOEXEC), EINVAL, "a device");
	expect_refused(open("/", O_RDONLY | O_CLOEXEC), EINVAL, "a directory");
	cr_assert(pipe2(pipes, O_CLOEXEC) == 0);
	expect_refused(pipes[0], EINVAL, "a pipe");
	close(pipes[1]);
	cr_expect_null(dp_region_map(-1));
	cr_expect(errno == EBADF);
	dp_region_unmap(r);
	close(good);
}

Test(dp_region, worker_takes_what_is_newest_when_it_comes_online_and_when_it_quiesces)
{
	struct dp_region *r;
	struct dp_view v = { .generation = 99 };
	struct dp_root root;
	int fd = -1;

	r = make(2, &fd);
	dp_region_online(r, 1, &v);
	cr_expect(v.generation == 0 && v.cfg == NULL && v.net == NULL, "nothing is there yet");
	cr_expect(!dp_region_quiesce(r, 1, &v));
	cr_expect(dp_region_min_ack(r) == 0);

	root = (struct dp_root){ .cfg = r->heap, .net = r->heap + 64 };
	cr_expect(dp_region_publish(r, &root) == 1);
	cr_expect(v.cfg == NULL && dp_region_min_ack(r) == 0, "not before it quiesces");
	cr_expect(dp_region_quiesce(r, 1, &v));
	cr_expect(v.generation == 1 && v.cfg == dp_at(r, r->heap)
		  && v.net == dp_at(r, r->heap + 64));
	cr_expect(dp_region_min_ack(r) == 1);
	cr_expect(!dp_region_quiesce(r, 1, &v));

	root.net = 0;
	cr_expect(dp_region_publish(r, &root) == 2);
	cr_expect(dp_region_publish(r, &root) == 3);
	cr_expect(v.generation == 1 && v.net != NULL);
	cr_expect(dp_region_quiesce(r, 1, &v));
	cr_expect(v.generation == 3 && v.net == NULL, "the newest, and none between");
	dp_region_unmap(r);
	close(fd);
}

Test(dp_region, smallest_ack_is_that_of_the_slowest_worker_online)
{
	struct dp_region *r;
	struct dp_view v[3];
	struct dp_root root;
	int fd = -1;

	r = make(3, &fd);
	root = (struct dp_root){ .cfg = r->heap, .net = r->heap };
	for (unsigned int i = 0; i < 3; i++) {
		cr_assert(dp_region_publish(r, &root) == i + 1);
		dp_region_online(r, i, &v[i]);
		cr_expect(v[i].generation == i + 1);
	}
	cr_expect(dp_region_min_ack(r) == 1);
	dp_region_offline(r, 0, &v[0]);
	cr_expect(v[0].cfg == NULL && v[0].net == NULL, "it holds nothing any more");
	cr_expect(dp_region_min_ack(r) == 2);
	dp_region_quiesce(r, 1, &v[1]);
	cr_expect(dp_region_min_ack(r) == 3);
	dp_region_online(r, 0, &v[0]);
	cr_expect(v[0].generation == 3 && dp_region_min_ack(r) == 3);
	for (unsigned int i = 0; i < 3; i++)
		dp_region_offline(r, i, &v[i]);
	cr_expect(dp_region_min_ack(r) == UINT64_MAX);
	dp_region_unmap(r);
	close(fd);
}

Test(dp_region, nothing_is_published_over_a_root_that_a_worker_may_still_read)
{
	struct dp_region *r;
	struct dp_view v;
	struct dp_root root;
	int fd = -1;

	r = make(2, &fd);
	for (uint64_t g = 1; g <= 3 * DP_ROOTS; g++) {
		root = (struct dp_root){ .cfg = r->heap + 8 * (g % 100) };
		cr_expect(dp_region_publish(r, &root) == g, "nobody is online");
	}
	dp_region_online(r, 0, &v);
	for (uint64_t g = 3 * DP_ROOTS + 1; g < 4 * DP_ROOTS; g++)
		cr_expect(dp_region_publish(r, &root) == g, "generation %lu", g);
	cr_expect(dp_region_publish(r, &root) == 0, "its own root would be written over");
	cr_expect(r->generation == 4 * DP_ROOTS - 1);
	cr_expect(r->roots[v.generation % DP_ROOTS].cfg == r->heap + 8 * (v.generation % 100));
	dp_region_quiesce(r, 0, &v);
	cr_expect(v.generation == 4 * DP_ROOTS - 1);
	cr_expect(dp_region_publish(r, &root) == 4 * DP_ROOTS, "and on");
	dp_region_unmap(r);
	close(fd);
}

Test(dp_region, word_counts_its_changes_and_keeps_the_rest)
{
	const uint64_t bits = DP_WORD_VALID | 7 | 0xffffull << DP_WORD_DOWN_SHIFT
			      | 0x8001ull << DP_WORD_SUSPECT_SHIFT
			      | 0xffffull << DP_WORD_DRAINING_SHIFT;
	struct dp_region *r;
	int fd = -1;

	r = make(1, &fd);
	for (unsigned int i = 1; i <= 600; i++) {
		uint64_t word;

		dp_region_set_word(r, 5, bits | 0xaaull << DP_WORD_CHANGES_SHIFT);
		word = r->pair_words[5];
		cr_expect(word >> DP_WORD_CHANGES_SHIFT == i % 256, "after %u changes", i);
		cr_expect((word & ~(UINT64_MAX << DP_WORD_CHANGES_SHIFT)) == bits);
	}
	cr_expect(r->pair_words[4] == 0 && r->pair_words[6] == 0);
	dp_region_unmap(r);
	close(fd);
}
