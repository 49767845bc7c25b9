/* chart - bars over time as SVG, drawn here: no script, no style attributes (colours are classes
 * of mox.css), every column with its figures as a tooltip. The same figures go into a table,
 * which chart_view gives along, for people who do not see the picture. */
#ifndef WEBUI_CHART_H
#define WEBUI_CHART_H

#include "webui/page.h"

enum { CHART_COLUMNS_MAX = 64, CHART_SERIES_MAX = 6 };

enum chart_side { CHART_UP, CHART_DOWN }; /* of the line in the middle */
struct chart_series {
	const char *name;  /* "c-in": the class of its colour */
	const char *label; /* "Accepted" */
	enum chart_side side;
	const int64_t *values; /* as many as there are columns; none below 0 */
};
enum chart_unit { CHART_HOURS, CHART_DAYS };
struct chart {
	const char *title; /* for people who do not see it */
	enum chart_unit unit;
	const int64_t *start_s; /* of each column, UTC */
	size_t columns;         /* at most CHART_COLUMNS_MAX */
	const struct chart_series *series;
	size_t series_count; /* at most CHART_SERIES_MAX */
};

/* Sets KEY of map to what templates/chart.html shows: svg (markup), top, bottom (the scale),
 * ticks, legend (name, label, total), columns and rows of the table, empty. */
void chart_view(struct page *p, struct tval *map, const char *key, const struct chart *c);

/* A line without axes, CHART_UP only: KEY becomes markup. Values below 0 are unknown and left
 * out; with less than two known ones there is no line, and KEY is not set. */
void chart_spark(struct page *p, struct tval *map, const char *key, const char *title,
	const int64_t *values, size_t count);

/* The next number of the row 1, 2, 4, 5, 8, 10, 20, ... that is not below n; 1 for 0. */
int64_t chart_scale(int64_t n);

#endif
