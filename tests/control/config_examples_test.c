/*
 * Every file in configs/ loads, without a warning.
 */
#include "control/config/ctl_config.h"
#include "tests/leaks.h"

#include <criterion/criterion.h>
#include <glob.h>

TestSuite(config_examples, .fini = leaks_check);

Test(config_examples, all_load)
{
	glob_t found;

	cr_assert_eq(glob(EXAMPLES "/*.yaml", 0, NULL, &found), 0);
	cr_expect_geq(found.gl_pathc, 3);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct ctl_model *m;
		struct ctl_diag d;

		ctl_diag_init(&d);
		m = ctl_config_load(found.gl_pathv[i], &d);
		ctl_diag_print(&d, found.gl_pathv[i], stderr);
		cr_expect_not_null(m, "%s", found.gl_pathv[i]);
		cr_expect_eq(d.n, 0, "%s", found.gl_pathv[i]);
		ctl_model_free(m);
		ctl_diag_fini(&d);
	}
	globfree(&found);
}
