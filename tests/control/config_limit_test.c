/*
 * As many as possible, and one more.
 */
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(config_limit, .fini = leaks_check);

static char said[1 << 20];

/* A file under construction. */
static char *text;
static size_t text_size;
static FILE *out;

static void begin(void)
{
	out = open_memstream(&text, &text_size);
	cr_assert_not_null(out);
}

#define PORT    "ports: [ { name: net0, device: net_tap0, addresses: [ 10.0.0.1/8 ] } ]\n"
#define SERVICE "services: [ { name: s, listen: [ udp:10.0.0.1 ], pairs: [ p0 ] } ]\n"

static void pair(int i, const char *more)
{
	fprintf(out,
		"  - { name: p%d, members: [ { name: a, role: primary, address: 10.1.%d.%d }, { "
		"name: b, role: backup, address: 10.2.%d.%d } ]%s }\n",
		i, i / 250, i % 250 + 1, i / 250, i % 250 + 1, more);
}

/* Ends the file: with says NULL it must load, otherwise that must be said. */
static void end(const char *says)
{
	struct ctl_model *m;

	fclose(out);
	m = config_try(text, said, sizeof(said));
	cr_expect_eq(m != NULL, says == NULL, "%.500s", said);
	if (says)
		cr_expect(strstr(said, says), "wanted %s, got %.500s", says, said);
	ctl_model_free(m);
	free(text);
}

static void members(int n, const char *says)
{
	begin();
	fputs(PORT SERVICE "pairs:\n  - name: p0\n    members:\n", out);
	for (int i = 0; i < n; i++)
		fprintf(out, "      - { name: m%d, role: %s, address: 10.1.0.%d }\n", i,
			i == 0   ? "primary"
			: i == 1 ? "backup"
				 : "fallback",
			i + 1);
	end(says);
}

Test(config_limit, members_of_a_pair)
{
	members(16, NULL);
	members(17, "test.yaml:5: members: a list of 17; at most 16 are possible");
}

static void ports(int n, const char *says)
{
	begin();
	fputs(SERVICE "pairs:\n", out);
	pair(0, "");
	fputs("ports:\n", out);
	for (int i = 0; i < n; i++)
		fprintf(out, "  - { name: n%d, device: net_tap%d, addresses: [ 10.0.%d.1/%d ] }\n",
			i, i, i, i ? 24 : 8);
	end(says);
}

Test(config_limit, ports)
{
	ports(16, NULL);
	ports(17, "ports: a list of 17; at most 16 are possible");
}

static void services_of_a_pair(int n, const char *says)
{
	begin();
	fputs(PORT "services:\n", out);
	for (int i = 0; i < n; i++)
		fprintf(out, "  - { name: s%d, listen: [ \"udp:10.0.0.1:%d\" ], pairs: [ p0 ] }\n",
			i, 6000 + i);
	fputs("pairs:\n", out);
	pair(0, "");
	end(says);
}

Test(config_limit, services_of_a_pair)
{
	services_of_a_pair(8, NULL);
	services_of_a_pair(9, "test.yaml:11: pairs: \"p0\" is behind 8 services already");
}

static void pairs(int n, bool egress, const char *says)
{
	char more[64] = "";

	begin();
	fputs(PORT "services:\n  - name: s\n    listen: [ udp:10.0.0.1 ]\n    pairs:\n", out);
	for (int i = 0; i < n; i++)
		fprintf(out, "      - p%d\n", i);
	fputs("pairs:\n", out);
	for (int i = 0; i < n; i++) {
		if (egress)
			snprintf(more, sizeof(more), ", egress: [ \"udp:10.0.0.1:%d\" ]", 6000 + i);
		pair(i, more);
	}
	end(says);
}

Test(config_limit, pairs)
{
	pairs(16384, false, NULL);
	pairs(16385, false, "pairs: a list of 16385; at most 16384 are possible");
}

/* One listener, and an egress endpoint of its own for each pair: one too many. */
Test(config_limit, endpoints)
{
	pairs(16384, true, "16385 different listen and egress endpoints in all; at most 16384");
}
