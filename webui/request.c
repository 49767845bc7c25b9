/* Requests: from libmicrohttpd's callbacks to a worker thread and back. */
#include "base/log.h"
#include "webui/api.h"
#include "webui/assets.h"
#include "webui/router.h"
#include "webui/server.h"
#include "webui/tail.h"

#include <stdint.h>

/* RFC 3986 2: no control octets and no spaces, which RFC 9112 3.2 tells to refuse. */
static bool is_bad_uri(struct str uri)
{
	for (size_t i = 0; i < uri.len; i++) {
		if ((unsigned char)uri.p[i] <= ' ' || uri.p[i] == 0x7f)
			return true;
	}
	return false;
}

void *request_begin(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct arena *arena = arena_open();
	struct request *r = arena_alloc(arena, sizeof(*r));
	struct str path = str_from(uri), query = STR("");

	(void)str_split(path, '?', &path, &query); /* no "?": all of it is the path */
	*r = (struct request){.ui = cls,
		.mhd = mhd,
		.arena = arena,
		.client = info != NULL ? info->socket_context : NULL,
		.is_bad_uri = is_bad_uri(str_from(uri)),
		.uri_start = uri,
		.uri_end = uri != NULL ? uri + strlen(uri) : NULL};
	r->page.path = arena_str(arena, path);
	r->page.raw_query = arena_str(arena, query);
	return r;
}

void request_end(
	void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode why)
{
	struct request *r = *state;
	struct webui *ui = cls;

	(void)mhd;
	(void)why;
	if (r == NULL)
		return;
	pthread_mutex_lock(&ui->lock);
	ui->bodies -= r->body_counted;
	pthread_mutex_unlock(&ui->lock);
	if (r->client != NULL)
		client_deadline(r->client, SERVER_IDLE_MS, true);
	buf_free(&r->body);
	buf_free(&r->page.answer.body);
	*state = NULL;
	struct arena *a = r->arena;
	arena_close(&a);
}

/* --- the body --- */

static void body_add(struct request *r, const char *data, size_t size)
{
	struct webui *ui = r->ui;

	if (r->too_big)
		return;
	pthread_mutex_lock(&ui->lock);
	if (r->body.len + size > URLFORM_BODY_MAX || ui->bodies + size > SERVER_BODIES_MAX) {
		r->too_big = true;
	} else {
		ui->bodies += size;
		r->body_counted += size;
	}
	pthread_mutex_unlock(&ui->lock);
	if (!r->too_big)
		buf_raw(&r->body, (struct str){data, size});
}

static bool announces_too_much(struct MHD_Connection *mhd)
{
	uint64_t n;
	struct str length =
		str_from(MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Length"));

	return length.len > 0 && !str_to_u64(length, URLFORM_BODY_MAX, &n);
}

struct framing { /* what says where a request ends, and whom it is for */
	unsigned hosts, lengths, codings;
	bool bad_name, bad_coding;
};

static enum MHD_Result framing_note(
	void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct framing *f = cls;
	struct str name = str_from(key);

	(void)kind;
	for (size_t i = 0; i < name.len; i++) {
		if (!ascii_is_alnum(name.p[i]) && strchr("!#$%&'*+-.^_`|~", name.p[i]) == NULL)
			f->bad_name = true;
	}
	f->hosts += str_eq_nocase(name, STR("Host"));
	f->lengths += str_eq_nocase(name, STR("Content-Length"));
	if (str_eq_nocase(name, STR("Transfer-Encoding"))) {
		f->codings++;
		f->bad_coding = f->bad_coding || !str_eq_nocase(str_from(value), STR("chunked"));
	}
	return MHD_YES;
}

/* RFC 9112 3.2, 5.1, 6.1: what a proxy before us may read in another way is refused, so that
 * nobody smuggles a second request in the body of a first. */
static bool is_ambiguous(struct MHD_Connection *mhd, const char *version)
{
	struct framing f = {.hosts = 0};

	(void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, framing_note, &f);
	return f.bad_name || f.bad_coding || f.hosts > 1 || f.lengths + f.codings > 1 ||
	       (f.hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0);
}

/* Is the request line more than three words with one space between them? libmicrohttpd
 * hands out its words where they lie in the line, each ended by a NUL in place of the space:
 * where the next word is further off, a NUL came in the line itself, and what stands behind
 * it would be passed over. A proxy before us may have seen it. */
static bool is_bad_line(const struct request *r, const char *method, const char *version)
{
	return r->is_bad_uri || method + strlen(method) + 1 != r->uri_start ||
	       r->uri_end + 1 != version;
}

/* libmicrohttpd only reads it, but asks for a pointer that is not const. */
static struct MHD_Response *constant_response(const void *data, size_t len)
{
	return MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)data, MHD_RESPMEM_PERSISTENT);
}

/* An answer without a page; below the API it is a problem document. */
static enum MHD_Result plain_answer(
	struct request *r, struct MHD_Connection *mhd, unsigned status, const char *text)
{
	bool api = str_starts(r->page.path, STR(API_BASE));
	char *body = arena_strdup(r->arena, str_from(text));
	if (api)
		body = arena_printf(r->arena,
			"{\"type\": \"about:blank\", \"status\": %u, \"title\": \"Not taken\", "
			"\"detail\": \"%.*s\"}\n",
			status, (int)strcspn(text, "\n"), text);
	struct MHD_Response *resp =
		MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc = MHD_NO;

	if (resp == NULL)
		return MHD_NO;
	if (MHD_add_response_header(resp, "Content-Type",
		    api ? "application/problem+json" : "text/plain; charset=utf-8") == MHD_YES &&
		MHD_add_response_header(resp, "X-Content-Type-Options", "nosniff") == MHD_YES &&
		MHD_add_response_header(resp, "Content-Security-Policy", "default-src 'none'") ==
			MHD_YES &&
		MHD_add_response_header(resp, "Connection", "close") == MHD_YES)
		rc = MHD_queue_response(mhd, status, resp);
	MHD_destroy_response(resp);
	return rc;
}

/* --- to a worker and back --- */

/* Behind a proxy that the listener trusts, the client is who the proxy says. */
static void forwarded_apply(struct request *r)
{
	struct str rest =
		str_from(MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "X-Forwarded-For"));
	struct str last = STR(""), piece;
	struct ip ip;

	while (str_next(&rest, ',', &piece))
		last = str_trim(piece);
	if (ip_parse(last, &ip))
		r->page.peer = ip;
	if (str_eq(str_from(MHD_lookup_connection_value(
			   r->mhd, MHD_HEADER_KIND, "X-Forwarded-Proto")),
		    STR("https")))
		r->page.https = true;
}

static const char *header(struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

static void page_prepare(struct request *r, const char *method)
{
	struct page *p = &r->page;

	p->gateway = r->ui->gateway;
	p->templates = r->ui->templates;
	p->assets_version = r->ui->assets_version;
	p->kept_store = r->ui->kept;
	p->arena = r->arena;
	p->method = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ? PAGE_GET
		    : strcmp(method, "POST") == 0                             ? PAGE_POST
									      : PAGE_OTHER;
	p->method_name = arena_strdup(r->arena, str_from(method));
	p->https = r->client->https;
	p->metrics = r->client->role == WEBUI_METRICS;
	p->peer = r->client->peer;
	p->base = r->client->base;
	p->body = buf_str(&r->body);
	p->cookie = header(r, "Cookie");
	p->content_type = header(r, "Content-Type");
	p->user_agent = header(r, "User-Agent");
	p->if_none_match = header(r, "If-None-Match");
	p->fetch_site = header(r, "Sec-Fetch-Site");
	p->authorization = header(r, "Authorization");
	if (r->client->forwarded)
		forwarded_apply(r);
	r->slow = p->method == PAGE_POST &&
		  (str_ends(p->path, STR("/login")) || str_ends(p->path, STR("/password")));
	r->tests = p->method == PAGE_POST && str_ends(p->path, STR("/test"));
}

/* False while stopping: nobody would resume the connection. */
static bool enqueue(struct request *r)
{
	struct webui *ui = r->ui;

	client_deadline(r->client, 0, false);
	pthread_mutex_lock(&ui->lock);
	bool take = !ui->stopping;
	if (take) {
		r->busy = true;
		r->next = NULL;
		MHD_suspend_connection(r->mhd);
		*ui->queue_end = r;
		ui->queue_end = &r->next;
		pthread_cond_signal(&ui->work);
	}
	pthread_mutex_unlock(&ui->lock);
	return take;
}

/* The next request a worker may take; password checks only so many at once. */
static struct request *dequeue(struct webui *ui)
{
	for (struct request **at = &ui->queue; *at != NULL; at = &(*at)->next) {
		struct request *r = *at;
		if ((r->slow && ui->slow_count >= SERVER_SLOW_MAX) ||
			(r->tests && ui->test_count >= SERVER_TESTS_MAX))
			continue;
		*at = r->next;
		if (ui->queue_end == &r->next)
			ui->queue_end = at;
		return r;
	}
	return NULL;
}

static void run(struct request *r)
{
	r->page.config = config_snapshot(r->ui->gateway->config);
	router_run(&r->page);
	config_release(r->page.config);
	r->page.config = NULL;
}

void *request_worker(void *arg)
{
	struct webui *ui = arg;

	pthread_mutex_lock(&ui->lock);
	for (;;) {
		struct request *r = dequeue(ui);
		if (r == NULL) {
			if (ui->stopping)
				break;
			pthread_cond_wait(&ui->work, &ui->lock);
			continue;
		}
		ui->slow_count += r->slow;
		ui->test_count += r->tests;
		pthread_mutex_unlock(&ui->lock);
		run(r);
		pthread_mutex_lock(&ui->lock);
		ui->slow_count -= r->slow;
		ui->test_count -= r->tests;
		if (r->slow || r->tests)
			pthread_cond_signal(&ui->work);
		r->done = true;
		if (r->page.answer.delay_ms > 0 && !ui->stopping) {
			r->due_ms = clock_mono_ms() + r->page.answer.delay_ms;
			r->next = ui->delayed;
			ui->delayed = r;
			pthread_cond_signal(&ui->timer);
		} else {
			MHD_resume_connection(r->mhd);
		}
	}
	pthread_mutex_unlock(&ui->lock);
	return NULL;
}

static enum MHD_Result answer(struct request *r)
{
	struct page_answer *a = &r->page.answer;
	struct MHD_Response *resp;
	enum MHD_Result rc = MHD_YES;

	client_deadline(r->client, SERVER_BODY_MS, false);
	if (a->tail != NULL) {
		resp = tail_response(r);
		if (resp == NULL)
			return plain_answer(r, r->mhd, 503, "Too many watch the log already.\n");
	} else if (a->status == 304 || (a->asset == NULL && a->body.len == 0)) {
		resp = constant_response("", 0);
	} else if (a->asset != NULL) {
		resp = constant_response(a->asset->data, a->asset->len);
	} else {
		resp = MHD_create_response_from_buffer(
			a->body.len, a->body.p, MHD_RESPMEM_MUST_FREE);
		if (resp != NULL)
			a->body = (struct buf){NULL, 0, 0};
	}
	if (resp == NULL)
		return MHD_NO;
	if (a->content_type != NULL)
		rc = MHD_add_response_header(resp, "Content-Type", a->content_type);
	for (size_t i = 0; i < a->header_count && rc == MHD_YES; i++)
		rc = MHD_add_response_header(resp, a->headers[i].name, a->headers[i].value);
	if (rc == MHD_YES)
		rc = MHD_queue_response(r->mhd, (unsigned)a->status, resp);
	MHD_destroy_response(resp);
	return rc;
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **state)
{
	struct request *r = *state;

	(void)cls;
	(void)url;
	if (r == NULL || r->client == NULL)
		return MHD_NO;
	if (r->done)
		return answer(r);
	if (!r->seen) {
		r->seen = true;
		client_deadline(r->client, SERVER_BODY_MS, false);
		if (is_bad_line(r, method, version))
			return plain_answer(r, mhd, 400, "The request line is malformed.\n");
		if (is_ambiguous(mhd, version))
			return plain_answer(r, mhd, 400, "This request can be read in two ways.\n");
		if (announces_too_much(mhd))
			return plain_answer(
				r, mhd, 413, "This is more than a form may hold: 1 MiB.\n");
		return MHD_YES;
	}
	if (*size > 0) {
		body_add(r, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (r->too_big)
		return plain_answer(r, mhd, 413, "This is more than a form may hold: 1 MiB.\n");
	if (!r->busy) {
		page_prepare(r, method);
		return enqueue(r) ? MHD_YES : MHD_NO;
	}
	return MHD_YES;
}
