/*
 * The bench's texts: messages from short text, patterns with tokens, and the two sides of a dialog.
 */
#include "tests/dataplane/steer_bench.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Short text to message ---- */

struct out {
	char *p;
	size_t len;
};

static void put(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(o->p + o->len, BENCH_MSG - o->len, format, ap);
	va_end(ap);
	cr_assert(n >= 0 && o->len + (size_t)n < BENCH_MSG);
	o->len += (size_t)n;
}

/* '\n' becomes CRLF; the last line need not have one. */
static void put_lines(struct out *o, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			put(o, "\r\n");
		else
			put(o, "%c", text[i]);
	}
	if (len && text[len - 1] != '\n')
		put(o, "\r\n");
}

static bool has_header(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strchr(text, '\n'); p; p = strchr(p + 1, '\n'))
		if (strncasecmp(p + 1, name, n) == 0)
			return true;
	return false;
}

size_t bench_text(char *out, const char *src, const char *text)
{
	const char *line = strchr(text, '\n');
	size_t first = line ? (size_t)(line - text) + 1 : strlen(text);
	bool response = strncmp(text, "SIP/", 4) == 0;
	struct out o = { .p = out };

	if (strstr(text, "\n\n")) {
		for (const char *p = text; *p; p++)
			put(&o, *p == '\n' ? "\r\n" : "%c", *p);
		return o.len;
	}
	put_lines(&o, text, first);
	if (!has_header(text, "Via:") && !has_header(text, "v:"))
		put(&o, "Via: SIP/2.0/UDP %s;branch=z9hG4bK-1\r\n", src);
	put_lines(&o, text + first, strlen(text) - first);
	if (!has_header(text, "From:"))
		put(&o, "From: <sip:alice@example.com>;tag=f1\r\n");
	if (!has_header(text, "To:"))
		put(&o, "To: <sip:bob@example.com>\r\n");
	if (!has_header(text, "Call-ID:"))
		put(&o, "Call-ID: call-1\r\n");
	if (!has_header(text, "CSeq:"))
		put(&o, "CSeq: 1 %.*s\r\n", response ? 6 : (int)strcspn(text, " "),
		    response ? "INVITE" : text);
	if (!response && !has_header(text, "Max-Forwards:"))
		put(&o, "Max-Forwards: 70\r\n");
	if (!has_header(text, "Content-Length:"))
		put(&o, "Content-Length: 0\r\n");
	put(&o, "\r\n");
	return o.len;
}

/* ---- Patterns ---- */

static const struct dp_pair *pair_by_name(const struct bench *b, const char *name, size_t len)
{
	return dp_cfg_pair_by_key(b->cfg, dp_key(name, len));
}

/* A member's name, or "-". */
static bool member_is(uint32_t key, const char *name, size_t len)
{
	return key == (len == 1 && name[0] == '-' ? 0 : dp_key(name, len));
}

static size_t match_branch(const char *arg, const char *s, size_t room)
{
	struct steer_branch br;

	if (room < STEER_BRANCH_LEN
	    || steer_branch_read((const uint8_t *)s, STEER_BRANCH_LEN, &br) < 0)
		return 0;
	return arg[0] == '\0' || member_is(br.member, arg, strlen(arg)) ? STEER_BRANCH_LEN : 0;
}

static size_t match_cookie(const struct bench *b, const char *arg, const char *s, size_t room)
{
	const char *id = bench_header(b->out, "Call-ID", 0);
	char pair[32], member[32], dir[8];
	struct steer_cookie k;
	const struct dp_pair *p;

	if (room < STEER_COOKIE_LEN
	    || steer_cookie_read((const uint8_t *)s, STEER_COOKIE_LEN, &k) < 0
	    || !steer_cookie_valid(b->cfg, &k, (const uint8_t *)id, strlen(id)))
		return 0;
	cr_assert(sscanf(arg, "%31s %31s %7s", pair, member, dir) == 3, "{cookie %s}", arg);
	p = pair_by_name(b, pair, strlen(pair));
	return p && k.pair == p->key && member_is(k.member, member, strlen(member))
			       && k.direction == (strcmp(dir, "out") == 0)
		       ? STEER_COOKIE_LEN
		       : 0;
}

static size_t match_flow(const struct bench *b, const char *arg, const char *s, size_t room)
{
	struct dp_endpoint at = bench_endpoint(arg);
	struct steer_flow f;

	if (room < STEER_FLOW_LEN || steer_flow_read((const uint8_t *)s, STEER_FLOW_LEN, &f) < 0
	    || !steer_flow_valid(b->cfg, &f))
		return 0;
	return dp_ip_equal(&f.ip, &at.ip) && f.port == at.port ? STEER_FLOW_LEN : 0;
}

static size_t match_tag(const char *s, size_t room)
{
	for (size_t i = 2; i < 18; i++)
		if (room < 18 || !isxdigit((unsigned char)s[i]))
			return 0;
	return s[0] == 's' && s[1] == 's' ? 18 : 0;
}

/* Length of what the token matches at s, 0: it does not. */
static size_t match_token(const struct bench *b, const char *token, const char *s, size_t room)
{
	const char *arg = strchr(token, ' ');

	arg = arg ? arg + 1 : "";
	if (strncmp(token, "branch", 6) == 0)
		return match_branch(arg, s, room);
	if (strncmp(token, "cookie", 6) == 0)
		return match_cookie(b, arg, s, room);
	if (strncmp(token, "flow", 4) == 0)
		return match_flow(b, arg, s, room);
	if (strcmp(token, "tag") == 0)
		return match_tag(s, room);
	cr_assert_fail("unknown token {%s}", token);
	return 0;
}

/* Whether the pattern matches at s; *end: behind what it matched. */
static bool match(const struct bench *b, const char *pattern, const char *s, const char **end)
{
	char token[128];
	size_t n;

	for (; *pattern; pattern++) {
		if (*pattern == '{') {
			n = strcspn(pattern, "}");
			snprintf(token, sizeof(token), "%.*s", (int)n - 1, pattern + 1);
			pattern += n;
			if (strcmp(token, "*") == 0 && pattern[1] == '\0') {
				*end = s + strcspn(s, "\r");
				return true;
			}
			if (strcmp(token, "*") == 0) {
				for (const char *at = s;; at++) {
					if (match(b, pattern + 1, at, end))
						return true;
					if (*at == '\0')
						return false;
				}
			}
			n = match_token(b, token, s, strlen(s));
			if (n == 0)
				return false;
			s += n;
		} else if (*pattern == '\n') {
			if (s[0] != '\r' || s[1] != '\n')
				return false;
			s += 2;
		} else if (*pattern != *s++) {
			return false;
		}
	}
	*end = s;
	return true;
}

bool bench_is_at(const char *file, int line, struct bench *b, const char *pattern)
{
	const char *end;
	bool ok = match(b, pattern, b->out, &end) && *end == '\0';

	cr_expect(ok, "%s:%d: want\n%s\ngot (%s)\n%s", file, line, pattern, b->v.why, b->out);
	return ok;
}

bool bench_has_at(const char *file, int line, struct bench *b, const char *pattern, bool want)
{
	const char *end;
	bool found = false;

	for (const char *s = b->out; s && !found; s = strchr(s, '\n')) {
		s += *s == '\n';
		found = match(b, pattern, s, &end) && (end[0] == '\r' || end[0] == '\0');
	}
	cr_expect(found == want, "%s:%d: %s\n%s\nin (%s)\n%s", file, line,
		  want ? "want" : "do not want", pattern, b->v.why, b->out);
	return found == want;
}

/* ---- Verdicts ---- */

static const char *verdict_text(const struct bench *b)
{
	static char text[256];
	const struct steer_verdict *v = &b->v;

	switch (v->action) {
	case STEER_FORWARD:
		snprintf(text, sizeof(text), "forwarded from %s to %s (%s)",
			 bench_endpoint_text(&v->from->at), bench_endpoint_text(&v->to), v->why);
		break;
	case STEER_ANSWER:
		snprintf(text, sizeof(text), "answered %u to %s (%s)", v->status,
			 bench_endpoint_text(&v->to), v->why);
		break;
	default:
		snprintf(text, sizeof(text), "dropped %s (%s)",
			 dp_reason_name((enum dp_reason)v->reason), v->why);
	}
	return text;
}

bool bench_forwarded_at(const char *file, int line, struct bench *b, const char *from,
			const char *to)
{
	bool ok = b->v.action == STEER_FORWARD
		  && strcmp(bench_endpoint_text(&b->v.from->at), from) == 0
		  && strcmp(bench_endpoint_text(&b->v.to), to) == 0;

	cr_expect(ok, "%s:%d: want forwarded from %s to %s, %s\n%s", file, line, from, to,
		  verdict_text(b), b->in);
	return ok;
}

bool bench_answered_at(const char *file, int line, struct bench *b, unsigned int status)
{
	bool ok = b->v.action == STEER_ANSWER && b->v.status == status;

	cr_expect(ok, "%s:%d: want answered %u, %s\n%s", file, line, status, verdict_text(b),
		  b->in);
	return ok;
}

bool bench_dropped_at(const char *file, int line, struct bench *b, enum dp_reason reason)
{
	bool ok = b->v.action == STEER_DROP && b->v.reason == reason;

	cr_expect(ok, "%s:%d: want dropped %s, %s\n%s", file, line, dp_reason_name(reason),
		  verdict_text(b), b->in);
	return ok;
}

/* ---- Endpoints ---- */

/* Next element of a comma list from s on; quotes and angle brackets are whole. */
static size_t element_len(const char *s)
{
	size_t i = 0;
	bool angle = false, quoted = false;

	for (; s[i] && s[i] != '\r'; i++) {
		if (s[i] == '"')
			quoted = !quoted;
		else if (!quoted && (s[i] == '<' || s[i] == '>'))
			angle = s[i] == '<';
		else if (!quoted && !angle && s[i] == ',')
			break;
	}
	return i;
}

const char *bench_header(const char *msg, const char *name, unsigned int n)
{
	static char value[8][1024];
	static unsigned int next;
	size_t name_len = strlen(name), len;
	char *out = value[next++ % 8];

	for (const char *p = strstr(msg, "\r\n"); p && p[2] != '\r'; p = strstr(p + 2, "\r\n")) {
		const char *v = p + 2 + name_len + 1;

		if (strncasecmp(p + 2, name, name_len) != 0 || p[2 + name_len] != ':')
			continue;
		for (;;) {
			v += strspn(v, " ,");
			len = element_len(v);
			if (len == 0)
				break;
			if (n-- == 0) {
				snprintf(out, sizeof(value[0]), "%.*s", (int)len, v);
				return out;
			}
			v += len;
		}
	}
	out[0] = '\0';
	return out;
}

static void put_all(struct out *o, const char *msg, const char *name)
{
	const char *v;

	for (unsigned int i = 0; (v = bench_header(msg, name, i))[0] != '\0'; i++)
		put(o, "%s: %s\r\n", name, v);
}

void bench_reply_text(const struct bench *b, char *out, unsigned int status, const char *contact,
		      const char *more)
{
	struct out o = { .p = out };
	char to[1024];

	snprintf(to, sizeof(to), "%s", bench_header(b->out, "To", 0));
	put(&o, "SIP/2.0 %u Reason\r\n", status);
	put_all(&o, b->out, "Via");
	put_all(&o, b->out, "Record-Route");
	put(&o, "From: %s\r\n", bench_header(b->out, "From", 0));
	put(&o, "To: %s%s\r\n", to, strstr(to, ";tag=") || status == 100 ? "" : ";tag=t1");
	put(&o, "Call-ID: %s\r\n", bench_header(b->out, "Call-ID", 0));
	put(&o, "CSeq: %s\r\n", bench_header(b->out, "CSeq", 0));
	if (contact[0])
		put(&o, "Contact: <%s>\r\n", contact);
	put_lines(&o, more, strlen(more));
	put(&o, "Content-Length: 0\r\n\r\n");
}

enum steer_action bench_reply(struct bench *b, unsigned int status, const char *contact,
			      const char *more)
{
	static char msg[BENCH_MSG];
	char src[64], dst[64];

	bench_reply_text(b, msg, status, contact, more);
	snprintf(src, sizeof(src), "%s", bench_endpoint_text(&b->v.to));
	snprintf(dst, sizeof(dst), "%s", bench_endpoint_text(&b->v.from->at));
	return bench_bytes(b, src, dst, msg, strlen(msg));
}

static void uri_in(char *out, size_t size, const char *value)
{
	const char *open = strchr(value, '<');
	const char *uri = open ? open + 1 : value;

	snprintf(out, size, "%.*s", (int)strcspn(uri, open ? ">" : ";"), uri);
}

static void take_common(const struct bench *b, struct bench_dialog *d, const char *local,
			const char *remote)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->local, sizeof(d->local), "%s", bench_header(b->out, local, 0));
	snprintf(d->remote, sizeof(d->remote), "%s", bench_header(b->out, remote, 0));
	snprintf(d->call_id, sizeof(d->call_id), "%s", bench_header(b->out, "Call-ID", 0));
	uri_in(d->target, sizeof(d->target), bench_header(b->out, "Contact", 0));
	d->cseq = 100;
	snprintf(d->src, sizeof(d->src), "%s", bench_endpoint_text(&b->v.to));
	snprintf(d->dst, sizeof(d->dst), "%s", bench_endpoint_text(&b->v.from->at));
	while (d->n_routes < 8) {
		const char *v = bench_header(b->out, "Record-Route", d->n_routes);

		if (v[0] == '\0')
			break;
		snprintf(d->route[d->n_routes++], sizeof(d->route[0]), "%s", v);
	}
}

void bench_dialog_callee(const struct bench *b, struct bench_dialog *d)
{
	take_common(b, d, "To", "From");
	if (!strstr(d->local, ";tag="))
		strcat(d->local, ";tag=t1");
}

void bench_dialog_caller(const struct bench *b, struct bench_dialog *d)
{
	char swap[sizeof(d->route[0])];

	take_common(b, d, "From", "To");
	for (unsigned int i = 0; i < d->n_routes / 2; i++) {
		unsigned int k = d->n_routes - 1 - i;

		memcpy(swap, d->route[i], sizeof(swap));
		memcpy(d->route[i], d->route[k], sizeof(swap));
		memcpy(d->route[k], swap, sizeof(swap));
	}
}

enum steer_action bench_dialog_send(struct bench *b, struct bench_dialog *d, const char *method,
				    const char *more)
{
	static char text[BENCH_MSG];
	struct out o = { .p = text };

	put(&o, "%s %s SIP/2.0\n", method, d->target);
	put(&o, "Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK-d%u\n", d->src, ++d->cseq);
	for (unsigned int i = 0; i < d->n_routes; i++)
		put(&o, "Route: %s\n", d->route[i]);
	put(&o, "From: %s\nTo: %s\nCall-ID: %s\nCSeq: %u %s\n%s", d->local, d->remote, d->call_id,
	    d->cseq, method, more);
	return bench_send(b, d->src, d->dst, text);
}
