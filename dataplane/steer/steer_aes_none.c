/* A machine whose instructions for AES, if it has any, we do not know. */
#include "dataplane/steer/steer_aes.h"

steer_aes_fn *steer_aes_machine(void)
{
	return NULL;
}
