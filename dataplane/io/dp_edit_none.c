/* A machine for whose instructions edits are not written. */
#include "dataplane/io/dp_edit.h"

dp_edit_fn *dp_edit_machine(void)
{
	return NULL;
}
