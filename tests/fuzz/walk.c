/*
 * Invariants of a parsed message, for every target.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

bool fuzz_within(struct sip_span s, size_t len)
{
	return s.len == 0 || (size_t)s.off + s.len <= len;
}

bool fuzz_inside(struct sip_span inner, struct sip_span outer)
{
	return inner.len == 0
	       || (inner.off >= outer.off && inner.off + inner.len <= outer.off + outer.len);
}

/* Move *at over `want` bytes that must be those of the span, which then is [at, at + len). */
static void expect_next(const uint8_t *buf, uint32_t *at, struct sip_span s)
{
	(void)buf;
	assert(s.len == 0 || s.off == *at);
	*at += s.len;
}

static void expect_char(const uint8_t *buf, uint32_t *at, char c)
{
	assert(buf[*at] == (uint8_t)c);
	*at += 1;
}

static void check_sip_uri(const uint8_t *buf, const struct sip_uri *u)
{
	uint32_t at = u->whole.off, end = (uint32_t)u->whole.off + u->whole.len;

	while (buf[at] != ':')
		at++;
	at++;
	if (u->has_user) {
		expect_next(buf, &at, u->user);
		if (buf[at] == ':') {
			at++;
			expect_next(buf, &at, u->password);
		}
		expect_char(buf, &at, '@');
	}
	assert(u->host.len > 0);
	expect_next(buf, &at, u->host);
	if (at < end && buf[at] == ':') {
		uint32_t port = 0;

		for (at++; at < end && buf[at] >= '0' && buf[at] <= '9'; at++)
			port = port * 10 + (uint32_t)(buf[at] - '0');
		assert(port == u->port);
	}
	expect_next(buf, &at, u->params);
	if (at < end) {
		expect_char(buf, &at, '?');
		expect_next(buf, &at, u->headers);
	}
	assert(at == end);
}

void fuzz_check_uri(const uint8_t *buf, struct sip_span s)
{
	struct sip_span value;
	struct sip_uri u;
	struct sip_ip ip;

	if (sip_uri_parse(buf, s, &u) < 0)
		return;
	assert(u.whole.off == s.off && u.whole.len == s.len);
	assert(fuzz_inside(u.user, s) && fuzz_inside(u.password, s) && fuzz_inside(u.host, s));
	assert(fuzz_inside(u.params, s) && fuzz_inside(u.headers, s));
	if (u.scheme == SIP_SCHEME_SIP || u.scheme == SIP_SCHEME_SIPS)
		check_sip_uri(buf, &u);
	if (u.host.len > 0 && buf[u.host.off] == '[')
		assert(sip_host_ip(buf, u.host, &ip) == 0);
	else
		(void)sip_host_ip(buf, u.host, &ip);
	if (sip_param_find(buf, u.params, "maddr", &value))
		assert(fuzz_inside(value, u.params));
	assert(u.params.len == 0 || buf[u.params.off] == ';');
	assert(sip_user_equal(buf, u.user, buf, u.user));
}

void fuzz_check_addr(const uint8_t *buf, size_t len, const struct sip_addr *addr)
{
	struct sip_span value;

	assert(addr->uri.len > 0 && addr->whole.len >= addr->uri.len);
	assert(fuzz_within(addr->whole, len));
	assert(fuzz_inside(addr->display, addr->whole) && fuzz_inside(addr->uri, addr->whole));
	assert(fuzz_inside(addr->params, addr->whole));
	if (addr->params.len > 0) {
		assert(addr->params.off >= addr->uri.off + addr->uri.len);
		assert(buf[addr->params.off] == ';');
	}
	if (addr->display.len > 0)
		assert(addr->display.off + addr->display.len < addr->uri.off);
	if (sip_param_find(buf, addr->params, "tag", &value))
		assert(fuzz_inside(value, addr->params));
	fuzz_check_uri(buf, addr->uri);
}

void fuzz_check_via(const struct sip_msg *m, const struct sip_via *via)
{
	struct sip_span value;
	struct sip_ip ip;

	assert(via->value.len > 0 && fuzz_within(via->value, m->len));
	assert(via->transport.len > 0 && fuzz_inside(via->transport, via->value));
	assert(via->host.len > 0 && fuzz_inside(via->host, via->value));
	assert(via->host.off > via->transport.off + via->transport.len);
	assert(fuzz_inside(via->params, via->value));
	assert(fuzz_inside(via->branch, via->params) && fuzz_inside(via->received, via->params));
	assert(fuzz_inside(via->rport, via->params) && fuzz_inside(via->maddr, via->params));
	assert(fuzz_inside(via->ttl, via->params));
	assert(fuzz_inside(via->rport, via->rport_param));
	assert(fuzz_inside(via->received, via->received_param));
	assert(via->has_rport == (via->rport_param.len > 0));
	assert(via->has_received == (via->received_param.len > 0));
	if (via->params.len > 0)
		assert(m->buf[via->params.off] == ';');
	if (sip_param_find(m->buf, via->params, "branch", &value))
		assert(value.len == via->branch.len
		       && (value.len == 0 || value.off == via->branch.off));
	else
		assert(via->branch.len == 0);
	assert(sip_param_find(m->buf, via->params, "rport", NULL) == via->has_rport);
	(void)sip_host_ip(m->buf, via->host, &ip);
	(void)sip_host_ip(m->buf, via->received, &ip);
}

static void check_headers(const struct sip_msg *m, enum sip_result result, size_t len)
{
	uint64_t seen = 0;
	uint32_t at = m->hdrs_off;

	assert(m->n_hdrs <= SIP_HDR_MAX);
	for (uint16_t i = 0; i < m->n_hdrs; i++) {
		const struct sip_hdr *h = &m->hdr[i];
		uint32_t value_end = (uint32_t)h->value_off + h->value_len;

		assert(h->id < SIP_HDR_N && h->name_len > 0);
		assert(h->name_off + h->name_len < h->value_off && value_end < len);
		if (result == SIP_OK) {
			assert(h->name_off == at);
			at = sip_hdr_end(m, h);
			assert(value_end < at && m->buf[at - 1] == '\n');
		}
		if (!(seen >> h->id & 1)) {
			assert(m->first[h->id] == i && sip_msg_hdr(m, h->id) == h);
			seen |= UINT64_C(1) << h->id;
		}
	}
	assert(seen == m->present);
	if (result == SIP_OK)
		assert(at == m->hdrs_end && m->body_off > m->hdrs_end);
}

static void walk_addrs(const struct sip_msg *m, enum sip_hdr_id id)
{
	struct sip_addr_iter it;
	struct sip_addr addr;
	unsigned int n = 0;
	int r;

	sip_addr_iter_init(&it, m, id);
	while ((r = sip_addr_iter_next(&it, &addr)) == 1) {
		assert(it.hdr->id == id && ++n <= m->len);
		assert(fuzz_inside(addr.whole,
				   (struct sip_span){ it.hdr->value_off, it.hdr->value_len }));
		if (!sip_span_is(m->buf, addr.uri, "*"))
			fuzz_check_addr(m->buf, m->len, &addr);
	}
}

static void walk_vias(const struct sip_msg *m)
{
	struct sip_via_iter it;
	struct sip_via via;
	unsigned int n = 0;

	sip_via_iter_init(&it, m);
	while (sip_via_iter_next(&it, &via) == 1) {
		if (n == 0)
			assert(memcmp(&via, &m->via, sizeof(via)) == 0);
		assert(++n <= m->len);
		fuzz_check_via(m, &via);
	}
	assert(n > 0);
}

static void walk_lists(const struct sip_msg *m)
{
	static const enum sip_hdr_id addrs[] = {
		SIP_HDR_ROUTE, SIP_HDR_RECORD_ROUTE,  SIP_HDR_CONTACT,  SIP_HDR_PATH,
		SIP_HDR_FROM,  SIP_HDR_SERVICE_ROUTE, SIP_HDR_REFER_TO, SIP_HDR_TO,
	};
	static const enum sip_hdr_id tokens[] = { SIP_HDR_SUPPORTED, SIP_HDR_REQUIRE,
						  SIP_HDR_PROXY_REQUIRE, SIP_HDR_ALLOW };
	static const enum sip_hdr_id numbers[] = { SIP_HDR_EXPIRES, SIP_HDR_RETRY_AFTER };

	walk_vias(m);
	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++)
		walk_addrs(m, addrs[i]);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		(void)sip_msg_list_has(m, tokens[i], "path");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct sip_hdr *h = sip_msg_hdr(m, numbers[i]);
		uint32_t value;

		if (h)
			(void)sip_hdr_u32(m, h, &value);
	}
}

static bool same_span(struct sip_span a, struct sip_span b)
{
	return a.len == b.len && (a.len == 0 || a.off == b.off);
}

/* From and To as the whole grammar has them. */
static void check_addr(const struct sip_msg *m, enum sip_hdr_id id, struct sip_span uri,
		       struct sip_span tag)
{
	const struct sip_hdr *h = sip_msg_hdr(m, id);
	struct sip_span value = { 0, 0 };
	struct sip_addr addr;

	assert(sip_addr_parse(m->buf, (struct sip_span){ h->value_off, h->value_len }, &addr) == 0);
	(void)sip_param_find(m->buf, addr.params, "tag", &value);
	assert(same_span(addr.uri, uri) && same_span(value, tag));
}

/* A URI read out of its message, and by itself. */
static void check_msg_uri(const struct sip_msg *m, struct sip_span s)
{
	struct sip_uri a, b;
	int r = sip_uri_parse(m->buf, s, &a);

	assert(sip_msg_uri(m, s, &b) == r);
	assert(r < 0 || (a.scheme == b.scheme && a.port == b.port && a.has_user == b.has_user));
	assert(r < 0 || (same_span(a.user, b.user) && same_span(a.host, b.host)));
	assert(r < 0 || (same_span(a.params, b.params) && same_span(a.headers, b.headers)));
}

void fuzz_walk(const struct sip_msg *m, enum sip_result result, size_t len)
{
	assert(result < SIP_ERR_N && *sip_result_name(result));
	assert(m->err_off <= len);
	if (result == SIP_ERR_TOO_LARGE)
		return;
	check_headers(m, result, len);
	assert(fuzz_within(m->method_name, len) && fuzz_within(m->uri, len));
	assert(fuzz_within(m->reason, len) && fuzz_within(m->call_id, len));
	assert(fuzz_within(m->from_uri, len) && fuzz_within(m->from_tag, len));
	assert(fuzz_within(m->to_uri, len) && fuzz_within(m->to_tag, len));
	if (result != SIP_OK)
		return;
	assert(m->len <= len && m->body_off <= m->len);
	if (sip_msg_has(m, SIP_HDR_CONTENT_LENGTH))
		assert(m->len - m->body_off == m->content_length);
	assert(m->is_request ? m->status == 0 && m->uri.len > 0 : m->status >= 100);
	assert(sip_msg_answerable(m) == (m->is_request && m->method != SIP_METHOD_ACK));
	fuzz_check_uri(m->buf, m->uri);
	check_addr(m, SIP_HDR_FROM, m->from_uri, m->from_tag);
	check_addr(m, SIP_HDR_TO, m->to_uri, m->to_tag);
	check_msg_uri(m, m->uri);
	check_msg_uri(m, m->from_uri);
	check_msg_uri(m, m->to_uri);
	walk_lists(m);
}
