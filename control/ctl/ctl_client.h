/*
 * sipsteerctl's end of the control socket: one JSON-RPC request a line, answers and notifications a
 * line each. Blocking; one thread.
 */
#pragma once

#include <jansson.h>

struct ctl_client;

/**
 * Connect.
 * @param err  At least 256 bytes: one sentence with the remedy.
 * @return NULL when it failed.
 */
struct ctl_client *ctl_client_new(const char *path, char *err);
void ctl_client_free(struct ctl_client *c);

/** Send a request. Takes params (NULL: none). @return 0 or negative errno. */
int ctl_client_send(struct ctl_client *c, const char *method, json_t *params);

/** Next line: a response or a notification, owned by the caller; NULL when the daemon has gone or
 * talks nonsense. */
json_t *ctl_client_recv(struct ctl_client *c);
