#include "tests/control/probe_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

static bool header_of(const char *msg, const char *name, char *out, size_t size)
{
	const char *at = msg;
	size_t n = strlen(name);

	while ((at = strstr(at, "\r\n")) != NULL) {
		at += 2;
		if (strncasecmp(at, name, n) != 0 || at[n] != ':')
			continue;
		at += n + 1;
		at += strspn(at, " ");
		snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
		return true;
	}
	return false;
}

bool server_header(const struct server *s, const char *name, char *out, size_t size)
{
	return header_of(s->last, name, out, size);
}

/* ---- Digest, written from RFC 7616 for itself: the prober's own is what is tested. */

static void hex_digest(const EVP_MD *md, const char *text, char *out)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	cr_assert_eq(EVP_Digest(text, strlen(text), sum, &n, md, NULL), 1);
	for (unsigned int i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", sum[i]);
}

static void param(const char *value, const char *name, char *out)
{
	char want[64];
	const char *at;

	snprintf(want, sizeof(want), "%s=", name);
	at = strstr(value, want);
	*out = '\0';
	if (at == NULL)
		return;
	at += strlen(want);
	if (*at == '"')
		sprintf(out, "%.*s", (int)strcspn(at + 1, "\""), at + 1);
	else
		sprintf(out, "%.*s", (int)strcspn(at, ", \r\n"), at);
}

static bool is_authorized(const struct server *s, const char *msg)
{
	char value[2048], user[256], realm[256], nonce[256], uri[256], response[256], nc[64];
	char cnonce[256], qop[64], a1[1024], a2[1024], all[2048], ha1[256], ha2[256], want[256];
	const EVP_MD *md = strcmp(s->algorithm, "SHA-256") == 0 ? EVP_sha256() : EVP_md5();

	if (!header_of(msg, s->proxy_auth ? "Proxy-Authorization" : "Authorization", value,
		       sizeof(value)))
		return false;
	param(value, "username", user);
	param(value, "realm", realm);
	param(value, " nonce", nonce);
	param(value, "uri", uri);
	param(value, "response", response);
	param(value, "nc", nc);
	param(value, "cnonce", cnonce);
	param(value, "qop", qop);
	snprintf(a1, sizeof(a1), "%s:%s:%s", user, realm, s->password);
	snprintf(a2, sizeof(a2), "REGISTER:%s", uri);
	hex_digest(md, a1, ha1);
	hex_digest(md, a2, ha2);
	if (qop[0] != '\0')
		snprintf(all, sizeof(all), "%s:%s:%s:%s:%s:%s", ha1, nonce, nc, cnonce, qop, ha2);
	else
		snprintf(all, sizeof(all), "%s:%s:%s", ha1, nonce, ha2);
	hex_digest(md, all, want);
	return strcmp(want, response) == 0 && (qop[0] != '\0') == (s->qop != NULL)
	       && strcmp(user, "bob") == 0;
}

static const char *challenge(struct server *s, char *out, size_t size)
{
	static unsigned int serial;
	const char *name = s->proxy_auth ? "Proxy-Authenticate" : "WWW-Authenticate";
	char qop[64] = "";

	if (s->qop != NULL)
		snprintf(qop, sizeof(qop), ", qop=\"%s\"", s->qop);
	snprintf(out, size,
		 "%s: Digest realm=\"x\", nonce=\"q0\", algorithm=SHA-512-256\r\n"
		 "%s: Digest realm=\"a, b\", nonce=\"n%u\", opaque=\"o\", algorithm=%s%s%s\r\n",
		 name, name, ++serial, s->algorithm, qop,
		 s->stale_once && s->n_authorized > 0 ? ", stale=true" : "");
	return out;
}

/* ---- Answering */

static void put_response(struct server *s, const char *msg, unsigned int code, const char *more,
			 char *out, size_t size)
{
	char via[512], from[512], to[512], call_id[256], cseq[128];

	header_of(msg, "Via", via, sizeof(via));
	header_of(msg, "From", from, sizeof(from));
	header_of(msg, "To", to, sizeof(to));
	header_of(msg, "Call-ID", call_id, sizeof(call_id));
	header_of(msg, "CSeq", cseq, sizeof(cseq));
	if (s->mood == SERVER_OTHER_CALL_ID)
		call_id[3] = call_id[3] == '0' ? '1' : '0';
	if (s->mood == SERVER_OTHER_CSEQ)
		cseq[8] = cseq[8] == '0' ? '1' : '0';
	if (s->mood == SERVER_OTHER_METHOD)
		strcpy(strchr(cseq, ' '), " INVITE");
	if (s->mood == SERVER_OTHER_TAG)
		strstr(from, ";tag=")[5] = 'x';
	if (s->mood == SERVER_OTHER_BRANCH)
		strstr(via, "z9hG4bK")[20] ^= 1;
	snprintf(out, size,
		 "%s %u Fine\r\nVia: %s;received=127.0.0.1\r\n%sFrom: %s\r\nTo: %s;tag=z\r\n"
		 "Call-ID: %s\r\n%s%s%s%sContent-Length: 0\r\n\r\n",
		 s->mood == SERVER_NO_SIP ? "HTTP/1.1" : "SIP/2.0", code, via,
		 s->mood == SERVER_TWO_VIAS ? "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n" : "",
		 from, to, call_id,
		 s->mood == SERVER_NO_CSEQ ? "" : "CSeq: ", s->mood == SERVER_NO_CSEQ ? "" : cseq,
		 s->mood == SERVER_NO_CSEQ ? "" : "\r\n", more);
	if (s->mood == SERVER_BROKEN_STATUS)
		memcpy(out, "SIP/2.0 xx", 10);
	if (s->mood == SERVER_TRUNCATED)
		strstr(out, "z9hG4bK")[45] = '\0';
}

static void send_to(const struct server *s, int fd, const char *text,
		    const struct sockaddr_storage *to)
{
	socklen_t len = s->v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	sendto(fd, text, strlen(text), 0, (const struct sockaddr *)to, len);
}

void server_make_answer(struct server *s, const char *msg, char *out, size_t size)
{
	bool is_register = strncmp(msg, "REGISTER ", 9) == 0;
	unsigned int code = s->code;
	char more[2048] = "";

	s->n_options += !is_register;
	s->n_registers += is_register;
	if (is_register && s->algorithm != NULL) {
		bool ok = is_authorized(s, msg);

		s->n_authorized += ok;
		if (!ok || (s->stale_once && s->n_authorized == 1)) {
			code = s->proxy_auth ? 407 : 401;
			challenge(s, more, sizeof(more));
		}
	}
	put_response(s, msg, code, more, out, size);
	if (s->mood == SERVER_ECHOES_REQUEST)
		snprintf(out, size, "%s", msg);
}

static void answer(struct server *s, const char *msg, const struct sockaddr_storage *from)
{
	char out[8192];

	if (s->mood == SERVER_TRIES_FIRST) {
		put_response(s, msg, 100, "", out, sizeof(out));
		send_to(s, s->fd, out, from);
	}
	server_make_answer(s, msg, out, sizeof(out));
	send_to(s, s->mood == SERVER_OTHER_PORT ? s->other_fd : s->fd, out, from);
	if (s->mood == SERVER_ANSWERS_TWICE)
		send_to(s, s->fd, out, from);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	socklen_t len = sizeof(s->from);
	ssize_t n =
		recvfrom(fd, s->last, sizeof(s->last) - 1, 0, (struct sockaddr *)&s->from, &len);

	(void)what;
	if (n < 0)
		return;
	s->last[n] = '\0';
	s->n_received++;
	if (s->mood == SERVER_SILENT)
		return;
	if (s->skip > 0) {
		s->skip--;
		return;
	}
	answer(s, s->last, &s->from);
}

void server_answer_last(struct server *s)
{
	answer(s, s->last, &s->from);
}

static int bound(bool v6, uint16_t *port)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	socklen_t len = v6 ? sizeof(in6) : sizeof(in);
	struct sockaddr *sa = v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, sa, len), 0);
	cr_assert_eq(getsockname(fd, sa, &len), 0);
	*port = ntohs(v6 ? in6.sin6_port : in.sin_port);
	return fd;
}

void server_start(struct server *s, struct event_base *base, bool v6)
{
	uint16_t other;

	memset(s, 0, sizeof(*s));
	s->v6 = v6;
	s->code = 200;
	s->fd = bound(v6, &s->port);
	s->other_fd = bound(v6, &other);
	s->ev = event_new(base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	event_add(s->ev, NULL);
}

void server_stop(struct server *s)
{
	event_free(s->ev);
	close(s->fd);
	close(s->other_fd);
}

struct dp_endpoint server_endpoint(const struct server *s)
{
	struct dp_endpoint e = { .port = s->port, .transport = DP_UDP };

	cr_assert_eq(dp_ip_parse(s->v6 ? "::1" : "127.0.0.1", &e.ip), 0);
	return e;
}
