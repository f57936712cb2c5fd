/*
 * The schema: one row for each key of a configuration file. Reading, freeing, defaults, messages
 * and the reference in docs/CONFIGURATION.md all come from these rows, so that none of them can
 * say something that the others do not. Constant data; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_key;

/** A scalar as it was written, or one element of a list. Borrowed from the document. */
struct ctl_item {
	const char *text; /* NUL-terminated; no control characters in it */
	size_t len;
	unsigned int line;
};

/** What a read function found: why a value is wrong, in words that follow "VALUE". */
struct ctl_why {
	char text[200];
};

/** What a scalar means: how it is read, freed and described. */
struct ctl_type {
	const char *name; /* in the reference: "duration" */
	/**
	 * @param dst  The field, or the element of a list; written on success only.
	 * @return     0; -EINVAL (*why may say more than "is not EXPECTED", else it stays empty);
	 *             -ENOMEM.
	 */
	int (*read)(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		    struct ctl_why *why);
	void (*fini)(void *dst); /* NULL: nothing to free */
	/** What would be right, as in "a duration from 100ms to 300s". */
	void (*expect)(const struct ctl_key *key, char *text, size_t size);
};

/** A word of an enumeration or a set. */
struct ctl_word {
	const char *word;
	uint32_t value;
};

enum ctl_key_flags {
	CTL_REQUIRED = 1,
	CTL_ZERO = 2,   /* 0 is allowed besides [min, max] */
	CTL_SECRET = 4, /* messages never show the value */
	CTL_SET = 8,    /* a list of words that are bits of one uint32_t field */
	CTL_FIXED = 16, /* a list in an array inside the struct; its count is an unsigned int */
};

struct ctl_key {
	const char *name;
	const struct ctl_type *type; /* of the value, or of a list's elements; NULL: a mapping */
	const struct ctl_map *map;   /* what the mapping, or each one of a list, may hold */
	uint16_t offset;             /* of the field in its struct */
	uint16_t size;               /* bytes of the field, or of a list's element */
	uint16_t n_offset;           /* list: where its count is */
	uint32_t min_items;
	uint32_t max_items; /* 0: no list */
	uint32_t flags;     /* enum ctl_key_flags */
	int64_t min, max;   /* numbers: range; durations: milliseconds; strings: bytes */
	const struct ctl_word *words;
	size_t n_words;
	const char *def;      /* the default as one would write it; NULL: none */
	const char *def_says; /* what the reference says instead of def */
	const char *from;     /* the document a setting comes from */
	const char *help;
};

/** A kind of mapping. */
struct ctl_map {
	const char *what; /* "a pair": in messages */
	const struct ctl_key *keys;
	size_t n_keys;
	size_t size;      /* of its struct */
	int line_offset;  /* unsigned int: the mapping's line; -1: none */
	int lines_offset; /* unsigned int[n_keys]; -1: none */
	/** The default of a key, given what else was written; NULL: the row's. */
	const char *(*default_of)(const void *dst, const struct ctl_key *key);
};

extern const struct ctl_map ctl_map_global, ctl_map_port, ctl_map_route, ctl_map_service,
	ctl_map_pair, ctl_map_probe, ctl_map_tls, ctl_map_member, ctl_map_servers, ctl_map_dns;

/** All of them, the file's top first. */
extern const struct ctl_map *const ctl_maps[];
extern const size_t ctl_n_maps;

/** @return the row's index, or -ENOENT. */
int ctl_map_find(const struct ctl_map *map, const char *name, size_t len);

/** Line of a key in a struct read by this map: where it stands, else where the mapping begins. */
unsigned int ctl_map_line(const struct ctl_map *map, const void *dst, const char *key);

/** In `lines`: something is wrong with the key's value, and has been said. */
#define CTL_LINE_BAD 0x80000000u

/** Whether something was wrong with a key's value, so that nothing follows from it. */
bool ctl_map_bad(const struct ctl_map *map, const void *dst, const char *key);

/** Whether a key is in the file with a good value (else the field has its default). */
bool ctl_map_given(const struct ctl_map *map, const void *dst, const char *key);

/** Free what the fields of a struct own. */
void ctl_map_fini(const struct ctl_map *map, void *dst);

/** Text of what a key expects: "a list of at most 16 numbers from 300 to 699". */
void ctl_key_expect(const struct ctl_key *key, char *text, size_t size);

/* ---- Profiles */

#define CTL_N_PROFILES 5

/** One value that a profile gives to a pair's setting. */
struct ctl_profile_row {
	const char *profile, *key, *value;
};

extern const struct ctl_profile_row ctl_profile_rows[];
extern const size_t ctl_n_profile_rows;
extern const struct ctl_word ctl_profile_words[CTL_N_PROFILES];

/** A pair's default under a profile, or NULL: the schema's. */
const char *ctl_profile_default(const char *profile, const char *key);
