#include "control/probe/ctl_probe_msg.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <osipparser2/osip_parser.h>

#define COOKIE "z9hG4bK"

/* Stand-ins of the right length, found again in the finished text. */
#define BRANCH_MARK  "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define CALL_ID_MARK "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
#define TAG_MARK     "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"
#define CSEQ_MARK    "111111111"
_Static_assert(sizeof(BRANCH_MARK) == CTL_PROBE_TOKEN + 1, "a branch's length");
_Static_assert(sizeof(CSEQ_MARK) == CTL_PROBE_CSEQ + 1, "a CSeq's length");

/* Its own reports about what others send us would fill the log. */
static void say_nothing(const char *file, int line, osip_trace_level_t level, const char *format,
			va_list ap)
{
	(void)file;
	(void)line;
	(void)level;
	(void)format;
	(void)ap;
}

/* libosip2 wants to be initialised before anything else. */
static void init_once(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	osip_trace_initialize_func(TRACE_LEVEL0, say_nothing);
	parser_init();
}

/* ---- Building */

static int start_line(osip_message_t *m, const struct ctl_probe_form *f)
{
	osip_uri_t *uri;

	if (osip_uri_init(&uri) != 0)
		return -ENOMEM;
	if (osip_uri_parse(uri, f->uri) != 0) {
		osip_uri_free(uri);
		return -EINVAL;
	}
	osip_message_set_uri(m, uri);
	osip_message_set_version(m, osip_strdup("SIP/2.0"));
	osip_message_set_method(m, osip_strdup(f->is_register ? "REGISTER" : "OPTIONS"));
	osip_message_set_status_code(m, 0);
	osip_message_set_reason_phrase(m, NULL);
	return m->sip_version != NULL && m->sip_method != NULL ? 0 : -ENOMEM;
}

static int headers(osip_message_t *m, const struct ctl_probe_form *f)
{
	char via[256], from[512], to[512], max[16];
	int bad;

	if ((size_t)snprintf(via, sizeof(via), "SIP/2.0/%s %s;branch=" COOKIE BRANCH_MARK ";rport",
			     f->transport, f->sent_by)
		    >= sizeof(via)
	    || (size_t)snprintf(from, sizeof(from), "<%s>;tag=" TAG_MARK, f->from) >= sizeof(from)
	    || (size_t)snprintf(to, sizeof(to), "<%s>", f->to) >= sizeof(to))
		return -EINVAL;
	snprintf(max, sizeof(max), "%u", f->max_forwards);
	bad = osip_message_set_via(m, via);
	bad |= osip_message_set_from(m, from);
	bad |= osip_message_set_to(m, to);
	bad |= osip_message_set_call_id(m, CALL_ID_MARK);
	bad |= osip_message_set_cseq(m,
				     f->is_register ? CSEQ_MARK " REGISTER" : CSEQ_MARK " OPTIONS");
	bad |= osip_message_set_header(m, "Max-Forwards", max);
	bad |= osip_message_set_header(m, "User-Agent", f->user_agent);
	if (!f->is_register)
		bad |= osip_message_set_accept(m, "application/sdp");
	if (f->authorization != NULL && f->proxy_authorization)
		bad |= osip_message_set_proxy_authorization(m, f->authorization);
	else if (f->authorization != NULL)
		bad |= osip_message_set_authorization(m, f->authorization);
	bad |= osip_message_set_content_length(m, "0");
	return bad == 0 ? 0 : -EINVAL;
}

/* Where a mark stands behind its prefix. */
static bool find_mark(const struct ctl_probe_text *t, const char *prefix, const char *mark,
		      size_t *at)
{
	char want[64];
	const char *found;

	snprintf(want, sizeof(want), "%s%s", prefix, mark);
	found = strstr(t->b, want);
	if (found != NULL)
		*at = (size_t)(found - t->b) + strlen(prefix);
	return found != NULL;
}

static int find_marks(struct ctl_probe_text *t)
{
	bool all = find_mark(t, ";branch=" COOKIE, BRANCH_MARK, &t->branch)
		   && find_mark(t, "\r\nCall-ID: ", CALL_ID_MARK, &t->call_id)
		   && find_mark(t, ">;tag=", TAG_MARK, &t->tag)
		   && find_mark(t, "\r\nCSeq: ", CSEQ_MARK, &t->cseq);

	return all ? 0 : -EINVAL;
}

static int to_text(osip_message_t *m, struct ctl_probe_text *t)
{
	char *text = NULL;
	size_t len = 0;

	if (osip_message_to_str(m, &text, &len) != 0)
		return -EINVAL;
	t->b = malloc(len + 1);
	if (t->b != NULL) {
		memcpy(t->b, text, len);
		t->b[len] = '\0';
		t->len = len;
	}
	osip_free(text);
	return t->b != NULL ? 0 : -ENOMEM;
}

int ctl_probe_text_build(struct ctl_probe_text *t, const struct ctl_probe_form *f)
{
	osip_message_t *m;
	int err;

	memset(t, 0, sizeof(*t));
	init_once();
	if (osip_message_init(&m) != 0)
		return -ENOMEM;
	err = start_line(m, f);
	if (err == 0)
		err = headers(m, f);
	if (err == 0)
		err = to_text(m, t);
	if (err == 0)
		err = find_marks(t);
	osip_message_free(m);
	if (err != 0)
		ctl_probe_text_fini(t);
	return err;
}

void ctl_probe_text_fini(struct ctl_probe_text *t)
{
	free(t->b);
	memset(t, 0, sizeof(*t));
}

void ctl_probe_text_put(struct ctl_probe_text *t, const struct ctl_probe_ids *ids)
{
	uint32_t cseq = ids->cseq;

	memcpy(t->b + t->branch, ids->branch, CTL_PROBE_TOKEN);
	memcpy(t->b + t->call_id, ids->call_id, CTL_PROBE_TOKEN);
	memcpy(t->b + t->tag, ids->tag, CTL_PROBE_TOKEN);
	for (size_t i = CTL_PROBE_CSEQ; i-- > 0; cseq /= 10)
		t->b[t->cseq + i] = (char)('0' + cseq % 10);
}

/* Random bytes in bulk: a system call per probe would be felt at 20,000 a second. */
static int random_bytes(uint8_t *to, size_t n)
{
	static uint8_t pool[8192];
	static size_t left;

	if (left < n) {
		if (getrandom(pool, sizeof(pool), 0) != (ssize_t)sizeof(pool))
			return -EIO;
		left = sizeof(pool);
	}
	left -= n;
	memcpy(to, pool + left, n);
	explicit_bzero(pool + left, n);
	return 0;
}

static void hex(char *to, const uint8_t *from, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		to[2 * i] = digits[from[i] >> 4];
		to[2 * i + 1] = digits[from[i] & 15];
	}
}

int ctl_probe_ids_new(struct ctl_probe_ids *ids)
{
	uint8_t r[3 * CTL_PROBE_TOKEN / 2 + 4];
	uint32_t cseq;
	int err = random_bytes(r, sizeof(r));

	if (err != 0)
		return err;
	hex(ids->branch, r, CTL_PROBE_TOKEN / 2);
	hex(ids->call_id, r + CTL_PROBE_TOKEN / 2, CTL_PROBE_TOKEN / 2);
	hex(ids->tag, r + CTL_PROBE_TOKEN, CTL_PROBE_TOKEN / 2);
	memcpy(&cseq, r + 3 * CTL_PROBE_TOKEN / 2, sizeof(cseq));
	ids->cseq = 100000000 + cseq % 800000000;
	return 0;
}

/* ---- Challenges */

/* Without quotes and escapes; an overlong or absent value is empty. */
static void unquote(char *to, size_t size, const char *from)
{
	size_t n = 0, len = from != NULL ? strlen(from) : 0;

	to[0] = '\0';
	if (len >= 2 && from[0] == '"' && from[len - 1] == '"') {
		from++;
		len -= 2;
	}
	for (size_t i = 0; i < len; i++) {
		if (from[i] == '\\' && i + 1 < len)
			i++;
		if (n + 1 >= size) {
			to[0] = '\0';
			return;
		}
		to[n++] = from[i];
	}
	to[n] = '\0';
}

static void add_challenge(struct ctl_probe_response *r, const osip_www_authenticate_t *a,
			  bool proxy)
{
	struct ctl_probe_challenge *c = &r->challenges[r->n_challenges];
	char stale[8];

	if (r->n_challenges == CTL_PROBE_CHALLENGES || a->auth_type == NULL
	    || strcasecmp(a->auth_type, "Digest") != 0)
		return;
	unquote(c->realm, sizeof(c->realm), a->realm);
	unquote(c->nonce, sizeof(c->nonce), a->nonce);
	unquote(c->opaque, sizeof(c->opaque), a->opaque);
	unquote(c->algorithm, sizeof(c->algorithm), a->algorithm);
	unquote(c->qop, sizeof(c->qop), a->qop_options);
	unquote(stale, sizeof(stale), a->stale);
	c->proxy = proxy;
	c->stale = strcasecmp(stale, "true") == 0;
	if (c->nonce[0] != '\0')
		r->n_challenges++;
}

void ctl_probe_read_challenges(const char *buf, size_t len, struct ctl_probe_response *r)
{
	osip_message_t *m;

	init_once();
	if (osip_message_init(&m) != 0)
		return;
	if (osip_message_parse(m, buf, len) == 0) {
		for (int i = 0; r->code == 401 && i < osip_list_size(&m->www_authenticates); i++)
			add_challenge(r, osip_list_get(&m->www_authenticates, i), false);
		for (int i = 0; r->code == 407 && i < osip_list_size(&m->proxy_authenticates); i++)
			add_challenge(r, osip_list_get(&m->proxy_authenticates, i), true);
	}
	osip_message_free(m);
}
