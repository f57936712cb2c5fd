/*
 * Edits on a message that parses: what steering does, in any combination and order. The edited
 * message parses, and differs from the original exactly where it was meant to: the same steps, done
 * by hand on lists of texts (model.h), give the same lists.
 *
 * A first byte below 0x20 (and no line end) says how many bytes of steps follow before the message;
 * else all steps are tried on the whole input.
 */
#include "sip/sip_edit.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OWN_VIA "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKown"
#define OWN_RR  "<sip:192.0.2.9;lr;c=0>"
#define OWN_URI "sip:next@192.0.2.77:5062"
#define OWN_IP  "198.51.100.200"

struct editor {
	const struct sip_msg *m;
	struct model *mo;
	struct sip_edits es;
	unsigned int n_pushed;   /* Vias on top */
	unsigned int n_inserted; /* Record-Routes on top */
	/* What is done once: a second time would be the caller's error, or add what is there. */
	bool popped_via;
	bool marked;
	bool counted; /* Max-Forwards */
	bool moved_contact;
	char received[80];
	char max_forwards[32];
};

/* A step that was refused must have left the list alone. */
static bool done(struct editor *e, int r, const struct sip_edits *before)
{
	if (r == 0)
		return true;
	assert(r == -EINVAL || r == -ENOSPC);
	assert(memcmp(before, &e->es, sizeof(*before)) == 0);
	return false;
}

static void push_via(struct editor *e, const struct sip_edits *before)
{
	static const char line[] = "Via: " OWN_VIA "\r\n";

	/* Behind those that are there already: edits at one place keep their order. */
	if (done(e, sip_edit_push_top(&e->es, e->m, line, sizeof(line) - 1), before))
		model_insert(e->mo, &e->mo->vias, e->n_pushed++, OWN_VIA);
}

static void push_record_route(struct editor *e, const struct sip_edits *before)
{
	static const char line[] = "Record-Route: " OWN_RR "\r\n";

	if (done(e, sip_edit_push_top(&e->es, e->m, line, sizeof(line) - 1), before))
		model_insert(e->mo, &e->mo->headers, e->n_inserted++, "Record-Route\n" OWN_RR);
}

static void pop_via(struct editor *e, const struct sip_edits *before)
{
	if (!done(e, sip_edit_pop_via(&e->es, e->m), before))
		return;
	assert(!e->popped_via && !e->marked);
	model_remove(&e->mo->vias, e->n_pushed);
	e->popped_via = true;
}

static void pop_route(struct editor *e, const struct sip_edits *before, unsigned int n)
{
	if (!done(e, sip_edit_pop_route(&e->es, e->m, n), before))
		return;
	assert(n <= e->mo->routes.n);
	while (n-- > 0)
		model_remove(&e->mo->routes, 0);
}

static void set_max_forwards(struct editor *e, const struct sip_edits *before, uint32_t value)
{
	if (e->counted
	    || !done(e, sip_edit_max_forwards(&e->es, e->m, e->max_forwards, value), before))
		return;
	e->counted = true;
	e->mo->has_max_forwards = true;
	e->mo->max_forwards = value;
}

static void mark_via(struct editor *e, const struct sip_edits *before)
{
	if (!e->marked)
		e->marked = done(
			e,
			sip_edit_via_received(&e->es, e->m, e->received, OWN_IP, strlen(OWN_IP), 7),
			before);
}

static void set_uri(struct editor *e, const struct sip_edits *before)
{
	static char line[SIP_MSG_MAX];
	size_t head = e->m->uri.off, tail = e->m->hdrs_off - (head + e->m->uri.len);

	if (!e->m->is_request
	    || !done(e, sip_edit_replace(&e->es, e->m->uri, OWN_URI, strlen(OWN_URI)), before))
		return;
	memcpy(line, e->m->buf, head);
	memcpy(line + head, OWN_URI, strlen(OWN_URI));
	memcpy(line + head + strlen(OWN_URI), e->m->buf + head + e->m->uri.len, tail);
	model_replace(e->mo, &e->mo->start_line, line, head + strlen(OWN_URI) + tail);
}

static void remove_contact(struct editor *e, const struct sip_edits *before, unsigned int at)
{
	struct sip_addr_iter it;
	struct sip_addr addr;

	if (e->moved_contact || at >= e->mo->contacts.n)
		return;
	sip_addr_iter_init(&it, e->m, SIP_HDR_CONTACT);
	for (unsigned int i = 0; i <= at; i++)
		assert(sip_addr_iter_next(&it, &addr) == 1);
	if (!done(e, sip_edit_remove_addr(&e->es, e->m, it.hdr, &addr), before))
		return;
	model_remove(&e->mo->contacts, at);
	e->moved_contact = true;
}

static void step(struct editor *e, uint8_t what)
{
	const struct sip_edits before = e->es;
	unsigned int n = what >> 4;

	switch (what & 7) {
	case 0: push_via(e, &before); break;
	case 1: push_record_route(e, &before); break;
	case 2: pop_via(e, &before); break;
	case 3: pop_route(e, &before, n & 3); break;
	case 4: set_max_forwards(e, &before, n * 286331153u); break;
	case 5: mark_via(e, &before); break;
	case 6: set_uri(e, &before); break;
	default: remove_contact(e, &before, n); break;
	}
}

static void check_marked(const struct editor *e, const struct sip_msg *edited)
{
	const struct sip_via *was = &e->m->via;
	struct sip_via_iter it;
	struct sip_via via;

	sip_via_iter_init(&it, edited);
	for (unsigned int i = 0; i <= e->n_pushed; i++)
		assert(sip_via_iter_next(&it, &via) == 1);
	assert(sip_span_is(edited->buf, via.received, OWN_IP));
	assert(sip_span_is(edited->buf, via.rport, "7"));
	assert(via.host.len == was->host.len && via.branch.len == was->branch.len);
	assert(memcmp(sip_at(edited, via.host), sip_at(e->m, was->host), via.host.len) == 0);
	assert(via.branch.len == 0
	       || memcmp(sip_at(edited, via.branch), sip_at(e->m, was->branch), via.branch.len)
			  == 0);
}

static void check(struct editor *e)
{
	static uint8_t out[2 * SIP_MSG_MAX];
	static struct model after;
	static struct sip_msg edited;
	int len = sip_edits_apply(&e->es, e->m->buf, e->m->len, out, sizeof(out));
	enum sip_result result;

	assert(len >= 0 && (size_t)len == sip_edits_len(&e->es, e->m->len));
	if (len > SIP_MSG_MAX || e->m->n_hdrs + e->es.n > SIP_HDR_MAX || !e->mo->good)
		return;
	result = sip_msg_parse(&edited, out, (size_t)len);
	fuzz_walk(&edited, result, (size_t)len);
	if (e->mo->vias.n == 0) {
		assert(result == SIP_ERR_MISSING_VIA);
		return;
	}
	assert(result == SIP_OK);
	model_of(&after, &edited);
	if (e->marked) {
		/* This one is compared by its parts, and not by its text below. */
		check_marked(e, &edited);
		model_replace(&after, &after.vias.text[e->n_pushed], "", 0);
		model_replace(e->mo, &e->mo->vias.text[e->n_pushed], "", 0);
	}
	assert(!after.good || model_equal(e->mo, &after));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t all[] = { 0x25, 0x03, 0x74, 0x00, 0x01, 0x06, 0x07, 0x02 };
	static struct model mo;
	struct editor e = { .mo = &mo };
	const uint8_t *steps = all;
	size_t n_steps = sizeof(all);
	static struct sip_msg m;

	if (size > 0 && data[0] < 0x20 && data[0] != '\r' && data[0] != '\n') {
		n_steps = data[0];
		if (size < 1 + n_steps)
			return 0;
		steps = data + 1;
		data += 1 + n_steps;
		size -= 1 + n_steps;
	}
	if (sip_msg_parse(&m, data, size) != SIP_OK || m.len > SIP_MSG_MAX - 64)
		return 0;
	model_of(&mo, &m);
	if (!mo.good)
		return 0;
	e.m = &m;
	sip_edits_init(&e.es);
	for (size_t i = 0; i < n_steps; i++)
		step(&e, steps[i]);
	check(&e);
	return 0;
}
