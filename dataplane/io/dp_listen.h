/*
 * The data plane's end of the link (dataplane/dp_link.h): a listening socket, and the one control
 * that it serves. Main thread. Nothing here blocks for longer than DP_LISTEN_HELLO_MS.
 */
#pragma once

#include <stdbool.h>

#include "dataplane/dp_link.h"
#include "dataplane/io/dp_failure.h"

#define DP_LISTEN_HELLO_MS 500 /* a control that says nothing for so long is sent away */

struct dp_listen {
	int fd;      /* listening, -1: closed */
	int control; /* connection of the control that is served, -1: none */
	char path[108];
};

/**
 * Listen on a socket that only this user and root may connect to. A socket file that a killed
 * process left is replaced; one that is served is not.
 * @return 0 or -1 with *f.
 */
int dp_listen_open(struct dp_listen *l, const char *path, struct dp_failure *f);

/** Close both sockets and remove the file. */
void dp_listen_close(struct dp_listen *l);

/**
 * Take a control that connects; it replaces the one that was served.
 * @param memfd  Our region's, or -1 when we have none yet.
 * @param got    Out: the region that control brought, owned by the caller, or -1. Never set when we
 *               have one.
 * @return 0, or negative errno: it was sent away (-EPROTO: it speaks another layout, or brought no
 * region to a data plane that has none).
 */
int dp_listen_accept(struct dp_listen *l, int memfd, int *got);

/** The served control's connection is readable: it has ended, for nothing else is ever sent. */
void dp_listen_drop(struct dp_listen *l);
