#include "tests/bench/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "control/config/ctl_config.h"
#include "control/snapshot/ctl_snapshot.h"

static void die(const char *what, const char *name)
{
	fprintf(stderr, "bench: %s: %s\n", name, what);
	exit(1);
}

struct dp_cfg *world_snapshot(const char *config)
{
	struct ctl_secrets secrets = { .n = 1 };
	struct ctl_numbers *numbers = ctl_numbers_new();
	struct ctl_diag diag;
	struct ctl_model *model;
	struct dp_cfg *cfg = NULL;

	ctl_diag_init(&diag);
	model = ctl_config_load(config, &diag);
	ctl_diag_print(&diag, config, stderr);
	ctl_diag_fini(&diag);
	memset(secrets.key[0].b, 0x5a, sizeof(secrets.key[0].b));
	if (model && numbers && ctl_numbers_assign(numbers, model, 0) == 0)
		cfg = ctl_build_cfg(model, numbers, &secrets, NULL);
	ctl_numbers_free(numbers);
	ctl_model_free(model);
	if (!cfg)
		die("no snapshot can be made of it", config);
	return cfg;
}

#define STORE_SIZE   (64ull << 20)
#define HUGE_PAGE    (2ull << 20)
#define WORDS_SIZE   HUGE_PAGE
#define MEMBERS_SIZE (DP_MAX_MEMBERS / DP_GROUP_PAIRS * sizeof(struct dp_member_group))

/* As the shared region is mapped: in huge pages where there are some. */
static void *map(size_t size)
{
	uint8_t *room = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before = -(uintptr_t)room & (HUGE_PAGE - 1);

	if (room == MAP_FAILED)
		return NULL;
	munmap(room, before);
	munmap(room + before + size, HUGE_PAGE - before);
	madvise(room + before, size, MADV_HUGEPAGE);
	return room + before;
}

static void count_sent(void *arg, const struct steer_send *out)
{
	struct world *w = arg;

	(void)out;
	w->sent++;
}

void world_open(struct world *w, const char *config, uint32_t n_records, uint32_t hold_ms)
{
	struct steer_params p = {
		.n_records = n_records,
		.n_challenges = n_records ? 1024 : 0,
		.n_limits = 4096,
		.record_hold_ms = hold_ms,
		.seed = 1,
		.counters = &w->counters,
		.store_size = n_records ? STORE_SIZE : 0,
		.word_downs = &w->word_downs,
		.send = count_sent,
		.send_arg = w,
	};

	*w = (struct world){ .cfg = world_snapshot(config) };
	w->words = map(WORDS_SIZE);
	w->members = map(MEMBERS_SIZE);
	w->events = calloc(1, sizeof(*w->events));
	w->trials = calloc(DP_MAX_PAIRS, sizeof(*w->trials));
	if (!w->trials || !w->words || !w->members || !w->events)
		die("out of memory", config);
	for (unsigned int i = 0; i < w->cfg->n_pairs; i++) {
		const struct dp_pair *pair = dp_cfg_pair(w->cfg, i);

		if (pair)
			w->words[i] = DP_WORD_VALID | pair->order[0];
	}
	p.members = w->members;
	p.events = w->events;
	p.pair_words = w->words;
	p.pair_trials = w->trials;
	w->steer = steer_new(&p);
	if (!w->steer)
		die("out of memory", config);
}

static bool read_frame(FILE *f, struct world_frame *out)
{
	uint32_t head[4];

	if (fread(head, sizeof(head), 1, f) != 1 || head[2] > WORLD_ROOM - WORLD_HEADROOM)
		return false;
	out->len = head[2];
	out->bytes = malloc(head[2]);
	return out->bytes && fread(out->bytes, head[2], 1, f) == 1;
}

void world_load(struct world *w, const char *pcap)
{
	FILE *f = fopen(pcap, "rbe");
	struct world_frame frame;
	uint32_t head[6], room = 0;

	if (!f || fread(head, sizeof(head), 1, f) != 1 || head[0] != 0xa1b2c3d4)
		die("no pcap file", pcap);
	while (read_frame(f, &frame)) {
		if (w->n_frames == room) {
			room = room ? room * 2 : 1024;
			w->frames = realloc(w->frames, room * sizeof(*w->frames));
			if (!w->frames)
				die("out of memory", pcap);
		}
		w->frames[w->n_frames++] = frame;
	}
	fclose(f);
	if (w->n_frames == 0)
		die("no frames in it", pcap);
}

void world_close(struct world *w)
{
	for (uint32_t i = 0; i < w->n_frames; i++)
		free(w->frames[i].bytes);
	free(w->frames);
	steer_free(w->steer);
	free(w->events);
	munmap(w->members, MEMBERS_SIZE);
	munmap((void *)(uintptr_t)w->words, WORDS_SIZE);
	free((void *)w->trials);
	free(w->cfg);
}
