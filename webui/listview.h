/* listview - search and pages of a list that may be long. */
#ifndef WEBUI_LISTVIEW_H
#define WEBUI_LISTVIEW_H

#include "store/directory.h"
#include "webui/page.h"

/* From ?q= and ?after=. */
struct store_dir_page listview_read(struct page *p);
/* Values for the partials "list_search" and "list_pages". path: of the list, below base; last:
 * name of the last row shown. */
void listview_show(
	struct page *p, const struct store_dir_page *page, const char *path, struct str last);

#endif
