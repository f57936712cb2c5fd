/*
 * The facts of a message as libosip2 tells them.
 */
#include "tests/sip/differential.h"

#include <osipparser2/osip_parser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct facts *f, const char *text, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(struct facts *f, const char *text, const char *format, ...)
{
	char name[FACT_NAME];
	va_list args;

	if (!text)
		return;
	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	facts_add(f, name, text, strlen(text));
}

static void add_number(struct facts *f, int value, const char *name)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	add(f, text, "%s", name);
}

/* ";a=b;c" of a list of parameters, or "a=b&c=d" of URI headers. */
static void add_params(struct facts *f, const osip_list_t *list, const char *first, const char *sep,
		       const char *prefix, const char *name)
{
	char text[FACT_VALUE];
	size_t len = 0;

	for (int i = 0; i < osip_list_size(list); i++) {
		const osip_generic_param_t *p = osip_list_get(list, i);
		int n = snprintf(text + len, sizeof(text) - len, "%s%s%s%s", i == 0 ? first : sep,
				 p->gname, p->gvalue ? "=" : "", p->gvalue ? p->gvalue : "");

		if (n < 0 || (size_t)n >= sizeof(text) - len)
			break;
		len += (size_t)n;
	}
	if (len > 0)
		add(f, text, "%s%s", prefix, name);
}

static void add_uri(struct facts *f, const osip_uri_t *uri, const char *prefix)
{
	if (!uri)
		return;
	add(f, uri->scheme, "%sscheme", prefix);
	if (uri->string) {
		add(f, uri->string, "%sopaque", prefix);
		return;
	}
	if (uri->username && *uri->username)
		add(f, uri->username, "%suser", prefix);
	if (uri->password && *uri->password)
		add(f, uri->password, "%spassword", prefix);
	add(f, uri->host, "%shost", prefix);
	add(f, uri->port, "%sport", prefix);
	add_params(f, &uri->url_params, ";", ";", prefix, "params");
	add_params(f, &uri->url_headers, "", "&", prefix, "headers");
}

static void add_via_param(struct facts *f, osip_via_t *via, const char *name, int i, bool is_flag)
{
	osip_generic_param_t *p = NULL;

	if (osip_via_param_get_byname(via, (char *)name, &p) == OSIP_SUCCESS && p)
		add(f, p->gvalue ? p->gvalue : is_flag ? "" : NULL, "via[%d].%s", i, name);
}

static void add_vias(struct facts *f, const osip_list_t *list)
{
	for (int i = 0; i < osip_list_size(list); i++) {
		osip_via_t *via = osip_list_get(list, i);

		add(f, via->protocol, "via[%d].transport", i);
		add(f, via->host, "via[%d].host", i);
		add(f, via->port, "via[%d].port", i);
		add_via_param(f, via, "branch", i, false);
		add_via_param(f, via, "received", i, false);
		add_via_param(f, via, "maddr", i, false);
		add_via_param(f, via, "ttl", i, false);
		add_via_param(f, via, "rport", i, true);
	}
	add_number(f, osip_list_size(list), "vias");
}

/* Routes, Record-Routes and Contacts are all the same structure. */
static void add_addrs(struct facts *f, const osip_list_t *list, const char *what)
{
	char prefix[32];

	for (int i = 0; i < osip_list_size(list); i++) {
		const osip_from_t *a = osip_list_get(list, i);

		snprintf(prefix, sizeof(prefix), "%s[%d].", what, i);
		if (a->url)
			add_uri(f, a->url, prefix);
		else
			add(f, a->displayname, "%sstar", prefix);
	}
	if (osip_list_size(list) > 0)
		add_number(f, osip_list_size(list), what);
}

static void add_from(struct facts *f, osip_from_t *from, const char *prefix)
{
	osip_generic_param_t *tag = NULL;

	if (!from)
		return;
	add_uri(f, from->url, prefix);
	if (osip_from_get_tag(from, &tag) == OSIP_SUCCESS && tag)
		add(f, tag->gvalue, "%stag", prefix);
}

static void add_generic(struct facts *f, const osip_list_t *headers)
{
	for (int i = 0; i < osip_list_size(headers); i++) {
		const osip_header_t *h = osip_list_get(headers, i);
		char name[FACT_NAME], text[FACT_VALUE];
		size_t len;

		snprintf(name, sizeof(name), "header.%s", h->hname);
		for (char *c = name; *c; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c | 0x20);
		snprintf(text, sizeof(text), "%s", h->hvalue ? h->hvalue : "");
		len = facts_squeeze(text, strlen(text));
		facts_add(f, name, text, len);
	}
}

/* The headers that libosip2 takes apart: how many values each has. */
static void add_counts(struct facts *f, const osip_message_t *m)
{
	const struct {
		const char *name;
		const osip_list_t *list;
	} lists[] = {
		{ "accept", &m->accepts },
		{ "accept-encoding", &m->accept_encodings },
		{ "accept-language", &m->accept_languages },
		{ "alert-info", &m->alert_infos },
		{ "allow", &m->allows },
		{ "call-info", &m->call_infos },
		{ "content-encoding", &m->content_encodings },
		{ "error-info", &m->error_infos },
		{ "authorization", &m->authorizations },
		{ "proxy-authorization", &m->proxy_authorizations },
		{ "www-authenticate", &m->www_authenticates },
		{ "proxy-authenticate", &m->proxy_authenticates },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (int n = osip_list_size(lists[i].list); n > 0; n--)
			add(f, "1", "count.%s", lists[i].name);
	if (m->content_type)
		add(f, "1", "count.content-type");
}

static void add_call_id(struct facts *f, const osip_call_id_t *id)
{
	char text[FACT_VALUE];

	if (!id)
		return;
	snprintf(text, sizeof(text), "%s%s%s", id->number, id->host ? "@" : "",
		 id->host ? id->host : "");
	add(f, text, "call-id");
}

static void add_message(struct facts *f, osip_message_t *m)
{
	osip_header_t *max_forwards = NULL;

	if (MSG_IS_REQUEST(m)) {
		add(f, m->sip_method, "method");
		add_uri(f, m->req_uri, "ruri.");
	} else {
		add_number(f, m->status_code, "status");
		if (m->reason_phrase && *m->reason_phrase)
			add(f, m->reason_phrase, "reason");
	}
	if (m->cseq) {
		add_number(f, (int)strtol(m->cseq->number, NULL, 10), "cseq");
		if (MSG_IS_RESPONSE(m))
			add(f, m->cseq->method, "cseq method");
	}
	add_call_id(f, m->call_id);
	add_from(f, m->from, "from.");
	add_from(f, m->to, "to.");
	add_vias(f, &m->vias);
	add_addrs(f, &m->routes, "route");
	add_addrs(f, &m->record_routes, "record-route");
	add_addrs(f, &m->contacts, "contact");
	if (m->content_length)
		add_number(f, (int)strtol(m->content_length->value, NULL, 10), "content-length");
	osip_message_header_get_byname(m, "max-forwards", 0, &max_forwards);
	if (max_forwards)
		add_number(f, (int)strtol(max_forwards->hvalue, NULL, 10), "max-forwards");
	add_counts(f, m);
	add_generic(f, &m->headers);
}

/* libosip2 prints each error that it meets, unless someone else takes them. */
static void no_trace(const char *file, int line, osip_trace_level_t level, const char *format,
		     va_list args)
{
	(void)file;
	(void)line;
	(void)level;
	(void)format;
	(void)args;
}

void facts_osip(struct facts *f, const uint8_t *bytes, size_t len)
{
	osip_message_t *m = NULL;

	f->n = 0;
	f->parsed = false;
	osip_trace_initialize_func(TRACE_LEVEL0, no_trace);
	if (parser_init() != OSIP_SUCCESS || osip_message_init(&m) != OSIP_SUCCESS)
		abort();
	f->parsed = osip_message_parse(m, (const char *)bytes, len) == OSIP_SUCCESS;
	if (f->parsed)
		add_message(f, m);
	osip_message_free(m);
}
