#include "base/privileges.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* Ten thousand idle sessions share these; a heap of its own for each of them would
	 * cost more memory than the sessions. */
	MALLOC_ARENAS = 4,
	PASSWD_TEXT_MAX = 16384,
	PATH_TEXT_MAX = 4096
};

void process_prepare(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		/* With less, accept pauses when files run out. */
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	umask(077);
}

static bool wants_user(const char *user)
{
	return geteuid() == 0 && user != NULL && user[0] != '\0' && strcmp(user, "root") != 0;
}

static int user_find(const char *user, uid_t *uid, gid_t *gid, struct err *err)
{
	struct passwd row, *found = NULL;
	char *text = mem_alloc(PASSWD_TEXT_MAX);
	int rc = getpwnam_r(user, &row, text, PASSWD_TEXT_MAX, &found);

	if (found != NULL) {
		*uid = row.pw_uid;
		*gid = row.pw_gid;
	}
	free(text);
	if (rc != 0)
		return err_set(err, ERR_TEMP, "user \"%s\": %s", user, strerror(rc));
	if (found == NULL)
		return err_set(err, ERR_PERM,
			"user \"%s\" does not exist; create it (useradd --system %s) or set User "
			"in mox.conf",
			user, user);
	return 0;
}

/* mkdir -p for the folders above; only the last is ours alone. */
static int parents_make(const char *dir)
{
	char path[PATH_TEXT_MAX];

	if (!str_copy(path, sizeof(path), str_from(dir))) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -1;
		*at = '/';
	}
	return 0;
}

int data_dir_prepare(const char *data_dir, const char *user, struct err *err)
{
	struct stat st;
	uid_t uid = 0;
	gid_t gid = 0;

	if (wants_user(user) && user_find(user, &uid, &gid, err) < 0)
		return -1;
	if (stat(data_dir, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			return err_set(
				err, ERR_PERM, "data directory %s: not a directory", data_dir);
		return 0;
	}
	mode_t old = umask(022);
	int rc = errno == ENOENT ? parents_make(data_dir) : -1;
	umask(old);
	if (rc < 0 || mkdir(data_dir, 0700) < 0)
		return err_set(err, ERR_PERM, "data directory %s: %s", data_dir, strerror(errno));
	if (wants_user(user) && chown(data_dir, uid, gid) < 0) {
		err_set(err, ERR_PERM, "data directory %s: cannot give it to user %s: %s", data_dir,
			user, strerror(errno));
		rmdir(data_dir);
		return -1;
	}
	return 0;
}

/* The permitted and effective sets become just this one. */
static int capabilities_keep(struct err *err)
{
	static const cap_value_t keep[] = {CAP_NET_BIND_SERVICE};
	cap_t caps = cap_init();

	if (caps == NULL || cap_set_flag(caps, CAP_PERMITTED, 1, keep, CAP_SET) < 0 ||
		cap_set_flag(caps, CAP_EFFECTIVE, 1, keep, CAP_SET) < 0 || cap_set_proc(caps) < 0) {
		cap_free(caps);
		return err_set(err, ERR_PERM, "capabilities: %s", strerror(errno));
	}
	cap_free(caps);
	return 0;
}

int privileges_drop(const char *user, struct err *err)
{
	uid_t uid;
	gid_t gid;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, ERR_PERM, "no_new_privs: %s", strerror(errno));
	if (!wants_user(user))
		return 0;
	if (user_find(user, &uid, &gid, err) < 0)
		return -1;
	/* A container may not have the capability; root in it may still drop. */
	bool keep =
		cap_get_bound(CAP_NET_BIND_SERVICE) == 1 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
	if (initgroups(user, gid) < 0 || setresgid(gid, gid, gid) < 0 ||
		setresuid(uid, uid, uid) < 0)
		return err_set(err, ERR_PERM, "cannot become user %s: %s", user, strerror(errno));
	if (keep && capabilities_keep(err) < 0)
		return -1;
	if (setuid(0) == 0)
		return err_set(err, ERR_BUG, "still root after becoming user %s", user);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no core file with mail and keys in it */
	return 0;
}
