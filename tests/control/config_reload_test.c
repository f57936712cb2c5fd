/*
 * What a reload may change and what it may not; and the list of messages itself.
 */
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(config_reload, .fini = leaks_check);

static const struct {
	const char *what, *with;
	const char *says; /* NULL: it may change */
} rows[] = {
	{ "workers: 1", "workers: 1", NULL },
	{ "workers: 1", "workers: 2",
	  "test.yaml:4: workers: cannot change while running; restart, or put the old value "
	  "back\n" },
	{ "workers: 1", "worker-cpus: 3", "test.yaml:4: worker-cpus: cannot" },
	{ "workers: 1", "idle: poll", "test.yaml:4: idle: cannot" },
	{ "workers: 1", "spread: always", "test.yaml:4: spread: cannot" },
	{ "workers: 1", "hand-over-ring: 64", "test.yaml:4: hand-over-ring: cannot" },
	{ "workers: 1", "receive-ring: 64", "test.yaml:4: receive-ring: cannot" },
	{ "workers: 1", "transmit-ring: 64", "test.yaml:4: transmit-ring: cannot" },
	{ "workers: 1", "control-group: adm", "test.yaml:4: control-group: cannot" },
	{ "workers: 1", "kernel-rest: 100", NULL },
	{ "select: aor", "deny: [ 192.0.2.66 ]", NULL },
	{ "workers: 1", "verify-checksums: always", "test.yaml:4: verify-checksums: cannot" },
	{ "workers: 1", "hugepages: never", "test.yaml:4: hugepages: cannot" },
	{ "workers: 1", "memory: 1G", "test.yaml:4: memory: cannot" },
	{ "workers: 1", "packet-buffers: 16383", "test.yaml:4: packet-buffers: cannot" },
	{ "workers: 1", "transaction-records: 65536", "test.yaml:4: transaction-records: cannot" },
	{ "workers: 1", "challenge-records: 65537", "test.yaml:4: challenge-records: cannot" },
	{ "workers: 1", "record-hold: 33s", "test.yaml:4: record-hold: cannot" },
	{ "workers: 1", "instance: other", "test.yaml:4: instance: cannot" },
	{ "control.sock", "control2.sock",
	  "test.yaml:1: control-socket: cannot change while running; restart, or put the old value "
	  "back: /run/sipsteer/control.sock\n" },
	{ "state.json", "state2.json", "test.yaml:2: state-file: cannot" },
	{ "name: net0", "name: net1", "test.yaml:6: name: a port's cannot change while running" },
	{ "iface=veth-lb", "iface=veth-x", "test.yaml:7: device: a port's cannot" },
	{ "    device:", "    mtu: 1400\n    device:", "test.yaml:7: mtu: a port's cannot" },
	{ "    device:", "    vlan: 7\n    device:", "test.yaml:7: vlan: a port's cannot" },
	{ "services:\n",
	  "  - { name: net1, device: net_tap1, addresses: [ 203.0.113.1/24 ] }\nservices:\n",
	  "test.yaml:5: ports: 2 instead of 1; ports cannot come or go while running" },
	{ "workers: 1", "log-level: debug", NULL },
	{ "/etc/sipsteer/keys", "/etc/sipsteer/keys2", NULL },
	{ "192.0.2.10/24, ", "192.0.2.10/24, 192.0.2.11/24, ", NULL },
	{ "via: 192.0.2.1 }", "via: 192.0.2.2 }", NULL },
	{ "\"udp:192.0.2.10:5060\"", "\"udp:192.0.2.10:5070\"", NULL },
	{ "select: aor", "select: call-id", NULL },
	{ "name: east-b", "name: east-c", NULL },
	{ "198.51.100.12", "198.51.100.13", NULL },
	{ "oos-check: 5s", "oos-check: 6s", NULL },
	{ "[ timed ]", "[ immediate ]", NULL },
};

Test(config_reload, what_may_change)
{
	static char said[65536];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = config_vary(rows[i].what, rows[i].with);
		struct ctl_model *old = config_good(config_example), *new;
		FILE *out = fmemopen(said, sizeof(said), "w");
		struct ctl_diag d;
		int ret;

		new = config_try(text, said, sizeof(said));
		cr_assert_not_null(new, "%s", said);
		ctl_diag_init(&d);
		ret = ctl_model_check_reload(old, new, &d);
		ctl_diag_print(&d, new->path, out);
		fputc('\0', out);
		fclose(out);
		cr_expect_eq(ret, rows[i].says ? -EBUSY : 0, "%s", rows[i].with);
		cr_expect_eq(d.n_errors, rows[i].says ? 1 : 0, "%s", rows[i].with);
		cr_expect(rows[i].says ? strncmp(said, rows[i].says, strlen(rows[i].says)) == 0
				       : said[0] == '\0',
			  "%s: %s", rows[i].with, said);
		ctl_diag_fini(&d);
		ctl_model_free(old);
		ctl_model_free(new);
		free(text);
	}
}

Test(config_reload, the_default_name_of_an_instance_stays)
{
	struct ctl_model *a = config_good(config_example), *b = config_good(config_example);
	struct ctl_diag d;

	ctl_diag_init(&d);
	cr_expect_str_eq(a->instance, b->instance);
	cr_expect_eq(ctl_model_check_reload(a, b, &d), 0);
	ctl_diag_fini(&d);
	ctl_model_free(a);
	ctl_model_free(b);
}

/* ---- Messages */

Test(config_reload, messages_are_in_order_and_once)
{
	static char said[4096];
	FILE *out = fmemopen(said, sizeof(said), "w");
	struct ctl_diag d;

	ctl_diag_init(&d);
	ctl_diag_add(&d, true, 7, "seven %d", 1);
	ctl_diag_add(&d, false, 3, "three");
	ctl_diag_add(&d, true, 7, "seven %d", 2);
	ctl_diag_add(&d, true, 7, "seven %d", 1);
	ctl_diag_add(&d, true, 0, "whole");
	ctl_diag_add(&d, true, 3, "three again");
	cr_expect_eq(d.n_errors, 4);
	ctl_diag_print(&d, "f", out);
	fclose(out);
	cr_expect_str_eq(said, "f: whole\nf:3: warning: three\nf:3: three again\nf:7: seven 1\n"
			       "f:7: seven 2\n");
	ctl_diag_fini(&d);
}

Test(config_reload, a_model_that_is_not_there)
{
	ctl_model_free(NULL);
}
