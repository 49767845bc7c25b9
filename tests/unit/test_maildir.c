#include "tests/unit/unit.h"

#include "queue/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/mox-test-maildir-XXXXXX";
static struct store *store;

static int up(void **state)
{
	struct err err;

	(void)state;
	return mkdtemp(dir) == NULL || store_open(dir, &store, &err) < 0 ? -1 : 0;
}

static int down(void **state)
{
	char cmd[128];

	(void)state;
	store_close(&store);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct store_body *body_new(const char *prefix, struct str text)
{
	struct store_rcpt_new rcpt = {.address = STR("r@x.example"), .dest = STR("x.example")};
	struct store_msg_new msg = {.mail_from = STR("s@x.example"),
		.prefix = str_from(prefix),
		.body = text,
		.rcpts = &rcpt,
		.rcpt_count = 1,
		.hold = true};
	struct store_body *body;
	struct err err;
	int64_t id;

	assert_int_equal(store_msg_add(store, &msg, &id, &err), 0);
	assert_int_equal(store_body_open(store, id, &body, &err), 0);
	return body;
}

/* The only file in folder is read into out (its name into name); returns how many there are. */
static size_t folder_read(
	const char *account, const char *folder, char *name, char *out, size_t size)
{
	char path[700];
	size_t n = 0;
	struct dirent *e;

	snprintf(path, sizeof(path), "%s/mail/%s/%s", dir, account, folder);
	DIR *d = opendir(path);
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (name == NULL)
			continue;
		snprintf(name, 256, "%s", e->d_name);
		snprintf(path, sizeof(path), "%s/mail/%s/%s/%s", dir, account, folder, e->d_name);
		FILE *f = fopen(path, "r");
		assert_non_null(f);
		size_t got = fread(out, 1, size - 1, f);
		out[got] = '\0';
		fclose(f);
	}
	closedir(d);
	return n;
}

static const struct {
	const char *account, *body, *file;
} cases[] = {
	{"plain", "Subject: x\r\n\r\na\r\n.b\r\n", "Subject: x\n\na\n.b\n"},
	{"noend", "Subject: x\r\n\r\na", "Subject: x\n\na\n"},
	{"cr", "Subject: x\r\n\r\na\rb\r\r\nc\r", "Subject: x\n\na\rb\r\nc\r\n"},
	{"a.b-c_d", "\r\n", "\n"},
};

static void content_arrives(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_body *body =
			body_new("Received: by x;\r\n\tdate\r\n", str_from(cases[i].body));
		struct maildir_mail m = {.data_dir = dir,
			.hostname = "mx/odd:name",
			.account = str_from(cases[i].account),
			.mail_from = STR("s@x.example"),
			.rcpt = STR("r@\nx.example"),
			.body = body,
			.received_ms = 1795510156007,
			.rcpt_id = 4711};
		char name[256], text[1000], want[1000], path[400];
		struct stat st;
		struct err err = {.kind = ERR_NONE};
		print_message("%s\n", cases[i].account);
		assert_int_equal(maildir_deliver(&m, &err), 0);
		assert_int_equal(folder_read(cases[i].account, "tmp", NULL, NULL, 0), 0);
		assert_int_equal(folder_read(cases[i].account, "new", name, text, sizeof(text)), 1);
		snprintf(want, sizeof(want),
			"Return-Path: <s@x.example>\nDelivered-To: r@?x.example\n"
			"Received: by x;\n\tdate\n%s",
			cases[i].file);
		assert_string_equal(text, want);
		assert_null(strchr(name, ':'));
		snprintf(path, sizeof(path), "%s/mail/%s/new/%s", dir, cases[i].account, name);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		snprintf(path, sizeof(path), "%s/mail/%s/cur", dir, cases[i].account);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
		assert_string_equal(name, "1795510156.M007R4711.mx_odd_name");
		/* The same recipient again, after a crash: it is there. Another one is not. */
		assert_int_equal(maildir_deliver(&m, &err), 0);
		assert_int_equal(folder_read(cases[i].account, "new", NULL, NULL, 0), 1);
		m.rcpt_id = 4712;
		assert_int_equal(maildir_deliver(&m, &err), 0);
		assert_int_equal(folder_read(cases[i].account, "new", NULL, NULL, 0), 2);
		store_body_close(&body);
	}
}

static void large_ones_too(void **state)
{
	size_t n = 3 * 64 * 1024 + 11;
	char *text = malloc(n + 1), name[256], *got = malloc(n + 1000);
	struct err err;

	(void)state;
	for (size_t i = 0; i + 1 < n; i += 2) { /* every CRLF, wherever pieces are cut */
		text[i] = '\r';
		text[i + 1] = '\n';
	}
	text[n - 1] = 'x';
	text[n] = '\0';
	struct spool *sp;
	struct store_rcpt_new rcpt = {.address = STR("r@x.example"), .dest = STR("x.example")};
	struct store_msg_new msg = {.rcpts = &rcpt, .rcpt_count = 1, .hold = true};
	struct store_body *body;
	int64_t id;
	assert_int_equal(spool_create(store, &sp, &err), 0);
	assert_int_equal(spool_write(sp, (struct str){text, n}, &err), 0);
	assert_int_equal(spool_commit(sp, &err), 0);
	msg.spool = sp;
	assert_int_equal(store_msg_add(store, &msg, &id, &err), 0);
	spool_close(&sp);
	assert_int_equal(store_body_open(store, id, &body, &err), 0);
	struct maildir_mail m = {
		.data_dir = dir, .hostname = "mx", .account = STR("large"), .body = body};
	assert_int_equal(maildir_deliver(&m, &err), 0);
	assert_int_equal(folder_read("large", "new", name, got, n + 1000), 1);
	const char *at = strstr(got, "Delivered-To: \n");
	assert_non_null(at);
	assert_int_equal(strlen(at + 15), n / 2 + 2);
	assert_null(strchr(at, '\r'));
	store_body_close(&body);
	free(text);
	free(got);
}

static void bad_accounts_and_full_disks(void **state)
{
	static const char *const bad[] = {"", "..", ".hidden", "a/b", "/etc"};
	struct store_body *body = body_new("", STR("x\r\n"));
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct maildir_mail m = {.data_dir = dir,
			.hostname = "mx",
			.account = str_from(bad[i]),
			.body = body};
		assert_int_equal(maildir_deliver(&m, &err), -1);
	}
	struct maildir_mail m = {
		.data_dir = "/proc/nowhere", .hostname = "mx", .account = STR("a"), .body = body};
	assert_int_equal(maildir_deliver(&m, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_non_null(strstr(err.text, "/proc/nowhere"));
	store_body_close(&body);
}

/* A kill between create and link leaves a file in tmp/. */
static void old_leftovers_are_swept(void **state)
{
	static const struct {
		const char *path;
		int64_t age;
		bool stays;
	} files[] = {
		{"mail/sweep/tmp/old", MAILDIR_TMP_AGE_S + 1, false},
		{"mail/sweep/tmp/young", MAILDIR_TMP_AGE_S - 60, true},
		{"mail/sweep/tmp/.hidden", MAILDIR_TMP_AGE_S + 1, true},
		{"mail/sweep/new/old", MAILDIR_TMP_AGE_S + 1, true},
		{"mail/sweep/cur/old", MAILDIR_TMP_AGE_S + 1, true},
	};
	static const char *const folders[] = {
		"mail", "mail/sweep", "mail/sweep/tmp", "mail/sweep/new", "mail/sweep/cur"};
	const int64_t now = 1800000000;
	char path[300];

	(void)state;
	assert_int_equal(maildir_sweep("/nonexistent", now), 0);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].path);
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fclose(f), 0);
		struct timespec t[2] = {{now - files[i].age, 0}, {now - files[i].age, 0}};
		assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
	}
	assert_int_equal(maildir_sweep(dir, now), 1);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].path);
		assert_int_equal(access(path, F_OK) == 0, files[i].stays);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_arrives),
		cmocka_unit_test(large_ones_too),
		cmocka_unit_test(old_leftovers_are_swept),
		cmocka_unit_test(bad_accounts_and_full_disks),
	};
	return cmocka_run_group_tests(tests, up, down);
}
