#include "webui/assets.h"
#include "webui/pages.h"

#include <stdlib.h>

static int by_name(const void *key, const void *item)
{
	const struct asset *a = item;

	return strcmp(key, a->name);
}

static const char *type_of(struct str name)
{
	static const struct {
		struct str ending;
		const char *type;
	} types[] = {
		{{".css", 4}, "text/css; charset=utf-8"},
		{{".js", 3}, "text/javascript; charset=utf-8"},
		{{".svg", 4}, "image/svg+xml"},
		{{".txt", 4}, "text/plain; charset=utf-8"},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_ends(name, types[i].ending))
			return types[i].type;
	}
	return "application/octet-stream";
}

/* path is VERSION/NAME below static/. Only names compiled in exist, so there is no path
 * to traverse. */
void page_static(struct page *p, struct str path)
{
	struct str version, name;

	if (p->method != PAGE_GET || !str_split(path, '/', &version, &name)) {
		page_text(p, 404, "text/plain; charset=utf-8", "Not found.\n");
		return;
	}
	const char *full = arena_printf(p->arena, "static/%.*s", STR_FMT(name));
	const struct asset *a = bsearch(full, assets, asset_count, sizeof(*assets), by_name);
	if (a == NULL) {
		page_text(p, 404, "text/plain; charset=utf-8", "Not found.\n");
		return;
	}
	const char *tag = arena_printf(p->arena, "\"%s\"", p->assets_version);
	bool current = str_eq(version, str_from(p->assets_version));
	page_header(p, "ETag", tag);
	page_header(p, "Cache-Control",
		current ? "public, max-age=31536000, immutable" : "public, max-age=60");
	p->answer.content_type = type_of(str_from(a->name));
	p->answer.asset = a;
	p->answer.status =
		p->if_none_match != NULL && strcmp(p->if_none_match, tag) == 0 ? 304 : 200;
}
