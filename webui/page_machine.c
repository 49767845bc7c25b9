/* The machine: what the overview shows in one line each, with what to do about it. */
#include "webui/machineview.h"
#include "webui/pages.h"

void page_machine(struct page *p)
{
	struct health *h = arena_alloc(p->arena, sizeof(*h));
	struct tval *warnings = tval_set_list(p->arena, p->view, "warnings");
	struct store_stats s;

	health_read(p->gateway, h);
	machineview_fill(p, h);
	store_stats_get(p->gateway->store, &s);
	tval_set_text(p->arena, p->view, "data_dir", p->config->data_dir);
	tval_set_text(p->arena, p->view, "config_path", p->config->path);
	tval_set_text(p->arena, p->view, "config_problem", h->config_problem);
	tval_set_text(p->arena, p->view, "postmaster", p->config->postmaster_account);
	for (size_t i = 0; i < p->config->warning_count; i++)
		tval_add_text(p->arena, warnings, p->config->warnings[i]);
	tval_set_flag(p->arena, p->view, "any_warning", p->config->warning_count > 0);
	page_count(p, p->view, "commits", s.commits);
	page_count(p, p->view, "operations", s.operations);
	tval_set_printf(p->arena, p->view, "commit_ms", "%.1f ms",
		s.commits > 0 ? (double)s.commit_us_total / (double)s.commits / 1000 : 0.0);
	tval_set_printf(
		p->arena, p->view, "commit_max_ms", "%.1f ms", (double)s.commit_us_max / 1000);
	if (s.failed_commits > 0)
		page_count(p, p->view, "failed_commits", s.failed_commits);
	tval_set_flag(p->arena, p->view, "failing", s.failed_commits > 0 && s.last_commit_ms == 0);
	page_render(p, 200, "machine", "Machine");
}

/* Neither what is 0 nor the buckets of histograms: those are for machines. */
static bool is_shown(struct str line)
{
	return line.len > 0 && line.p[0] != '#' && !str_ends(line, STR(" 0")) &&
	       memmem(line.p, line.len, "_bucket{", 8) == NULL;
}

/* What /metrics says, for people. */
void page_metrics_shown(struct page *p)
{
	struct buf b = {NULL, 0, 0};
	struct err err;

	if (metrics_write(p, &b, &err) < 0) {
		buf_free(&b);
		page_failed(p, &err);
		return;
	}
	struct tval *families = tval_set_list(p->arena, p->view, "families"), *samples = NULL;
	struct str rest = buf_str(&b), line, name, text;
	while (str_next(&rest, '\n', &line)) {
		if (str_starts(line, STR("# HELP "))) {
			struct tval *family = tval_add_map(p->arena, families);
			(void)str_split(str_skip(line, strlen("# HELP ")), ' ', &name, &text);
			tval_set_str(p->arena, family, "name", name);
			tval_set_str(p->arena, family, "help", text);
			samples = tval_set_list(p->arena, family, "samples");
		} else if (is_shown(line) && samples != NULL) {
			struct tval *sample = tval_add_map(p->arena, samples);
			tval_set_str(p->arena, sample, "line", line);
		}
	}
	buf_free(&b);
	page_render(p, 200, "metrics", "Metrics");
}
