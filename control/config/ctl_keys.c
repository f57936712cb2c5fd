/*
 * The key file. Keys are wiped from memory that is given back, and no message shows any part of
 * one. Control thread.
 */
#include "control/config/ctl_keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX   16384 /* bytes; eight keys with a page of comments for each */
#define KEY_BYTES  sizeof(((struct dp_secret *)NULL)->b)
#define KEY_DIGITS (2 * KEY_BYTES)

/* ---- Reading */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A line without comment and blanks around it. Messages never show what is in it: it may be most of
 * a secret. */
static int parse_key(const char *text, size_t len, struct dp_secret *key, unsigned int line,
		     struct ctl_diag *d)
{
	for (size_t i = 0; i < len; i++) {
		if (hex_value(text[i]) >= 0)
			continue;
		ctl_diag_add(d, true, line,
			     "byte %zu is no hexadecimal digit; a key is %zu of them and nothing "
			     "else",
			     i + 1, KEY_DIGITS);
		return -EINVAL;
	}
	if (len != KEY_DIGITS) {
		ctl_diag_add(d, true, line, "%zu hexadecimal digits; a key has %zu", len,
			     KEY_DIGITS);
		return -EINVAL;
	}
	for (size_t i = 0; i < KEY_BYTES; i++)
		key->b[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return 0;
}

/* A key that anybody would guess first: one byte, repeated. */
static bool is_trivial(const struct dp_secret *key)
{
	return memcmp(key->b, key->b + 1, KEY_BYTES - 1) == 0;
}

static void add_key(struct ctl_secrets *s, const struct dp_secret *key, unsigned int line,
		    struct ctl_diag *d)
{
	for (unsigned int i = 0; i < s->n; i++) {
		if (memcmp(s->key[i].b, key->b, KEY_BYTES) == 0) {
			ctl_diag_add(d, true, line, "the same key as number %u; remove one of them",
				     i + 1);
			return;
		}
	}
	if (is_trivial(key))
		ctl_diag_add(d, true, line,
			     "one byte repeated is no secret; take a random key, as from openssl "
			     "rand -hex %zu",
			     KEY_BYTES);
	else if (s->n == DP_MAX_KEYS)
		ctl_diag_add(d, true, line, "more than %d keys; remove the oldest ones",
			     DP_MAX_KEYS);
	else
		s->key[s->n++] = *key;
}

static void parse_line(struct ctl_secrets *s, const char *text, size_t len, unsigned int line,
		       struct ctl_diag *d)
{
	const char *comment = memchr(text, '#', len);
	struct dp_secret key;

	if (comment)
		len = (size_t)(comment - text);
	while (len && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (len && parse_key(text, len, &key, line, d) == 0)
		add_key(s, &key, line, d);
	explicit_bzero(&key, sizeof(key));
}

static int parse_file(struct ctl_secrets *s, const char *text, size_t len, struct ctl_diag *d)
{
	size_t before = d->n_errors;
	const char *end = text + len;
	unsigned int line = 1;

	for (; text < end; line++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		parse_line(s, text, (size_t)(stop - text), line, d);
		text = newline ? newline + 1 : end;
	}
	if (s->n == 0 && d->n_errors == before)
		ctl_diag_add(d, true, 0,
			     "no key in it; remove the file to have one made, or write one, as "
			     "from openssl rand -hex %zu",
			     KEY_BYTES);
	return d->n_errors == before ? 0 : -EINVAL;
}

static void check_mode(const struct stat *st, struct ctl_diag *d)
{
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		ctl_diag_add(d, false, 0,
			     "mode %03o lets others than its owner use the keys; chmod 600 it",
			     (unsigned int)(st->st_mode & 0777));
}

static int cannot(struct ctl_diag *d, const char *what, int error)
{
	ctl_diag_add(d, true, 0, "cannot be %s: %s", what, strerror(error));
	return -error;
}

/* @return bytes read, or negative errno with an error in d. */
static ssize_t read_file(int fd, char text[FILE_MAX + 1], struct ctl_diag *d)
{
	size_t len = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cannot(d, "read", errno);
	if (!S_ISREG(st.st_mode)) {
		ctl_diag_add(d, true, 0, "cannot be read: it is no regular file");
		return -EINVAL;
	}
	check_mode(&st, d);
	while (len <= FILE_MAX) {
		ssize_t n = read(fd, text + len, FILE_MAX + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot(d, "read", errno);
		if (n == 0)
			return (ssize_t)len;
		len += (size_t)n;
	}
	ctl_diag_add(d, true, 0, "is longer than %d bytes: is it a key file?", FILE_MAX);
	return -EFBIG;
}

int ctl_keys_load(const char *path, struct ctl_secrets *secrets, struct ctl_diag *d)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct ctl_secrets s = { 0 };
	char text[FILE_MAX + 1];
	ssize_t len;
	int ret;

	if (fd < 0)
		return cannot(d, "opened", errno);
	len = read_file(fd, text, d);
	close(fd);
	ret = len < 0 ? (int)len : parse_file(&s, text, (size_t)len, d);
	if (ret == 0)
		*secrets = s;
	explicit_bzero(text, sizeof(text));
	explicit_bzero(&s, sizeof(s));
	return ret;
}

/* ---- Making */

static const char header[] =
	"# Keys of sipsteer: one a line, the first one signs, all are accepted. The same file on\n"
	"# every instance that serves the same pairs.\n";

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_key(int fd)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t key[KEY_BYTES];
	char line[KEY_DIGITS + 1];
	int ret;

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	for (size_t i = 0; i < KEY_BYTES; i++) {
		line[2 * i] = digits[key[i] >> 4];
		line[2 * i + 1] = digits[key[i] & 15];
	}
	line[KEY_DIGITS] = '\n';
	ret = write_all(fd, header, sizeof(header) - 1);
	if (ret == 0)
		ret = write_all(fd, line, sizeof(line));
	if (ret == 0 && fsync(fd) < 0)
		ret = -errno;
	explicit_bzero(key, sizeof(key));
	explicit_bzero(line, sizeof(line));
	return ret;
}

/* The directory part of a path; "." without one. */
static int directory_of(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(dir, path, len);
	dir[len] = '\0';
	if (!slash)
		strcpy(dir, ".");
	else if (len == 0)
		strcpy(dir, "/");
	return 0;
}

static int make_directory(const char *dir)
{
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Written aside and linked into place: nobody ever reads half a file, and who comes second leaves
 * the first one's. @return 1 when it is ours, 0 when it is another's, or negative errno. */
static int put_in_place(const char *dir, int dir_fd, const char *path)
{
	char aside[PATH_MAX + 16];
	int fd, ret;

	snprintf(aside, sizeof(aside), "%s/.keys-XXXXXX", dir);
	fd = mkostemp(aside, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	ret = write_key(fd);
	if (ret == 0)
		ret = link(aside, path) == 0 ? 1 : -errno;
	if (ret == -EEXIST)
		ret = 0;
	unlink(aside);
	close(fd);
	return fsync(dir_fd) < 0 && ret >= 0 ? -errno : ret;
}

static int make(const char *path)
{
	char dir[PATH_MAX];
	int ret = directory_of(path, dir), dir_fd;

	if (ret == 0)
		ret = make_directory(dir);
	if (ret < 0)
		return ret;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	ret = put_in_place(dir, dir_fd, path);
	close(dir_fd);
	return ret;
}

int ctl_keys_load_or_make(const char *path, struct ctl_secrets *secrets, bool *made,
			  struct ctl_diag *d)
{
	int is_ours = access(path, F_OK) < 0 && errno == ENOENT ? make(path) : 0;
	int ret;

	if (is_ours < 0)
		return cannot(d, "made", -is_ours);
	ret = ctl_keys_load(path, secrets, d);
	if (ret == 0)
		*made = is_ours == 1;
	return ret;
}
