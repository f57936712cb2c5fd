/*
 * Drop reasons: names are unique and fit for counters and labels.
 */
#include "dataplane/dp_reason.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/leaks.h"

TestSuite(dp_reason, .fini = leaks_check);

Test(dp_reason, each_has_a_name_of_its_own_and_a_help)
{
	for (unsigned int i = 0; i < DP_REASON_N; i++) {
		const char *name = dp_reason_name((enum dp_reason)i);

		cr_assert(name != NULL && name[0] != '\0', "reason %u", i);
		cr_expect(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name),
			  "\"%s\"", name);
		cr_expect(strlen(dp_reason_help((enum dp_reason)i)) > 10, "\"%s\"", name);
		for (unsigned int k = 0; k < i; k++)
			cr_expect(strcmp(name, dp_reason_name((enum dp_reason)k)) != 0,
				  "%u and %u are both \"%s\"", k, i, name);
	}
}

Test(dp_reason, names_that_counters_are_known_by)
{
	cr_expect_str_eq(dp_reason_name(DP_REASON_L2_SHORT), "l2-short");
	cr_expect_str_eq(dp_reason_name(DP_REASON_UDP_CHECKSUM), "udp-checksum");
	cr_expect_str_eq(dp_reason_name(DP_REASON_KERNEL_FULL), "kernel-full");
}

Test(dp_reason, what_is_no_reason_has_a_name_too)
{
	cr_expect_str_eq(dp_reason_name(DP_REASON_N), "unknown");
	cr_expect_str_eq(dp_reason_help((enum dp_reason) - 1), "no such reason");
}
