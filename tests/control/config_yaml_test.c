/*
 * YAML itself: syntax errors with their lines and remedies, anchors, merges, and what must not blow
 * up.
 */
#include "control/config/ctl_yaml.h"
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(config_yaml, .fini = leaks_check);

static char said[1 << 20];

static const struct {
	const char *text;
	const char *says; /* the only thing that is said */
} syntax[] = {
	{ "", ": the file is empty: at least ports, services and pairs are needed" },
	{ "# nothing\n", ": the file is empty" },
	{ "---\n...\n", ":2: the file's top is a single value" },
	{ "a: b: c\n", ":1: no valid YAML: mapping values are not allowed in this context: indent "
		       "this line like its neighbours, or quote a value that holds \": \"; nothing "
		       "else has been checked" },
	{ "a:\n\t- b\n", ":2: no valid YAML: found character that cannot start any token: indent "
			 "with spaces, YAML takes no tabs" },
	{ "a: @b\n", ":1: no valid YAML: found character that cannot start any token: quote a "
		     "value that begins with this character" },
	{ "x:\na: [ b\nc: d\n", ":3: no valid YAML: did not find expected ',' or ']', in what "
				"began in line 2: close the list with ]" },
	{ "a: { b: c\nd: e\n", ":2: no valid YAML: did not find expected ',' or '}', in what began "
			       "in line 1: close the mapping with }" },
	{ "a: \"b\nc: d\n", ":3: no valid YAML: found unexpected end of stream, in what began in "
			    "line 1: close the quotes" },
	{ "a: *b\n", ":1: no valid YAML: found undefined alias: define it before with &" },
	{ "a:\n  - b\n c: 1\n", ":3: no valid YAML: did not find expected key, in what began in "
				"line 1: indent this line like its neighbours" },
	{ "services:\n  - name: x\n   listen: y\n", ":3: no valid YAML: did not find expected '-' "
						    "indicator, in what began in line 2: indent" },
	{ "a: 1\nb\nc: 1\n", ":3: no valid YAML: could not find expected ':', in what began in "
			     "line 2: write \"key: value\"" },
	{ "a: 1\n---\nb: 2\n", ":2: a second document begins here: a file holds one" },
	{ "a: 1\n---\nb: [\n", ":4: no valid YAML" },
	{ "%YAML 9.9\n---\na: 1\n",
	  ":1: no valid YAML: found incompatible YAML document; nothing" },
	{ "a: 1\nb: \xff\n", ":2: not readable as UTF-8 text: invalid leading UTF-8 octet at byte "
			     "8; write the file in UTF-8" },
	{ "a: 1\n\nb: \x01\n",
	  ":3: not readable as UTF-8 text: control characters are not allowed at byte 9" },
	{ "5\n", ":1: the file's top is a single value; it must be a mapping with ports, services "
		 "and pairs" },
	{ "\n[ 1 ]\n", ":2: the file's top is a list; it must be a mapping" },
};

Test(config_yaml, syntax)
{
	for (size_t i = 0; i < sizeof(syntax) / sizeof(syntax[0]); i++) {
		struct ctl_model *m = config_try(syntax[i].text, said, sizeof(said));
		const char *newline = strchr(said, '\n');

		cr_expect_null(m);
		cr_expect(strncmp(said, "test.yaml", 9) == 0
				  && strncmp(said + 9, syntax[i].says, strlen(syntax[i].says)) == 0,
			  "\"%s\"\n-> wanted\n%s\n-> got\n%s", syntax[i].text, syntax[i].says,
			  said);
		cr_expect(newline && newline[1] == '\0', "\"%s\": %s", syntax[i].text, said);
	}
}

/* ---- Anchors and merges */

#define TOP                                                                           \
	"ports: [ { name: net0, device: net_tap0, addresses: [ 192.0.2.10/24 ] } ]\n" \
	"services: [ { name: s, listen: [ udp:192.0.2.10 ], pairs: [ east, west ] } ]\n"

#define MEMBERS(net)                                        \
	"[ { name: a, role: primary, address: 192.0.2." net \
	"1 }, { name: b, role: backup, address: 192.0.2." net "2 } ]"

Test(config_yaml, merge_gives_defaults)
{
	struct ctl_model *m = config_good(
		"x-defaults: &slow { oos-check: 60s, fall: 3 }\n"
		"x-more: &more\n  <<: *slow\n  rise: 5\n  fall: 7\n" TOP "pairs:\n"
		"  - { <<: *slow, name: east, fall: 4, members: " MEMBERS(
			"2") " }\n"
			     "  - { name: west, <<: [ *more, *slow ], members: " MEMBERS(
				     "3") " }\n");
	const struct ctl_pair_settings *e = &m->pairs[0].set, *w = &m->pairs[1].set;

	cr_expect_eq(e->oos_check_ms, 60000);
	cr_expect_eq(e->fall, 4, "what is written in the mapping itself wins");
	cr_expect_eq(e->rise, 1);
	cr_expect_eq(w->oos_check_ms, 60000, "through two merges");
	cr_expect_eq(w->fall, 7, "the first that has it wins");
	cr_expect_eq(w->rise, 5);
	ctl_model_free(m);
}

Test(config_yaml, anchors_stand_for_values)
{
	struct ctl_model *m = config_good(
		TOP "pairs:\n"
		    "  - { name: east, unavailable-codes: &codes [ 408, 480 ], members: " MEMBERS(
			    "2") " }\n"
				 "  - { name: west, unavailable-codes: *codes, members: " MEMBERS(
					 "3") " }\n");

	cr_expect_eq(m->pairs[1].set.n_unavailable_codes, 2);
	cr_expect_eq(m->pairs[1].set.unavailable_codes[1], 480);
	ctl_model_free(m);
}

static const struct {
	const char *text;
	const char *says; /* among other things */
} bad_anchors[] = {
	{ TOP "pairs:\n  - { <<: 5, name: east }\n",
	  ":4: <<: this is a single value; it must be a mapping, as in <<: *name\n" },
	{ TOP "pairs:\n  - &a { <<: *a }\n", ":4: <<: merges more than 8 mappings deep\n" },
	{ TOP "pairs:\n  - { <<: &l [ *l ] }\n", ":4: <<: merges more than 8 mappings deep\n" },
	{ TOP "pairs: &p\n  - *p\n",
	  ":3: pairs: this is a list; each one in the list must be a mapping\n" },
	{ TOP "pairs:\n  - { name: east, members: &m [ *m ] }\n",
	  ":4: members: this is a list; each one" },
	{ "&top ports: *top\n",
	  ":1: ports: this is a single value; it must be a list of mappings\n" },
	{ "x-a: &a { fal: 1 }\n" TOP
	  "pairs:\n  - { <<: *a, name: east }\n  - { <<: *a, name: west }\n",
	  ":1: unknown key \"fal\" in a pair; did you mean \"fall\"?\n" },
};

Test(config_yaml, bad_anchors)
{
	for (size_t i = 0; i < sizeof(bad_anchors) / sizeof(bad_anchors[0]); i++) {
		const char *at, *again;

		cr_expect_null(config_try(bad_anchors[i].text, said, sizeof(said)));
		at = strstr(said, bad_anchors[i].says);
		cr_expect_not_null(at, "%s\n-> wanted\n%s\n-> got\n%s", bad_anchors[i].text,
				   bad_anchors[i].says, said);
		again = at ? strstr(at + 1, bad_anchors[i].says) : NULL;
		cr_expect_null(again, "said twice: %s", said);
	}
}

/* ---- Too much of something */

struct text {
	char *at;
	size_t len, room;
};

static void append(struct text *t, const char *what)
{
	size_t len = strlen(what);

	if (t->len + len + 1 > t->room) {
		t->room = 2 * t->room + len + 1;
		t->at = realloc(t->at, t->room);
		cr_assert_not_null(t->at);
	}
	memcpy(t->at + t->len, what, len + 1);
	t->len += len;
}

/* A billion laughs: every level merges the one before ten times. */
Test(config_yaml, merges_that_blow_up)
{
	struct text t = { 0 };
	char line[512];

	append(&t, "x-0: &a0 { fall: 1, rise: 1, weight: 1 }\n");
	for (int i = 1; i < 8; i++) {
		int n = snprintf(line, sizeof(line), "x-%d: &a%d { <<: [ ", i, i);

		for (int k = 0; k < 30; k++)
			n += snprintf(line + n, sizeof(line) - (size_t)n, "*a%d, ", i - 1);
		snprintf(line + n, sizeof(line) - (size_t)n, "] }\n");
		append(&t, line);
	}
	append(&t, TOP "pairs: [ { <<: *a3, name: east }, { <<: [ *a2, *a2, *a2, *a2 ] } ]\n");
	cr_expect_null(config_try(t.at, said, sizeof(said)));
	cr_expect(strstr(said, "merges more than 8 mappings deep")
			  || strstr(said, "aliases and merges blow the file up too far"),
		  "%s", said);
	free(t.at);
}

Test(config_yaml, aliases_that_blow_up)
{
	struct text t = { 0 };

	append(&t,
	       "x-p: &p { name: e, members: [ &m { name: m, role: primary, address: 192.0.2.2 }");
	for (int i = 0; i < 15; i++)
		append(&t, ", *m");
	append(&t, " ] }\n" TOP "pairs: [ *p");
	for (int i = 0; i < 16383; i++)
		append(&t, ", *p");
	append(&t, " ]\n");
	cr_expect_null(config_try(t.at, said, sizeof(said)));
	cr_expect(strstr(said, "aliases and merges blow the file up too far"), "%.2000s", said);
	free(t.at);
}

/* Either would keep the parser busy for hours. */
Test(config_yaml, deep_nesting)
{
	struct text t = { 0 };

	append(&t, "x-a:\n  ");
	for (int i = 0; i < 1000000; i++)
		append(&t, i % 2 ? "[ " : "{ a: ");
	cr_expect_null(config_try(t.at, said, sizeof(said)));
	cr_expect(strstr(said, "test.yaml:2: lists and mappings more than 32 deep in one another"),
		  "%.300s", said);
	free(t.at);
}

Test(config_yaml, many_anchors)
{
	struct text t = { 0 };
	char line[32];

	append(&t, "x-a:\n");
	for (int i = 0; i < 300000; i++) {
		snprintf(line, sizeof(line), "- &a%d %d\n", i, i);
		append(&t, line);
	}
	cr_expect_null(config_try(t.at, said, sizeof(said)));
	cr_expect(strstr(said, "test.yaml:1002: more than 1000 anchors"), "%.300s", said);
	free(t.at);
}

Test(config_yaml, more_errors_than_anybody_reads)
{
	struct text t = { 0 };
	size_t lines = 0;
	char line[64];

	for (int i = 0; i < 3000; i++) {
		snprintf(line, sizeof(line), "a-key-of-number-%d: 1\n", i);
		append(&t, line);
	}
	cr_expect_null(config_try(t.at, said, sizeof(said)));
	for (const char *c = said; *c; c++)
		lines += *c == '\n';
	cr_expect_eq(lines, 1025);
	cr_expect(strstr(said, "test.yaml: 1979 more that are not shown\n"), "%s",
		  said + strlen(said) - 100);
	free(t.at);
}

/* And more warnings, which do not make a file bad. */
Test(config_yaml, more_warnings_than_anybody_reads)
{
	struct text t = { 0 };
	struct ctl_model *m;
	char line[256];

	append(&t, "ports: [ { name: net0, device: net_tap0, addresses: [ 10.0.0.1/8 ] } ]\n"
		   "services: [ { name: s, listen: [ udp:10.0.0.1 ], pairs: [ p0 ] } ]\npairs:\n");
	for (int i = 0; i < 1500; i++) {
		snprintf(line, sizeof(line),
			 "  - { name: p%d, members: [ { name: a, role: primary, address: "
			 "10.1.%d.%d }, "
			 "{ name: b, role: backup, address: 10.2.%d.%d } ] }\n",
			 i, i / 250, i % 250 + 1, i / 250, i % 250 + 1);
		append(&t, line);
	}
	m = config_try(t.at, said, sizeof(said));
	cr_expect_not_null(m);
	cr_expect(strstr(said, "test.yaml: 475 more that are not shown\n"), "%s",
		  said + strlen(said) - 100);
	ctl_model_free(m);
	free(t.at);
}

Test(config_yaml, larger_than_any_sensible_file)
{
	size_t len = CTL_YAML_MAX + 1;
	char *text = malloc(len);
	struct ctl_diag d;

	cr_assert_not_null(text);
	memset(text, ' ', len);
	ctl_diag_init(&d);
	cr_expect_null(ctl_config_load_text("big", text, len, &d));
	cr_assert_eq(d.n, 1);
	cr_expect(strstr(d.e[0].text, "67108865 bytes, more than the 67108864"), "%s", d.e[0].text);
	ctl_diag_fini(&d);
	free(text);
}

/* ---- Files */

static void one_error(const char *path, const char *says)
{
	struct ctl_diag d;

	ctl_diag_init(&d);
	cr_expect_null(ctl_config_load(path, &d), "%s", path);
	cr_assert_eq(d.n, 1, "%s", path);
	cr_expect_eq(d.e[0].line, 0);
	cr_expect_str_eq(d.e[0].text, says);
	ctl_diag_fini(&d);
}

Test(config_yaml, files)
{
	char dir[] = "/tmp/sipsteer-config-XXXXXX", path[64];
	struct ctl_model *m;
	struct ctl_diag d;
	FILE *f;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.yaml", dir);
	one_error(path, "cannot be read: No such file or directory");
	one_error(dir, "cannot be read: Is a directory");
	one_error("/dev/null", "cannot be read: it is no regular file");
	f = fopen(path, "w");
	cr_assert(f && fputs(config_example, f) >= 0 && fclose(f) == 0);
	ctl_diag_init(&d);
	m = ctl_config_load(path, &d);
	cr_expect_not_null(m);
	cr_expect_eq(d.n, 0);
	cr_expect(m && strcmp(m->path, path) == 0);
	ctl_model_free(m);
	ctl_diag_fini(&d);
	unlink(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	one_error(path, "cannot be read: it is no regular file"); /* and does not block */
	unlink(path);
	rmdir(dir);
}

/* ---- As large as it may be */

Test(config_yaml, ten_thousand_pairs)
{
	enum { N = 10000 };
	struct text t = { 0 };
	struct ctl_model *m;
	char line[512];

	append(&t, "ports: [ { name: net0, device: net_tap0, addresses: [ 10.0.0.1/8 ] } ]\n"
		   "services:\n  - name: s\n    listen: [ udp:10.0.0.1 ]\n    pairs: [ p0");
	for (int i = 1; i < N; i++) {
		snprintf(line, sizeof(line), ", p%d", i);
		append(&t, line);
	}
	append(&t, " ]\npairs:\n");
	for (int i = 0; i < N; i++) {
		snprintf(line, sizeof(line),
			 "  - name: p%d\n    members:\n"
			 "      - { name: p%d-a, role: primary, address: 10.1.%d.%d }\n"
			 "      - { name: p%d-b, role: backup, address: 10.2.%d.%d }\n"
			 "    failback: [ immediate ]\n    oos-check: 1s\n",
			 i, i, i / 250, i % 250 + 1, i, i / 250, i % 250 + 1);
		append(&t, line);
	}
	m = config_good(t.at);
	cr_expect_eq(m->n_pairs, N);
	cr_expect_eq(m->services[0].n_pairs, N);
	cr_expect_eq(m->services[0].pairs[N - 1], N - 1);
	cr_expect_eq(ctl_model_find_pair(m, "p9999"), 9999);
	cr_expect_eq(m->pairs[9999].set.oos_force_ms, 1000);
	ctl_model_free(m);
	free(t.at);
}
