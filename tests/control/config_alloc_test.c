/*
 * Memory runs out: the n-th allocation of a load fails, for every n, once alone and once with all
 * that follow. The load must say so, and give everything back. Allocations of the loader and of
 * libyaml (linked statically here) come through the wrappers below.
 */
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);
int __real_yaml_parser_load(yaml_parser_t *parser, yaml_document_t *document);
int __wrap_yaml_parser_load(yaml_parser_t *parser, yaml_document_t *document);

TestSuite(config_alloc, .fini = leaks_check);

#define LIVE_MAX 8192

/* Counts while armed. */
static struct {
	bool armed;
	bool all;        /* fail all from the n-th on */
	bool in_parser;  /* libyaml is composing its tree */
	bool hit_parser; /* and that is where the failure came */
	size_t n, fail;  /* allocations so far; the one that fails */
	size_t n_live;
	void *live[LIVE_MAX]; /* allocated and not freed */
} heap;

static bool fails(void)
{
	bool now;

	if (!heap.armed)
		return false;
	heap.n++;
	now = heap.all ? heap.n >= heap.fail : heap.n == heap.fail;
	heap.hit_parser |= now && heap.in_parser;
	return now;
}

static void *came(void *p)
{
	if (heap.armed && p) {
		cr_assert_lt(heap.n_live, LIVE_MAX);
		heap.live[heap.n_live++] = p;
	}
	return p;
}

static void went(const void *p)
{
	for (size_t i = heap.n_live; heap.armed && i > 0; i--) {
		if (heap.live[i - 1] == p) {
			heap.live[i - 1] = heap.live[--heap.n_live];
			return;
		}
	}
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : came(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : came(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	if (fails())
		return NULL;
	went(p);
	return came(__real_realloc(p, size));
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : came(__real_strdup(s));
}

void __wrap_free(void *p)
{
	went(p);
	__real_free(p);
}

int __wrap_yaml_parser_load(yaml_parser_t *parser, yaml_document_t *document)
{
	int ret;

	heap.in_parser = true;
	ret = __real_yaml_parser_load(parser, document);
	heap.in_parser = false;
	return ret;
}

static const char good[] =
	"x-slow: &slow { oos-check: 60s }\n"
	"dns: { servers: [ 192.0.2.53, 192.0.2.54 ], resolv-conf: /r }\n"
	"ports:\n"
	"  - { name: net0, device: net_tap0, addresses: [ 192.0.2.10/24 ], routes: [ { to: "
	"0.0.0.0/0, via: 192.0.2.1 } ] }\n"
	"services:\n"
	"  - { name: s, listen: [ udp:192.0.2.10 ], emergency-numbers: [ 112, 110 ], pairs: [ e, n "
	"] "
	"}\n"
	"pairs:\n"
	"  - name: e\n"
	"    <<: *slow\n"
	"    profile: yealink\n"
	"    members:\n"
	"      - { name: a, role: primary, address: 198.51.100.1, user: u, password: p }\n"
	"      - { name: b, role: backup, address: 198.51.100.2 }\n"
	"    sources: [ 203.0.113.1, 203.0.113.0/24 ]\n" /* a warning */
	"    failback: [ timed ]\n"
	"    egress: [ \"udp:192.0.2.10:5070\" ]\n"
	"    probe: { from: sip:a@b, user-agent: c }\n"
	"  - name: n\n"
	"    servers: { name: sip.example.com, user: u, password: p }\n";

static const char bad[] =
	"workers: x\n"
	"ports: [ { name: net0, device: eth0, addresses: [ 1 ], routs: [] } ]\n"
	"services: [ { name: s, listen: [ tcp:192.0.2.10 ], pairs: [ e, e, f ] } ]\n"
	"pairs: [ { name: e, members: [ { name: a, role: backup, address: x } ] } ]\n";

static const char broken[] = "ports: [ { name: net0\nservices: &a *b\n";

static const struct {
	const char *name, *text;
	bool loads;
} rows[] = { { "good", good, true }, { "bad", bad, false }, { "broken", broken, false } };

/* libyaml 0.2.5 forgets the stack of a list or mapping that it was beginning when its document
 * cannot grow any more: one block, and only then. */
static void check_live(size_t row, size_t fail)
{
	cr_assert_leq(heap.n_live, heap.hit_parser, "%s: allocation %zu: %zu not freed",
		      rows[row].name, fail, heap.n_live);
	if (heap.n_live)
		__real_free(heap.live[0]);
}

/* One load; @return whether the failure came to pass. */
static bool load(size_t row, size_t fail, bool all)
{
	struct ctl_model *m;
	struct ctl_diag d;
	bool hit;

	heap.n = heap.n_live = 0;
	heap.fail = fail;
	heap.all = all;
	heap.hit_parser = false;
	ctl_diag_init(&d);
	heap.armed = true;
	m = ctl_config_load_text("a", rows[row].text, strlen(rows[row].text), &d);
	hit = heap.n >= fail;
	heap.fail = SIZE_MAX;
	cr_assert_eq(m != NULL, !hit && rows[row].loads, "%s: allocation %zu", rows[row].name,
		     fail);
	cr_assert_eq(m == NULL, d.n_errors > 0, "%s: allocation %zu", rows[row].name, fail);
	ctl_model_free(m);
	ctl_diag_fini(&d);
	heap.armed = false;
	check_live(row, fail);
	return hit;
}

static void fail_each(bool all)
{
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		size_t n = 1;

		while (load(row, n, all))
			n++;
		cr_expect_gt(n, 20, "%s: the wrappers see the allocations", rows[row].name);
	}
}

Test(config_alloc, the_nth_allocation_fails)
{
	fail_each(false);
}

Test(config_alloc, all_from_the_nth_on_fail)
{
	fail_each(true);
}
