/*
 * Included before sip/sip_scan_avx512.c where the machine has no AVX-512: SIMDe's functions under
 * the intrinsics' names, so that the same file runs, only slowly. They are nobody else's to see.
 */
#pragma once

#include <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
