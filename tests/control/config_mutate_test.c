/*
 * Files that nobody wrote: seeded random damage to a correct one must never crash the loader, nor
 * make it accept a model that breaks its own promises. CONFIG_MUTATE_SEED and CONFIG_MUTATE_RUNS
 * repeat or lengthen a run.
 */
#include "control/config/ctl_types.h"
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 16384

TestSuite(config_mutate, .fini = leaks_check);

static uint64_t state;

static uint64_t random_u64(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15ull); /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static size_t below(size_t n)
{
	return n ? (size_t)(random_u64() % n) : 0;
}

/* A file with every kind of value in it. */
static const char rich[] =
	"instance: lb-1\n"
	"log-level: debug\n"
	"workers: 2\n"
	"worker-cpus: 2-5\n"
	"memory: 2G\n"
	"x-slow: &slow { oos-check: 60s, fall: 3 }\n"
	"ports:\n"
	"  - name: net0\n"
	"    device: 0000:03:00.0\n"
	"    mtu: 1500\n"
	"    vlan: 7\n"
	"    addresses: [ 192.0.2.10/24, \"2001:db8::10/64\" ]\n"
	"    routes: [ { to: 0.0.0.0/0, via: 192.0.2.1 }, { to: \"::/0\", via: \"fe80::1\" } ]\n"
	"services:\n"
	"  - name: voice\n"
	"    listen: [ \"udp:192.0.2.10:5060\", \"udp:[2001:db8::10]:5060\" ]\n"
	"    select: call-id\n"
	"    path: no\n"
	"    retry-after: 10s\n"
	"    emergency-numbers: [ 112, \"+49110\" ]\n"
	"    pairs: [ east, west ]\n"
	"pairs:\n"
	"  - name: east\n"
	"    profile: fanvil\n"
	"    <<: *slow\n"
	"    members:\n"
	"      - { name: a, role: primary, address: 198.51.100.11, user: u, password: p }\n"
	"      - { name: b, role: backup, address: 198.51.100.12, port: 5070 }\n"
	"      - { name: c, role: fallback, address: 198.51.100.13, methods: [ INVITE ] }\n"
	"    sources: [ 203.0.113.0/24 ]\n"
	"    egress: [ \"udp:192.0.2.10:5080\" ]\n"
	"    unavailable-codes: [ 408, 480 ]\n"
	"    probe: { from: sip:probe@example.com, user-agent: \"a b\", max-forwards: 0 }\n"
	"  - { name: west, weight: 3, failback: [], members: [ { name: a, role: primary, address: "
	"198.51.100.21 }, { name: b, role: backup, address: 198.51.100.22 } ] }\n";

static const char *const tokens[] = {
	"[",
	"]",
	"{",
	"}",
	":",
	": ",
	"- ",
	"\n",
	" ",
	"  ",
	"\"",
	"'",
	"#",
	"&a ",
	"*a",
	"*slow",
	"<<: ",
	"!x ",
	"|",
	">",
	"---\n",
	"...\n",
	"\t",
	"~",
	"null",
	"0",
	"-1",
	"99999999999",
	"0s",
	"1ms",
	"udp:",
	"[::1]",
	"/33",
	"yes",
	"x-",
	"\\0",
	"\xc3\xa4",
	"\xff",
	"\x01",
	"%",
	"@",
	"? ",
	"2001:db8::10",
	"192.0.2.10",
	"east",
	"members",
	"name",
	"role: primary",
	",",
};

struct text {
	char b[ROOM];
	size_t len;
};

static void replace(struct text *t, size_t at, size_t cut, const char *with, size_t len)
{
	if (t->len - cut + len >= ROOM)
		return;
	memmove(t->b + at + len, t->b + at + cut, t->len - at - cut);
	memcpy(t->b + at, with, len);
	t->len += len - cut;
}

static void damage(struct text *t)
{
	size_t at = below(t->len), most = t->len - at, len = below(most < 40 ? most : 40);
	const char *token = tokens[below(sizeof(tokens) / sizeof(tokens[0]))];
	char copy[64];

	switch (below(6)) {
	case 0: /* a bit */
		if (t->len)
			t->b[at] = (char)(t->b[at] ^ (1 << below(8)));
		break;
	case 1: /* cut */ replace(t, at, len, "", 0); break;
	case 2: /* repeat */
		memcpy(copy, t->b + at, len);
		replace(t, below(t->len), 0, copy, len);
		break;
	case 3: /* insert */ replace(t, at, 0, token, strlen(token)); break;
	case 4: /* overwrite */ replace(t, at, len < 8 ? len : 8, token, strlen(token)); break;
	default: /* truncate, rarely */
		if (below(20) == 0)
			t->len = at;
	}
}

/* ---- Promises of a model that was accepted */

static bool pair_is_sound(const struct ctl_model *m, const struct ctl_pair *p)
{
	bool good = p->name && p->n_members >= 1 && p->n_members <= DP_PAIR_MEMBERS
		    && p->members[0].role == DP_ROLE_PRIMARY && p->set.fall && p->set.rise
		    && (!p->set.oos_check_ms || p->set.oos_force_ms <= p->set.oos_check_ms)
		    && p->set.n_unavailable_codes <= 16 && p->weight;

	for (size_t i = 0; i < p->n_members; i++) {
		const struct ctl_member *mb = &p->members[i];

		good = good && mb->name && mb->at.port && mb->at.transport == CTL_UDP && mb->methods
		       && !mb->user == !mb->password && (i == 0 || mb->role >= mb[-1].role);
	}
	for (int f = 0; f < 2; f++)
		good = good && p->egress_port[f] < m->n_ports;
	return good;
}

static bool service_is_sound(const struct ctl_model *m, const struct ctl_service *s)
{
	bool good = s->name && s->n_listens && s->n_pairs;

	for (size_t i = 0; i < s->n_listens; i++)
		good = good && s->listens[i].port < m->n_ports;
	for (size_t i = 0; i < s->n_pairs; i++)
		good = good && s->pairs[i] < m->n_pairs;
	return good;
}

static bool is_sound(const struct ctl_model *m)
{
	bool good = m->control_socket && m->state_file && m->key_file && m->instance
		    && m->worker_cpus && m->workers >= 1 && m->workers <= DP_MAX_WORKERS
		    && m->n_ports >= 1 && m->n_services >= 1 && m->n_pairs >= 1;

	for (size_t i = 0; good && i < m->n_ports; i++)
		good = m->ports[i].name && m->ports[i].device && m->ports[i].n_addresses;
	for (size_t i = 0; good && i < m->n_services; i++)
		good = service_is_sound(m, &m->services[i]);
	for (size_t i = 0; good && i < m->n_pairs; i++)
		good = pair_is_sound(m, &m->pairs[i])
		       && ctl_model_find_pair(m, m->pairs[i].name) == (int)i;
	return good;
}

static bool messages_are_sound(const struct ctl_diag *d, const struct text *t)
{
	unsigned int lines = 1, last = 0;

	for (size_t i = 0; i < t->len; i++)
		lines += t->b[i] == '\n' || t->b[i] == '\r';
	for (size_t i = 0; i < d->n; i++) {
		if (d->e[i].line < last || !*d->e[i].text)
			return false;
		last = d->e[i].line;
		for (const char *c = d->e[i].text; *c; c++) {
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				return false;
		}
	}
	return last <= lines + 1;
}

static unsigned long setting(const char *name, unsigned long def)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : def;
}

Test(config_mutate, damaged_files)
{
	unsigned long first = setting("CONFIG_MUTATE_SEED", 1);
	unsigned long runs = setting("CONFIG_MUTATE_RUNS", 5000);
	static struct text t;
	size_t accepted = 0;

	for (unsigned long seed = first; seed < first + runs; seed++) {
		struct ctl_model *m;
		struct ctl_diag d;

		state = seed;
		t.len = sizeof(rich) - 1;
		memcpy(t.b, rich, t.len);
		for (size_t n = 1 + below(6); n; n--)
			damage(&t);
		ctl_diag_init(&d);
		m = ctl_config_load_text("m", t.b, t.len, &d);
		cr_assert_eq(m == NULL, d.n_errors > 0, "CONFIG_MUTATE_SEED=%lu", seed);
		cr_assert(!m || is_sound(m), "CONFIG_MUTATE_SEED=%lu", seed);
		cr_assert(messages_are_sound(&d, &t), "CONFIG_MUTATE_SEED=%lu", seed);
		accepted += m != NULL;
		ctl_model_free(m);
		ctl_diag_fini(&d);
	}
	cr_expect_gt(accepted, 0, "damage that is too thorough tests the parser only");
	cr_expect_lt(accepted, runs);
}

Test(config_mutate, the_undamaged_file_is_right)
{
	struct ctl_model *m = config_good(rich);

	cr_expect(is_sound(m));
	ctl_model_free(m);
}

/* Every prefix of a file. */
Test(config_mutate, truncated_files)
{
	for (size_t len = 0; len < sizeof(rich); len++) {
		char *text = malloc(len + 1); /* exact, so that a sanitizer sees a read beyond */
		struct ctl_model *m;
		struct ctl_diag d;

		cr_assert_not_null(text);
		memcpy(text, rich, len);
		ctl_diag_init(&d);
		m = ctl_config_load_text("m", text, len, &d);
		cr_expect_eq(m == NULL, d.n_errors > 0, "%zu", len);
		ctl_model_free(m);
		ctl_diag_fini(&d);
		free(text);
	}
}
