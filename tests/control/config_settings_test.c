/*
 * docs/SETTINGS.md against the documents, the schema and the profiles; and what a profile makes of
 * a pair.
 */
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_schema.h"

TestSuite(config_settings, .fini = leaks_check);

#define CELLS    8
#define MAX_ROWS 100

enum { DOCUMENT, NAME, UNIT, DEFAULT, RANGE, OURS, VALUE, REMARK };

struct row {
	char *cell[CELLS];
};

static struct row rows[MAX_ROWS];
static size_t n_rows;
static char *text;

static char *trim(char *s)
{
	size_t len;

	while (*s == ' ')
		s++;
	for (len = strlen(s); len && s[len - 1] == ' '; len--)
		s[len - 1] = '\0';
	return s;
}

/* "| a | b |" with exactly CELLS cells. */
static void take_row(char *line)
{
	struct row *r = &rows[n_rows];

	cr_assert_lt(n_rows, MAX_ROWS);
	line++;
	for (int i = 0; i < CELLS; i++) {
		char *bar = strchr(line, '|');

		cr_assert_not_null(bar, "%d cells only: %s", i, line);
		*bar = '\0';
		r->cell[i] = trim(line);
		line = bar + 1;
	}
	cr_assert_str_empty(trim(line), "more than %d cells: %s", CELLS, line);
	n_rows++;
}

static void read_table(void)
{
	FILE *f = fopen(SETTINGS_DOC, "r");
	size_t size = 0;
	char *rest, *line;

	cr_assert_not_null(f);
	cr_assert_gt(getdelim(&text, &size, '\0', f), 0);
	fclose(f);
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (line[0] == '|' && strncmp(line, "| document", 10) != 0
		    && strncmp(line, "| ---", 5) != 0)
			take_row(line);
	}
	cr_assert_gt(n_rows, 30);
}

/* Every setting that the five documents name. */
static const struct {
	const char *document, *name, *def, *unit;
} settings[] = {
	{ "Genesys", "oos-check", "", "" },
	{ "Genesys", "oos-force", "", "" },
	{ "Fanvil", "SIPN Proxy Addr", "empty", "" },
	{ "Fanvil", "SIPN Proxy Port", "5060", "" },
	{ "Fanvil", "SIPN Proxy User", "empty", "" },
	{ "Fanvil", "SIPN Proxy Pswd", "empty", "" },
	{ "Fanvil", "SIPN BakProxy Addr", "empty", "" },
	{ "Fanvil", "SIPN BakProxy Port", "5060", "" },
	{ "Fanvil", "SIPN Enable Failback", "1", "" },
	{ "Fanvil", "SIPN Failback Interval", "1800", "second" },
	{ "Fanvil", "SIPN Signal Failback", "0", "" },
	{ "Fanvil", "SIPN Signal Retry Counts", "3", "" },
	{ "Baker", "SIPN Register Addr", "empty", "" },
	{ "Baker", "SIPN Register Port", "5060", "" },
	{ "Baker", "SIPN Register TTL", "3600", "second" },
	{ "Baker", "SIPN Transport", "0", "" },
	{ "Baker", "SIPN Backup Addr", "empty", "" },
	{ "Baker", "SIPN Backup Port", "5060", "" },
	{ "Baker", "SIPN Backup TTL", "3600", "second" },
	{ "Baker", "SIPN Backup Transport", "0", "" },
	{ "Baker", "SIPN Enable Failback", "1", "" },
	{ "Baker", "SIPN Failback Interval", "1800", "second" },
	{ "Baker", "SIPN Signal Retry Counts", "3", "" },
	{ "Yealink", "account.X.sip_server.Y.retry_counts", "", "" },
	{ "AudioCodes", "voip/signalling/sip/transport_protocol", "UDP", "" },
	{ "AudioCodes", "voip/signalling/sip/outgoing_request_no_response_timeout_ms", "32000",
	  "ms" },
	{ "AudioCodes", "Outbound Proxy IP Address or Host Name", "", "" },
	{ "AudioCodes", "voip/signalling/sip/sip_outbound_proxy/port", "", "" },
	{ "AudioCodes", "Proxy Port", "", "" },
};

Test(config_settings, every_setting_of_the_documents_is_there)
{
	read_table();
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		size_t n = 0;

		for (size_t k = 0; k < n_rows; k++) {
			if (strcmp(rows[k].cell[DOCUMENT], settings[i].document) != 0
			    || strcmp(rows[k].cell[NAME], settings[i].name) != 0)
				continue;
			n++;
			cr_expect_str_eq(rows[k].cell[DEFAULT], settings[i].def);
			cr_expect_str_eq(rows[k].cell[UNIT], settings[i].unit);
		}
		cr_expect_eq(n, 1, "%s: %s is there %zu times", settings[i].document,
			     settings[i].name, n);
	}
	free(text);
}

/* ---- Ours */

static bool same_nocase(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

/* "pair `oos-check`" to its row; "-" to NULL. */
static const struct ctl_key *ours(const struct row *r, bool *is_pair)
{
	char where[16], name[64];
	const struct ctl_map *map;
	int i;

	if (strcmp(r->cell[OURS], "-") == 0)
		return NULL;
	cr_assert_eq(sscanf(r->cell[OURS], "%15s `%63[^`]`", where, name), 2, "%s", r->cell[OURS]);
	*is_pair = strcmp(where, "pair") == 0;
	cr_assert(*is_pair || strcmp(where, "member") == 0, "%s", r->cell[OURS]);
	map = *is_pair ? &ctl_map_pair : &ctl_map_member;
	i = ctl_map_find(map, name, strlen(name));
	cr_assert_geq(i, 0, "there is no key %s", r->cell[OURS]);
	return &map->keys[i];
}

/* What the reference calls this key's value under a document's profile. */
static void value_under(const char *document, const struct ctl_key *key, bool is_pair, char *value,
			size_t size)
{
	const char *def = NULL;

	for (size_t i = 0; is_pair && i < ctl_n_profile_rows; i++) {
		if (same_nocase(ctl_profile_rows[i].profile, document)
		    && strcmp(ctl_profile_rows[i].key, key->name) == 0)
			def = ctl_profile_rows[i].value;
	}
	if (key->flags & CTL_REQUIRED)
		snprintf(value, size, "required");
	else if (!def && key->def_says && !key->def)
		snprintf(value, size, "%s", key->def_says);
	else
		snprintf(value, size, "`%s`", def ? def : key->def);
}

Test(config_settings, values_are_those_of_schema_and_profiles)
{
	read_table();
	for (size_t i = 0; i < n_rows; i++) {
		const struct row *r = &rows[i];
		bool is_pair = false;
		const struct ctl_key *key = ours(r, &is_pair);
		char value[64] = "-";

		if (key)
			value_under(r->cell[DOCUMENT], key, is_pair, value, sizeof(value));
		else
			cr_expect_gt(strlen(r->cell[REMARK]), 10, "%s: why not?", r->cell[NAME]);
		cr_expect_str_eq(r->cell[VALUE], value);
	}
	free(text);
}

Test(config_settings, every_profile_row_is_there)
{
	read_table();
	for (size_t i = 0; i < ctl_n_profile_rows; i++) {
		const struct ctl_profile_row *p = &ctl_profile_rows[i];
		bool found = false, is_pair = false;

		for (size_t k = 0; k < n_rows; k++) {
			const struct ctl_key *key = ours(&rows[k], &is_pair);

			found |= key && is_pair && strcmp(key->name, p->key) == 0
				 && same_nocase(rows[k].cell[DOCUMENT], p->profile);
		}
		cr_expect(found, "%s sets %s, and the table does not say so", p->profile, p->key);
		cr_expect_geq(ctl_map_find(&ctl_map_pair, p->key, strlen(p->key)), 0, "%s", p->key);
	}
	free(text);
}

/* ---- What profiles do */

static struct ctl_model *with(const char *lines)
{
	char *t = config_vary("    oos-check: 5s\n    oos-force: 5s\n    failback: [ timed ]\n"
			      "    failback-interval: 1800s\n    failback-hold: 60s\n",
			      lines);
	struct ctl_model *m = config_good(t);

	free(t);
	return m;
}

static const struct {
	const char *lines;
	uint32_t probe_timeout_ms;
	bool probe_all;
	unsigned int n_codes;
	unsigned int failback;
	uint32_t interval_ms, hold_ms;
	uint32_t no_response_ms;
	bool concurrent;
} profiles[] = {
	{ "", 0, true, 2, CTL_FAILBACK_TIMED, 1800000, 60000, 4000, false },
	{ "    profile: genesys\n", 0, false, 2, 0, 1800000, 60000, 4000, false },
	{ "    profile: fanvil\n", 0, true, 3, CTL_FAILBACK_TIMED, 1800000, 60000, 4000, false },
	{ "    profile: baker\n", 0, true, 3, CTL_FAILBACK_TIMED, 1800000, 60000, 4000, false },
	{ "    profile: yealink\n", 0, true, 2, CTL_FAILBACK_IMMEDIATE, 1800000, 0, 4000, true },
	{ "    profile: audiocodes\n", 0, true, 2, CTL_FAILBACK_TIMED, 1800000, 60000, 32000,
	  false },
	/* What is written wins, wherever the profile stands. */
	{ "    failback: [ signal ]\n    profile: genesys\n    probe-all: yes\n", 0, true, 2,
	  CTL_FAILBACK_SIGNAL, 1800000, 60000, 4000, false },
	{ "    profile: yealink\n    failback-hold: 5s\n", 0, true, 2, CTL_FAILBACK_IMMEDIATE,
	  1800000, 5000, 4000, true },
	{ "    profile: fanvil\n    failback-interval: 2s\n    unavailable-codes: [ 500 ]\n", 0,
	  true, 1, CTL_FAILBACK_TIMED, 2000, 60000, 4000, false },
};

Test(config_settings, profiles_set_defaults)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		struct ctl_model *m = with(profiles[i].lines);
		const struct ctl_pair_settings *s = &m->pairs[0].set;

		cr_expect_eq(s->probe_timeout_ms, profiles[i].probe_timeout_ms, "%s",
			     profiles[i].lines);
		cr_expect_eq(s->probe_all, profiles[i].probe_all, "%s", profiles[i].lines);
		cr_expect_eq(s->n_unavailable_codes, profiles[i].n_codes, "%s", profiles[i].lines);
		cr_expect_eq(s->failback, profiles[i].failback, "%s", profiles[i].lines);
		cr_expect_eq(s->failback_interval_ms, profiles[i].interval_ms, "%s",
			     profiles[i].lines);
		cr_expect_eq(s->failback_hold_ms, profiles[i].hold_ms, "%s", profiles[i].lines);
		cr_expect_eq(s->no_response_ms, profiles[i].no_response_ms, "%s",
			     profiles[i].lines);
		cr_expect_eq(s->concurrent, profiles[i].concurrent, "%s", profiles[i].lines);
		cr_expect_eq(s->retry_counts, 3);
		cr_expect_eq(s->failover_methods, 1u << SIP_METHOD_REGISTER
							  | 1u << SIP_METHOD_INVITE
							  | 1u << SIP_METHOD_BYE);
		cr_expect_eq(s->oos_check_ms, 5000);
		cr_expect_eq(s->fall, 1);
		ctl_model_free(m);
	}
}
