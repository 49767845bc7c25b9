#include "webui/chart.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	COLUMN = 100, /* width of a column in units of the view box; the bar is BAR of it */
	BAR = 78,
	HEIGHT = 1000,
	LEAST = 8, /* height of a bar that is not 0, so that one is seen */
	SPARK_HEIGHT = 100,
	TICKS = 4
};

int64_t chart_scale(int64_t n)
{
	static const int64_t steps[] = {1, 2, 4, 5, 8, 10};
	int64_t ten = 1;

	for (;; ten *= 10) {
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			if (steps[i] * ten >= n || ten > INT64_MAX / 100)
				return steps[i] * ten;
		}
	}
}

/* The highest stack of one side. */
static int64_t stack_max(const struct chart *c, enum chart_side side)
{
	int64_t max = 0;

	for (size_t i = 0; i < c->columns; i++) {
		int64_t sum = 0;
		for (size_t s = 0; s < c->series_count; s++)
			sum += c->series[s].side == side ? c->series[s].values[i] : 0;
		if (sum > max)
			max = sum;
	}
	return max;
}

struct scale {
	int64_t up, down; /* what the ends stand for; down 0: nothing hangs down */
	int zero;         /* where the middle is */
};

static struct scale scale_of(const struct chart *c)
{
	struct scale s = {chart_scale(stack_max(c, CHART_UP)), 0, HEIGHT};
	bool down = false;

	for (size_t i = 0; i < c->series_count; i++)
		down = down || c->series[i].side == CHART_DOWN;
	if (down) {
		s.down = chart_scale(stack_max(c, CHART_DOWN));
		/* One scale for both sides, but a side that has little is still seen. */
		double share = (double)s.up / (double)(s.up + s.down);
		share = share < 0.25 ? 0.25 : share > 0.75 ? 0.75 : share;
		s.zero = (int)(HEIGHT * share);
	}
	return s;
}

static int height_of(int64_t value, int64_t full, int room)
{
	int h = (int)((double)value / (double)full * room);

	return value > 0 && h < LEAST ? LEAST : h;
}

/* All bars of a series as one path. */
static void path_write(
	struct buf *b, const struct chart *c, size_t series, const struct scale *scale)
{
	const struct chart_series *s = &c->series[series];
	bool up = s->side == CHART_UP;

	buf_printf(b, "<path class=\"%s\" d=\"", s->name);
	for (size_t i = 0; i < c->columns; i++) {
		int below = 0; /* what this one stands or hangs on */
		for (size_t k = 0; k < series; k++) {
			if (c->series[k].side == s->side)
				below += height_of(c->series[k].values[i],
					up ? scale->up : scale->down,
					up ? scale->zero : HEIGHT - scale->zero);
		}
		int h = height_of(s->values[i], up ? scale->up : scale->down,
			up ? scale->zero : HEIGHT - scale->zero);
		if (h > 0)
			buf_printf(b, "M%d %dh%dv%dh-%dz", (int)i * COLUMN + (COLUMN - BAR) / 2,
				up ? scale->zero - below : scale->zero + below, BAR, up ? -h : h,
				BAR);
	}
	buf_text(b, "\"/>");
}

static void column_name(const struct chart *c, size_t i, char out[32])
{
	char iso[CLOCK_TEXT];

	clock_iso(c->start_s[i], iso);
	if (c->unit == CHART_DAYS)
		snprintf(out, 32, "%.10s", iso);
	else
		snprintf(out, 32, "%.10s %.5s UTC", iso, iso + 11);
}

/* Invisible, one a column: they carry the tooltips. */
static void hits_write(struct buf *b, const struct chart *c)
{
	char name[32], iso[CLOCK_TEXT];

	buf_text(b, "<g class=\"hits\">");
	for (size_t i = 0; i < c->columns; i++) {
		column_name(c, i, name);
		clock_iso(c->start_s[i], iso);
		buf_printf(b, "<rect x=\"%d\" width=\"%d\" height=\"%d\"><title%s%s%s>%s: ",
			(int)i * COLUMN, COLUMN, HEIGHT,
			c->unit == CHART_HOURS ? " data-at=\"" : "",
			c->unit == CHART_HOURS ? iso : "", c->unit == CHART_HOURS ? "\"" : "",
			name);
		for (size_t s = 0; s < c->series_count; s++)
			buf_printf(b, "%s%s %" PRId64, s > 0 ? ", " : "", c->series[s].label,
				c->series[s].values[i]);
		buf_text(b, "</title></rect>");
	}
	buf_text(b, "</g>");
}

static void svg_set(
	struct page *p, struct tval *map, const struct chart *c, const struct scale *scale)
{
	struct buf b = {NULL, 0, 0};

	buf_printf(&b,
		"<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\""
		" aria-label=\"",
		(int)c->columns * COLUMN, HEIGHT);
	buf_html(&b, str_from(c->title));
	buf_text(&b, "\">");
	for (size_t s = 0; s < c->series_count; s++)
		path_write(&b, c, s, scale);
	buf_printf(&b, "<path class=\"c-axis\" d=\"M0 %dH%d\"/>",
		scale->zero == HEIGHT ? HEIGHT - 1 : scale->zero, (int)c->columns * COLUMN);
	hits_write(&b, c);
	buf_text(&b, "</svg>");
	tval_set_str(p->arena, map, "svg", buf_str(&b));
	buf_free(&b);
}

static void ticks_set(struct page *p, struct tval *map, const struct chart *c)
{
	struct tval *list = tval_set_list(p->arena, map, "ticks");
	char iso[CLOCK_TEXT];

	for (size_t t = 0; t < TICKS && c->columns > 0; t++) {
		struct tval *tick = tval_add_map(p->arena, list);
		clock_iso(c->start_s[t * (c->columns - 1) / (TICKS - 1)], iso);
		tval_set_text(p->arena, tick, "iso", iso);
		tval_set_flag(p->arena, tick, "hour", c->unit == CHART_HOURS);
		if (c->unit == CHART_HOURS)
			tval_set_printf(p->arena, tick, "text", "%.5s", iso + 11);
		else
			tval_set_printf(p->arena, tick, "text", "%.5s", iso + 5);
	}
}

static void legend_set(struct page *p, struct tval *map, const struct chart *c)
{
	struct tval *list = tval_set_list(p->arena, map, "legend");
	int64_t all = 0;

	for (size_t s = 0; s < c->series_count; s++) {
		struct tval *entry = tval_add_map(p->arena, list);
		int64_t total = 0;
		for (size_t i = 0; i < c->columns; i++)
			total += c->series[s].values[i];
		tval_set_text(p->arena, entry, "name", c->series[s].name);
		tval_set_text(p->arena, entry, "label", c->series[s].label);
		page_count(p, entry, "total", total);
		all += total;
	}
	tval_set_flag(p->arena, map, "empty", all == 0);
}

/* Newest first, and without the columns in which nothing was. */
static void rows_set(struct page *p, struct tval *map, const struct chart *c)
{
	struct tval *rows = tval_set_list(p->arena, map, "rows");
	char name[32], iso[CLOCK_TEXT];

	for (size_t i = c->columns; i-- > 0;) {
		int64_t sum = 0;
		for (size_t s = 0; s < c->series_count; s++)
			sum += c->series[s].values[i];
		if (sum == 0)
			continue;
		struct tval *row = tval_add_map(p->arena, rows);
		struct tval *cells = tval_set_list(p->arena, row, "cells");
		column_name(c, i, name);
		clock_iso(c->start_s[i], iso);
		tval_set_text(p->arena, row, "when", name);
		tval_set_text(p->arena, row, "iso", iso);
		tval_set_flag(p->arena, row, "hour", c->unit == CHART_HOURS);
		for (size_t s = 0; s < c->series_count; s++)
			tval_add_text(p->arena, cells, page_count_text(p, c->series[s].values[i]));
	}
}

void chart_view(struct page *p, struct tval *map, const char *key, const struct chart *c)
{
	struct tval *chart = tval_set_map(p->arena, map, key);
	struct scale scale = scale_of(c);

	svg_set(p, chart, c, &scale);
	page_count(p, chart, "top", scale.up);
	if (scale.down > 0)
		page_count(p, chart, "bottom", scale.down);
	ticks_set(p, chart, c);
	legend_set(p, chart, c);
	rows_set(p, chart, c);
}

void chart_spark(struct page *p, struct tval *map, const char *key, const char *title,
	const int64_t *values, size_t count)
{
	struct buf b = {NULL, 0, 0};
	int64_t max = 1;
	size_t known = 0;
	bool pen = false;

	for (size_t i = 0; i < count; i++) {
		max = values[i] > max ? values[i] : max;
		known += values[i] >= 0;
	}
	if (known < 2)
		return; /* no line yet */
	buf_printf(&b,
		"<svg class=\"spark\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\""
		" role=\"img\" aria-label=\"",
		(int)(count > 1 ? count - 1 : 1) * COLUMN, SPARK_HEIGHT);
	buf_html(&b, str_from(title));
	buf_text(&b, "\"><path class=\"c-line\" d=\"");
	for (size_t i = 0; i < count; i++) {
		if (values[i] < 0) {
			pen = false;
			continue;
		}
		buf_printf(&b, "%c%d %d", pen ? 'L' : 'M', (int)i * COLUMN,
			SPARK_HEIGHT - 4 -
				(int)((double)values[i] / (double)max * (SPARK_HEIGHT - 8)));
		pen = true;
	}
	buf_text(&b, "\"/></svg>");
	tval_set_str(p->arena, map, key, buf_str(&b));
	buf_free(&b);
}
