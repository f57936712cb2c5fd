/*
 * Plain URIs, and the choice among the ways to look at their bytes: by AVX2 what fits one register,
 * else in steps. Owns the pointers to the best one, set before main() and never again.
 */
#include "dataplane/steer/steer_plain.h"

/* Whether it begins as it has to, has no more than `most` bytes behind the scheme, and so many more
 * can be read from there on. */
static inline bool may_be_plain(const struct sip_msg *m, struct sip_span s, uint32_t most,
				uint32_t room)
{
	return s.len - (STEER_PLAIN_SCHEME + 1) < most
	       && s.off + STEER_PLAIN_SCHEME + room <= m->len
	       && memcmp(sip_at(m, s), "sip:", STEER_PLAIN_SCHEME) == 0;
}

/* The port that fills [p, end) with its colon, or -1: it is none. Eight bytes behind p can be read.
 */
static inline int32_t port_of(const uint8_t *p, const uint8_t *end)
{
	if (end - p < 2 || end - p > 6 || *p != ':')
		return -1;
	return steer_plain_port(p + 1, (uint32_t)(end - p) - 1);
}

/* The URI, by the ends of what is behind its scheme. */
static inline bool read_uri(const struct sip_msg *m, struct sip_span s, struct steer_plain_ends e,
			    struct sip_uri *uri)
{
	uint32_t off = s.off + STEER_PLAIN_SCHEME, len = s.len - STEER_PLAIN_SCHEME, stop, host = 0;
	uint32_t at = (uint32_t)__builtin_ctzll(e.user);
	const uint8_t *p = m->buf + off;
	int32_t port = 0;

	if (at < len && p[at] == '@') {
		if (at == 0)
			return false;
		e.host &= ~1ull << at;
		host = at + 1;
	}
	stop = (uint32_t)__builtin_ctzll(e.host);
	if (stop <= host)
		return false;
	if (stop < len)
		port = port_of(p + stop, p + len);
	if (port < 0)
		return false;
	*uri = (struct sip_uri){
		.scheme = SIP_SCHEME_SIP,
		.whole = s,
		.host = { (uint16_t)(off + host), (uint16_t)(stop - host) },
		.port = (uint16_t)port,
	};
	if (host) {
		uri->has_user = true;
		uri->user = (struct sip_span){ (uint16_t)off, (uint16_t)at };
	}
	return true;
}

/* Whether the ends of len bytes say that they are a user, '@' and a host. */
static inline bool is_aor(const uint8_t *p, uint32_t len, struct steer_plain_ends e)
{
	uint32_t at = (uint32_t)__builtin_ctzll(e.user);

	/* Behind the '@' something, and nothing of no host: its first end is the text's. */
	return at - 1 < len - 2 && p[at] == '@'
	       && (uint32_t)__builtin_ctzll(e.host & (~1ull << at)) == len;
}

/* ---- In steps ---- */

static inline struct steer_plain_ends ends_of(const struct sip_msg *m, struct sip_span s,
					      uint8_t host)
{
	return steer_plain_ends_of(sip_at(m, s) + STEER_PLAIN_SCHEME, s.len - STEER_PLAIN_SCHEME,
				   m->len - s.off - STEER_PLAIN_SCHEME, host);
}

static bool uri_in_steps(const struct sip_msg *m, struct sip_span s, struct sip_uri *uri)
{
	return may_be_plain(m, s, STEER_PLAIN_MAX, s.len - STEER_PLAIN_SCHEME + STEER_PLAIN_STEP)
	       && read_uri(m, s, ends_of(m, s, STEER_PLAIN_HOST), uri);
}

static bool aor_in_steps(const struct sip_msg *m, struct sip_span s)
{
	return may_be_plain(m, s, STEER_PLAIN_MAX, s.len - STEER_PLAIN_SCHEME + STEER_PLAIN_STEP)
	       && is_aor(sip_at(m, s) + STEER_PLAIN_SCHEME, s.len - STEER_PLAIN_SCHEME,
			 ends_of(m, s, STEER_PLAIN_HOST_LOWER));
}

/* ---- At once ---- */

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))
#define WAY  static inline AVX2 __attribute__((always_inline))
#define ONCE 32u /* bytes */

/* Written before main(), where the compiler does not see what is in them: it loads them then,
 * instead of building them anew each time. */
static struct {
	_Alignas(ONCE) uint8_t low[ONCE], high[ONCE], half[ONCE], host[ONCE], host_lower[ONCE];
} tables;

static void fill_tables(void)
{
	for (uint32_t i = 0; i < ONCE; i++) {
		tables.low[i] = steer_plain_low[i % 16];
		tables.high[i] = steer_plain_high[i % 16];
		tables.half[i] = 0x0f;
		tables.host[i] = STEER_PLAIN_HOST;
		tables.host_lower[i] = STEER_PLAIN_HOST_LOWER;
	}
}

WAY __m256i table(const uint8_t *t)
{
	return _mm256_load_si256((const __m256i *)(const void *)t);
}

WAY uint64_t zeros(__m256i v)
{
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_setzero_si256()));
}

WAY struct steer_plain_ends ends_at_once(const struct sip_msg *m, struct sip_span s,
					 const uint8_t *host)
{
	const uint8_t *p = sip_at(m, s) + STEER_PLAIN_SCHEME;
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), table(tables.half));
	__m256i c = _mm256_and_si256(_mm256_shuffle_epi8(table(tables.low), v),
				     _mm256_shuffle_epi8(table(tables.high), high));
	uint64_t end = 1ull << (s.len - STEER_PLAIN_SCHEME);

	return (struct steer_plain_ends){
		.user = zeros(c) | end,
		.host = zeros(_mm256_and_si256(c, table(host))) | end,
	};
}

static AVX2 bool uri_at_once(const struct sip_msg *m, struct sip_span s, struct sip_uri *uri)
{
	if (__builtin_expect(!may_be_plain(m, s, ONCE, ONCE), 0))
		return uri_in_steps(m, s, uri);
	return read_uri(m, s, ends_at_once(m, s, tables.host), uri);
}

static AVX2 bool aor_at_once(const struct sip_msg *m, struct sip_span s)
{
	if (__builtin_expect(!may_be_plain(m, s, ONCE, ONCE), 0))
		return aor_in_steps(m, s);
	return is_aor(sip_at(m, s) + STEER_PLAIN_SCHEME, s.len - STEER_PLAIN_SCHEME,
		      ends_at_once(m, s, tables.host_lower));
}
#endif

/* ---- The choice ---- */

static struct steer_plain_impl impls[2];
static size_t n_impls;

steer_plain_uri_fn *steer_plain_uri = uri_in_steps;
steer_plain_aor_fn *steer_plain_aor = aor_in_steps;

static __attribute__((constructor)) void choose(void)
{
#if defined(__x86_64__)
	fill_tables();
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")
	    && __builtin_cpu_supports("bmi2"))
		impls[n_impls++] = (struct steer_plain_impl){ "avx2", uri_at_once, aor_at_once };
#endif
	impls[n_impls++] = (struct steer_plain_impl){ "steps", uri_in_steps, aor_in_steps };
	steer_plain_uri = impls[0].uri;
	steer_plain_aor = impls[0].aor;
}

size_t steer_plain_impls(const struct steer_plain_impl **list)
{
	*list = impls;
	return n_impls;
}
