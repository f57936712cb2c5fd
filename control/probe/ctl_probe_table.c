/*
 * The table of branches: a hash table of the probes under way, and the branches that ended lately,
 * by which a late or second response is told from one that belongs to nobody.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/probe/ctl_probe_int.h"

#define BUCKETS 1024u  /* at first; a power of two */
#define ENDED   16384u /* a power of two */

/* A branch is random: its first digits are hash enough. UINT64_MAX: no hexadecimal. */
static uint64_t branch_key(const char *token)
{
	uint64_t k = 0;

	for (unsigned int i = 0; i < 16; i++) {
		char c = token[i];

		if (c >= '0' && c <= '9')
			k = k << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			k = k << 4 | (uint64_t)(c - 'a' + 10);
		else
			return UINT64_MAX;
	}
	return k;
}

static struct ctl_probe **bucket(const struct ctl_probe_table *p, uint64_t key)
{
	return &p->buckets[key & (p->n_buckets - 1)];
}

/* When there is no memory for more buckets, the lists get longer. */
static void grow(struct ctl_probe_table *p)
{
	size_t n = 2 * p->n_buckets;
	struct ctl_probe **old = p->buckets, **b = calloc(n, sizeof(struct ctl_probe *));
	size_t n_old = p->n_buckets;

	if (b == NULL)
		return;
	p->buckets = b;
	p->n_buckets = n;
	for (size_t i = 0; i < n_old; i++) {
		while (old[i] != NULL) {
			struct ctl_probe *pr = old[i];

			old[i] = pr->next;
			pr->next = *bucket(p, pr->key);
			*bucket(p, pr->key) = pr;
		}
	}
	free(old);
}

void ctl_probe_table_insert(struct ctl_probe_table *p, struct ctl_probe *pr)
{
	if (p->n_probes >= p->n_buckets)
		grow(p);
	pr->key = branch_key(pr->ids.branch);
	pr->next = *bucket(p, pr->key);
	*bucket(p, pr->key) = pr;
	p->n_probes++;
}

void ctl_probe_table_remove(struct ctl_probe_table *p, struct ctl_probe *pr, enum ctl_probe_end how)
{
	struct ctl_probe **at = bucket(p, pr->key);

	while (*at != pr)
		at = &(*at)->next;
	*at = pr->next;
	p->n_probes--;
	p->ended[pr->key & (ENDED - 1)] = (struct ctl_probe_ended){ .key = pr->key, .how = how };
}

struct ctl_probe *ctl_probe_table_find(const struct ctl_probe_table *p, const char *token)
{
	struct ctl_probe *pr = *bucket(p, branch_key(token));

	while (pr != NULL && memcmp(pr->ids.branch, token, CTL_PROBE_TOKEN) != 0)
		pr = pr->next;
	return pr;
}

enum ctl_probe_count ctl_probe_table_stray(const struct ctl_probe_table *p, const char *token)
{
	uint64_t key = branch_key(token);
	const struct ctl_probe_ended *e = &p->ended[key & (ENDED - 1)];

	if (key == UINT64_MAX || e->key != key)
		return CTL_PROBE_OTHER_BRANCH;
	return e->how == CTL_PROBE_END_ANSWERED ? CTL_PROBE_DUPLICATE : CTL_PROBE_LATE;
}

int ctl_probe_table_init(struct ctl_probe_table *p)
{
	p->n_buckets = BUCKETS;
	p->n_probes = 0;
	p->buckets = calloc(BUCKETS, sizeof(struct ctl_probe *));
	p->ended = calloc(ENDED, sizeof(*p->ended));
	if (p->buckets == NULL || p->ended == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ENDED; i++)
		p->ended[i].key = UINT64_MAX;
	return 0;
}

void ctl_probe_table_fini(struct ctl_probe_table *p)
{
	free(p->buckets);
	free(p->ended);
}
