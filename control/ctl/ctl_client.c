/*
 * sipsteerctl's end of the control socket.
 */
#include "control/ctl/ctl_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ERR_SIZE 256

struct ctl_client {
	int fd;
	char *buf; /* bytes read and not consumed yet */
	size_t len, size;
	long long id;
};

static const char *remedy(int err)
{
	switch (err) {
	case ENOENT: return "nothing there; is sipsteerd running? (--socket names another one)";
	case ECONNREFUSED: return "nobody serves it; is sipsteerd running?";
	case EACCES: return "permission denied; run as root or as a member of the socket's group";
	default: return strerror(err);
	}
}

struct ctl_client *ctl_client_new(const char *path, char *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct ctl_client *c;
	int rc = 0;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(err, ERR_SIZE, "socket path longer than %zu bytes",
			 sizeof(sun.sun_path) - 1);
		return NULL;
	}
	memcpy(sun.sun_path, path, strlen(path));
	c = calloc(1, sizeof(*c));
	if (!c) {
		snprintf(err, ERR_SIZE, "out of memory");
		return NULL;
	}
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0)
		rc = errno;
	if (rc) {
		snprintf(err, ERR_SIZE, "%.100s: %s", path, remedy(rc));
		ctl_client_free(c);
		return NULL;
	}
	return c;
}

void ctl_client_free(struct ctl_client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	free(c);
}

int ctl_client_send(struct ctl_client *c, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id",
				    (json_int_t)++c->id, "method", method, "params", params);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	char *line = NULL;
	int len = text ? asprintf(&line, "%s\n", text) : -1;
	int rc = len < 0 ? -ENOMEM : 0;

	for (int sent = 0; rc == 0 && sent < len;) {
		ssize_t n = send(c->fd, line + sent, (size_t)(len - sent), MSG_NOSIGNAL);

		if (n > 0)
			sent += (int)n;
		else if (errno != EINTR)
			rc = -errno;
	}
	if (len >= 0)
		free(line);
	free(text);
	json_decref(request);
	return rc;
}

/** Read until a whole line is there. @return its length without the newline, or -1. */
static ssize_t read_line(struct ctl_client *c)
{
	for (size_t seen = 0;;) {
		char *end = c->len > seen ? memchr(c->buf + seen, '\n', c->len - seen) : NULL;
		ssize_t n;

		if (end)
			return end - c->buf;
		seen = c->len;
		if (c->size - c->len < 65536) {
			char *p = realloc(c->buf, c->size + (1 << 18));

			if (!p)
				return -1;
			c->buf = p;
			c->size += 1 << 18;
		}
		n = recv(c->fd, c->buf + c->len, c->size - c->len, 0);
		if (n > 0)
			c->len += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return -1;
	}
}

json_t *ctl_client_recv(struct ctl_client *c)
{
	ssize_t n = read_line(c);
	json_t *j;

	if (n < 0)
		return NULL;
	j = json_loadb(c->buf, (size_t)n, 0, NULL);
	c->len -= (size_t)n + 1;
	memmove(c->buf, c->buf + n + 1, c->len);
	return j;
}
