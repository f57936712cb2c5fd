/*
 * The key file: every way in which it can be wrong, and how a missing one is made.
 */
#include "control/config/ctl_keys.h"
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/sipsteer-keys-XXXXXX";
static char path[128];

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/keys", dir);
}

static void remove_all(const char *where)
{
	DIR *d = opendir(where);
	char name[512];

	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		snprintf(name, sizeof(name), "%s/%s", where, e->d_name);
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			remove(name);
	}
	if (d)
		closedir(d);
	rmdir(where);
}

static void teardown(void)
{
	char sub[140];

	snprintf(sub, sizeof(sub), "%s/sub", dir);
	remove_all(sub);
	remove_all(dir);
	leaks_check();
}

TestSuite(config_keys, .init = setup, .fini = teardown);

static void put(const char *text, size_t len, mode_t mode)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(text, 1, len, f), len);
	cr_assert_eq(fclose(f), 0);
	cr_assert_eq(chmod(path, mode), 0);
}

#define A "00112233445566778899aabbccddeeff"
#define B "FFEEDDCCBBAA99887766554433221100"

static const struct {
	const char *name;
	const char *text;
	unsigned int n;    /* keys, when it is right */
	unsigned int line; /* of the error, when it is wrong; 0: the file as a whole */
	const char *says;  /* NULL: it is right */
} files[] = {
	{ "one key", A "\n", 1, 0, NULL },
	{ "no newline at the end", A, 1, 0, NULL },
	{ "two, comments, blanks, CRLF", "# keys\r\n\r\n  " A "  # new\r\n\t" B "\r\n", 2, 0,
	  NULL },
	{ "empty", "", 0, 0, "no key in it" },
	{ "comments only", "# " A "\n\n", 0, 0, "no key in it" },
	{ "too short",
	  A "\n"
	    "00112233\n",
	  0, 2, "8 hexadecimal digits; a key has 32" },
	{ "too long", A "0\n", 0, 1, "33 hexadecimal digits" },
	{ "no hexadecimal", "#\n\n0011223344556677x899aabbccddeeff\n", 0, 3,
	  "byte 17 is no hexadecimal digit" },
	{ "blank inside", "00112233 445566778899aabbccddeeff\n", 0, 1,
	  "byte 9 is no hexadecimal digit" },
	{ "zeros", "00000000000000000000000000000000\n", 0, 1, "no secret" },
	{ "one byte repeated", "abABabABabABabABabABabABabABabAB\n", 0, 1, "no secret" },
	{ "the same twice",
	  A "\n" B "\n"
	    "00112233445566778899AABBCCDDEEFF\n",
	  0, 3, "the same key as number 1" },
	{ "eight", "10" A "\n", 0, 1, "34 hexadecimal digits" },
};

Test(config_keys, files)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct ctl_secrets s = { .n = 77 };
		struct ctl_diag d;
		int ret;

		ctl_diag_init(&d);
		put(files[i].text, strlen(files[i].text), 0600);
		ret = ctl_keys_load(path, &s, &d);
		if (!files[i].says) {
			cr_expect_eq(ret, 0, "%s", files[i].name);
			cr_expect_eq(s.n, files[i].n, "%s", files[i].name);
			cr_expect_eq(d.n, 0, "%s", files[i].name);
			cr_expect_eq(s.key[0].b[1], 0x11, "%s", files[i].name);
		} else {
			cr_expect_eq(ret, -EINVAL, "%s", files[i].name);
			cr_expect_eq(s.n, 77, "%s: output touched", files[i].name);
			cr_assert_eq(d.n, 1, "%s", files[i].name);
			cr_expect_eq(d.e[0].line, files[i].line, "%s", files[i].name);
			cr_expect(strstr(d.e[0].text, files[i].says), "%s: %s", files[i].name,
				  d.e[0].text);
			cr_expect_not(strstr(d.e[0].text, "0011223344"), "%s shows a key",
				      files[i].name);
		}
		ctl_diag_fini(&d);
	}
}

Test(config_keys, order_and_bytes)
{
	struct ctl_secrets s;
	struct ctl_diag d;

	ctl_diag_init(&d);
	put(A "\n" B "\n", 66, 0600);
	cr_assert_eq(ctl_keys_load(path, &s, &d), 0);
	for (int i = 0; i < 16; i++) {
		cr_expect_eq(s.key[0].b[i], i * 0x11);
		cr_expect_eq(s.key[1].b[i], 0xff - i * 0x11);
	}
	ctl_diag_fini(&d);
}

Test(config_keys, at_most_eight)
{
	char text[9 * 33 + 1] = "";
	struct ctl_secrets s;
	struct ctl_diag d;

	for (int i = 0; i < 9; i++)
		snprintf(text + 33 * i, sizeof(text) - 33 * (size_t)i, "%032x\n", 0x1234 + i);
	ctl_diag_init(&d);
	put(text, 8 * 33, 0600);
	cr_expect_eq(ctl_keys_load(path, &s, &d), 0);
	cr_expect_eq(s.n, 8);
	put(text, 9 * 33, 0600);
	cr_expect_eq(ctl_keys_load(path, &s, &d), -EINVAL);
	cr_assert_eq(d.n, 1);
	cr_expect_eq(d.e[0].line, 9);
	cr_expect(strstr(d.e[0].text, "more than 8 keys"));
	ctl_diag_fini(&d);
}

static const struct {
	mode_t mode;
	bool warns;
} modes[] = { { 0600, false }, { 0400, false }, { 0640, true }, { 0604, true }, { 0620, true } };

Test(config_keys, mode)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct ctl_secrets s;
		struct ctl_diag d;

		ctl_diag_init(&d);
		put(A, strlen(A), modes[i].mode);
		cr_expect_eq(ctl_keys_load(path, &s, &d), 0);
		cr_expect_eq(d.n, modes[i].warns, "%o", modes[i].mode);
		cr_expect_eq(d.n_errors, 0, "%o", modes[i].mode);
		if (d.n)
			cr_expect(strstr(d.e[0].text, "chmod 600"), "%s", d.e[0].text);
		ctl_diag_fini(&d);
	}
}

Test(config_keys, not_a_file)
{
	static char big[20000];
	struct ctl_secrets s;
	struct ctl_diag d;

	ctl_diag_init(&d);
	cr_expect_eq(ctl_keys_load(path, &s, &d), -ENOENT);
	cr_expect_eq(ctl_keys_load(dir, &s, &d), -EINVAL);
	memset(big, '\n', sizeof(big));
	put(big, sizeof(big), 0600);
	cr_expect_eq(ctl_keys_load(path, &s, &d), -EFBIG);
	cr_expect_eq(d.n_errors, 3);
	ctl_diag_fini(&d);
}

Test(config_keys, made_when_missing)
{
	struct ctl_secrets first, again;
	bool made = false;
	struct ctl_diag d;
	struct stat st;

	ctl_diag_init(&d);
	cr_assert_eq(ctl_keys_load_or_make(path, &first, &made, &d), 0);
	cr_expect(made);
	cr_expect_eq(first.n, 1);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(st.st_nlink, 1, "nothing is left beside it");
	cr_assert_eq(ctl_keys_load_or_make(path, &again, &made, &d), 0);
	cr_expect_not(made);
	cr_expect_arr_eq(first.key[0].b, again.key[0].b, 16);
	cr_expect_eq(d.n, 0);
	ctl_diag_fini(&d);
}

Test(config_keys, made_with_its_directory)
{
	struct ctl_secrets s;
	bool made = false;
	struct ctl_diag d;

	ctl_diag_init(&d);
	snprintf(path, sizeof(path), "%s/sub/keys", dir);
	cr_expect_eq(ctl_keys_load_or_make(path, &s, &made, &d), 0);
	cr_expect(made);
	snprintf(path, sizeof(path), "%s/no/such/keys", dir);
	cr_expect_eq(ctl_keys_load_or_make(path, &s, &made, &d), -ENOENT);
	cr_expect_eq(d.n_errors, 1);
	ctl_diag_fini(&d);
}

/* Several starts at once agree on one key. */
Test(config_keys, made_by_several_at_once)
{
	enum { N = 8 };
	struct ctl_secrets want;
	bool made = true;
	int n_made = 0, pipe_fd[2];
	struct ctl_diag d;

	ctl_diag_init(&d);
	cr_assert_eq(pipe(pipe_fd), 0);
	for (int i = 0; i < N; i++) {
		if (fork() == 0) {
			struct ctl_secrets s = { 0 };
			int ret = ctl_keys_load_or_make(path, &s, &made, &d);

			s.n = ret == 0 && s.n == 1 ? made : 99;
			_exit(write(pipe_fd[1], &s, sizeof(s)) != sizeof(s));
		}
	}
	for (int i = 0; i < N; i++)
		cr_expect_gt(wait(NULL), 0);
	cr_assert_eq(ctl_keys_load(path, &want, &d), 0);
	for (int i = 0; i < N; i++) {
		struct ctl_secrets s;

		cr_assert_eq(read(pipe_fd[0], &s, sizeof(s)), sizeof(s));
		cr_expect_leq(s.n, 1);
		n_made += (int)s.n;
		cr_expect_arr_eq(s.key[0].b, want.key[0].b, 16);
	}
	cr_expect_eq(n_made, 1);
	ctl_diag_fini(&d);
}
