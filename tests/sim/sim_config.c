/*
 * Configurations at random, as text, read by the real reader: what it accepts is valid, with every
 * default and profile in its place. One that it refuses is a mistake here.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_config.h"
#include "tests/sim/sim.h"

struct text {
	char b[16384];
	size_t n;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	t->n += (size_t)vsnprintf(t->b + t->n, sizeof(t->b) - t->n, format, ap);
	va_end(ap);
	if (t->n >= sizeof(t->b))
		abort();
}

static void put_ms(struct text *t, const char *key, uint64_t ms)
{
	put(t, "    %s: %" PRIu64 "%s\n", key, ms, ms != 0 ? "ms" : "");
}

static void put_failback(struct sim *w, struct text *t)
{
	static const char *const modes[] = {
		"[]",
		"[ immediate ]",
		"[ timed ]",
		"[ signal ]",
		"[ timed ]",
		"[ timed, signal ]",
		"[ immediate ]",
		"[ immediate, signal ]",
		"[ timed ]",
		"[ timed, immediate ]",
		"[ timed, immediate, signal ]",
	};

	put(t, "    failback: %s\n", modes[sim_below(&w->rand, sizeof(modes) / sizeof(modes[0]))]);
	if (sim_chance(&w->rand, 800))
		put_ms(t, "failback-interval", sim_between(&w->rand, 1000, 1800000));
	if (sim_chance(&w->rand, 800))
		put_ms(t, "failback-hold",
		       sim_chance(&w->rand, 200) ? 0 : sim_between(&w->rand, 100, 120000));
}

/* @return the period that probes have, in ms. */
static uint64_t put_periods(struct sim *w, struct text *t)
{
	struct sim_rand *r = &w->rand;
	uint64_t check = 5000, force = 5000, least = w->regime.slow ? 20000 : 100;

	if (w->regime.slow || sim_chance(r, 700)) {
		check = sim_chance(r, 100) ? 0 : sim_between(r, least, 300000);
		put_ms(t, "oos-check", check);
	}
	force = check != 0 && check < force ? check : force;
	if (sim_chance(r, 600)) {
		force = sim_between(r, w->regime.slow ? 2000 : 100,
				    check != 0 && check < 32000 ? check : 32000);
		put_ms(t, "oos-force", force);
	}
	if (sim_chance(r, 300))
		put_ms(t, "probe-timeout", sim_between(r, 30, 32000));
	return check != 0 && check < force ? check : force;
}

static void put_settings(struct sim *w, struct text *t)
{
	static const char *const profiles[] = { "genesys", "fanvil", "baker", "yealink",
						"audiocodes" };
	struct sim_rand *r = &w->rand;
	uint64_t period_us;

	if (sim_chance(r, 500))
		put(t, "    profile: %s\n", profiles[sim_below(r, 5)]);
	period_us = put_periods(w, t) * 1000;
	if (w->period_us == 0 || period_us < w->period_us)
		w->period_us = period_us;
	if (sim_chance(r, 300))
		put(t, "    fall: %" PRIu64 "\n", sim_between(r, 1, 5));
	if (sim_chance(r, 300))
		put(t, "    rise: %" PRIu64 "\n", sim_between(r, 1, 5));
	if (sim_chance(r, 400))
		put(t, "    probe-all: %s\n", sim_chance(r, 500) ? "yes" : "no");
	if (sim_chance(r, 200))
		put(t, "    unavailable-codes: %s\n",
		    sim_chance(r, 500) ? "[ 408, 500, 503 ]" : "[]");
	if (sim_chance(r, w->regime.gray ? 600 : 100))
		put(t, "    gray-failover: %s\n", sim_chance(r, 700) ? "yes" : "no");
	if (sim_chance(r, 600))
		put_failback(w, t);
}

/* Members in a random order of roles, now and then at another place than their name's. */
static void put_members(struct sim *w, struct text *t, unsigned int pair)
{
	struct sim_rand *r = &w->rand;
	unsigned int n = sim_chance(r, 100) ? 1 : 2 + (unsigned int)sim_below(r, 3);
	unsigned int first = sim_chance(r, 800) ? 0 : (unsigned int)sim_below(r, SIM_HOSTS);
	unsigned int moved = sim_chance(r, 800) ? 0 : 1 + (unsigned int)sim_below(r, 2);
	bool timed_user = sim_chance(r, 400);

	put(t, "    members:\n");
	for (unsigned int i = 0; i < n; i++) {
		unsigned int host = (first + i) % SIM_HOSTS;

		put(t, "      - { name: m%u, role: %s, address: 10.1.%u.%u", host,
		    i == 0   ? "primary"
		    : i == 1 ? "backup"
			     : "fallback",
		    pair, (host + moved) % SIM_HOSTS);
		if (timed_user && i == 0)
			put(t, ", user: u, password: p");
		put(t, " }\n");
	}
}

static struct ctl_model *load(const struct text *t)
{
	struct ctl_diag d;
	struct ctl_model *m;

	ctl_diag_init(&d);
	m = ctl_config_load_text("sim", t->b, t->n, &d);
	if (m == NULL) {
		fprintf(stderr, "%s", t->b);
		ctl_diag_print(&d, "sim", stderr);
		abort();
	}
	ctl_diag_fini(&d);
	return m;
}

struct ctl_model *sim_config(struct sim *w)
{
	struct text t = { .n = 0 };
	put(&t, "ports:\n  - { name: net0, device: \"0000:03:00.0\", addresses: [ 10.0.0.1/8 ] }\n"
		"services:\n  - { name: s, listen: [ \"udp:10.0.0.1:5060\" ], pairs: [ p0");
	for (unsigned int p = 1; p < w->n_pairs; p++)
		put(&t, ", p%u", p);
	put(&t, " ] }\npairs:\n");
	for (unsigned int p = 0; p < w->n_pairs; p++) {
		put(&t, "  - name: p%u\n", p);
		put_settings(w, &t);
		put_members(w, &t, p);
	}
	if (w->opt.trace)
		printf("%s", t.b);
	return load(&t);
}
