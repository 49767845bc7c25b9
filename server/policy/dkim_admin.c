#include "policy/dkim_admin.h"

#include "base/log.h"
#include "base/rand.h"
#include "policy/admin_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	SELECTOR_NAME_MAX = 63,
	FILE_NAME_MAX = 240, /* octets of a key file's name */
	HEADERS_MAX = 100,
	RSA_BITS_DEFAULT = 2048
};

/* --- checks --- */

/* One label or several, as they go in front of "._domainkey". */
static struct str name_check(struct arena *a, struct str text, struct admin_problems *problems)
{
	char ascii[DNS_NAME_MAX];
	struct str name = str_trim(text);
	struct err err;

	if (name.len == 0)
		admin_problem(problems, "name", "A selector needs a name, for example 2026a.");
	else if (dns_name_to_ascii(name, ascii, &err) < 0)
		admin_problem(problems, "name",
			"Letters, digits and hyphens, for example 2026a (%s).", err.text);
	else if (strlen(ascii) > SELECTOR_NAME_MAX)
		admin_problem(problems, "name", "At most %d characters.", SELECTOR_NAME_MAX);
	else
		return arena_str(a, str_from(ascii));
	return name;
}

static bool field_name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ';')
			return false;
	}
	return name.len > 0;
}

/* Names between ":", "," or white space; empty for the default set. */
static struct str headers_check(struct arena *a, struct str text, struct admin_problems *problems)
{
	char *copy = arena_strdup(a, text);
	struct str rest = {copy, text.len}, name;
	struct buf b = {NULL, 0, 0};
	bool from = false;
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (copy[i] == ',' || copy[i] == ' ' || copy[i] == '\r' || copy[i] == '\n' ||
			copy[i] == '\t')
			copy[i] = ':';
	}
	while (text.len > 0 && str_next(&rest, ':', &name)) {
		if (name.len == 0)
			continue;
		if (!field_name_is_valid(name)) {
			admin_problem(problems, "headers", "\"%.*s\" cannot be a field name.",
				STR_FMT(name));
			break;
		}
		if (++count > HEADERS_MAX) {
			admin_problem(problems, "headers", "At most %d names.", HEADERS_MAX);
			break;
		}
		from = from || str_eq_nocase(name, STR("From"));
		buf_printf(&b, "%s%.*s", b.len ? ":" : "", STR_FMT(name));
	}
	if (count > 0 && !from)
		admin_problem(problems, "headers",
			"From has to be among them: a signature without it says nothing.");
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

void dkim_admin_check(struct arena *a, struct store_selector *row, struct admin_problems *problems)
{
	row->name = name_check(a, row->name, problems);
	row->headers = headers_check(a, row->headers, problems);
	if (row->expiration_s < 0 || row->expiration_s > DKIM_ADMIN_EXPIRATION_MAX_S)
		admin_problem(problems, "expiration", "At most a year; 0 for never.");
	else if (row->expiration_s > 0 && row->expiration_s < 3600)
		admin_problem(problems, "expiration",
			"At least an hour: mail may wait in queues on its way.");
}

/* --- key files --- */

static int dir_make(struct arena *a, struct store *s, const char *name, struct err *err)
{
	const char *path = arena_printf(a, "%s/%s", store_data_dir(s), name);

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, ERR_TEMP, "%s: %s", path, strerror(errno));
	return 0;
}

/* dkim/SELECTOR._domainkey.DOMAIN.TIME.rsa2048.privatekey.pkcs8.pem */
static struct str file_name(struct arena *a, const struct store_selector *row, struct str domain)
{
	char when[32], id[RAND_ID_TEXT];
	time_t now = (time_t)clock_unix_s();
	struct tm tm;

	gmtime_r(&now, &tm);
	(void)strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm);
	const char *kind = row->ed25519 ? "ed25519" : arena_printf(a, "rsa%u", row->bits);
	const char *name = arena_printf(a, "dkim/%.*s._domainkey.%.*s.%s.%s.privatekey.pkcs8.pem",
		STR_FMT(row->name), STR_FMT(domain), when, kind);
	if (strlen(name) > FILE_NAME_MAX)
		name = arena_printf(a, "dkim/%s.%s.privatekey.pkcs8.pem", rand_id(id), kind);
	return str_from(name);
}

static int file_write(const char *path, struct str text, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd >= 0;

	while (ok && text.len > 0) {
		ssize_t n = write(fd, text.p, text.len);
		ok = n > 0 || (n < 0 && errno == EINTR);
		if (n > 0)
			text = str_skip(text, (size_t)n);
	}
	ok = ok && fsync(fd) == 0;
	if (!ok)
		(void)err_set(err, errno == ENOSPC ? ERR_FULL : ERR_TEMP, "%s: %s", path,
			strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!ok && fd >= 0)
		unlink(path);
	return ok ? 0 : -1;
}

static int key_save(struct store *s, struct arena *a, struct store_selector *row, struct str domain,
	const struct dkim_key *key, struct err *err)
{
	struct buf pem = {NULL, 0, 0};
	int rc;

	row->ed25519 = dkim_key_type(key) == DKIM_ED25519;
	row->bits = dkim_key_bits(key);
	row->public_b64 = dkim_key_public(key, a);
	row->key_file = file_name(a, row, domain);
	if (dir_make(a, s, "dkim", err) < 0 || dkim_key_write(key, &pem, err) < 0)
		return -1;
	rc = file_write(arena_printf(a, "%s/%.*s", store_data_dir(s), STR_FMT(row->key_file)),
		buf_str(&pem), err);
	explicit_bzero(pem.p, pem.len);
	buf_free(&pem);
	return rc;
}

/* To dkim/old/, where it can be found again; failing that is only a line in the log. */
static void file_retire(struct store *s, struct arena *a, struct str key_file)
{
	struct err err;

	if (!str_starts(key_file, STR("dkim/")) || dir_make(a, s, "dkim/old", &err) < 0)
		return;
	const char *from = arena_printf(a, "%s/%.*s", store_data_dir(s), STR_FMT(key_file));
	const char *to = arena_printf(a, "%s/dkim/old/%.*s", store_data_dir(s),
		STR_FMT(str_skip(key_file, strlen("dkim/"))));
	if (rename(from, to) < 0 && errno != ENOENT)
		log_event(LOG_LEVEL_WARN, "dkim.key_not_moved", "file", from, "error",
			strerror(errno), NULL);
}

/* --- changes --- */

/* An error's text as a sentence. */
static void error_problem(struct admin_problems *problems, const char *field, const struct err *err)
{
	char first = err->text[0];

	if (first >= 'a' && first <= 'z')
		first = (char)(first - 'a' + 'A');
	admin_problem(problems, field, "%c%s.", first, err->text + (first != '\0'));
}

static int stored(int rc, const char *field, struct admin_problems *problems, const struct err *err)
{
	if (rc == 0 || err->kind != ERR_PERM)
		return rc;
	error_problem(problems, field, err);
	return 1;
}

static int taken_check(struct store *s, struct arena *a, const struct store_selector *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_selector *rows;
	size_t count;

	if (store_selector_list(s, row->domain_id, a, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(rows[i].name, row->name) && rows[i].id != row->id)
			admin_problem(problems, "name", "There is a selector %.*s already.",
				STR_FMT(row->name));
	}
	return 0;
}

/* Takes key over. */
static int add(struct store *s, struct arena *a, struct store_selector *row, struct dkim_key *key,
	struct admin_problems *problems, struct err *err)
{
	struct store_domain domain;
	int rc = store_domain_get(s, row->domain_id, a, &domain, err);

	if (rc == 0)
		rc = err_set(err, ERR_PERM, "the domain is gone");
	else if (rc == 1)
		rc = key_save(s, a, row, domain.name, key, err);
	dkim_key_free(&key);
	if (rc < 0)
		return -1;
	row->id = 0;
	row->domain = domain.name;
	rc = stored(store_selector_put(s, row, err), "name", problems, err);
	if (rc != 0)
		unlink(arena_printf(a, "%s/%.*s", store_data_dir(s), STR_FMT(row->key_file)));
	return rc;
}

int dkim_admin_generate(struct store *s, struct arena *a, struct store_selector *row,
	enum dkim_key_type type, unsigned bits, struct admin_problems *problems, struct err *err)
{
	struct dkim_key *key;

	problems->count = 0;
	if (bits == 0)
		bits = RSA_BITS_DEFAULT;
	dkim_admin_check(a, row, problems);
	if (type == DKIM_RSA && (bits < DKIM_RSA_BITS_MIN || bits > DKIM_RSA_BITS_MAX))
		admin_problem(problems, "bits", "From %d to %d bits.", DKIM_RSA_BITS_MIN,
			DKIM_RSA_BITS_MAX);
	if (taken_check(s, a, row, problems, err) < 0)
		return -1;
	if (problems->count > 0)
		return 1;
	if (dkim_key_generate(type, bits, &key, err) < 0)
		return -1;
	return add(s, a, row, key, problems, err);
}

int dkim_admin_import(struct store *s, struct arena *a, struct store_selector *row, struct str pem,
	struct admin_problems *problems, struct err *err)
{
	struct dkim_key *key;

	problems->count = 0;
	dkim_admin_check(a, row, problems);
	if (dkim_key_read(pem, &key, err) < 0)
		error_problem(problems, "key", err);
	if (taken_check(s, a, row, problems, err) < 0) {
		dkim_key_free(&key);
		return -1;
	}
	if (problems->count > 0) {
		dkim_key_free(&key);
		return 1;
	}
	return add(s, a, row, key, problems, err);
}

int dkim_admin_save(struct store *s, struct arena *a, struct store_selector *row,
	struct admin_problems *problems, struct err *err)
{
	problems->count = 0;
	dkim_admin_check(a, row, problems);
	if (taken_check(s, a, row, problems, err) < 0)
		return -1;
	if (problems->count > 0)
		return 1;
	return stored(store_selector_put(s, row, err), "name", problems, err);
}

int dkim_admin_delete(struct store *s, struct arena *a, int64_t id, struct err *err)
{
	struct store_selector row;
	int rc = store_selector_get(s, id, a, &row, err);

	if (rc <= 0)
		return rc;
	if (store_selector_delete(s, id, err) < 0)
		return -1;
	file_retire(s, a, row.key_file);
	return 0;
}

int dkim_admin_domain_delete(struct store *s, struct arena *a, int64_t domain_id, struct err *err)
{
	struct store_selector *rows;
	size_t count;

	if (store_selector_list(s, domain_id, a, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (store_selector_delete(s, rows[i].id, err) < 0)
			return -1;
		file_retire(s, a, rows[i].key_file);
	}
	return 0;
}

/* --- for people --- */

struct str dkim_admin_name_suggest(
	struct arena *a, const struct store_selector *rows, size_t count, int64_t now_s)
{
	char when[CLOCK_TEXT];

	clock_iso(now_s, when);
	for (char letter = 'a'; letter <= 'z'; letter++) {
		struct str name = str_from(arena_printf(a, "%.4s%c", when, letter));
		bool taken = false;
		for (size_t i = 0; i < count && !taken; i++)
			taken = str_eq(rows[i].name, name);
		if (!taken)
			return name;
	}
	return str_from(arena_printf(a, "%lld", (long long)now_s));
}

struct str dkim_admin_record_name(struct arena *a, const struct store_selector *row)
{
	return str_from(
		arena_printf(a, "%.*s._domainkey.%.*s", STR_FMT(row->name), STR_FMT(row->domain)));
}

struct str dkim_admin_record(struct arena *a, const struct store_selector *row)
{
	return dkim_record_write(a, row->ed25519 ? DKIM_ED25519 : DKIM_RSA, row->public_b64);
}

int dkim_admin_sealer_save(struct store *s, struct arena *a, struct store_sealer *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_sealer *all;
	size_t count;

	problems->count = 0;
	row->domain = admin_domain_check(a, row->domain, "domain", problems);
	row->comment = admin_text_check(a, row->comment, "comment", problems);
	if (store_sealer_list(s, a, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(all[i].domain, row->domain) && all[i].id != row->id)
			admin_problem(problems, "domain", "%.*s is listed already.",
				STR_FMT(row->domain));
	}
	if (problems->count > 0)
		return 1;
	return stored(store_sealer_put(s, row, err), "domain", problems, err);
}
