/* DKIM selectors of the reference system with their keys:
 *
 *	DKIM:
 *		Selectors:
 *			NAME:
 *				Hash: sha256
 *				Canonicalization:
 *					HeaderRelaxed: true
 *					BodyRelaxed: true
 *				Headers:
 *					- From
 *				DontSealHeaders: false
 *				Expiration: 72h
 *				PrivateKeyFile: dkim/NAME.pem
 *		Sign:
 *			- NAME
 *
 * Key files come with the import, under the path that the file has for them. */
#include "policy/import_plan.h"

#include "config/fields.h"
#include "policy/admin_check.h"
#include "policy/dkim_admin.h"

static int selector_error(const struct import_plan *p, const struct sconf_node *node,
	const char *why, struct err *err)
{
	return err_set(err, ERR_PERM, "%s:%u: DKIM selector: %s", p->file, node->line, why);
}

static struct str value_of(const struct sconf_node *map, struct str key)
{
	const struct sconf_node *node = map ? sconf_get(map, key) : NULL;

	return node && node->kind == SCONF_VALUE ? node->value : (struct str){"", 0};
}

/* Absent: what is the default. */
static int flag_read(const struct import_plan *p, const struct sconf_node *map, struct str key,
	bool *out, struct err *err)
{
	struct str value = value_of(map, key);

	if (value.len == 0)
		return 0;
	if (!str_eq(value, STR("true")) && !str_eq(value, STR("false")))
		return selector_error(p, map, "a value is neither true nor false", err);
	*out = value.p[0] == 't';
	return 0;
}

static struct str headers_read(struct import_plan *p, const struct sconf_node *node)
{
	const struct sconf_node *list = sconf_get(node, STR("Headers"));
	struct buf b = {NULL, 0, 0};

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next)
		buf_printf(&b, "%s%.*s", b.len ? ":" : "", STR_FMT(n->value));
	struct str out = arena_str(p->arena, buf_str(&b));
	buf_free(&b);
	return out;
}

static bool signs(const struct sconf_node *dkim, struct str name)
{
	const struct sconf_node *list = sconf_get(dkim, STR("Sign"));

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		if (str_eq_nocase(n->value, name))
			return true;
	}
	return false;
}

static int settings_read(struct import_plan *p, const struct sconf_node *node,
	struct store_selector *row, struct err *err)
{
	const struct sconf_node *canon = sconf_get(node, STR("Canonicalization"));
	struct str expiration = value_of(node, STR("Expiration"));
	struct str hash = value_of(node, STR("Hash"));
	bool header_relaxed = true, body_relaxed = true, dont_seal = false;
	int64_t ms = 0;

	if (canon != NULL && canon->kind == SCONF_MAP)
		header_relaxed = body_relaxed = false; /* its fields are false when not there */
	else
		canon = NULL;
	if ((canon != NULL &&
		    (flag_read(p, canon, STR("HeaderRelaxed"), &header_relaxed, err) < 0 ||
			    flag_read(p, canon, STR("BodyRelaxed"), &body_relaxed, err) < 0)) ||
		flag_read(p, node, STR("DontSealHeaders"), &dont_seal, err) < 0)
		return -1;
	if (expiration.len > 0 && !config_duration_parse(expiration, &ms))
		return selector_error(p, node, "Expiration is no duration like 72h", err);
	if (hash.len > 0 && !str_eq_nocase(hash, STR("sha256")))
		import_row_add(p, IMPORT_NOTE, "selector", node->key,
			"%s:%u: Hash %.*s is not possible, sha256 is used", p->file, node->line,
			STR_FMT(hash));
	row->header_simple = !header_relaxed;
	row->body_simple = !body_relaxed;
	row->seal = !dont_seal;
	row->expiration_s = ms / 1000;
	row->headers = headers_read(p, node);
	return 0;
}

static const struct import_key *key_find(const struct import_plan *p, struct str path)
{
	for (size_t i = 0; i < p->key_count; i++) {
		if (str_eq(p->keys[i].path, path))
			return &p->keys[i];
	}
	return NULL;
}

static int selector_read(struct import_plan *p, const struct sconf_node *dkim,
	const struct sconf_node *node, struct str domain, struct err *err)
{
	struct import_selector *s = arena_alloc(p->arena, sizeof(*s));
	struct str path = value_of(node, STR("PrivateKeyFile"));
	const struct import_key *key = key_find(p, path);
	struct admin_problems problems = {.count = 0};
	struct dkim_key *parsed;

	s->domain = domain;
	s->row.name = node->key;
	s->row.signing = signs(dkim, node->key);
	if (settings_read(p, node, &s->row, err) < 0)
		return -1;
	dkim_admin_check(p->arena, &s->row, &problems);
	if (problems.count > 0)
		return selector_error(p, node, problems.at[0].text, err);
	if (key == NULL) {
		import_row_add(p, IMPORT_NOTE, "selector", s->row.name,
			"%s:%u: its key file \"%.*s\" cannot be read; add the selector by hand",
			p->file, node->line, STR_FMT(path));
		return 0;
	}
	if (dkim_key_read(key->pem, &parsed, err) < 0)
		return err_prefix(err, "%s:%u: %.*s", p->file, node->line, STR_FMT(path));
	dkim_key_free(&parsed);
	s->pem = key->pem;
	*p->selector_end = s;
	p->selector_end = &s->next;
	return 0;
}

/* Names under Sign that no selector has. */
static void sign_names_check(struct import_plan *p, const struct sconf_node *dkim)
{
	const struct sconf_node *list = dkim ? sconf_get(dkim, STR("Sign")) : NULL;
	const struct sconf_node *selectors = dkim ? sconf_get(dkim, STR("Selectors")) : NULL;

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		bool known = false;
		for (const struct sconf_node *s = selectors ? selectors->first : NULL;
			s != NULL && !known; s = s->next)
			known = str_eq_nocase(s->key, n->value);
		if (!known)
			import_row_add(p, IMPORT_NOTE, "selector", n->value,
				"%s:%u: it is to sign, but there is no selector of that name",
				p->file, n->line);
	}
}

int import_dkim_read(struct import_plan *p, const struct sconf_node *domain_node, struct str domain,
	struct err *err)
{
	const struct sconf_node *dkim = sconf_get(domain_node, STR("DKIM"));
	const struct sconf_node *list = dkim ? sconf_get(dkim, STR("Selectors")) : NULL;

	if (dkim != NULL && dkim->kind != SCONF_MAP && dkim->kind != SCONF_EMPTY)
		return selector_error(p, dkim, "a section belongs here", err);
	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		if (n->kind != SCONF_MAP)
			return selector_error(p, n, "it has no fields", err);
		if (selector_read(p, dkim, n, domain, err) < 0)
			return -1;
	}
	sign_names_check(p, dkim);
	return 0;
}

int import_selectors_write(struct import_plan *p, struct err *err)
{
	for (struct import_selector *s = p->selectors; s != NULL; s = s->next) {
		struct admin_problems problems;
		struct store_selector *rows;
		struct store_domain domain;
		struct str name = str_from(arena_printf(p->arena, "%.*s._domainkey.%.*s",
			STR_FMT(s->row.name), STR_FMT(s->domain)));
		bool there = false;
		size_t count;
		int rc = store_domain_find(p->store, s->domain, p->arena, &domain, err);

		if (rc < 0 ||
			store_selector_list(p->store, domain.id, p->arena, &rows, &count, err) < 0)
			return -1;
		if (rc == 0)
			return err_set(err, ERR_PERM, "%.*s: the domain is gone", STR_FMT(name));
		for (size_t i = 0; i < count && !there; i++)
			there = str_eq(rows[i].name, s->row.name);
		s->row.domain_id = domain.id;
		rc = there ? 0
			   : dkim_admin_import(p->store, p->arena, &s->row, s->pem, &problems, err);
		if (rc == 1)
			(void)err_set(err, ERR_PERM, "%s", problems.at[0].text);
		if (rc != 0)
			return err_prefix(err, "selector %.*s", STR_FMT(name));
		import_row_add(p, there ? IMPORT_EXISTS : IMPORT_ADDED, "selector", name, "%s",
			there || s->row.signing ? "" : "stands by, does not sign");
	}
	return 0;
}
