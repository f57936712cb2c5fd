#include "dataplane/io/dp_handover.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What others write about a worker, and what it says of itself. */
struct box {
	_Alignas(DP_CACHE_LINE) _Atomic uint32_t flags; /* senders: or, the worker: exchange */
	_Alignas(DP_CACHE_LINE) _Atomic uint32_t load;  /* the worker: wo, others: ro; relaxed */
	_Atomic bool asleep;                            /* the worker: wo, senders: ro */
	int fd;                                         /* eventfd; constant */
};

struct dp_handover {
	unsigned int n_workers;
	struct box boxes[DP_MAX_WORKERS];
	struct dp_spsc rings[]; /* [from * n_workers + to]; that of a worker to itself is unused */
};

static struct dp_spsc *ring(struct dp_handover *h, unsigned int from, unsigned int to)
{
	return &h->rings[from * h->n_workers + to];
}

struct dp_handover *dp_handover_new(unsigned int n_workers, uint32_t size)
{
	size_t n = (size_t)n_workers * n_workers, bytes;
	struct dp_handover *h;

	bytes = sizeof(*h) + n * sizeof(h->rings[0]);
	h = aligned_alloc(DP_CACHE_LINE,
			  (bytes + DP_CACHE_LINE - 1) & ~(size_t)(DP_CACHE_LINE - 1));
	if (!h)
		return NULL;
	memset(h, 0, bytes);
	h->n_workers = n_workers;
	for (unsigned int i = 0; i < n_workers; i++)
		h->boxes[i].fd = -1;
	for (size_t i = 0; i < n; i++) {
		if (i % (n_workers + 1) != 0 && dp_spsc_init(&h->rings[i], size) != 0) {
			dp_handover_free(h, NULL);
			return NULL;
		}
	}
	for (unsigned int i = 0; i < n_workers; i++) {
		h->boxes[i].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (h->boxes[i].fd < 0) {
			dp_handover_free(h, NULL);
			return NULL;
		}
	}
	return h;
}

void dp_handover_free(struct dp_handover *h, void (*drop)(void *packet))
{
	void *packet;

	if (!h)
		return;
	for (size_t i = 0; i < (size_t)h->n_workers * h->n_workers; i++) {
		while (h->rings[i].slots && dp_spsc_take(&h->rings[i], &packet, 1))
			drop(packet);
		dp_spsc_fini(&h->rings[i]);
	}
	for (unsigned int i = 0; i < h->n_workers; i++)
		if (h->boxes[i].fd >= 0)
			close(h->boxes[i].fd);
	free(h);
}

void dp_handover_set_load(struct dp_handover *h, unsigned int worker, unsigned int percent)
{
	atomic_store_explicit(&h->boxes[worker].load, percent, memory_order_relaxed);
}

unsigned int dp_handover_other_load(const struct dp_handover *h, unsigned int worker)
{
	unsigned int sum = 0;

	if (h->n_workers < 2)
		return 0;
	for (unsigned int i = 0; i < h->n_workers; i++)
		if (i != worker)
			sum += atomic_load_explicit(&h->boxes[i].load, memory_order_relaxed);
	return sum / (h->n_workers - 1);
}

void dp_mail_init(struct dp_mail *m, struct dp_handover *h, unsigned int worker,
		  void (*full)(void *arg, void *packet), void *arg)
{
	memset(m, 0, sizeof(*m));
	m->h = h;
	m->worker = worker;
	m->full = full;
	m->arg = arg;
}

static void send_to(struct dp_mail *m, unsigned int to)
{
	struct dp_outbox *o = &m->out[to];
	uint32_t sent = dp_spsc_put(ring(m->h, m->worker, to), o->packets, o->n);
	struct box *b = &m->h->boxes[to];

	/* Release, with the taker's acquire: who sees the flag sees the ring filled. Sequentially
	 * consistent, as the three others in dp_mail_sleep(): either we see that it is asleep, or
	 * it sees the flag. */
	if (sent) {
		atomic_fetch_or(&b->flags, 1u << m->worker);
		if (atomic_load(&b->asleep))
			eventfd_write(b->fd, 1);
	}
	for (uint32_t i = sent; i < o->n; i++)
		m->full(m->arg, o->packets[i]);
	o->n = 0;
	m->waiting &= ~(1u << to);
}

void dp_mail_put(struct dp_mail *m, unsigned int to, void *packet)
{
	struct dp_outbox *o = &m->out[to];

	o->packets[o->n++] = packet;
	m->waiting |= 1u << to;
	if (o->n == DP_HANDOVER_BURST)
		send_to(m, to);
}

void dp_mail_send(struct dp_mail *m)
{
	while (m->waiting)
		send_to(m, (unsigned int)__builtin_ctz(m->waiting));
}

/* The next worker after the last one whose ring may hold something, so that none is starved. */
static unsigned int next_sender(const struct dp_mail *m)
{
	uint32_t later = m->unread & ~((2u << m->last) - 1);

	return (unsigned int)__builtin_ctz(later ? later : m->unread);
}

unsigned int dp_mail_take(struct dp_mail *m, void **packets, unsigned int n)
{
	_Atomic uint32_t *flags;

	if (!m->h)
		return 0;
	flags = &m->h->boxes[m->worker].flags;
	/* Acquire, with the sender's release. A flag that is set after this is seen next time. */
	if (atomic_load_explicit(flags, memory_order_relaxed))
		m->unread |= atomic_exchange_explicit(flags, 0, memory_order_acquire);
	while (m->unread) {
		unsigned int from = next_sender(m), got;

		got = dp_spsc_take(ring(m->h, from, m->worker), packets, n);
		m->last = from;
		if (got < n)
			m->unread &= ~(1u << from);
		if (got)
			return got;
	}
	return 0;
}

int dp_mail_fd(const struct dp_mail *m)
{
	return m->h ? m->h->boxes[m->worker].fd : -1;
}

bool dp_mail_sleep(struct dp_mail *m)
{
	struct box *b;

	if (!m->h)
		return true;
	b = &m->h->boxes[m->worker];
	atomic_store(&b->asleep, true);
	if (!m->unread && atomic_load(&b->flags) == 0)
		return true;
	atomic_store(&b->asleep, false);
	return false;
}

void dp_mail_wake(struct dp_mail *m)
{
	struct box *b;
	eventfd_t n;

	if (!m->h)
		return;
	b = &m->h->boxes[m->worker];
	atomic_store(&b->asleep, false);
	eventfd_read(b->fd, &n);
}
