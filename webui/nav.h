/* nav - the table of what the admin pages hold, in groups, and where in it a page is.
 *
 * One table, in nav.c, is all that a new page needs here. An entry shows as soon as the route
 * table (router.c) has a GET page at its path, so that entries can stand there before their
 * pages do. */
#ifndef WEBUI_NAV_H
#define WEBUI_NAV_H

#include "webui/page.h"

/* Sets "nav" of page.view: groups (label, items) of entries (path, label, here). The place is
 * told by the first segment of the path below base. */
void nav_fill(struct page *p);

/* The path of the entry that a path below base belongs to, NULL for none. For tests. */
const char *nav_place(struct str below);

#endif
