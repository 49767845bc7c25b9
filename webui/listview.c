#include "webui/listview.h"

enum { ROWS_PER_PAGE = 100 };

struct store_dir_page listview_read(struct page *p)
{
	return (struct store_dir_page){.text = str_trim(urlform_get(&p->query, "q")),
		.after = urlform_get(&p->query, "after"),
		.limit = ROWS_PER_PAGE};
}

void listview_show(
	struct page *p, const struct store_dir_page *page, const char *path, struct str last)
{
	struct buf b = {NULL, 0, 0};

	tval_set_text(p->arena, p->view, "list_path", path);
	tval_set_str(p->arena, p->view, "q", page->text);
	tval_set_flag(p->arena, p->view, "searched", page->text.len > 0);
	tval_set_flag(p->arena, p->view, "later_page", page->after.len > 0);
	/* A short list needs no search. */
	tval_set_flag(p->arena, p->view, "long_list",
		page->more || page->text.len > 0 || page->after.len > 0);
	if (!page->more)
		return;
	buf_text(&b, "?q=");
	buf_url(&b, page->text);
	buf_text(&b, "&after=");
	buf_url(&b, last);
	tval_set_text(p->arena, p->view, "list_next", arena_strdup(p->arena, buf_str(&b)));
	buf_free(&b);
}
