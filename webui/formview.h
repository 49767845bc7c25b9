/* formview - forms as values for templates/form.html: each field with its label, hint,
 * value and problem. When the form was posted, fields show what was typed. */
#ifndef WEBUI_FORMVIEW_H
#define WEBUI_FORMVIEW_H

#include "policy/admin.h"
#include "webui/page.h"

struct formview {
	struct page *page;
	const struct admin_problems *problems; /* NULL: none */
	bool shown[ADMIN_PROBLEMS_MAX];        /* beside its field */
	struct tval *sections, *fields, *options;
	struct str chosen; /* of the field that options belong to */
};

void formview_open(struct formview *f, struct page *p, const struct admin_problems *problems);
/* A group of fields. when: NULL, or the class that says when it is of use ("only-relay"). */
void formview_section(struct formview *f, const char *legend, const char *when);
void formview_text(struct formview *f, const char *name, const char *label, struct str value,
	const char *hint);
void formview_area(struct formview *f, const char *name, const char *label, struct str value,
	const char *hint);
/* Never shows a value; autocomplete is off. */
void formview_secret(struct formview *f, const char *name, const char *label, const char *hint);
void formview_check(
	struct formview *f, const char *name, const char *label, bool on, const char *hint);
/* Followed by formview_option for each choice. */
void formview_radio(struct formview *f, const char *name, const char *label, const char *chosen,
	const char *hint);
void formview_select(struct formview *f, const char *name, const char *label, const char *chosen,
	const char *hint);
void formview_option(
	struct formview *f, const char *value, const char *label, const char *explanation);
/* Renders the page. cancel is a path below base; remove too, or NULL when there is nothing
 * to delete. Status 422 when there are problems. */
void formview_render(struct formview *f, const char *title, const char *intro, const char *submit,
	const char *cancel, const char *remove);

/* A page that asks before something is done. The form posts to where the page is. */
void formview_confirm(struct page *p, const char *title, const char *text, const char *submit,
	const char *cancel);

/* --- the servers of a domain, address or transport --- */

enum formview_relay { FORMVIEW_RELAY_FULL, FORMVIEW_RELAY_SMTP };
/* Fields relay_hosts relay_protocol relay_tls relay_username relay_password. */
void formview_relay(struct formview *f, const struct store_relay *relay, enum formview_relay which);
/* Reads them; relay holds what is stored so far and keeps its password when the form has none. */
void formview_relay_read(const struct page *p, struct store_relay *relay);

#endif
