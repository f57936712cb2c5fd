/*
 * Messages made from a parsed request: responses (RFC 3261 8.2.6), and the ACK (17.1.1.3) and
 * CANCEL (9.1) of an INVITE. Pure; any thread.
 */
#include "sip/sip_build.h"
#include "sip/sip_edit.h"
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

#define MAX_FORWARDS "70" /* RFC 3261 8.1.1.6 */

/* Writes until it is full, then only remembers that it is. */
struct writer {
	uint8_t *out;
	size_t size;
	size_t len;
	bool full;
};

static void put(struct writer *w, const void *text, size_t len)
{
	if (len > w->size - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->len, text, len);
	w->len += len;
}

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_range(struct writer *w, const struct sip_msg *m, uint32_t start, uint32_t end)
{
	put(w, m->buf + start, end - start);
}

static void put_span(struct writer *w, const struct sip_msg *m, struct sip_span s)
{
	put_range(w, m, s.off, sip_span_end(s));
}

static void put_u32(struct writer *w, uint32_t value)
{
	char digit[10];

	put(w, digit, sip_put_u32(digit, value));
}

static void put_name(struct writer *w, enum sip_hdr_id id)
{
	put_text(w, sip_hdr_name(id));
	put_text(w, ": ");
}

static void put_header(struct writer *w, const struct sip_msg *m, const struct sip_hdr *h)
{
	put_name(w, (enum sip_hdr_id)h->id);
	put_range(w, m, h->value_off, sip_hdr_value_end(h));
	put_text(w, "\r\n");
}

/* All headers with one id from h on, in their order. */
static void put_headers(struct writer *w, const struct sip_msg *m, const struct sip_hdr *h)
{
	for (; h; h = sip_msg_hdr_next(m, h))
		put_header(w, m, h);
}

static int finish(const struct writer *w)
{
	return w->full ? -ENOSPC : (int)w->len;
}

/* The first Via line, its top element marked with where the request came from. */
static int put_first_via(struct writer *w, const struct sip_msg *m, const struct sip_hdr *h,
			 const struct sip_response_opts *opts)
{
	struct sip_edits es;
	char text[80];
	uint32_t from = h->value_off;

	sip_edits_init(&es);
	if (opts->received
	    && sip_edit_via_received(&es, m, text, opts->received, strlen(opts->received),
				     opts->rport)
		       < 0)
		return -EINVAL;
	put_name(w, SIP_HDR_VIA);
	for (unsigned int i = 0; i < es.n; i++) {
		put_range(w, m, from, es.e[i].off);
		put(w, es.e[i].ins, es.e[i].ins_len);
		from = (uint32_t)es.e[i].off + es.e[i].del;
	}
	put_range(w, m, from, sip_hdr_value_end(h));
	put_text(w, "\r\n");
	return 0;
}

static void put_to(struct writer *w, const struct sip_msg *m, const char *tag)
{
	const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_TO);

	put_name(w, SIP_HDR_TO);
	put_range(w, m, h->value_off, sip_hdr_value_end(h));
	if (tag && m->to_tag.len == 0) {
		put_text(w, ";tag=");
		put_text(w, tag);
	}
	put_text(w, "\r\n");
}

/* A 100 carries the request's Timestamp (8.2.6.1). */
static void put_timestamp(struct writer *w, const struct sip_msg *m)
{
	for (uint16_t i = 0; i < m->n_hdrs; i++) {
		const struct sip_hdr *h = &m->hdr[i];
		struct sip_span name = { h->name_off, h->name_len };

		if (!sip_span_is_nocase(m->buf, name, "Timestamp"))
			continue;
		put_text(w, "Timestamp: ");
		put_range(w, m, h->value_off, sip_hdr_value_end(h));
		put_text(w, "\r\n");
		return;
	}
}

int sip_build_response(uint8_t *out, size_t out_size, const struct sip_msg *req,
		       unsigned int status, const struct sip_response_opts *opts)
{
	struct writer w = { .out = out, .size = out_size };
	const struct sip_hdr *via = sip_msg_hdr(req, SIP_HDR_VIA);

	if (!sip_msg_answerable(req) || status < 100 || status > 699)
		return -EINVAL;
	put_text(&w, "SIP/2.0 ");
	put_u32(&w, status);
	put_text(&w, " ");
	put_text(&w, opts->reason ? opts->reason : sip_reason(status));
	put_text(&w, "\r\n");
	if (put_first_via(&w, req, via, opts) < 0)
		return -EINVAL;
	put_headers(&w, req, sip_msg_hdr_next(req, via));
	put_header(&w, req, sip_msg_hdr(req, SIP_HDR_FROM));
	put_to(&w, req, opts->to_tag);
	put_header(&w, req, sip_msg_hdr(req, SIP_HDR_CALL_ID));
	put_header(&w, req, sip_msg_hdr(req, SIP_HDR_CSEQ));
	if (status == 100)
		put_timestamp(&w, req);
	if (opts->headers)
		put_text(&w, opts->headers);
	put_text(&w, "Content-Length: 0\r\n\r\n");
	return finish(&w);
}

/* Start line to Route of a request within the INVITE's transaction: one Via, the INVITE's top one.
 */
static void put_request_head(struct writer *w, const struct sip_msg *invite, const char *method)
{
	put_text(w, method);
	put_text(w, " ");
	put_span(w, invite, invite->uri);
	put_text(w, " SIP/2.0\r\n");
	put_name(w, SIP_HDR_VIA);
	put_span(w, invite, invite->via.value);
	put_text(w, "\r\nMax-Forwards: " MAX_FORWARDS "\r\n");
	put_headers(w, invite, sip_msg_hdr(invite, SIP_HDR_ROUTE));
	put_header(w, invite, sip_msg_hdr(invite, SIP_HDR_FROM));
}

static void put_request_tail(struct writer *w, const struct sip_msg *invite, const char *method)
{
	put_header(w, invite, sip_msg_hdr(invite, SIP_HDR_CALL_ID));
	put_name(w, SIP_HDR_CSEQ);
	put_u32(w, invite->cseq);
	put_text(w, " ");
	put_text(w, method);
	put_text(w, "\r\nContent-Length: 0\r\n\r\n");
}

static bool is_invite(const struct sip_msg *m)
{
	return sip_msg_answerable(m) && m->method == SIP_METHOD_INVITE && m->uri.len > 0;
}

int sip_build_ack(uint8_t *out, size_t out_size, const struct sip_msg *req,
		  const struct sip_msg *resp)
{
	struct writer w = { .out = out, .size = out_size };

	if (!is_invite(req) || !(resp->decoded & SIP_DECODED_TO))
		return -EINVAL;
	put_request_head(&w, req, "ACK");
	put_header(&w, resp, sip_msg_hdr(resp, SIP_HDR_TO));
	put_request_tail(&w, req, "ACK");
	return finish(&w);
}

int sip_build_cancel(uint8_t *out, size_t out_size, const struct sip_msg *req)
{
	struct writer w = { .out = out, .size = out_size };

	if (!is_invite(req))
		return -EINVAL;
	put_request_head(&w, req, "CANCEL");
	put_header(&w, req, sip_msg_hdr(req, SIP_HDR_TO));
	put_request_tail(&w, req, "CANCEL");
	return finish(&w);
}
