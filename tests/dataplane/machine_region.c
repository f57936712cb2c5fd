/*
 * Makes a region of a configuration file, as control does before a data plane has started, with
 * every pair's first member active; and then becomes another program, whose standard input is the
 * region's memfd.
 *
 *	machine_region CONFIG PROGRAM [ARGUMENT...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/snapshot/ctl_snapshot.h"
#include "tests/bench/world.h"

#define HEAP_SIZE (4ull << 20)

int main(int argc, char **argv)
{
	const struct dp_boot boot = { .n_workers = 1 };
	struct ctl_publisher *publisher = NULL;
	struct dp_region *region;
	struct dp_cfg *cfg;
	int fd;

	if (argc < 3) {
		fprintf(stderr, "Usage: machine_region CONFIG PROGRAM [ARGUMENT...]\n");
		return 1;
	}
	cfg = world_snapshot(argv[1]);
	region = dp_region_create(&boot, HEAP_SIZE, &fd);
	if (region)
		publisher = ctl_publisher_new(region);
	if (!publisher || ctl_publish_cfg(publisher, cfg) == 0 || dup2(fd, STDIN_FILENO) < 0) {
		perror("the region");
		return 1;
	}
	for (unsigned int i = 0; i < cfg->n_pairs; i++)
		dp_region_set_word(region, i, DP_WORD_VALID | dp_cfg_pair(cfg, i)->order[0]);
	ctl_publisher_free(publisher);
	dp_region_unmap(region);
	free(cfg);
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
