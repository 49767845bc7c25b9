#include "queue/maildir.h"

#include "base/buf.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, PATH_ROOM = 4096, NAME_ROOM = 400 };

static int disk_error(struct err *err, const char *what, const char *path)
{
	enum err_kind kind = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_TEMP;

	return err_set(err, kind, "%s %s: %s", what, path, strerror(errno));
}

static int folder_sync(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return disk_error(err, "open", path);
	int rc = fsync(fd) < 0 ? disk_error(err, "fsync", path) : 0;
	close(fd);
	return rc;
}

/* An account's folders, made when its first mail comes. */
static int folders_make(const char *data_dir, const char *home, struct err *err)
{
	static const char *const names[] = {"", "/tmp", "/new", "/cur"};
	char path[PATH_ROOM + 8];

	snprintf(path, sizeof(path), "%s/mail", data_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return disk_error(err, "mkdir", path);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", home, names[i]);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return disk_error(err, "mkdir", path);
	}
	if (folder_sync(home, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/mail", data_dir);
	return folder_sync(path, err) < 0 || folder_sync(data_dir, err) < 0 ? -1 : 0;
}

/* "time.unique.host": unique because queue ids are never used again. */
static void name_make(char out[NAME_ROOM], const struct maildir_mail *mail)
{
	char host[200];
	size_t n = 0;

	for (const char *p = mail->hostname; *p && n + 1 < sizeof(host); p++)
		host[n++] = *p == '/' || *p == ':' ? '_' : *p;
	host[n] = '\0';
	snprintf(out, NAME_ROOM, "%" PRId64 ".M%03" PRId64 "R%" PRId64 ".%s",
		mail->received_ms / 1000, mail->received_ms % 1000, mail->rcpt_id, host);
}

static int chunk_write(int fd, struct buf *b, const char *path, struct err *err)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(fd, b->p + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return disk_error(err, "write", path);
		done += (size_t)n;
	}
	buf_clear(b);
	return 0;
}

/* Appends piece with CRLF made LF. A CR at its end waits in *cr for the next one. */
static void lines_append(struct buf *b, struct str piece, bool *cr)
{
	while (piece.len > 0) {
		if (*cr && piece.p[0] != '\n')
			buf_byte(b, '\r');
		*cr = false;
		const char *at = memchr(piece.p, '\r', piece.len);
		size_t n = at != NULL ? (size_t)(at - piece.p) : piece.len;
		buf_raw(b, (struct str){piece.p, n});
		*cr = at != NULL;
		piece = str_skip(piece, at != NULL ? n + 1 : n);
	}
}

static void header_append(struct buf *b, const char *name, struct str value, const char *ends)
{
	buf_printf(b, "%s: ", name);
	if (ends[0])
		buf_byte(b, ends[0]);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];
		buf_byte(b, c < ' ' || c == 0x7f ? '?' : value.p[i]);
	}
	if (ends[0])
		buf_byte(b, ends[1]);
	buf_byte(b, '\n');
}

static int content_write(int fd, const char *path, const struct maildir_mail *mail, struct err *err)
{
	struct buf b = {NULL, 0, 0};
	struct str piece;
	bool cr = false;
	char last = '\n';
	int rc;

	header_append(&b, "Return-Path", mail->mail_from, "<>");
	header_append(&b, "Delivered-To", mail->rcpt, "");
	store_body_rewind(mail->body);
	while ((rc = store_body_next(mail->body, &piece, err)) > 0) {
		lines_append(&b, piece, &cr);
		if (b.len > 0)
			last = b.p[b.len - 1];
		if (b.len >= CHUNK && (rc = chunk_write(fd, &b, path, err)) < 0)
			break;
	}
	if (rc == 0) {
		if (cr)
			buf_byte(&b, '\r');
		if (cr || last != '\n')
			buf_byte(&b, '\n');
		rc = chunk_write(fd, &b, path, err);
	}
	buf_free(&b);
	if (rc == 0 && fsync(fd) < 0)
		rc = disk_error(err, "fsync", path);
	return rc;
}

/* Opens the file in tmp/; makes the folders when they are not there. */
static int tmp_open(
	const struct maildir_mail *mail, const char *home, const char *path, struct err *err)
{
	/* One that a crash left is written over. */
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, flags, 0600);

	if (fd < 0 && errno == ENOENT) {
		if (folders_make(mail->data_dir, home, err) < 0)
			return -1;
		fd = open(path, flags, 0600);
	}
	return fd < 0 ? disk_error(err, "create", path) : fd;
}

int maildir_deliver(const struct maildir_mail *mail, struct err *err)
{
	char home[PATH_ROOM - 8], tmp[PATH_ROOM + NAME_ROOM], to[PATH_ROOM + NAME_ROOM];
	char name[NAME_ROOM];

	if (mail->account.len == 0 || mail->account.p[0] == '.' ||
		memchr(mail->account.p, '/', mail->account.len) != NULL ||
		(size_t)snprintf(home, sizeof(home), "%s/mail/%.*s", mail->data_dir,
			STR_FMT(mail->account)) >= sizeof(home))
		return err_set(err, ERR_TEMP, "no folder can be named after account \"%.*s\"",
			STR_FMT(mail->account));
	name_make(name, mail);
	snprintf(tmp, sizeof(tmp), "%s/tmp/%s", home, name);
	int fd = tmp_open(mail, home, tmp, err);
	if (fd < 0)
		return -1;
	int rc = content_write(fd, tmp, mail, err);
	close(fd);
	snprintf(to, sizeof(to), "%s/new/%s", home, name);
	if (rc == 0 && link(tmp, to) < 0 && errno != EEXIST)
		rc = disk_error(err, "link to", to);
	unlink(tmp);
	if (rc < 0)
		return -1;
	snprintf(tmp, sizeof(tmp), "%s/new", home);
	return folder_sync(tmp, err);
}

static size_t tmp_sweep(const char *tmp, int64_t now_s)
{
	DIR *dir = opendir(tmp);
	struct dirent *e;
	size_t n = 0;

	if (dir == NULL)
		return 0; /* an account without mail has none */
	while ((e = readdir(dir)) != NULL) {
		struct stat st;
		if (e->d_name[0] == '.' ||
			fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISREG(st.st_mode) || now_s - st.st_mtime < MAILDIR_TMP_AGE_S)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0)
			n++;
		else if (errno != ENOENT)
			log_event(LOG_LEVEL_WARN, "maildir.sweep_failed", "folder", tmp, "error",
				strerror(errno), NULL);
	}
	closedir(dir);
	return n;
}

size_t maildir_sweep(const char *data_dir, int64_t now_s)
{
	char path[PATH_ROOM + NAME_ROOM];
	struct dirent *e;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/mail", data_dir);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/mail/%s/tmp", data_dir, e->d_name);
		n += tmp_sweep(path, now_s);
	}
	closedir(dir);
	return n;
}
