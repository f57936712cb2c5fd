/*
 * Reload as a transaction: the file is loaded and checked whole, what it wants is added to the
 * kernel, the snapshot is published, and when all workers hold it the pairs go by it; only then is
 * taken away what left. Until the publication everything can be, and is, undone. Control thread.
 *
 * A change of what DNS says takes the same way, from the numbers on (ctl_reload_dns()).
 *
 * One reload at a time. Whoever asks meanwhile gets one that begins after the asking; all who wait
 * for the same one get its outcome.
 */
#pragma once

#include "control/daemon/ctl_daemon.h"

struct ctl_reload;

/** @return NULL when out of memory. */
struct ctl_reload *ctl_reload_new(struct ctl_daemon *d);
void ctl_reload_free(struct ctl_reload *r);

/**
 * Ask for a reload.
 * @param call  Answered with its outcome; NULL: nobody waits, errors are logged.
 */
void ctl_reload_ask(struct ctl_reload *r, struct ctl_rpc_call *call);

/** Bring what DNS says now into force, as a reload of the same file: answers to nobody. What cannot
 * be done is tried again. */
void ctl_reload_dns(struct ctl_reload *r);

/**
 * What a reload changes, by name: { pairs: { added, removed }, members: { added, removed },
 * services: { added, removed } }; members as "pair/member".
 */
json_t *ctl_reload_diff(const struct ctl_model *old, const struct ctl_model *new);

/** The entries of a diag as JSON: [{ line, error, text }]. */
json_t *ctl_diag_json(const struct ctl_diag *d);
