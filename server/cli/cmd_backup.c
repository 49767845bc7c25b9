/* cmd_backup - a copy of the data directory that mox can start from. The database goes first,
 * through SQLite's online backup, then the files: those it names are there already, or their
 * messages were delivered meanwhile and leave the copy. */
#include "base/privileges.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = 4096, DEPTH_MAX = 16, COPY_SIZE = 64 * 1024 };

static int path_join(char out[PATH_TEXT_MAX], const char *dir, const char *name, struct err *err)
{
	int n = snprintf(out, PATH_TEXT_MAX, "%s/%s", dir, name);

	if (n < 0 || n >= PATH_TEXT_MAX)
		return err_set(err, ERR_PERM, "%s/%s: the name is too long", dir, name);
	return 0;
}

/* The database, its lock and the control socket are not for copying as files. */
static bool is_copied(const char *name)
{
	return strncmp(name, "mox.db", 6) != 0 && strcmp(name, "ctl") != 0 &&
	       strcmp(name, "lock") != 0 && strcmp(name, "mox.lock") != 0;
}

static int bytes_copy(int from, int to, const char *name, struct err *err)
{
	static const char what[] = "copy of";
	ssize_t n;

	do
		n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
	while (n > 0);
	if (n == 0)
		return 0;
	if (errno != EXDEV && errno != ENOSYS && errno != EINVAL && errno != EOPNOTSUPP)
		return err_set(err, ERR_TEMP, "%s %s: %s", what, name, strerror(errno));
	char data[COPY_SIZE];
	while ((n = read(from, data, sizeof(data))) > 0)
		if (write(to, data, (size_t)n) != n)
			return err_set(err, ERR_FULL, "%s %s: %s", what, name, strerror(errno));
	return n == 0 ? 0 : err_set(err, ERR_TEMP, "%s %s: %s", what, name, strerror(errno));
}

static int file_copy(const char *from, const char *to, struct err *err)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0) /* delivered and removed meanwhile */
		return errno == ENOENT ? 0
				       : err_set(err, ERR_PERM, "%s: %s", from, strerror(errno));
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0) {
		err_set(err, ERR_PERM, "%s: %s", to, strerror(errno));
		close(in);
		return -1;
	}
	int rc = bytes_copy(in, out, from, err);
	if (rc == 0 && fsync(out) < 0)
		rc = err_set(err, ERR_FULL, "%s: %s", to, strerror(errno));
	close(in);
	close(out);
	return rc;
}

static int tree_copy(const char *from, const char *to, int depth, struct err *err);

static int entry_copy(
	const char *from_dir, const char *to_dir, const char *name, int depth, struct err *err)
{
	char from[PATH_TEXT_MAX], to[PATH_TEXT_MAX];
	struct stat st;

	if (path_join(from, from_dir, name, err) < 0 || path_join(to, to_dir, name, err) < 0)
		return -1;
	if (lstat(from, &st) < 0)
		return errno == ENOENT ? 0
				       : err_set(err, ERR_PERM, "%s: %s", from, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return tree_copy(from, to, depth + 1, err);
	return S_ISREG(st.st_mode) ? file_copy(from, to, err) : 0;
}

static int tree_copy(const char *from, const char *to, int depth, struct err *err)
{
	struct dirent *e;
	int rc = 0;

	if (depth > DEPTH_MAX)
		return err_set(err, ERR_PERM, "%s: too deep", from);
	if (mkdir(to, 0700) < 0 && errno != EEXIST)
		return err_set(err, ERR_PERM, "%s: %s", to, strerror(errno));
	DIR *d = opendir(from);
	if (d == NULL)
		return err_set(err, ERR_PERM, "%s: %s", from, strerror(errno));
	while (rc == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			(depth > 0 || is_copied(e->d_name)))
			rc = entry_copy(from, to, e->d_name, depth, err);
	closedir(d);
	return rc;
}

static int backup(const struct config *c, const char *to, struct err *err)
{
	char file[PATH_TEXT_MAX], spool[PATH_TEXT_MAX];
	struct store *s = NULL;
	size_t dropped;

	if (path_join(file, to, "mox.db", err) < 0 || path_join(spool, to, "spool", err) < 0)
		return -1;
	if (access(file, F_OK) == 0)
		return err_set(
			err, ERR_PERM, "%s is there already; choose an empty directory", file);
	if (store_open_readonly(c->data_dir, &s, err) < 0)
		return -1;
	int rc = 0;
	if (mkdir(to, 0700) < 0 && errno != EEXIST)
		rc = err_set(err, ERR_PERM, "%s: %s", to, strerror(errno));
	if (rc == 0)
		rc = store_backup(s, file, err);
	if (rc == 0)
		rc = tree_copy(c->data_dir, to, 0, err);
	if (rc == 0)
		rc = store_backup_settle(s, file, spool, &dropped, err);
	store_close(&s);
	return rc;
}

int cmd_backup(const struct cli *cli, struct err *err)
{
	struct config *c;

	if (cli_config_find(cli, &c, err) < 0)
		return -1;
	process_prepare();
	int rc = backup(c, cli->args[0], err);
	config_release(c);
	return rc;
}
