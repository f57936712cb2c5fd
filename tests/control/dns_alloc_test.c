/*
 * Memory runs out: the n-th allocation of a lookup, of the names' bookkeeping and of a view fails,
 * for every n, once alone and once with all that follow. Whoever asked is told, what was good
 * stays, and everything is given back. Allocations of our own code come through the wrappers below.
 */
#include "control/dns/ctl_dns_int.h"
#include "control/dns/ctl_dns_view.h"
#include "tests/control/config_help.h"
#include "tests/control/dns_bench.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);

TestSuite(dns_alloc, .fini = leaks_check);

/* Counts while armed. */
static struct {
	bool armed, all; /* all: fail all from the n-th on */
	size_t n, fail;
} heap;

static bool fails(void)
{
	if (!heap.armed)
		return false;
	heap.n++;
	return heap.all ? heap.n >= heap.fail : heap.n == heap.fail;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

static void arm(size_t fail, bool all)
{
	heap.n = 0;
	heap.fail = fail;
	heap.all = all;
	heap.armed = true;
}

/* @return whether the failure came to pass. */
static bool disarm(void)
{
	heap.armed = false;
	return heap.n >= heap.fail;
}

/* fn(fail, all) once for each allocation that it makes. */
static void each(bool (*fn)(size_t fail, bool all), size_t at_least)
{
	for (int all = 0; all < 2; all++) {
		size_t n = 1;

		while (fn(n, all))
			n++;
		cr_expect_gt(n, at_least, "the wrappers see the allocations: %zu", n);
	}
}

/* ---- A lookup */

static const struct dns_fact facts[] = {
	{ "sip.x", "NAPTR 1 1 s SIP+D2U srv.x", 0 },
	{ "srv.x", "SRV 1 0 5060 a.x", 0 },
	{ "srv.x", "SRV 2 0 5060 b.x", 0 },
	{ "a.x", "A 192.0.2.1", 0 },
	{ "b.x", "A 192.0.2.2", 0 },
	{ NULL, NULL, 0 },
};

static bool good;
static char error[CTL_DNS_TEXT];
static unsigned int n_done;

static void on_done(void *arg, struct ctl_dns_outcome *o)
{
	(void)arg;
	n_done++;
	good = o->good;
	memcpy(error, o->error, sizeof(error));
	ctl_dns_result_fini(&o->result);
}

static bool look_up(size_t fail, bool all)
{
	const struct ctl_dns_spec spec = { .name = "sip.x", .srv = true, .families = 1 };
	struct dns_world *w = __real_malloc(sizeof(*w));
	struct ctl_dns_lookup *l;
	bool hit;

	dns_world_init(w, facts);
	n_done = 0;
	arm(fail, all);
	l = ctl_dns_lookup_new(&w->io, &spec, NULL, on_done, NULL);
	if (l)
		ctl_dns_lookup_start(l);
	hit = disarm();
	cr_expect_eq(n_done, l != NULL, "allocation %zu", fail);
	if (l)
		cr_expect_eq(hit, strstr(error, "out of memory") != NULL, "allocation %zu: %s",
			     fail, error);
	if (!hit)
		cr_expect(good);
	free(w);
	return hit;
}

Test(dns_alloc, a_lookup_says_so)
{
	each(look_up, 6);
}

/* ---- The names of a model */

static struct ctl_model *model;
static struct event_base *base;
static struct ctl_history *history;

static void load(void)
{
	static const char text[] =
		"dns: { servers: [ 192.0.2.53 ] }\n"
		"ports: [ { name: net0, device: net_tap0, addresses: [ 192.0.2.10/24 ], routes: [ "
		"{ "
		"to: 0.0.0.0/0, via: 192.0.2.1 } ] } ]\n"
		"services: [ { name: s, listen: [ udp:192.0.2.10 ], pairs: [ e, f, g ] } ]\n"
		"pairs:\n"
		"  - { name: e, servers: { name: sip.x } }\n"
		"  - { name: f, servers: { name: sip.x } }\n"
		"  - { name: g, members: [ { name: a, role: primary, address: a.x }, { name: b, "
		"role: "
		"backup, address: 198.51.100.2 } ] }\n";

	model = config_good(text);
	base = event_base_new();
	history = ctl_history_new(10, 10);
}

static void unload(void)
{
	ctl_model_free(model);
	ctl_history_free(history);
	event_base_free(base);
}

static void on_changed(void *arg)
{
	(void)arg;
}

static bool want(size_t fail, bool all)
{
	const struct ctl_dns_params p = {
		.base = base, .history = history, .file = "/nonexistent/dns", .changed = on_changed
	};
	struct ctl_dns *dns;
	bool hit;
	int ret = -1;

	arm(fail, all);
	dns = ctl_dns_new(&p);
	if (dns)
		ret = ctl_dns_want(dns, model);
	if (ret == 0)
		ctl_dns_keep(dns, model);
	hit = disarm();
	cr_expect(hit || ret == 0, "allocation %zu: %d", fail, ret);
	/* Once there is memory again, all is well. */
	if (dns) {
		json_t *j;

		cr_expect_eq(ctl_dns_want(dns, model), 0);
		ctl_dns_keep(dns, model);
		j = ctl_dns_json(dns, NULL);
		cr_expect_eq(json_array_size(json_object_get(j, "names")), 2);
		json_decref(j);
	}
	ctl_dns_free(dns);
	return hit;
}

Test(dns_alloc, names_are_wanted_or_not)
{
	load();
	each(want, 12);
	unload();
}

/* Forgetting names without memory to know which: none is forgotten. */
static bool keep(size_t fail, bool all)
{
	const struct ctl_dns_params p = { .base = base, .history = history, .changed = on_changed };
	struct ctl_dns *dns = ctl_dns_new(&p);
	json_t *j;
	bool hit;

	cr_assert_not_null(dns);
	cr_assert_eq(ctl_dns_want(dns, model), 0);
	arm(fail, all);
	ctl_dns_keep(dns, model);
	hit = disarm();
	j = ctl_dns_json(dns, NULL);
	cr_expect_eq(json_array_size(json_object_get(j, "names")), 2, "allocation %zu", fail);
	json_decref(j);
	ctl_dns_free(dns);
	return hit;
}

Test(dns_alloc, no_name_is_forgotten)
{
	load();
	each(keep, 5);
	unload();
}

/* ---- A view */

static struct ctl_dns_server servers[] = {
	{ .target = "a.x", .at.port = 5060, .at.ip.b = { [10] = 0xff, 0xff, 198, 51, 100, 7 } },
	{ .target = "b.x", .at.port = 5060, .at.ip.b = { [10] = 0xff, 0xff, 198, 51, 100, 8 } },
};
static const struct ctl_dns_result result = { .n = 2, .servers = servers };

static const struct ctl_dns_result *find(const void *arg, const struct ctl_dns_key *key)
{
	(void)arg;
	(void)key;
	return &result;
}

static bool view(size_t fail, bool all)
{
	const struct ctl_dns_view v = { .find = find, .now_ms = 1 };
	unsigned int refs = model->refs;
	struct ctl_model *m;
	uint64_t again_ms;
	bool hit;

	arm(fail, all);
	m = ctl_dns_view_new(model, &v, &again_ms);
	hit = disarm();
	cr_expect_eq(m == NULL, hit, "allocation %zu", fail);
	if (m) {
		cr_expect_eq(m->pairs[0].n_members, 2);
		cr_expect_eq(m->pairs[2].n_members, 2);
	}
	ctl_model_free(m);
	cr_expect_eq(model->refs, refs, "allocation %zu", fail);
	return hit;
}

Test(dns_alloc, a_view_is_whole_or_not_at_all)
{
	load();
	each(view, 8);
	unload();
}

/* ---- The file */

static bool file(size_t fail, bool all)
{
	struct ctl_dns_entry e = { .name = (char *)(uintptr_t) "sip.x", .spec.srv = true };
	json_t *names = json_pack("{s:{s:[{s:s, s:i, s:i, s:i, s:s}]}}", "srv udp sip.x", "servers",
				  "address", "192.0.2.1", "port", 5060, "priority", 1, "weight", 1,
				  "target", "a.x");
	bool hit;

	cr_assert_not_null(names);
	arm(fail, all);
	ctl_dns_file_take(names, &e);
	hit = disarm();
	cr_expect_eq(e.good.n, hit ? 0 : 1, "allocation %zu", fail);
	cr_expect_eq(e.looked, !hit);
	ctl_dns_result_fini(&e.good);
	json_decref(names);
	return hit;
}

Test(dns_alloc, an_answer_of_the_file_is_taken_or_not)
{
	each(file, 1);
}
