/*
 * The rows of one pair in a configuration block: its settings, its members, and their names. Of a
 * block that has them already, only what has changed takes new room. Control thread.
 */
#pragma once

#include "control/config/ctl_model.h"

/** Append to the block's strings. @return false when there is no room. */
bool ctl_rows_text(struct dp_cfg *c, const char *s, size_t len, struct dp_text *t);

/** Whether text of the block is s. */
bool ctl_rows_text_is(const struct dp_cfg *c, struct dp_text t, const char *s);

/** Whether a pair's rows say what the model says; services, egress and name are not looked at.
 * @param slot  Of each of the model's members. */
bool ctl_rows_same(const struct dp_cfg *c, const struct dp_pair *p, const struct ctl_pair *cp,
		   const uint8_t *slot);

/** Write settings and members. @return false when there is no room for names or member rows: the
 * pair is then good for nothing. */
bool ctl_rows_put(struct dp_cfg *c, struct dp_pair *p, const struct ctl_pair *cp,
		  const uint8_t *slot);
