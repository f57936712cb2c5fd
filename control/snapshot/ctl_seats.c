/* Numbers and slots of a model, in tables. */
#include "control/snapshot/ctl_seats.h"

#include <errno.h>
#include <stdlib.h>

size_t ctl_seats_more(const struct ctl_seats *s, const struct ctl_model *m, size_t pair)
{
	size_t end = DP_PAIR_FIRST;

	for (size_t k = 0; k < m->pairs[pair].n_members; k++) {
		if (s->slot[pair][k] >= end)
			end = s->slot[pair][k] + 1u;
	}
	return end - DP_PAIR_FIRST;
}

int ctl_seats_init(struct ctl_seats *s, const struct ctl_model *m, const struct ctl_numbers *n)
{
	*s = (struct ctl_seats){ .n_pairs = m->n_pairs,
				 .number = calloc(m->n_pairs + 1, sizeof(*s->number)),
				 .slot = calloc(m->n_pairs + 1, sizeof(*s->slot)) };
	if (!s->number || !s->slot) {
		ctl_seats_fini(s);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m->n_pairs; i++) {
		const struct ctl_pair *p = &m->pairs[i];
		int number = ctl_numbers_pair(n, p->name);

		s->number[i] = (uint16_t)number;
		if (s->n_rows < (size_t)s->number[i] + 1)
			s->n_rows = (size_t)s->number[i] + 1;
		for (size_t k = 0; k < p->n_members; k++)
			s->slot[i][k] = (uint8_t)ctl_numbers_slot_of(n, number, p->members[k].name);
		s->n_members += p->n_members;
		s->n_more += ctl_seats_more(s, m, i);
	}
	return 0;
}

void ctl_seats_fini(struct ctl_seats *s)
{
	free(s->number);
	free(s->slot);
	*s = (struct ctl_seats){ 0 };
}
