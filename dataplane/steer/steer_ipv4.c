/*
 * The forms that an IPv4 literal can have: four numbers of one to three digits.
 */
#include "dataplane/steer/steer_ipv4.h"

#include <string.h>

struct steer_ipv4_form steer_ipv4_forms[STEER_IPV4_FORMS];
uint16_t steer_ipv4_ends[STEER_IPV4_FORMS];

#define NO_DIGIT 0x80 /* a shuffle makes zero of it */

static void add_form(const uint32_t *n_digits)
{
	uint8_t digits[16];
	uint32_t ends = 0, at = 0;

	memset(digits, NO_DIGIT, sizeof(digits));
	for (uint32_t i = 0; i < 4; i++) {
		for (uint32_t k = 0; k < n_digits[i]; k++)
			digits[4 * i + 3 - n_digits[i] + k] = (uint8_t)(at + k);
		at += n_digits[i];
		ends |= 1u << at++;
	}
	memcpy(steer_ipv4_forms[steer_ipv4_place(ends)].digits, digits, sizeof(digits));
	steer_ipv4_ends[steer_ipv4_place(ends)] = (uint16_t)ends;
}

static __attribute__((constructor)) void add_forms(void)
{
	for (uint32_t form = 0; form < 3 * 3 * 3 * 3; form++)
		add_form((const uint32_t[]){ form % 3 + 1, form / 3 % 3 + 1, form / 9 % 3 + 1,
					     form / 27 + 1 });
}
