/* cmd_dkim_sign - our own keys: sign, generate, show as a DNS record. */
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"
#include "config/sconf.h"
#include "policy/dkim_admin.h"
#include "policy/signing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RSA_BITS = 2048 };

static int store_read(const struct cli *cli, struct store **out, struct err *err)
{
	struct config *c;

	*out = NULL;
	if (cli_config_find(cli, &c, err) < 0)
		return -1;
	int rc = store_open_readonly(c->data_dir, out, err);
	config_release(c);
	return rc;
}

static int key_file_read(struct arena *a, const char *file, struct dkim_key **out, struct err *err)
{
	struct str pem;

	*out = NULL;
	if (sconf_file_read(a, file, &pem, err) < 0)
		return -1;
	if (dkim_key_read(pem, out, err) < 0)
		return err_prefix(err, "%s", file);
	return 0;
}

/* "relaxed/simple": header, body. */
static int canonicalization_read(const char *word, struct dkim_selector *sel, struct err *err)
{
	struct str header = str_from(word), body = header;

	(void)str_split(str_from(word), '/', &header, &body);
	if ((!str_eq(header, STR("relaxed")) && !str_eq(header, STR("simple"))) ||
		(!str_eq(body, STR("relaxed")) && !str_eq(body, STR("simple"))))
		return err_set(err, ERR_PERM,
			"-canonicalization: relaxed or simple, or both with "
			"\"/\" between: header/body");
	sel->header = header.p[0] == 's' ? DKIM_SIMPLE : DKIM_RELAXED;
	sel->body = body.p[0] == 's' ? DKIM_SIMPLE : DKIM_RELAXED;
	return 0;
}

/* The selectors of the database that sign, or the one that was named. */
static int stored_selectors(const struct cli *cli, struct arena *a, struct str domain,
	struct signing_keys *keys, struct err *err)
{
	const char *only = cli_option(cli, "selector");
	struct store_domain d;
	struct store_selector *rows;
	struct store *s = NULL;
	size_t count = 0;
	int rc = store_read(cli, &s, err);

	if (rc == 0)
		rc = store_domain_find(s, domain, a, &d, err);
	if (rc == 0 && s != NULL)
		rc = err_set(err, ERR_PERM, "%.*s is not hosted here", STR_FMT(domain));
	if (rc == 1)
		rc = store_selector_list(s, d.id, a, &rows, &count, err);
	for (size_t i = 0; rc == 0 && i < count && keys->count < DKIM_SELECTORS_MAX; i++) {
		struct dkim_key *key;
		if (only ? !str_eq(rows[i].name, str_from(only)) : !rows[i].signing)
			continue;
		rc = signing_key_read(s, &rows[i], &key, err);
		if (rc == 0)
			keys->selectors[keys->count++] = signing_selector(a, &rows[i], key);
	}
	if (s != NULL)
		store_close(&s);
	if (rc == 0 && keys->count == 0)
		return err_set(err, ERR_PERM,
			only ? "%.*s has no selector of that name"
			     : "%.*s has no selector that signs",
			STR_FMT(domain));
	return rc;
}

static int selectors_find(
	const struct cli *cli, struct arena *a, struct signing_keys *keys, struct err *err)
{
	const char *domain = cli_option(cli, "domain"), *file = cli_option(cli, "key");
	const char *selector = cli_option(cli, "selector"), *canon;
	char ascii[DNS_NAME_MAX], name[DNS_NAME_MAX];

	if (domain == NULL)
		return err_set(err, ERR_PERM, "say for which domain: -domain DOMAIN");
	if (dns_name_to_ascii(str_from(domain), ascii, err) < 0)
		return -1;
	keys->domain = arena_str(a, str_from(ascii));
	if (file == NULL)
		return stored_selectors(cli, a, keys->domain, keys, err);
	if (selector == NULL)
		return err_set(err, ERR_PERM, "with -key a -selector NAME is needed too");
	if (dns_name_to_ascii(str_from(selector), name, err) < 0)
		return -1;
	struct dkim_selector sel = {
		.domain = keys->domain, .selector = arena_str(a, str_from(name))};
	canon = cli_option(cli, "canonicalization");
	if ((canon != NULL && canonicalization_read(canon, &sel, err) < 0) ||
		key_file_read(a, file, &sel.key, err) < 0)
		return -1;
	keys->selectors[keys->count++] = sel;
	return 0;
}

/* Pieces go through the signer and into a file: the signature is printed before them. */
static int body_pass(struct cli_message *m, struct dkim_signer *signer, FILE *copy, struct err *err)
{
	struct str piece;
	int rc;

	while ((rc = cli_message_next(m, &piece, err)) == 1) {
		dkim_signer_feed(signer, piece);
		if (fwrite(piece.p, 1, piece.len, copy) != piece.len)
			return err_set(err, ERR_TEMP, "temporary file: %s", strerror(errno));
	}
	return rc;
}

static int copy_print(FILE *copy, struct err *err)
{
	char buf[16 * 1024];
	size_t n;

	rewind(copy);
	while ((n = fread(buf, 1, sizeof(buf), copy)) > 0)
		(void)!fwrite(buf, 1, n, stdout);
	return ferror(copy) ? err_set(err, ERR_TEMP, "temporary file: cannot read it back") : 0;
}

int cmd_dkim_sign(const struct cli *cli, struct err *err)
{
	struct arena *a = arena_open();
	struct signing_keys keys = {.count = 0};
	struct cli_message m = {.in = NULL};
	struct dkim_signer *signer = NULL;
	struct buf fields = {NULL, 0, 0};
	FILE *copy = tmpfile();
	int rc = copy ? 0 : err_set(err, ERR_TEMP, "temporary file: %s", strerror(errno));

	if (rc == 0)
		rc = selectors_find(cli, a, &keys, err);
	if (rc == 0)
		rc = cli_message_open(stdin, a, &m, err);
	if (rc == 0) {
		signer = dkim_signer_new(m.header, keys.selectors, keys.count, clock_unix_s());
		rc = body_pass(&m, signer, copy, err);
	}
	if (rc == 0)
		rc = dkim_signer_finish(signer, &fields, err);
	if (rc == 0) {
		printf("%s", fields.p);
		(void)!fwrite(m.header.p, 1, m.header.len, stdout);
		rc = copy_print(copy, err);
	}
	buf_free(&fields);
	dkim_signer_free(&signer);
	signing_keys_release(&keys);
	cli_message_close(&m);
	if (copy != NULL)
		fclose(copy);
	arena_close(&a);
	return rc;
}

/* --- keys --- */

static int key_out(const char *file, const struct dkim_key *key, struct err *err)
{
	struct buf pem = {NULL, 0, 0};
	int fd = STDOUT_FILENO, rc = dkim_key_write(key, &pem, err);

	if (rc == 0 && file != NULL) {
		fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			rc = err_set(err, ERR_PERM, "%s: %s", file, strerror(errno));
	}
	if (rc == 0 && write(fd, pem.p, pem.len) != (ssize_t)pem.len)
		rc = err_set(
			err, ERR_TEMP, "%s: %s", file ? file : "standard output", strerror(errno));
	if (fd > STDOUT_FILENO && close(fd) < 0 && rc == 0)
		rc = err_set(err, ERR_TEMP, "%s: %s", file, strerror(errno));
	if (pem.p != NULL)
		explicit_bzero(pem.p, pem.len);
	buf_free(&pem);
	return rc;
}

static int generate(
	const struct cli *cli, enum dkim_key_type type, const char *file, struct err *err)
{
	const char *bits_text = cli_option(cli, "bits");
	struct dkim_key *key;
	uint64_t bits = RSA_BITS;

	if (bits_text != NULL && !str_to_u64(str_from(bits_text), 1000000, &bits))
		return err_set(err, ERR_PERM, "-bits: a number");
	if (dkim_key_generate(type, (unsigned)bits, &key, err) < 0)
		return -1;
	int rc = key_out(file, key, err);
	dkim_key_free(&key);
	return rc;
}

int cmd_dkim_gen(const struct cli *cli, struct err *err)
{
	struct str name = str_from(cli->command->name), type = str_from(cli->args[0]);
	const char *file = cli->arg_count > 0 ? cli->args[0] : NULL;

	if (str_eq(name, STR("dkim gened25519")))
		return generate(cli, DKIM_ED25519, file, err);
	if (str_eq(name, STR("dkim genrsa")))
		return generate(cli, DKIM_RSA, file, err);
	if (!str_eq(type, STR("ed25519")) && !str_eq(type, STR("rsa")))
		return err_set(err, ERR_PERM, "a key is ed25519 or rsa");
	return generate(cli, type.p[0] == 'e' ? DKIM_ED25519 : DKIM_RSA,
		cli->arg_count > 1 ? cli->args[1] : NULL, err);
}

/* --- txt --- */

static void record_print(const struct cli *cli, struct arena *a, struct str name, struct str record)
{
	if (cli_option(cli, "json") != NULL) {
		json_t *o = json_pack(
			"{s:s%, s:s%}", "name", name.p, name.len, "record", record.p, record.len);
		cli_object_print(o, true);
		json_decref(o);
	} else if (name.len > 0) {
		printf("%.*s. TXT %.*s\n", STR_FMT(name), STR_FMT(dkim_record_zone(a, record)));
	} else {
		printf("%.*s\n", STR_FMT(dkim_record_zone(a, record)));
	}
}

static int domain_txt(const struct cli *cli, struct arena *a, const char *name, struct err *err)
{
	struct store_selector *rows;
	struct store_domain d;
	struct store *s = NULL;
	char ascii[DNS_NAME_MAX];
	size_t count = 0;

	if (dns_name_to_ascii(str_from(name), ascii, err) < 0 || store_read(cli, &s, err) < 0)
		return -1;
	int rc = store_domain_find(s, str_from(ascii), a, &d, err);
	if (rc == 0)
		rc = err_set(err, ERR_PERM, "%s is neither a file nor a domain hosted here", name);
	else if (rc == 1)
		rc = store_selector_list(s, d.id, a, &rows, &count, err);
	if (rc == 0 && count == 0)
		rc = err_set(err, ERR_PERM, "%s has no DKIM selectors", ascii);
	for (size_t i = 0; rc == 0 && i < count; i++)
		record_print(cli, a, dkim_admin_record_name(a, &rows[i]),
			dkim_admin_record(a, &rows[i]));
	store_close(&s);
	return rc;
}

static int file_txt(const struct cli *cli, struct arena *a, const char *file, struct err *err)
{
	struct dkim_key *key;

	if (key_file_read(a, file, &key, err) < 0)
		return -1;
	record_print(
		cli, a, STR(""), dkim_record_write(a, dkim_key_type(key), dkim_key_public(key, a)));
	dkim_key_free(&key);
	return 0;
}

int cmd_dkim_txt(const struct cli *cli, struct err *err)
{
	struct arena *a = arena_open();
	const char *arg = cli->arg_count > 0 ? cli->args[0] : "/dev/stdin";
	int rc = access(arg, F_OK) == 0 ? file_txt(cli, a, arg, err) : domain_txt(cli, a, arg, err);

	arena_close(&a);
	return rc;
}
