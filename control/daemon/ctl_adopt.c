/* Words between two configurations. */
#include "control/daemon/ctl_adopt.h"

static const uint64_t ACTIVE_MASK = 15;

static bool has_slot(const struct dp_pair *p, unsigned int slot)
{
	return p->valid && dp_pair_member(p, slot)->valid;
}

/* @return a slot that both know, or DP_PAIR_MEMBERS. */
static unsigned int choose(uint64_t word, const struct dp_pair *old, const struct dp_pair *new)
{
	unsigned int any = DP_PAIR_MEMBERS;

	for (unsigned int i = 0; i < new->n_members; i++) {
		unsigned int slot = new->order[i];

		if (!has_slot(old, slot) || !has_slot(new, slot))
			continue;
		if (!dp_word_down(word, slot))
			return slot;
		if (any == DP_PAIR_MEMBERS)
			any = slot;
	}
	return any;
}

unsigned int ctl_adopt_words(struct dp_region *r, const struct dp_cfg *old,
			     const struct dp_cfg *new)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < old->n_pairs; i++) {
		const struct dp_pair *was = dp_cfg_pair(old, i), *is = dp_cfg_pair(new, i);
		uint64_t word = atomic_load(&r->pair_words[i]);
		unsigned int slot;

		if (!was || !was->valid || !(word & DP_WORD_VALID))
			continue;
		if (is && is->valid && is->key == was->key && has_slot(is, dp_word_active(word)))
			continue;
		slot = is && is->valid && is->key == was->key ? choose(word, was, is)
							      : DP_PAIR_MEMBERS;
		word = slot < DP_PAIR_MEMBERS ? (word & ~ACTIVE_MASK) | slot : 0;
		dp_region_set_word(r, i, word);
		n++;
	}
	return n;
}
