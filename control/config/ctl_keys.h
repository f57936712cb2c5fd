/*
 * The key file: the secrets behind branches, cookies and flow tokens, the same on all instances
 * that serve the same pairs. One key a line, 32 hexadecimal digits; the first one signs, all
 * verify, so a new key is put second everywhere first, and first everywhere after that. '#' begins
 * a comment. Control thread.
 */
#pragma once

#include "control/config/ctl_config.h"
#include "control/snapshot/ctl_snapshot.h"

/**
 * Read a key file. A file that others than its owner may read or write is a warning.
 * @param secrets  Out, on success only.
 * @return         0; -EINVAL, -ENOENT or another negative errno with errors in d.
 */
int ctl_keys_load(const char *path, struct ctl_secrets *secrets, struct ctl_diag *d);

/**
 * The same, but a file that is missing is made first, with one random key, readable by its owner
 * only; its directory too, if only that last part of the path is missing. Of several that do so at
 * once, one makes it and all read it.
 * @param made  Out: whether this call made it.
 */
int ctl_keys_load_or_make(const char *path, struct ctl_secrets *secrets, bool *made,
			  struct ctl_diag *d);
