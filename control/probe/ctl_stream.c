#include "control/probe/ctl_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>

#include "control/probe/ctl_sockaddr.h"
#include "sip/sip_frame.h"

#define PONGS 64 /* bytes of keep-alive answers that may wait for a peer that does not read */

struct attempt {
	struct ctl_stream *s;
	struct event *ev; /* NULL: free */
	int fd;
};

struct ctl_stream {
	struct ctl_stream_params p;
	const struct ctl_stream_handler *h;
	void *arg;
	enum ctl_stream_stage stage;
	struct attempt attempts[CTL_STREAM_ATTEMPTS];
	unsigned int n_attempts; /* ever begun */
	struct bufferevent *bev; /* once connected */
	struct sip_framer framer;
	struct dp_endpoint local;
	size_t taken;
	unsigned int n_uses;
	bool *gone; /* set when it is freed within a callback */
};

static const struct sip_frame_limits limits = { .max_header = CTL_STREAM_HEADER,
						.max_message = CTL_STREAM_MESSAGE };

/* ---- Ending */

static void end_attempt(struct attempt *a)
{
	if (a->ev == NULL)
		return;
	event_free(a->ev);
	close(a->fd);
	a->ev = NULL;
}

/* The peer is told (RFC 8446 6.1), if there is room for it. */
static void close_bev(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (ssl != NULL && SSL_is_init_finished(ssl)) {
		SSL_shutdown(ssl);
		ERR_clear_error();
	}
	bufferevent_free(bev);
}

void ctl_stream_free(struct ctl_stream *s)
{
	if (s == NULL)
		return;
	if (s->gone != NULL)
		*s->gone = true;
	for (unsigned int i = 0; i < CTL_STREAM_ATTEMPTS; i++)
		end_attempt(&s->attempts[i]);
	if (s->bev != NULL)
		close_bev(s->bev);
	free(s);
}

static void closed(struct ctl_stream *s, enum ctl_pair_error error, uint32_t detail)
{
	s->h->closed(s->arg, error, detail);
}

/* ---- Reading */

/* @return whether it goes on. */
static bool hand_on(struct ctl_stream *s, struct evbuffer *in, const char *buf, uint32_t len)
{
	bool gone = false;

	s->gone = &gone;
	s->h->message(s->arg, buf, len);
	if (gone)
		return false;
	s->gone = NULL;
	evbuffer_drain(in, len);
	return true;
}

/* RFC 5626 4.4.1: the answer to a ping; to a peer that reads nothing there is none. */
static void pong(struct ctl_stream *s)
{
	if (evbuffer_get_length(bufferevent_get_output(s->bev)) < PONGS)
		bufferevent_write(s->bev, "\r\n", 2);
}

/* @return whether there may be more. */
static bool read_one(struct ctl_stream *s, struct evbuffer *in)
{
	size_t len = evbuffer_get_length(in);
	const unsigned char *buf = len > 0 ? evbuffer_pullup(in, -1) : NULL;
	uint32_t n;

	if (buf == NULL)
		return false;
	switch (sip_framer_next(&s->framer, buf, len, &n)) {
	case SIP_FRAME_MORE: return false;
	case SIP_FRAME_MESSAGE: return hand_on(s, in, (const char *)buf, n);
	case SIP_FRAME_PING: pong(s); break;
	case SIP_FRAME_PONG: break;
	case SIP_FRAME_TOO_LARGE: closed(s, CTL_ERROR_STREAM, EMSGSIZE); return false;
	default: closed(s, CTL_ERROR_STREAM, EBADMSG); return false;
	}
	evbuffer_drain(in, n);
	return true;
}

static void on_arrival(struct evbuffer *in, const struct evbuffer_cb_info *info, void *arg)
{
	struct ctl_stream *s = arg;

	(void)in;
	s->taken += info->n_added;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct ctl_stream *s = arg;
	struct evbuffer *in = bufferevent_get_input(bev);

	if (s->taken > CTL_STREAM_TAKEN) {
		closed(s, CTL_ERROR_STREAM, EMSGSIZE);
		return;
	}
	while (read_one(s, in))
		;
}

/* ---- TLS, and the end of either */

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct ctl_stream *s = arg;
	int error = EVUTIL_SOCKET_ERROR();
	unsigned long err = bufferevent_get_openssl_error(bev);
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	bool shaking = s->stage == CTL_STREAM_SHAKING;

	ERR_clear_error(); /* libevent's own entries have no library */
	if (what & BEV_EVENT_CONNECTED) {
		s->stage = CTL_STREAM_READY;
		s->h->ready(s->arg);
	} else if (ssl != NULL && (ERR_GET_LIB(err) != 0 || shaking)) {
		closed(s, CTL_ERROR_TLS, ctl_tls_reason(ssl, err));
	} else if (what & BEV_EVENT_EOF) {
		closed(s, CTL_ERROR_STREAM, EPIPE);
	} else {
		closed(s, CTL_ERROR_STREAM, error != 0 ? (uint32_t)error : ECONNRESET);
	}
}

/* ---- Connected */

static int make_bev(struct ctl_stream *s, int fd)
{
	SSL *ssl;

	if (s->p.tls == NULL) {
		s->bev = bufferevent_socket_new(s->p.base, fd, BEV_OPT_CLOSE_ON_FREE);
		return s->bev != NULL ? 0 : -ENOMEM;
	}
	ssl = ctl_tls_client(s->p.tls, s->p.name);
	if (ssl == NULL)
		return -EINVAL;
	s->bev = bufferevent_openssl_socket_new(s->p.base, fd, ssl, BUFFEREVENT_SSL_CONNECTING,
						BEV_OPT_CLOSE_ON_FREE);
	if (s->bev != NULL)
		return 0;
	SSL_free(ssl);
	return -ENOMEM;
}

static void start(struct ctl_stream *s, int fd)
{
	const int on = 1;
	int err;

	ctl_sockaddr_local(fd, &s->local);
	s->local.transport = s->p.tls != NULL ? DP_TLS : DP_TCP;
	setsockopt(fd, SOL_TCP, TCP_NODELAY, &on, sizeof(on));
	err = make_bev(s, fd);
	if (err != 0) {
		close(fd);
		if (err == -EINVAL)
			closed(s, CTL_ERROR_TLS, CTL_TLS_OWN_FILES);
		else
			closed(s, CTL_ERROR_STREAM, ENOMEM);
		return;
	}
	bufferevent_setcb(s->bev, on_read, NULL, on_event, s);
	bufferevent_setwatermark(s->bev, EV_READ, 0, CTL_STREAM_MESSAGE + 1);
	evbuffer_add_cb(bufferevent_get_input(s->bev), on_arrival, s);
	if (bufferevent_enable(s->bev, EV_READ | EV_WRITE) != 0) {
		closed(s, CTL_ERROR_STREAM, ENOMEM);
		return;
	}
	s->stage = s->p.tls != NULL ? CTL_STREAM_SHAKING : CTL_STREAM_READY;
	if (s->stage == CTL_STREAM_READY)
		s->h->ready(s->arg);
}

static bool others_try(const struct ctl_stream *s)
{
	for (unsigned int i = 0; i < CTL_STREAM_ATTEMPTS; i++) {
		if (s->attempts[i].ev != NULL)
			return true;
	}
	return false;
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;
	struct ctl_stream *s = a->s;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		end_attempt(a);
		if (!others_try(s))
			closed(s, CTL_ERROR_STREAM, (uint32_t)error);
		return;
	}
	event_free(a->ev);
	a->ev = NULL;
	for (unsigned int i = 0; i < CTL_STREAM_ATTEMPTS; i++)
		end_attempt(&s->attempts[i]);
	start(s, fd);
}

/* ---- Opening */

static int begin_connect(const struct ctl_stream *s, int fd)
{
	bool v4 = dp_ip_is_v4(&s->p.to.ip);
	static const struct sip_ip none;
	const int on = 1;
	union ctl_sockaddr a;
	socklen_t len;

	if (!dp_ip_equal(&s->p.from, &none)) {
		setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		len = ctl_sockaddr_to(&a, &s->p.from, 0, v4);
		if (bind(fd, &a.sa, len) != 0)
			return -errno;
	}
	len = ctl_sockaddr_to(&a, &s->p.to.ip, s->p.to.port, v4);
	return connect(fd, &a.sa, len) == 0 || errno == EINPROGRESS ? 0 : -errno;
}

static int try_once(struct ctl_stream *s)
{
	struct attempt *a = &s->attempts[s->n_attempts];
	int fd = socket(dp_ip_is_v4(&s->p.to.ip) ? AF_INET : AF_INET6,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = begin_connect(s, fd);
	if (err == 0) {
		a->s = s;
		a->fd = fd;
		a->ev = event_new(s->p.base, fd, EV_WRITE, on_connected, a);
		if (a->ev != NULL && event_add(a->ev, NULL) == 0) {
			s->n_attempts++;
			return 0;
		}
		err = -ENOMEM;
	}
	if (a->ev != NULL)
		event_free(a->ev);
	a->ev = NULL;
	close(fd);
	return err;
}

int ctl_stream_open(const struct ctl_stream_params *p, const struct ctl_stream_handler *h,
		    void *arg, struct ctl_stream **out)
{
	struct ctl_stream *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return -ENOMEM;
	s->p = *p;
	s->h = h;
	s->arg = arg;
	sip_framer_init(&s->framer, &limits);
	err = try_once(s);
	if (err != 0) {
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

void ctl_stream_attempt(struct ctl_stream *s)
{
	if (s->stage == CTL_STREAM_CONNECTING && s->bev == NULL
	    && s->n_attempts < CTL_STREAM_ATTEMPTS)
		try_once(s);
}

void ctl_stream_give(struct ctl_stream *s, const struct ctl_stream_handler *h, void *arg)
{
	s->h = h;
	s->arg = arg;
}

enum ctl_stream_stage ctl_stream_stage(const struct ctl_stream *s)
{
	return s->stage;
}

const struct dp_endpoint *ctl_stream_local(const struct ctl_stream *s)
{
	return &s->local;
}

int ctl_stream_write(struct ctl_stream *s, const char *buf, size_t len)
{
	return bufferevent_write(s->bev, buf, len) == 0 ? 0 : -ENOMEM;
}

void ctl_stream_expect(struct ctl_stream *s)
{
	s->taken = evbuffer_get_length(bufferevent_get_input(s->bev));
	s->n_uses++;
}

unsigned int ctl_stream_uses(const struct ctl_stream *s)
{
	return s->n_uses;
}
