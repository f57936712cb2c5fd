/*
 * The control socket, and the lock beside it that makes sure that only one sipsteerd serves a
 * directory. Control thread.
 */
#pragma once

#define CTL_LISTEN_ERROR_SIZE 320

/**
 * Take a directory for this process: until it ends, however it ends.
 * @param socket_path  The control socket; its directory is made if it is missing.
 * @param err          CTL_LISTEN_ERROR_SIZE bytes: a sentence that says how to mend it.
 * @return             The lock's descriptor, or negative errno: -EBUSY when another one serves.
 */
int ctl_rpc_lock(const char *socket_path, char *err);

/**
 * Give the socket at a path to a group, by name or number.
 * @return 0, or negative errno with a sentence in err.
 */
int ctl_rpc_group(const char *path, const char *group, char *err);

/**
 * Listen at a path, mode 0660. What an earlier process left there is removed: call ctl_rpc_lock()
 * first.
 * @return the descriptor, or negative errno with a sentence in err.
 */
int ctl_rpc_listen(const char *path, char *err);

/** Path of a file beside the control socket; out has room for 108 bytes. @return 0 or
 * -ENAMETOOLONG. */
int ctl_rpc_beside(const char *socket_path, const char *name, char *out);
