/*
 * All variants of the scan that the machine can run, on anything: each says the same as the scalar
 * twin of every place, and the whole parse with it gives the same view.
 */
#include "sip/sip_scan.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct sip_scan *scalar(void)
{
	const struct sip_scan *scan, *last = NULL;

	for (unsigned int i = 0; (scan = sip_scan_nth(i)); i++)
		last = scan;
	return last;
}

/* Any set: its rows are the input's own bytes. */
static struct sip_set set_of(const uint8_t *data, size_t size)
{
	struct sip_set set = { .upper = size % 2 };

	for (size_t i = 0; i < sizeof(set.low); i++)
		set.low[i] = (uint8_t)(data[i % size] | data[i * 7 % size] << 1);
	return set;
}

static void compare_scans(const struct sip_scan *a, const struct sip_scan *b, const uint8_t *data,
			  uint32_t size)
{
	struct sip_set set = set_of(data, size);

	for (uint32_t i = 0; i < size; i += 1 + i / 8) {
		assert(a->feeds(data, i, size) == b->feeds(data, i, size));
		assert(a->stops(data, i, size) == b->stops(data, i, size));
		assert(a->skip(data, i, size, &set) == b->skip(data, i, size, &set));
	}
}

static void compare_views(const struct sip_msg *a, const struct sip_msg *b)
{
	size_t eager = offsetof(struct sip_msg, first);

	assert(memcmp(a, b, eager) == 0);
	assert(memcmp(a->hdr, b->hdr, a->n_hdrs * sizeof(a->hdr[0])) == 0);
	for (unsigned int id = 0; id < SIP_HDR_N; id++)
		assert(!sip_msg_has(a, id) || a->first[id] == b->first[id]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sip_scan *used = sip_scan_used(), *twin = scalar(), *scan;
	static struct sip_msg m, n;
	enum sip_result result;

	if (size == 0)
		return 0;
	sip_scan_use(twin);
	result = sip_msg_parse(&m, data, size);
	fuzz_walk(&m, result, size);
	for (unsigned int i = 0; (scan = sip_scan_nth(i)); i++) {
		if (scan == twin || !sip_scan_runs(scan))
			continue;
		compare_scans(scan, twin, data, (uint32_t)size);
		sip_scan_use(scan);
		assert(sip_msg_parse(&n, data, size) == result);
		compare_views(&m, &n);
	}
	sip_scan_use(used);
	return 0;
}
