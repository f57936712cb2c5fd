/*
 * Profiles: the values that one of the five documents gives to settings of a pair. What a document
 * does not speak of keeps the schema's default; docs/SETTINGS.md shows all of it beside the
 * documents' own settings, and a test compares the two.
 */
#include "control/config/ctl_schema.h"

#include <string.h>

const struct ctl_word ctl_profile_words[CTL_N_PROFILES] = {
	{ "genesys", 0 }, { "fanvil", 1 }, { "baker", 2 }, { "yealink", 3 }, { "audiocodes", 4 },
};

const struct ctl_profile_row ctl_profile_rows[] = {
	/* Only the active server is pinged until it is silent, then all in turn; whoever answers
	 * stays. */
	{ "genesys", "probe-all", "no" },
	{ "genesys", "fall", "1" },
	{ "genesys", "failback", "[]" },

	/* Fanvil 1.2 and 3.1: 500 and 503 mean unavailable; Register failback on, signal failback
	 * off, every 1800 s; 2.3: signal failback knows Register and Invite. */
	{ "fanvil", "unavailable-codes", "[ 408, 500, 503 ]" },
	{ "fanvil", "failback", "[ timed ]" },
	{ "fanvil", "failback-interval", "1800s" },
	{ "fanvil", "signal-methods", "[ REGISTER, INVITE ]" },
	{ "fanvil", "retry-counts", "3" },

	/* Baker, Terminology and Configuration: likewise, without signal failback. */
	{ "baker", "unavailable-codes", "[ 408, 500, 503 ]" },
	{ "baker", "failback", "[ timed ]" },
	{ "baker", "failback-interval", "1800s" },
	{ "baker", "retry-counts", "3" },

	/* Yealink: "As soon as the primary server registration succeeds, it returns to being the
	 * working server." */
	{ "yealink", "failback", "[ immediate ]" },
	{ "yealink", "failback-hold", "0" },
	{ "yealink", "registration", "concurrent" },

	/* AudioCodes 17.2.2.1: outgoing_request_no_response_timeout, 32000 ms. */
	{ "audiocodes", "no-response-timeout", "32s" },
};
const size_t ctl_n_profile_rows = sizeof(ctl_profile_rows) / sizeof(ctl_profile_rows[0]);

const char *ctl_profile_default(const char *profile, const char *key)
{
	for (size_t i = 0; i < ctl_n_profile_rows; i++) {
		if (strcmp(ctl_profile_rows[i].profile, profile) == 0
		    && strcmp(ctl_profile_rows[i].key, key) == 0)
			return ctl_profile_rows[i].value;
	}
	return NULL;
}
