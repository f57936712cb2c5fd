#include "tests/dataplane/io_frag.h"

#include <string.h>

#include "tests/dataplane/io_frame.h"

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t cut4(const uint8_t *frame, size_t off, size_t len, int more, uint32_t id,
		   uint8_t *out)
{
	memcpy(out, frame, 34);
	put16(out + 16, 20 + len);
	put16(out + 18, id);
	put16(out + 20, off / 8 | (more ? 0x2000u : 0));
	put16(out + 24, 0);
	put16(out + 24, io_checksum(out + 14, 20, NULL, 0));
	memcpy(out + 34, frame + 34 + off, len);
	return 34 + len;
}

static size_t cut6(const uint8_t *frame, size_t off, size_t len, int more, uint32_t id,
		   uint8_t *out)
{
	memcpy(out, frame, 54);
	put16(out + 18, 8 + len);
	out[54] = out[20];
	out[20] = 44;
	out[55] = 0;
	put16(out + 56, off | (more ? 1 : 0));
	put16(out + 58, id >> 16);
	put16(out + 60, id);
	memcpy(out + 62, frame + 54 + off, len);
	return 62 + len;
}

size_t io_frag_cut(const uint8_t *frame, size_t off, size_t len, int more, uint32_t id,
		   uint8_t *out)
{
	return (frame[14] >> 4 == 4 ? cut4 : cut6)(frame, off, len, more, id, out);
}
