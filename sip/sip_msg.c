#include "sip/sip_msg.h"
