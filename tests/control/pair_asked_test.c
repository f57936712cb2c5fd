/*
 * How the runtime has members asked: what settings come to the prober, what a reload changes, and
 * what a connection that was kept says when it is closed.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/control/pairs_world.h"
#include "tests/leaks.h"

static struct world w;

static void setup(void)
{
	world_init(&w, NULL);
}

static void teardown(void)
{
	world_fini(&w);
	leaks_check();
}

TestSuite(pair_asked, .init = setup, .fini = teardown);

#define EAST "east=east-a:5060,east-b:5061"

/* ---- Settings */

static void tcp(struct ctl_pair *p)
{
	p->set.probe_transport = 1 + CTL_TCP;
}

static void tls(struct ctl_pair *p)
{
	p->set.probe_transport = 1 + CTL_TLS;
	p->tls.verify = true;
}

static void tls_named(struct ctl_pair *p)
{
	tls(p);
	p->tls.server_name = (char *)(uintptr_t) "example.com";
}

static void tls_blind(struct ctl_pair *p)
{
	tls_named(p);
	p->tls.verify = false;
}

static void other_port(struct ctl_pair *p)
{
	p->set.probe_transport = 1 + CTL_TCP;
	p->set.probe_port = 5099;
}

static void from(struct ctl_pair *p)
{
	cr_assert_eq(dp_ip_parse("2001:db8::9", &p->set.probe_source[0]), 0);
	cr_assert_eq(dp_ip_parse("192.0.2.9", &p->set.probe_source[1]), 0);
	p->set.n_probe_source = 2;
}

static const struct {
	void (*vary)(struct ctl_pair *p);
	enum dp_transport transport;
	uint16_t port; /* of the one that is made last: east-b */
	const char *tls_name, *from;
	bool verify;
} rows[] = {
	{ NULL, DP_UDP, 5061, NULL, "::", false },
	{ tcp, DP_TCP, 5061, NULL, "::", false },
	{ tls, DP_TLS, 5061, NULL, "::", true }, /* 5061: RFC 3261 19.1.2, here the member's too */
	{ tls_named, DP_TLS, 5061, "example.com", "::", true },
	{ tls_blind, DP_TLS, 5061, "example.com", "::", false },
	{ other_port, DP_TCP, 5099, NULL, "::", false },
	{ from, DP_UDP, 5061, NULL, "192.0.2.9", false },
};

Test(pair_asked, settings_come_to_the_prober_and_a_reload_changes_them)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_ip ip = { 0 };

		w.vary = rows[i].vary;
		world_apply(&w, EAST, false);
		cr_expect_eq(w.n_made, 2 * (i + 1), "row %zu: %u targets were made", i, w.n_made);
		world_apply(&w, EAST, false);
		cr_expect_eq(w.n_made, 2 * (i + 1), "row %zu: none anew for the same", i);
		world_run(&w, 2 * SEC);
		cr_expect_eq(w.n_targets, 2, "row %zu: the old ones are gone", i);
		cr_expect_eq(w.made.at.transport, rows[i].transport, "row %zu", i);
		cr_expect_eq(w.made.at.port, rows[i].port, "row %zu: %u", i, w.made.at.port);
		cr_expect_eq(w.made.tls.verify, rows[i].verify, "row %zu", i);
		cr_expect_eq(w.made.tls_name != NULL, rows[i].tls_name != NULL, "row %zu", i);
		if (strcmp(rows[i].from, "::") != 0)
			cr_assert_eq(dp_ip_parse(rows[i].from, &ip), 0);
		cr_expect(dp_ip_equal(&w.made.from, &ip), "row %zu", i);
		cr_expect_str_eq(world_active(&w, "east"), "east-a");
	}
	w.vary = NULL;
}

Test(pair_asked, tls_beside_a_member_of_udp_is_port_5061)
{
	w.vary = tls;
	world_apply(&w, "east=east-a:5060", false);
	cr_expect_eq(w.made.at.port, 5061);
	w.vary = NULL;
}

/* ---- A kept connection */

Test(pair_asked, a_kept_connection_that_is_closed_makes_suspect)
{
	w.vary = tcp;
	world_apply(&w, EAST, false);
	w.vary = NULL;
	world_run(&w, 3 * SEC);
	cr_assert_str_eq(world_active(&w, "east"), "east-a");
	w.mood[0] = WORLD_DEAD;
	w.lost[0](w.lost_arg[0]);
	cr_expect_str_eq(
		json_string_value(json_object_get(
			json_array_get(json_object_get(world_pair(&w, "east"), "members"), 0),
			"state")),
		"suspect");
	world_run(&w, 400 * MS); /* a burst, long before the next probe */
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	cr_expect_str_eq(json_string_value(json_object_get(world_last_event(&w, "east"), "cause")),
			 "connection-lost");
	/* A server that lives, and closed it for reasons of its own. */
	w.lost[1](w.lost_arg[1]);
	world_run(&w, 400 * MS);
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	cr_expect_str_eq(world_state(&w, "east"), "backup");
}
