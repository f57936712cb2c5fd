/*
 * Stream framing: the same frames however the stream is cut; and what the framer calls a message is
 * one to the parser too, with the same end.
 *
 * The first two bytes choose the limits and how the rest is cut.
 */
#include "sip/sip_frame.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 256

struct frames {
	unsigned int n;
	struct {
		enum sip_frame_status status;
		uint32_t len;
	} frame[FRAMES_MAX];
	size_t consumed;
	bool over;
};

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

static bool ends(enum sip_frame_status status)
{
	return status == SIP_FRAME_BAD || status == SIP_FRAME_TOO_LARGE;
}

/* All frames in the first len bytes of the stream; the rest is out of bounds meanwhile. */
static void take(struct frames *f, struct sip_framer *framer, const uint8_t *data, size_t len,
		 size_t size)
{
	ASAN_POISON_MEMORY_REGION(data + len, size - len);
	while (!f->over && f->n < FRAMES_MAX) {
		size_t have = len - f->consumed;
		uint32_t n;
		enum sip_frame_status status =
			sip_framer_next(framer, data + f->consumed, have, &n);

		assert(n <= have);
		if (status == SIP_FRAME_MORE) {
			assert(n == 0);
			break;
		}
		assert(n > 0 || ends(status));
		f->frame[f->n].status = status;
		f->frame[f->n++].len = n;
		f->over = ends(status);
		if (!f->over)
			f->consumed += n;
	}
	ASAN_UNPOISON_MEMORY_REGION(data + len, size - len);
}

static void cut_up(struct frames *f, const struct sip_frame_limits *limits, const uint8_t *data,
		   size_t size, uint32_t seed)
{
	const uint32_t longest = 1u << (seed & 7);
	struct sip_framer framer;
	size_t len = 0;

	memset(f, 0, sizeof(*f));
	sip_framer_init(&framer, limits);
	while (len < size) {
		len += 1 + next_random(&seed) % longest;
		take(f, &framer, data, len < size ? len : size, size);
	}
}

/* The parser must see the message end where the framer did. */
static void check_message(const uint8_t *data, uint32_t len)
{
	uint8_t *copy = malloc(len);
	static struct sip_msg m;
	enum sip_result result;

	memcpy(copy, data, len);
	result = sip_msg_parse(&m, copy, len);
	fuzz_walk(&m, result, len);
	assert(result != SIP_ERR_NO_END && result != SIP_ERR_EMPTY);
	assert(result != SIP_ERR_CONTENT_LENGTH);
	assert(result != SIP_OK || (m.len == len && sip_msg_has(&m, SIP_HDR_CONTENT_LENGTH)));
	free(copy);
}

/* What the framer cannot follow the parser must not take for a message with a body, either. */
static void check_bad(const uint8_t *data, uint32_t len)
{
	static struct sip_msg m;
	enum sip_result result;
	uint8_t *copy;

	if (len == 0)
		return;
	copy = malloc(len);
	memcpy(copy, data, len);
	result = sip_msg_parse(&m, copy, len);
	fuzz_walk(&m, result, len);
	assert(result != SIP_OK || !sip_msg_has(&m, SIP_HDR_CONTENT_LENGTH));
	free(copy);
}

static void check_frames(const struct frames *f, const uint8_t *data)
{
	size_t at = 0;

	for (unsigned int i = 0; i < f->n; i++) {
		if (f->frame[i].status == SIP_FRAME_MESSAGE)
			check_message(data + at, f->frame[i].len);
		if (f->frame[i].status == SIP_FRAME_BAD)
			check_bad(data + at, f->frame[i].len);
		if (!ends(f->frame[i].status))
			at += f->frame[i].len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frames whole, cut;
	struct sip_frame_limits limits = { 4096, 8192 };
	struct sip_framer framer;
	uint8_t *stream;
	uint32_t seed;

	if (size < 3)
		return 0;
	if (data[0] & 0x80)
		limits = (struct sip_frame_limits){ data[0] & 0x7f, (data[0] & 0x7f) + 40u };
	seed = (uint32_t)data[0] << 8 | data[1];
	size -= 2;
	stream = malloc(size);
	memcpy(stream, data + 2, size);
	memset(&whole, 0, sizeof(whole));
	sip_framer_init(&framer, &limits);
	take(&whole, &framer, stream, size, size);
	cut_up(&cut, &limits, stream, size, seed);
	assert(cut.n == whole.n && cut.over == whole.over && cut.consumed == whole.consumed);
	assert(memcmp(cut.frame, whole.frame, whole.n * sizeof(whole.frame[0])) == 0);
	check_frames(&whole, stream);
	free(stream);
	return 0;
}
