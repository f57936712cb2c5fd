/* A machine whose instructions for AES, if it has any, we do not know. */
#include "dataplane/steer/steer_aes.h"

struct steer_aes_impl steer_aes_machine(void)
{
	return (struct steer_aes_impl){ 0 };
}
