/*
 * Taking over what an earlier control published. Control thread.
 */
#pragma once

#include "dataplane/dp_cfg.h"

/**
 * Before a new configuration is published over an adopted one: let no pair's word name a member
 * that the new one lacks. A word moves to the first member by priority that both know and that is
 * not down, else to any that both know; a pair that is gone has no word.
 * @param r    Its pair words are changed.
 * @param old  In force.
 * @param new  To be published.
 * @return how many words were changed.
 */
unsigned int ctl_adopt_words(struct dp_region *r, const struct dp_cfg *old,
			     const struct dp_cfg *new);
