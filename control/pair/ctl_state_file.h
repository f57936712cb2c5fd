/*
 * The state file: which member of each pair is active, and what operators ordered, by names, as
 * JSON. Written whole to a temporary file, synced, renamed; by a thread of its own, since a slow
 * disk must not delay a failover.
 */
#pragma once

#include "control/pair/ctl_pair.h"

#define CTL_STATE_NAME 256

/** One member's part. */
struct ctl_state_member {
	char *name;
	bool draining, disabled;
	uint64_t left_us; /* wall clock; 0: never */
};

/** One pair's part. Times are wall-clock microseconds, 0: not set. */
struct ctl_state_pair {
	char *name;
	char *active; /* member's name */
	bool pinned, manual;
	unsigned int flaps;
	uint64_t returned_us, since_us, failback_us;
	size_t n_members;
	struct ctl_state_member *members;
};

struct ctl_state;

/**
 * Read the file. One that is broken is reported and renamed to <path>.broken.
 * @return NULL when there is none, or none that can be used.
 */
struct ctl_state *ctl_state_read(const char *path);
void ctl_state_free(struct ctl_state *s);

/** A pair by name, or NULL. Borrowed. */
const struct ctl_state_pair *ctl_state_find(const struct ctl_state *s, const char *name);

/** Parse. @param why  Out: what is wrong, at least 256 bytes. @return NULL when broken. */
struct ctl_state *ctl_state_parse(const char *text, size_t len, char *why);

/** Builds the text; see ctl_state_text_pair(). */
struct ctl_state_text;
struct ctl_state_text *ctl_state_text_new(void);
void ctl_state_text_pair(struct ctl_state_text *t, const struct ctl_state_pair *p);
/** Ends t. @return the text, to be freed, or NULL when memory ran out meanwhile. */
char *ctl_state_text_end(struct ctl_state_text *t);

/** The thread that writes. */
struct ctl_writer;

/** @return NULL when out of memory or the thread can't be started. */
struct ctl_writer *ctl_writer_new(const char *path);

/** Write this text, which becomes the writer's; an older one that still waits is forgotten. */
void ctl_writer_put(struct ctl_writer *w, char *text);

/** Writes what still waits, then ends. */
void ctl_writer_free(struct ctl_writer *w);

/** Write a file whole or not at all. @return 0 or negative errno. Any thread. */
int ctl_write_atomically(const char *path, const char *text, size_t len);
