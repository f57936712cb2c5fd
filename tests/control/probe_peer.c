#include "tests/control/probe_peer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct peer_conn {
	struct peer_conn *next;
	struct peer *p;
	struct bufferevent *bev;
	struct event *drip;
	char text[8192]; /* that drips */
	size_t at;
	bool flooding;
};

static void conn_free(struct peer_conn *c)
{
	struct peer_conn **at = &c->p->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->p->n_closed++;
	if (c->drip)
		event_free(c->drip);
	bufferevent_free(c->bev);
	free(c);
}

static void reset(struct peer_conn *c)
{
	const struct linger l = { .l_onoff = 1 };

	setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	conn_free(c);
}

static void put(struct peer_conn *c, const char *text, size_t len)
{
	bufferevent_write(c->bev, text, len);
}

static void put_text(struct peer_conn *c, const char *text)
{
	put(c, text, strlen(text));
}

static void on_drip(evutil_socket_t fd, short what, void *arg)
{
	struct peer_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->text[c->at] != '\0')
		put(c, &c->text[c->at++], 1);
}

static void drip(struct peer_conn *c, const char *text)
{
	const struct timeval tv = { .tv_usec = 500 };

	snprintf(c->text, sizeof(c->text), "%s", text);
	c->at = 0;
	if (!c->drip)
		c->drip = event_new(c->p->base, -1, EV_PERSIST, on_drip, c);
	event_add(c->drip, &tv);
}

static void flood(struct peer_conn *c)
{
	static const char chatter[] = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP "
				      "h;branch=z9hG4bK00000000000000000000000000000000\r\n"
				      "Content-Length: 0\r\n\r\n";
	static const char pings[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";

	c->flooding = true;
	for (unsigned int i = 0; i < 500; i++)
		put_text(c, c->p->mood == PEER_CHATTERS ? chatter : pings);
}

/* At the request's end the answer goes when all else was written; whoever closes waits for that. */
static void close_when_written(struct bufferevent *bev, void *arg)
{
	(void)bev;
	conn_free(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg);

static void say(struct peer_conn *c, const char *answer)
{
	static const char request[] = "OPTIONS sip:us SIP/2.0\r\nContent-Length: 0\r\n\r\n";
	const char *head = strstr(answer, "Content-Length");
	size_t len = strlen(answer);

	switch (c->p->mood) {
	case PEER_GARBAGE: put_text(c, "\x01\x02 garbage\r\n\r\n"); break;
	case PEER_HALF: put(c, answer, len / 2); break;
	case PEER_HUGE:
		put(c, answer, (size_t)(head - answer));
		put_text(c, "Content-Length: 1000000000\r\n\r\n");
		flood(c);
		break;
	case PEER_NO_LENGTH:
		put(c, answer, (size_t)(head - answer));
		put_text(c, "\r\n");
		break;
	case PEER_LONG_HEADER:
		put(c, answer, (size_t)(head - answer));
		for (unsigned int i = 0; i < 1000; i++)
			put_text(c, "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaa\r\n");
		break;
	case PEER_DRIPS: drip(c, answer); break;
	case PEER_PINGS:
		put_text(c, "\r\n\r\n");
		put_text(c, answer);
		put_text(c, "\r\n\r\n\r\n");
		break;
	case PEER_FLOODS:
	case PEER_CHATTERS: flood(c); break;
	case PEER_REQUESTS:
		put_text(c, request);
		put_text(c, answer);
		break;
	case PEER_CLOSES:
	case PEER_CLOSES_MIDWAY:
		put(c, answer, c->p->mood == PEER_CLOSES ? len : len / 2);
		bufferevent_setcb(c->bev, NULL, close_when_written, on_event, c);
		break;
	default: put_text(c, answer);
	}
}

static void request(struct peer_conn *c, const char *msg)
{
	struct peer *p = c->p;
	char answer[8192];

	snprintf(p->sip.last, sizeof(p->sip.last), "%s", msg);
	p->n_requests++;
	server_make_answer(&p->sip, msg, answer, sizeof(answer));
	if (p->mood == PEER_CLOSES_FIRST) {
		conn_free(c);
	} else if (p->mood == PEER_RESETS) {
		reset(c);
	} else if (p->mood == PEER_TRIES) {
		uint16_t code = p->sip.code;

		p->sip.code = 100;
		server_make_answer(&p->sip, msg, answer, sizeof(answer));
		put_text(c, answer);
		p->sip.code = code;
		server_make_answer(&p->sip, msg, answer, sizeof(answer));
		put_text(c, answer);
	} else if (p->mood != PEER_SILENT) {
		say(c, answer);
	}
	if (p->once > 0 && --p->once == 0)
		p->mood = PEER_ANSWERS;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct peer_conn *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	char msg[4096];
	struct evbuffer_ptr end;
	size_t len;

	while (evbuffer_get_length(in) >= 2 && memcmp(evbuffer_pullup(in, 2), "\r\n", 2) == 0) {
		evbuffer_drain(in, 2);
		c->p->n_pongs++;
	}
	end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (end.pos < 0)
		return;
	len = (size_t)end.pos + 4;
	cr_assert_lt(len, sizeof(msg));
	evbuffer_remove(in, msg, len);
	msg[len] = '\0';
	request(c, msg);
}

/* A flood goes on as long as somebody takes it. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct peer_conn *c = arg;

	(void)bev;
	if (c->flooding)
		flood(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct peer_conn *c = arg;
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (what & BEV_EVENT_CONNECTED) {
		const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
		X509 *x = SSL_get1_peer_certificate(ssl);

		snprintf(c->p->sni, sizeof(c->p->sni), "%s", sni ? sni : "");
		c->p->has_client_cert = x != NULL;
		X509_free(x);
	} else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
		ERR_clear_error();
		conn_free(c);
	}
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	int got = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK);
	struct peer_conn *c;

	(void)what;
	if (got < 0)
		return;
	p->n_accepted++;
	p->from_port = ntohs(from.sin_port);
	if (p->mood == PEER_CLOSES_AT_ONCE) {
		close(got);
		return;
	}
	c = calloc(1, sizeof(*c));
	c->p = p;
	c->next = p->conns;
	p->conns = c;
	if (p->ssl_ctx)
		c->bev = bufferevent_openssl_socket_new(p->base, got, SSL_new(p->ssl_ctx),
							BUFFEREVENT_SSL_ACCEPTING,
							BEV_OPT_CLOSE_ON_FREE);
	else
		c->bev = bufferevent_socket_new(p->base, got, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_enable(c->bev, p->mood == PEER_READS_NOTHING ? EV_WRITE : EV_READ | EV_WRITE);
}

static SSL_CTX *make_ctx(const struct cert *cert)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	cr_assert_eq(SSL_CTX_use_certificate_chain_file(ctx, cert->cert), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey_file(ctx, cert->key, SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	return ctx;
}

void peer_start(struct peer *p, struct event_base *base, const struct cert *cert)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	memset(p, 0, sizeof(*p));
	p->sip.code = 200;
	p->base = base;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(p->fd, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(listen(p->fd, 64), 0);
	cr_assert_eq(getsockname(p->fd, (struct sockaddr *)&in, &len), 0);
	p->port = ntohs(in.sin_port);
	if (cert)
		p->ssl_ctx = make_ctx(cert);
	p->ev = event_new(base, p->fd, EV_READ | EV_PERSIST, on_accept, p);
	event_add(p->ev, NULL);
}

void peer_ask(struct peer *p, const struct cert *ca)
{
	cr_assert_eq(SSL_CTX_load_verify_locations(p->ssl_ctx, ca->cert, NULL), 1);
	SSL_CTX_set_verify(p->ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

void peer_age(struct peer *p)
{
	SSL_CTX_set_security_level(p->ssl_ctx, 0);
	SSL_CTX_set_min_proto_version(p->ssl_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(p->ssl_ctx, TLS1_1_VERSION);
}

void peer_hang_up(struct peer *p)
{
	while (p->conns)
		conn_free(p->conns);
}

void peer_stop(struct peer *p)
{
	peer_hang_up(p);
	event_free(p->ev);
	close(p->fd);
	SSL_CTX_free(p->ssl_ctx);
}

struct dp_endpoint peer_endpoint(const struct peer *p)
{
	struct dp_endpoint e = { .port = p->port, .transport = p->ssl_ctx ? DP_TLS : DP_TCP };

	cr_assert_eq(dp_ip_parse("127.0.0.1", &e.ip), 0);
	return e;
}
