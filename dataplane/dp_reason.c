/*
 * Names and help of the drop reasons, from the one list in the header. Constant; any thread.
 */
#include "dataplane/dp_reason.h"

#include <stdint.h>

_Static_assert(DP_REASON_N <= UINT8_MAX, "a reason is kept in 8 bits");

static const struct {
	const char *name;
	const char *help;
} reasons[DP_REASON_N] = {
#define X(id, name, help) [DP_REASON_##id] = { name, help },
	DP_REASONS(X)
#undef X
};

const char *dp_reason_name(enum dp_reason reason)
{
	return (unsigned int)reason < DP_REASON_N ? reasons[reason].name : "unknown";
}

const char *dp_reason_help(enum dp_reason reason)
{
	return (unsigned int)reason < DP_REASON_N ? reasons[reason].help : "no such reason";
}
