#include "tests/unit/unit.h"

#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char dir[40], copy[60], file[80], spool[80];
	struct store *s;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct err err;

	*state = p;
	if (p == NULL)
		return -1;
	snprintf(p->dir, sizeof(p->dir), "/tmp/mox-backup-XXXXXX");
	if (mkdtemp(p->dir) == NULL || store_open(p->dir, &p->s, &err) < 0)
		return -1;
	snprintf(p->copy, sizeof(p->copy), "%s/copy", p->dir);
	snprintf(p->file, sizeof(p->file), "%s/mox.db", p->copy);
	snprintf(p->spool, sizeof(p->spool), "%s/spool", p->copy);
	return mkdir(p->copy, 0700) < 0 || mkdir(p->spool, 0700) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[80];

	store_close(&p->s);
	snprintf(command, sizeof(command), "rm -rf %s", p->dir);
	free(p);
	return system(command);
}

/* A message with a file; where that is goes to path. */
static int64_t large_add(struct place *p, char path[160])
{
	struct store_rcpt_new rcpt = {.address = STR("a@x.org"), .dest = STR("x.org")};
	struct store_msg_new msg = {.rcpts = &rcpt, .rcpt_count = 1};
	struct err err;
	int64_t id;

	assert_int_equal(spool_create(p->s, &msg.spool, &err), 0);
	assert_int_equal(spool_write(msg.spool, STR("Subject: x\r\n\r\nbig\r\n"), &err), 0);
	assert_int_equal(spool_commit(msg.spool, &err), 0);
	assert_int_equal(store_msg_add(p->s, &msg, &id, &err), 0);
	snprintf(path, 160, "%s/spool/%s", p->dir, spool_name(msg.spool));
	spool_close(&msg.spool);
	return id;
}

static void file_copy(const struct place *p, const char *path)
{
	char command[400];

	snprintf(command, sizeof(command), "cp %s %s/", path, p->spool);
	assert_int_equal(system(command), 0);
}

/* Delivered between the copy of the database and that of the files: not in the copy. A file
 * that is lost although its message is there stays an alarm. */
static void what_left_meanwhile_leaves_the_copy(void **state)
{
	struct place *p = *state;
	char kept_file[160], gone_file[160], lost_file[160];
	int64_t kept = large_add(p, kept_file), gone = large_add(p, gone_file),
		lost = large_add(p, lost_file);
	struct store_queue_message m;
	struct arena *a = arena_open();
	struct store *copy;
	size_t n;
	struct err err;

	assert_int_equal(store_backup(p->s, p->file, &err), 0);
	assert_int_equal(store_queue_act(p->s, STORE_QUEUE_DROP, gone, 0, &n, &err), 0);
	assert_int_equal(access(gone_file, F_OK), -1);
	assert_int_equal(unlink(lost_file), 0);
	file_copy(p, kept_file);
	assert_int_equal(store_backup_settle(p->s, p->file, p->spool, &n, &err), 0);
	assert_int_equal(n, 1);

	assert_int_equal(store_open(p->copy, &copy, &err), 0);
	assert_int_equal(store_queue_get(copy, gone, a, &m, &err), 0);
	assert_int_equal(store_queue_get(copy, kept, a, &m, &err), 1);
	assert_false(m.held_spool_missing);
	assert_int_equal(m.rcpts[0].state, STORE_RCPT_QUEUED);
	assert_int_equal(store_queue_get(copy, lost, a, &m, &err), 1);
	assert_true(m.held_spool_missing);
	struct store_queue_summary sum;
	assert_int_equal(store_queue_summary(copy, &sum, &err), 0);
	assert_true(sum.messages == 2 && sum.queued == 1 && sum.held == 1);
	store_close(&copy);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_left_meanwhile_leaves_the_copy, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
