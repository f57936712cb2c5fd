/*
 * Signal failback and concurrent registration.
 */
#include <criterion/criterion.h>

#include "tests/dataplane/steer_script.h"
#include "tests/leaks.h"

TestSuite(steer_inflight_signal, .fini = leaks_check);

#define SIGNAL (1u << SIP_METHOD_REGISTER | 1u << SIP_METHOD_INVITE)

static const struct script_row rows[] = {
	{ .name = "trial",
	  .opts = { .signal_methods = SIGNAL },
	  .script = "active B > -\n"
		    "trial 7 > -\n"
		    "REGISTER > A:REGISTER.0\n"
		    "A 200 > c:200\n" },
};

Test(steer_inflight_signal, rows)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		script_run(&rows[i], NULL);
}
