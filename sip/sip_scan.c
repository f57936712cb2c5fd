/*
 * The choice among the scan's variants.
 */
#include "sip/sip_scan.h"

#include "sip/sip_internal.h"

#define TWICE(...)                       \
	{                                \
		__VA_ARGS__, __VA_ARGS__ \
	}
#define ALL_16(x) x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x

const struct sip_tables sip_tables __attribute__((aligned(32))) = {
	/* '-' '.' of row 2, digits of row 3, letters of 4 to 7 */
	.word = TWICE(0xa8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf0, 0x50, 0x50,
		      0x54, 0x54, 0x50),
	.unbroken = TWICE(0xf8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xf4,
			  0xd0, 0xfc, 0xf4, 0x7c),
	.high_bit = TWICE(0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0, 0, 0, 0, 0, 0, 0, 0),
	.nibble = TWICE(ALL_16(0x0f)),
	.feed = TWICE(ALL_16('\n')),
};

extern const struct sip_scan sip_scan_scalar;

#if defined(__x86_64__)
extern const struct sip_scan sip_scan_avx512, sip_scan_avx2, sip_scan_sse42;
static const struct sip_scan *const variants[] = { &sip_scan_avx512, &sip_scan_avx2,
						   &sip_scan_sse42, &sip_scan_scalar };

/* What the files are built for (meson.build). */
bool sip_scan_runs(const struct sip_scan *scan)
{
	__builtin_cpu_init();
	if (scan == &sip_scan_sse42)
		return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
	if (scan != &sip_scan_avx512 && scan != &sip_scan_avx2)
		return true;
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")
	       && __builtin_cpu_supports("bmi2")
	       && (scan == &sip_scan_avx2
		   || (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")));
}
#else
#if defined(__aarch64__)
extern const struct sip_scan sip_scan_neon;
static const struct sip_scan *const variants[] = { &sip_scan_neon, &sip_scan_scalar };
#else
static const struct sip_scan *const variants[] = { &sip_scan_scalar };
#endif

bool sip_scan_runs(const struct sip_scan *scan)
{
	(void)scan;
	return true;
}
#endif

#define N_VARIANTS (sizeof(variants) / sizeof(variants[0]))

const struct sip_scan *sip_scan_chosen = &sip_scan_scalar;

static __attribute__((constructor)) void choose(void)
{
	unsigned int i = 0;

	while (!sip_scan_runs(variants[i]))
		i++;
	sip_scan_chosen = variants[i];
}

const struct sip_scan *sip_scan_nth(unsigned int i)
{
	return i < N_VARIANTS ? variants[i] : NULL;
}

const struct sip_scan *sip_scan_used(void)
{
	return sip_scan_chosen;
}

void sip_scan_use(const struct sip_scan *scan)
{
	sip_scan_chosen = scan;
}
