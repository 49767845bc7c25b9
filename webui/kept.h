/* kept - forms that were posted after their session had ended. What was typed goes through the
 * log-in as a hidden field, waits in memory for the new session and fills the form again: it is
 * shown, never carried out, so that nothing is done that nobody saw. Passwords are left out. */
#ifndef WEBUI_KEPT_H
#define WEBUI_KEPT_H

#include "webui/page.h"

enum {
	KEPT_TEXT_MAX = 32 * 1024, /* octets of one form */
	KEPT_MAX = 20,             /* forms that wait; the oldest goes */
	KEPT_S = 10 * 60           /* and for so long */
};

struct kept_store;
struct kept_store *kept_open(void);
void kept_close(struct kept_store **k);

/* The posted body as a form without secrets and token, in the arena; empty when there is
 * nothing to keep: it did not come from a page of ours (Sec-Fetch-Site), is too long or cannot
 * be read, or there is no page at its address that would show it. below: the path below base. */
struct str kept_text(struct page *p, struct str below);
/* After the log-in: remembers text for the session with this token hash, and this page. */
void kept_put(struct page *p, const char *token_hash, struct str below, struct str text);
/* Fills page.form with what waits for this session and page, and sets page.kept. */
void kept_take(struct page *p, struct str below);

#endif
