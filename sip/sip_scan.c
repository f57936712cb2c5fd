/*
 * The choice among the scan's variants.
 */
#include "sip/sip_scan.h"

#include "sip/sip_internal.h"

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
