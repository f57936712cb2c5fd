/*
 * The facts of a message as sip/ tells them.
 */
#include "sip/sip_uri.h"
#include "tests/sip/differential.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct teller {
	struct facts *facts;
	const struct sip_msg *msg;
};

static void add_text(struct teller *t, const char *text, size_t len, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void add_text(struct teller *t, const char *text, size_t len, const char *format, ...)
{
	char name[FACT_NAME];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	facts_add(t->facts, name, text, len);
}

static void add_span(struct teller *t, const char *prefix, const char *name, struct sip_span s)
{
	if (s.len > 0)
		add_text(t, (const char *)sip_at(t->msg, s), s.len, "%s%s", prefix, name);
}

static void add_number(struct teller *t, const char *prefix, const char *name, uint32_t value)
{
	char text[16];

	add_text(t, text, (size_t)snprintf(text, sizeof(text), "%u", value), "%s%s", prefix, name);
}

static void add_unescaped(struct teller *t, const char *prefix, const char *name, struct sip_span s)
{
	char text[FACT_VALUE];
	size_t len = s.len < sizeof(text) ? s.len : sizeof(text);

	memcpy(text, sip_at(t->msg, s), len);
	len = facts_unescape(text, len);
	if (len > 0)
		add_text(t, text, len, "%s%s", prefix, name);
}

static void add_host(struct teller *t, const char *prefix, struct sip_span host)
{
	if (host.len > 2 && sip_at(t->msg, host)[0] == '[') {
		host.off++;
		host.len = (uint16_t)(host.len - 2);
	}
	add_span(t, prefix, "host", host);
}

static void add_uri(struct teller *t, const char *prefix, struct sip_span s)
{
	const uint8_t *colon;
	struct sip_uri uri;

	if (sip_uri_parse(t->msg->buf, s, &uri) < 0) {
		add_text(t, "malformed", 9, "%suri", prefix);
		return;
	}
	colon = memchr(sip_at(t->msg, s), ':', s.len);
	add_text(t, (const char *)sip_at(t->msg, s), (size_t)(colon - sip_at(t->msg, s)),
		 "%sscheme", prefix);
	if (uri.scheme != SIP_SCHEME_SIP && uri.scheme != SIP_SCHEME_SIPS) {
		struct sip_span rest = s;

		rest.off = (uint16_t)(colon + 1 - t->msg->buf);
		rest.len = (uint16_t)(s.off + s.len - rest.off);
		add_span(t, prefix, "opaque", rest);
		return;
	}
	add_unescaped(t, prefix, "user", uri.user);
	add_unescaped(t, prefix, "password", uri.password);
	add_host(t, prefix, uri.host);
	if (uri.port > 0)
		add_number(t, prefix, "port", uri.port);
	add_unescaped(t, prefix, "params", uri.params);
	add_unescaped(t, prefix, "headers", uri.headers);
}

static void add_via(struct teller *t, unsigned int i, const struct sip_via *via)
{
	char prefix[16];

	snprintf(prefix, sizeof(prefix), "via[%u].", i);
	add_span(t, prefix, "transport", via->transport);
	add_host(t, prefix, via->host);
	if (via->port > 0)
		add_number(t, prefix, "port", via->port);
	add_span(t, prefix, "branch", via->branch);
	add_span(t, prefix, "received", via->received);
	add_span(t, prefix, "maddr", via->maddr);
	add_span(t, prefix, "ttl", via->ttl);
	if (via->has_rport)
		add_text(t, (const char *)sip_at(t->msg, via->rport), via->rport.len, "%srport",
			 prefix);
}

static void add_vias(struct teller *t)
{
	struct sip_via_iter it;
	struct sip_via via;
	unsigned int i = 0;
	int r;

	sip_via_iter_init(&it, t->msg);
	while ((r = sip_via_iter_next(&it, &via)) == 1)
		add_via(t, i++, &via);
	if (r < 0)
		add_text(t, "malformed", 9, "via[%u]", i);
	add_number(t, "", "vias", i);
}

static void add_addrs(struct teller *t, enum sip_hdr_id id, const char *what)
{
	struct sip_addr_iter it;
	struct sip_addr addr;
	unsigned int i = 0;
	char prefix[32];
	int r;

	sip_addr_iter_init(&it, t->msg, id);
	for (; (r = sip_addr_iter_next(&it, &addr)) == 1; i++) {
		snprintf(prefix, sizeof(prefix), "%s[%u].", what, i);
		if (sip_span_is(t->msg->buf, addr.uri, "*"))
			add_text(t, "*", 1, "%sstar", prefix);
		else
			add_uri(t, prefix, addr.uri);
	}
	if (r < 0)
		add_text(t, "malformed", 9, "%s[%u]", what, i);
	if (i > 0)
		add_number(t, "", what, i);
}

/* Commas outside quotes, and one. */
static unsigned int count_values(const uint8_t *value, size_t len)
{
	bool quoted = false;
	unsigned int n = 1;

	for (size_t i = 0; i < len; i++) {
		if (quoted && value[i] == '\\')
			i++;
		else if (value[i] == '"')
			quoted = !quoted;
		else if (!quoted && value[i] == ',')
			n++;
	}
	return n;
}

/* One more fact "count.x" per value: their number is that of the commas, and one. */
static void add_count(struct teller *t, const char *name, unsigned int n)
{
	while (n-- > 0)
		add_text(t, "1", 1, "count.%s", name);
}

/* The full name in lower case, and the value without white space. */
static void add_header(struct teller *t, const struct sip_hdr *h)
{
	char name[FACT_NAME], text[FACT_VALUE];
	size_t len = h->value_len < sizeof(text) ? h->value_len : sizeof(text);
	size_t name_len = h->name_len < sizeof(name) - 1 ? h->name_len : sizeof(name) - 1;
	enum facts_kind kind;

	memcpy(name, t->msg->buf + h->name_off, name_len);
	name[name_len] = '\0';
	if (h->id != SIP_HDR_OTHER)
		snprintf(name, sizeof(name), "%s", sip_hdr_name((enum sip_hdr_id)h->id));
	for (char *c = name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	kind = facts_kind(name);
	if (kind == FACTS_COUNT_LIST && h->value_len > 0)
		add_count(t, name, count_values(t->msg->buf + h->value_off, h->value_len));
	if (kind == FACTS_COUNT_LINES)
		add_count(t, name, 1);
	if (kind != FACTS_VALUE)
		return;
	memcpy(text, t->msg->buf + h->value_off, len);
	len = facts_squeeze(text, len);
	add_text(t, text, len, "header.%s", name);
}

static void add_start_line(struct teller *t)
{
	const struct sip_msg *m = t->msg;

	if (m->is_request) {
		add_span(t, "", "method", m->method_name);
		add_uri(t, "ruri.", m->uri);
	} else {
		add_number(t, "", "status", m->status);
		add_span(t, "", "reason", m->reason);
	}
}

void facts_ours(struct facts *f, const uint8_t *bytes, size_t len)
{
	struct sip_msg m;
	struct teller t = { .facts = f, .msg = &m };

	f->n = 0;
	f->parsed = sip_msg_parse(&m, bytes, len) == SIP_OK;
	if (!f->parsed)
		return;
	add_start_line(&t);
	add_number(&t, "", "cseq", m.cseq);
	if (!m.is_request)
		add_span(&t, "", "cseq method", m.method_name);
	add_span(&t, "", "call-id", m.call_id);
	add_uri(&t, "from.", m.from_uri);
	add_span(&t, "from.", "tag", m.from_tag);
	add_uri(&t, "to.", m.to_uri);
	add_span(&t, "to.", "tag", m.to_tag);
	add_vias(&t);
	add_addrs(&t, SIP_HDR_ROUTE, "route");
	add_addrs(&t, SIP_HDR_RECORD_ROUTE, "record-route");
	add_addrs(&t, SIP_HDR_CONTACT, "contact");
	if (sip_msg_has(&m, SIP_HDR_CONTENT_LENGTH))
		add_number(&t, "", "content-length", m.content_length);
	if (sip_msg_has(&m, SIP_HDR_MAX_FORWARDS))
		add_number(&t, "", "max-forwards", m.max_forwards);
	for (uint16_t i = 0; i < m.n_hdrs; i++)
		add_header(&t, &m.hdr[i]);
}
