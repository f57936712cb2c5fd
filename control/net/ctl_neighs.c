/*
 * Neighbours in a chained hash table that doubles. While a dump runs, an entry that a notification
 * removed stays as a tombstone until the dump's end, so that an older word of the dump cannot
 * bring it back. Control thread.
 */
#include "control/net/ctl_neighs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *next;
	struct ctl_neigh n;
	uint32_t seen; /* the dump during which it was last named */
	bool told;     /* a notification named it during dump `seen` */
	bool gone;     /* tombstone */
};

struct ctl_neighs {
	struct entry **bucket;
	size_t n_buckets; /* a power of two */
	size_t n;
	uint32_t dump; /* number of the last dump */
	bool dumping;
};

enum { FIRST_BUCKETS = 256 };

struct ctl_neighs *ctl_neighs_new(void)
{
	struct ctl_neighs *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->n_buckets = FIRST_BUCKETS;
	t->bucket = calloc(t->n_buckets, sizeof(*t->bucket));
	if (!t->bucket) {
		free(t);
		return NULL;
	}
	return t;
}

void ctl_neighs_clear(struct ctl_neighs *t)
{
	for (size_t i = 0; i < t->n_buckets; i++) {
		for (struct entry *e = t->bucket[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
		t->bucket[i] = NULL;
	}
	t->n = 0;
}

void ctl_neighs_free(struct ctl_neighs *t)
{
	if (!t)
		return;
	ctl_neighs_clear(t);
	free(t->bucket);
	free(t);
}

static size_t hash(unsigned int port, const struct sip_ip *ip)
{
	uint64_t a, b;

	memcpy(&a, ip->b, 8);
	memcpy(&b, ip->b + 8, 8);
	a = (a ^ (b << 1 | b >> 63) ^ port) * 0x9e3779b97f4a7c15ull;
	return (size_t)(a >> 32);
}

static struct entry **place(const struct ctl_neighs *t, unsigned int port, const struct sip_ip *ip)
{
	struct entry **at = &t->bucket[hash(port, ip) & (t->n_buckets - 1)];

	while (*at && ((*at)->n.at.port != port || !dp_ip_equal(&(*at)->n.at.ip, ip)))
		at = &(*at)->next;
	return at;
}

/* Doubling is a courtesy: out of memory, chains get longer. */
static void spread(struct ctl_neighs *t)
{
	size_t n_buckets = 2 * t->n_buckets;
	struct entry **bucket = calloc(n_buckets, sizeof(*bucket));

	if (!bucket)
		return;
	for (size_t i = 0; i < t->n_buckets; i++) {
		for (struct entry *e = t->bucket[i], *next; e; e = next) {
			size_t h = hash(e->n.at.port, &e->n.at.ip) & (n_buckets - 1);

			next = e->next;
			e->next = bucket[h];
			bucket[h] = e;
		}
	}
	free(t->bucket);
	t->bucket = bucket;
	t->n_buckets = n_buckets;
}

static struct entry *insert(struct ctl_neighs *t, const struct ctl_neigh *n)
{
	struct entry *e = calloc(1, sizeof(*e));
	struct entry **at;

	if (!e)
		return NULL;
	if (t->n >= t->n_buckets)
		spread(t);
	at = place(t, n->at.port, &n->at.ip);
	e->n.at.port = n->at.port;
	e->n.at.ip = n->at.ip;
	*at = e;
	t->n++;
	return e;
}

static void discard(struct ctl_neighs *t, struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	free(e);
	t->n--;
}

void ctl_neighs_dump_begin(struct ctl_neighs *t)
{
	t->dump++;
	t->dumping = true;
}

bool ctl_neighs_dump_end(struct ctl_neighs *t)
{
	bool changed = false;

	t->dumping = false;
	for (size_t i = 0; i < t->n_buckets; i++) {
		for (struct entry **at = &t->bucket[i]; *at;) {
			if ((*at)->seen == t->dump && !(*at)->gone) {
				at = &(*at)->next;
				continue;
			}
			changed |= (*at)->n.at.valid;
			discard(t, at);
		}
	}
	return changed;
}

static bool same(const struct ctl_neigh *a, const struct ctl_neigh *b)
{
	return a->at.valid == b->at.valid
	       && (!a->at.valid || memcmp(a->at.mac, b->at.mac, sizeof(a->at.mac)) == 0);
}

static int update(struct entry *e, const struct ctl_neigh *n, bool gone)
{
	struct ctl_neigh next = *n;
	int changed;

	if (gone)
		next.at.valid = 0;
	changed = !same(&e->n, &next);
	e->n = next;
	e->gone = gone;
	return changed;
}

int ctl_neighs_put(struct ctl_neighs *t, const struct ctl_neigh *n, bool gone, bool from_dump)
{
	struct entry **at = place(t, n->at.port, &n->at.ip);
	struct entry *e = *at;
	int changed;

	if (!e && gone && !t->dumping)
		return 0;
	if (!e)
		e = insert(t, n);
	if (!e)
		return -ENOMEM;
	if (from_dump && e->told && e->seen == t->dump)
		return 0;
	changed = update(e, n, gone);
	e->seen = t->dump;
	e->told = !from_dump;
	if (gone && !t->dumping)
		discard(t, at);
	return changed;
}

const struct ctl_neigh *ctl_neighs_find(const struct ctl_neighs *t, unsigned int port,
					const struct sip_ip *ip)
{
	const struct entry *e = *place(t, port, ip);

	return e && !e->gone ? &e->n : NULL;
}

size_t ctl_neighs_list(const struct ctl_neighs *t, struct dp_net_neigh *out)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_buckets; i++) {
		for (const struct entry *e = t->bucket[i]; e; e = e->next) {
			if (e->n.at.valid)
				out[n++] = e->n.at;
		}
	}
	return n;
}

size_t ctl_neighs_count(const struct ctl_neighs *t)
{
	return t->n;
}
