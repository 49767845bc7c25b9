#include "webui/kept.h"

#include "base/mem.h"
#include "webui/router.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct kept {
	char token_hash[65];
	char *below, *text; /* NULL: free */
	int64_t until_s;
};

struct kept_store {
	pthread_mutex_t lock;
	struct kept at[KEPT_MAX];
	size_t next;
};

struct kept_store *kept_open(void)
{
	struct kept_store *k = mem_alloc(sizeof(*k));

	pthread_mutex_init(&k->lock, NULL);
	return k;
}

static void clear(struct kept *one)
{
	free(one->below);
	free(one->text);
	memset(one, 0, sizeof(*one));
}

void kept_close(struct kept_store **kp)
{
	struct kept_store *k = *kp;

	if (k == NULL)
		return;
	for (size_t i = 0; i < KEPT_MAX; i++)
		clear(&k->at[i]);
	pthread_mutex_destroy(&k->lock);
	free(k);
	*kp = NULL;
}

static bool is_secret(struct str name)
{
	return memmem(name.p, name.len, "password", strlen("password")) != NULL ||
	       memmem(name.p, name.len, "secret", strlen("secret")) != NULL ||
	       str_eq(name, STR("current")) || str_eq(name, STR("fresh")) ||
	       str_eq(name, STR("again")) || str_eq(name, STR("csrf"));
}

struct str kept_text(struct page *p, struct str below)
{
	struct str params[PAGE_PARAMS_MAX], text = STR("");
	struct urlform form;
	const struct route *r;
	struct buf b = {NULL, 0, 0};
	struct err err;

	if (p->fetch_site == NULL || strcmp(p->fetch_site, "same-origin") != 0 ||
		p->body.len > KEPT_TEXT_MAX ||
		router_find(PAGE_GET, below, params, &r) != ROUTE_FOUND ||
		!str_starts_nocase(
			str_from(p->content_type), STR("application/x-www-form-urlencoded")) ||
		urlform_parse(p->arena, p->body, &form, &err) < 0)
		return text;
	for (size_t i = 0; i < form.count; i++) {
		if (is_secret(form.fields[i].name))
			continue;
		if (b.len > 0)
			buf_byte(&b, '&');
		buf_url(&b, form.fields[i].name);
		buf_byte(&b, '=');
		buf_url(&b, form.fields[i].value);
	}
	if (b.len > 0)
		text = arena_str(p->arena, buf_str(&b));
	buf_free(&b);
	return text;
}

void kept_put(struct page *p, const char *token_hash, struct str below, struct str text)
{
	struct kept_store *k = p->kept_store;

	if (k == NULL || text.len == 0 || text.len > KEPT_TEXT_MAX * 3)
		return;
	char *below_copy = mem_strdup(arena_strdup(p->arena, below));
	char *text_copy = mem_strdup(arena_strdup(p->arena, text));
	pthread_mutex_lock(&k->lock);
	struct kept *one = &k->at[k->next];
	k->next = (k->next + 1) % KEPT_MAX;
	clear(one);
	snprintf(one->token_hash, sizeof(one->token_hash), "%s", token_hash);
	one->below = below_copy;
	one->text = text_copy;
	one->until_s = clock_unix_s() + KEPT_S;
	pthread_mutex_unlock(&k->lock);
}

void kept_take(struct page *p, struct str below)
{
	struct kept_store *k = p->kept_store;
	struct str text = STR("");
	struct err err;

	if (k == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < KEPT_MAX; i++) {
		struct kept *one = &k->at[i];
		if (one->text != NULL && one->until_s < clock_unix_s())
			clear(one);
		if (one->text != NULL && strcmp(one->token_hash, p->session.token_hash) == 0 &&
			str_eq(below, str_from(one->below)))
			text = arena_str(p->arena, str_from(one->text));
	}
	pthread_mutex_unlock(&k->lock);
	p->kept = text.len > 0 && urlform_parse(p->arena, text, &p->form, &err) == 0;
}
