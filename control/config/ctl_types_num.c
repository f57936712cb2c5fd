/*
 * Types of values that are numbers, durations, sizes and words.
 */
#include "control/config/ctl_types.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/config/ctl_near.h"

#define DIGITS_MAX 12 /* more cannot be in any range, and would overflow nothing yet */

/** A number as written: digits, perhaps a fraction, perhaps a unit. */
struct quantity {
	uint64_t whole;
	uint64_t milli; /* the fraction, in thousandths */
	const char *unit;
	bool exact; /* no more than three decimals */
};

static void put_unsigned(const struct ctl_key *key, void *dst, uint64_t value)
{
	uint8_t u8 = (uint8_t)value;
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;

	switch (key->size) {
	case 1: memcpy(dst, &u8, 1); break;
	case 2: memcpy(dst, &u16, 2); break;
	case 4: memcpy(dst, &u32, 4); break;
	default: memcpy(dst, &value, 8); break;
	}
}

static bool in_range(const struct ctl_key *key, uint64_t value)
{
	if (value == 0 && (key->flags & CTL_ZERO))
		return true;
	return value >= (uint64_t)key->min && value <= (uint64_t)key->max;
}

static const char *or_zero(const struct ctl_key *key)
{
	return key->flags & CTL_ZERO ? ", or 0" : "";
}

/** Digits at *s. @return whether there was at least one and at most DIGITS_MAX. */
static bool read_digits(const char **s, uint64_t *value)
{
	const char *start = *s;

	*value = 0;
	for (; isdigit((unsigned char)**s); (*s)++) {
		if (*s - start >= DIGITS_MAX)
			return false;
		*value = *value * 10 + (uint64_t)(**s - '0');
	}
	return *s > start;
}

static int read_quantity(const char *s, struct quantity *q)
{
	unsigned int scale = 100;

	*q = (struct quantity){ .exact = true };
	if (!read_digits(&s, &q->whole))
		return -EINVAL;
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return -EINVAL;
		for (; isdigit((unsigned char)*s); s++, scale /= 10) {
			q->milli += (uint64_t)(*s - '0') * scale;
			q->exact = q->exact && (scale || *s == '0');
		}
	}
	q->unit = s;
	return 0;
}

/* ---- Numbers */

static int number_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		       struct ctl_why *why)
{
	const char *s = it->text;
	uint64_t value;

	if (!read_digits(&s, &value) || *s)
		return -EINVAL;
	if (it->text[0] == '0' && it->text[1]) {
		snprintf(why->text, sizeof(why->text),
			 "has a leading zero: write %" PRIu64 ", numbers are decimal", value);
		return -EINVAL;
	}
	if (!in_range(key, value))
		return -EINVAL;
	put_unsigned(key, dst, value);
	return 0;
}

static void number_expect(const struct ctl_key *key, char *text, size_t size)
{
	snprintf(text, size, "a whole number from %" PRId64 " to %" PRId64 "%s", key->min, key->max,
		 or_zero(key));
}

const struct ctl_type ctl_type_number = { "number", number_read, NULL, number_expect };

/* ---- Durations */

static const struct {
	const char *unit;
	uint64_t ms;
} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

static uint64_t unit_ms(const char *unit)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].unit) == 0)
			return units[i].ms;
	}
	return 0;
}

const char *ctl_duration_format(uint64_t ms, char text[CTL_DURATION_SIZE])
{
	if (ms % 1000)
		snprintf(text, CTL_DURATION_SIZE, "%" PRIu64 "ms", ms);
	else
		snprintf(text, CTL_DURATION_SIZE, "%" PRIu64 "%s", ms / 1000, ms ? "s" : "");
	return text;
}

static int duration_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
			 struct ctl_why *why)
{
	struct quantity q;
	uint64_t factor, ms;

	if (read_quantity(it->text, &q) < 0)
		return -EINVAL;
	if (*q.unit == '\0' && q.whole == 0 && q.milli == 0 && (key->flags & CTL_ZERO)) {
		put_unsigned(key, dst, 0);
		return 0;
	}
	if (*q.unit == '\0') {
		snprintf(why->text, sizeof(why->text), "has no unit: write %ss or %sms", it->text,
			 it->text);
		return -EINVAL;
	}
	factor = unit_ms(q.unit);
	if (!factor) {
		snprintf(why->text, sizeof(why->text), "has a unit that is none of ms, s, m and h");
		return -EINVAL;
	}
	ms = q.whole * factor + q.milli * factor / 1000;
	if (!q.exact || q.milli * factor % 1000) {
		snprintf(why->text, sizeof(why->text), "is finer than a millisecond");
		return -EINVAL;
	}
	if (!in_range(key, ms))
		return -EINVAL;
	put_unsigned(key, dst, ms);
	return 0;
}

static void duration_range(const struct ctl_key *key, char *text, size_t size, const char *what)
{
	char min[CTL_DURATION_SIZE], max[CTL_DURATION_SIZE];

	snprintf(text, size, "%s from %s to %s%s", what,
		 ctl_duration_format((uint64_t)key->min, min),
		 ctl_duration_format((uint64_t)key->max, max), or_zero(key));
}

static void duration_expect(const struct ctl_key *key, char *text, size_t size)
{
	duration_range(key, text, size, "a duration");
}

const struct ctl_type ctl_type_duration = { "duration", duration_read, NULL, duration_expect };

static int seconds_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
			struct ctl_why *why)
{
	struct ctl_key tmp = *key;
	uint64_t ms;
	int ret;

	tmp.size = sizeof(ms);
	ret = duration_read(&tmp, it, &ms, why);
	if (ret == 0 && ms % 1000) {
		snprintf(why->text, sizeof(why->text), "is no whole number of seconds");
		ret = -EINVAL;
	}
	if (ret == 0)
		put_unsigned(key, dst, ms);
	return ret;
}

static void seconds_expect(const struct ctl_key *key, char *text, size_t size)
{
	duration_range(key, text, size, "a duration of whole seconds");
}

const struct ctl_type ctl_type_seconds = { "duration", seconds_read, NULL, seconds_expect };

/* ---- Memory */

static int memory_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		       struct ctl_why *why)
{
	struct quantity q;
	uint64_t mib;

	if (read_quantity(it->text, &q) < 0 || q.milli || !q.exact)
		return -EINVAL;
	if (*q.unit == '\0' && q.whole == 0 && (key->flags & CTL_ZERO)) {
		mib = 0;
	} else if (strcmp(q.unit, "G") == 0 || strcmp(q.unit, "GiB") == 0) {
		mib = q.whole * 1024;
	} else if (strcmp(q.unit, "M") == 0 || strcmp(q.unit, "MiB") == 0) {
		mib = q.whole;
	} else {
		snprintf(why->text, sizeof(why->text), "%s: write %" PRIu64 "M or %" PRIu64 "G",
			 *q.unit ? "has a unit that is none of M, MiB, G and GiB" : "has no unit",
			 q.whole, q.whole);
		return -EINVAL;
	}
	if (!in_range(key, mib))
		return -EINVAL;
	put_unsigned(key, dst, mib);
	return 0;
}

static void memory_expect(const struct ctl_key *key, char *text, size_t size)
{
	snprintf(text, size, "an amount of memory from %" PRId64 "M to %" PRId64 "G%s", key->min,
		 key->max / 1024, or_zero(key));
}

const struct ctl_type ctl_type_memory = { "memory", memory_read, NULL, memory_expect };

/* ---- Words */

static int bool_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		     struct ctl_why *why)
{
	static const char *const yes[] = { "yes", "true", "on" }, *const no[] = { "no", "false",
										  "off" };

	(void)key;
	(void)why;
	for (size_t i = 0; i < 3; i++) {
		bool is_yes = strcmp(it->text, yes[i]) == 0;

		if (is_yes || strcmp(it->text, no[i]) == 0) {
			*(bool *)dst = is_yes;
			return 0;
		}
	}
	return -EINVAL;
}

static void bool_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "yes or no");
}

const struct ctl_type ctl_type_bool = { "boolean", bool_read, NULL, bool_expect };

static const char *word_of(const void *key, size_t i)
{
	return ((const struct ctl_key *)key)->words[i].word;
}

static void suggest_word(const struct ctl_key *key, const struct ctl_item *it, struct ctl_why *why)
{
	char expect[160];
	int near = ctl_nearest(it->text, it->len, key->n_words, word_of, key);

	if (near < 0)
		return;
	key->type->expect(key, expect, sizeof(expect));
	snprintf(why->text, sizeof(why->text), "is not %s; did you mean \"%s\"?", expect,
		 key->words[near].word);
}

static int word_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		     struct ctl_why *why)
{
	for (size_t i = 0; i < key->n_words; i++) {
		if (strcmp(it->text, key->words[i].word) == 0) {
			put_unsigned(key, dst, key->words[i].value);
			return 0;
		}
	}
	suggest_word(key, it, why);
	return -EINVAL;
}

static void word_expect(const struct ctl_key *key, char *text, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < key->n_words && len < size; i++) {
		const char *before = i == 0 ? "" : i + 1 < key->n_words ? ", " : " or ";
		int n = snprintf(text + len, size - len, "%s%s", before, key->words[i].word);

		len += n > 0 ? (size_t)n : 0;
	}
}

const struct ctl_type ctl_type_word = { "word", word_read, NULL, word_expect };
