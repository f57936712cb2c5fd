#include "tests/sip/guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void guard_init(struct guard *g, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page;

	g->map_size = (pages + 1) * page;
	g->map =
		mmap(NULL, g->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->map == MAP_FAILED)
		abort();
	g->end = g->map + pages * page;
	if (mprotect(g->end, page, PROT_NONE) != 0)
		abort();
}

void guard_fini(struct guard *g)
{
	munmap(g->map, g->map_size);
}

const uint8_t *guard_copy(const struct guard *g, const void *data, size_t len)
{
	uint8_t *at = g->end - len;

	if (at < g->map)
		abort();
	if (len)
		memcpy(at, data, len);
	return at;
}
