/* The daemon's pure parts: boot block, adoption of words, what a reload changes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/daemon/ctl_adopt.h"
#include "control/daemon/ctl_boot.h"
#include "control/daemon/ctl_reload.h"

static const char base_text[] =
	"control-socket: /tmp/x/control.sock\n"
	"workers: 2\n"
	"ports:\n"
	"  - { name: net0, device: \"net_tap0\", addresses: [ 192.0.2.10/24 ] }\n"
	"  - { name: net1, device: \"net_tap1\", addresses: [ 198.51.100.10/24 ], mtu: 1400 }\n"
	"services:\n"
	"  - { name: voice, listen: [ \"udp:192.0.2.10:5060\" ], pairs: [ east, west ] }\n"
	"pairs:\n"
	"  - name: east\n"
	"    members:\n"
	"      - { name: east-a, role: primary, address: 198.51.100.11 }\n"
	"      - { name: east-b, role: backup, address: 198.51.100.12 }\n"
	"      - { name: east-c, role: fallback, address: 198.51.100.13 }\n"
	"  - name: west\n"
	"    members:\n"
	"      - { name: west-a, role: primary, address: 198.51.100.21 }\n"
	"      - { name: west-b, role: backup, address: 198.51.100.22 }\n";

/* The base text with its occurrences of a line's piece replaced. */
static struct ctl_model *model(const char *what, const char *with)
{
	char text[4096] = "";
	const char *at = base_text, *hit;
	struct ctl_diag diag;
	struct ctl_model *m;

	while (what && (hit = strstr(at, what)) != NULL) {
		strncat(text, at, (size_t)(hit - at));
		strcat(text, with);
		at = hit + strlen(what);
	}
	strcat(text, at);
	ctl_diag_init(&diag);
	m = ctl_config_load_text("test", text, strlen(text), &diag);
	ctl_diag_print(&diag, "test", stderr);
	cr_assert(m, "%s -> %s", what ? what : "", with ? with : "");
	ctl_diag_fini(&diag);
	return m;
}

Test(daemon, the_boot_block_says_what_the_model_says)
{
	struct ctl_model *m = model(NULL, NULL);
	struct dp_boot b;

	ctl_boot_fill(&b, m);
	cr_expect_eq(b.n_ports, 2);
	cr_expect_eq(b.n_workers, 2);
	cr_expect_str_eq(b.ports[0].name, "net0");
	cr_expect_str_eq(b.ports[1].device, "net_tap1");
	cr_expect_eq(b.ports[1].mtu, 1400);
	cr_expect_eq(b.n_records, m->n_records);
	cr_expect_eq(b.record_hold_ms, m->record_hold_ms);
	ctl_model_free(m);
}

Test(daemon, what_needs_a_restart_is_said)
{
	static const struct {
		const char *what, *with;
		size_t errors, warnings;
		const char *says;
	} rows[] = {
		{ NULL, NULL, 0, 0, "" },
		{ "workers: 2", "workers: 1", 0, 1,
		  "workers: the running data plane has 2, not 1" },
		{ "mtu: 1400", "mtu: 1300", 0, 1, "ports: net1: mtu" },
		{ "net_tap0", "net_tap7", 0, 1, "ports: net0: device" },
		{ "name: net0", "name: net9", 1, 0,
		  "ports: the running data plane has net0, net1, not net9, net1" },
	};
	struct ctl_model *m = model(NULL, NULL);
	struct dp_boot have, want;

	ctl_boot_fill(&have, m);
	ctl_model_free(m);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_diag d;

		m = model(rows[i].what, rows[i].with);
		ctl_boot_fill(&want, m);
		ctl_model_free(m);
		ctl_diag_init(&d);
		ctl_boot_compare(&want, &have, &d);
		cr_expect_eq(d.n_errors, rows[i].errors, "row %zu", i);
		cr_expect_eq(d.n, rows[i].errors + rows[i].warnings, "row %zu: %zu", i, d.n);
		if (d.n)
			cr_expect(strstr(d.e[0].text, rows[i].says), "row %zu: %s", i, d.e[0].text);
		ctl_diag_fini(&d);
	}
}

/* ---- Words */

#define ACTIVE(slot) (DP_WORD_VALID | (slot))
#define DOWN(slot)   (1ull << (DP_WORD_DOWN_SHIFT + (slot)))

Test(daemon, no_word_names_a_member_that_the_next_configuration_lacks)
{
	/* east has slots 0 to 2 for a, b, c */
	static const struct {
		const char *what, *with;
		uint64_t word;
		uint64_t active; /* slot afterwards; 16: no valid word */
		unsigned int changed;
	} rows[] = {
		{ "mtu: 1400", "mtu: 1300", ACTIVE(1), 1, 0 },
		{ "name: east-a, role: primary", "name: east-x, role: primary", ACTIVE(1), 1, 0 },
		{ "name: east-b, role: backup", "name: east-x, role: backup", ACTIVE(1), 0, 1 },
		{ "name: east-b, role: backup", "name: east-x, role: backup", ACTIVE(1) | DOWN(0),
		  2, 1 },
		{ "name: east-b, role: backup", "name: east-x, role: backup",
		  ACTIVE(1) | DOWN(0) | DOWN(2), 0, 1 },
		{ "east", "nord", ACTIVE(1), 16, 1 },
		{ "198.51.100.12", "198.51.100.99", ACTIVE(1), 1, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct dp_boot boot = { .n_workers = 1 };
		struct ctl_model *a, *b;
		struct ctl_numbers *n = ctl_numbers_new();
		struct ctl_secrets secrets = { .n = 1 };
		struct dp_cfg *old, *new;
		struct dp_region *r;
		uint64_t word;
		int fd, pair;

		a = model(NULL, NULL);
		b = model(rows[i].what, rows[i].with);
		r = dp_region_create(&boot, 1 << 20, &fd);
		cr_assert(r);
		cr_assert_eq(ctl_numbers_assign(n, a, 1000), 0);
		old = ctl_build_cfg(a, n, &secrets, NULL);
		pair = ctl_numbers_pair(n, "east");
		cr_assert_eq(ctl_numbers_assign(n, b, 2000), 0);
		new = ctl_build_cfg(b, n, &secrets, old);
		dp_region_set_word(r, (unsigned int)pair, rows[i].word);
		cr_expect_eq(ctl_adopt_words(r, old, new), rows[i].changed, "row %zu", i);
		word = atomic_load(&r->pair_words[pair]);
		cr_expect_eq(word & DP_WORD_VALID ? dp_word_active(word) : 16, rows[i].active,
			     "row %zu: %u", i, dp_word_active(word));
		free(old);
		free(new);
		ctl_numbers_free(n);
		ctl_model_free(a);
		ctl_model_free(b);
		dp_region_unmap(r);
		close(fd);
	}
}

/* ---- Differences */

Test(daemon, a_reload_says_what_comes_and_goes)
{
	static const struct {
		const char *what, *with, *diff;
	} rows[] = {
		{ "mtu: 1400", "mtu: 1300",
		  "{\"members\":{\"added\":[],\"removed\":[]},\"pairs\":{\"added\":[],\"removed\":["
		  "]},"
		  "\"services\":{\"added\":[],\"removed\":[]}}" },
		{ "name: east-b", "name: east-x",
		  "{\"members\":{\"added\":[\"east/east-x\"],\"removed\":[\"east/east-b\"]},"
		  "\"pairs\":{\"added\":[],\"removed\":[]},\"services\":{\"added\":[],\"removed\":["
		  "]}}" },
		{ "voice", "calls",
		  "{\"members\":{\"added\":[],\"removed\":[]},\"pairs\":{\"added\":[],\"removed\":["
		  "]},"
		  "\"services\":{\"added\":[\"calls\"],\"removed\":[\"voice\"]}}" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_model *a = model(NULL, NULL), *b = model(rows[i].what, rows[i].with);
		json_t *d = ctl_reload_diff(a, b);
		char *text = json_dumps(d, JSON_COMPACT | JSON_SORT_KEYS);

		cr_expect_str_eq(text, rows[i].diff, "row %zu: %s", i, text);
		free(text);
		json_decref(d);
		ctl_model_free(a);
		ctl_model_free(b);
	}
}
