#include "http/internal.h"

#include "base/mem.h"
#include "base/version.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONNECT_MS = 30 * 1000 };

/* --- life --- */

/* libcurl wants this once, before its first use. */
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_init(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

int http_open(const struct http_options *opt, struct http **out, struct err *err)
{
	char agent[128];

	*out = NULL;
	if (pthread_once(&curl_once, curl_init) != 0)
		return err_set(err, ERR_BUG, "libcurl does not start");
	snprintf(agent, sizeof(agent), "mox/%s", version_text);
	struct http *h = mem_alloc(sizeof(*h));
	h->tls = opt->tls;
	h->user_agent = mem_strdup(opt->user_agent ? opt->user_agent : agent);
	h->port = opt->port;
	h->allow = mem_alloc((opt->allow_count + 1) * sizeof(*h->allow));
	h->allow_count = opt->allow_count;
	if (opt->allow_count > 0)
		memcpy(h->allow, opt->allow, opt->allow_count * sizeof(*h->allow));
	atomic_init(&h->cancelled, false);
	*out = h;
	return 0;
}

void http_close(struct http **hp)
{
	struct http *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	free(h->allow);
	free(h->user_agent);
	free(h);
}

void http_cancel(struct http *h)
{
	atomic_store(&h->cancelled, true);
}

/* --- one exchange --- */

struct exchange {
	struct http *h;
	const struct http_target *target;
	struct tls_watch watch;
	struct buf body, fields;
	size_t body_max_bytes;
	bool too_large, header_done;
	struct ip dialled;
	char why[CURL_ERROR_SIZE];
};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * count, room = x->body_max_bytes - x->body.len;

	if (len > room) {
		x->too_large = true;
		buf_raw(&x->body, (struct str){data, room});
		return 0;
	}
	buf_raw(&x->body, (struct str){data, len});
	return len;
}

/* One line of the header. Lines before a status line belong to an interim response. */
static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	struct str line = {data, size * count};

	if (str_starts(line, STR("HTTP/"))) {
		buf_clear(&x->fields);
		return line.len;
	}
	if (x->fields.len + line.len > HTTP_HEADERS_MAX) {
		x->too_large = true;
		return 0;
	}
	while (line.len > 0 && (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r'))
		line.len--;
	if (line.len > 0) {
		buf_raw(&x->fields, line);
		buf_byte(&x->fields, '\n');
	}
	return size * count;
}

static int on_progress(
	void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
	const struct exchange *x = arg;

	(void)dltotal;
	(void)dlnow;
	(void)ultotal;
	(void)ulnow;
	return atomic_load(&x->h->cancelled);
}

/* The last gate: nothing but the addresses that were looked up and allowed is dialled. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct exchange *x = arg;
	struct ip ip;
	unsigned port;

	ip_from_sockaddr(&to->addr, &ip, &port);
	for (size_t i = 0; purpose == CURLSOCKTYPE_IPCXN && i < x->target->ip_count; i++) {
		if (ip_equal(&ip, &x->target->ips[i])) {
			x->dialled = ip;
			return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
		}
	}
	return CURL_SOCKET_BAD;
}

static CURLcode on_ssl_ctx(CURL *curl, void *ssl_ctx, void *arg)
{
	struct exchange *x = arg;

	(void)curl;
	return tls_client_lend(x->h->tls, ssl_ctx, &x->watch) < 0 ? CURLE_SSL_CERTPROBLEM
								  : CURLE_OK;
}

/* "host:port:ip,[ip]": the answer of our resolver. */
static struct curl_slist *resolve_list(const struct http_target *t)
{
	struct buf line = {NULL, 0, 0};
	char text[IP_TEXT];

	buf_printf(&line, "%s:%u:", t->host, t->port);
	for (size_t i = 0; i < t->ip_count; i++)
		buf_printf(&line, t->ips[i].len == 16 ? "%s[%s]" : "%s%s", i > 0 ? "," : "",
			ip_text(&t->ips[i], text));
	struct curl_slist *list = curl_slist_append(NULL, line.p);
	buf_free(&line);
	return list;
}

static struct curl_slist *fields_list(const struct http_request *req, struct err *err)
{
	struct curl_slist *list = curl_slist_append(NULL, "Accept: */*");
	struct buf line = {NULL, 0, 0};
	size_t count = req->field_count;

	if (req->content_type != NULL)
		buf_printf(&line, "Content-Type: %s", req->content_type);
	/* Small bodies do not wait for a 100. */
	list = curl_slist_append(list, "Expect:");
	for (size_t i = 0; i <= count && list != NULL; i++) {
		const char *field = i < count ? req->fields[i] : line.p;
		if (field == NULL)
			continue;
		if (strpbrk(field, "\r\n") != NULL || count > HTTP_REQUEST_FIELDS_MAX) {
			err_set(err, ERR_BUG, "http: bad header field");
			curl_slist_free_all(list);
			buf_free(&line);
			return NULL;
		}
		list = curl_slist_append(list, field);
	}
	if (list == NULL)
		err_set(err, ERR_TEMP, "http: out of memory");
	buf_free(&line);
	return list;
}

/* What applies to every request. Options of a libcurl that is too old would fail here. */
static bool options_set(CURL *c, struct exchange *x, const struct http_request *req, int64_t ms)
{
	long connect_ms = ms < CONNECT_MS ? (long)ms : (long)CONNECT_MS;

	return curl_easy_setopt(c, CURLOPT_URL, x->target->url) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_USERAGENT, x->h->user_agent) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ms) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->why) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, x) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEDATA, x) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERDATA, x) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_XFERINFODATA, x) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	       (req->content_type == NULL ||
		       (curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
			       curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
				       (curl_off_t)req->body.len) == CURLE_OK &&
			       curl_easy_setopt(c, CURLOPT_POSTFIELDS,
				       req->body.p ? req->body.p : "") == CURLE_OK));
}

static enum http_outcome outcome_of(const struct exchange *x, CURLcode code)
{
	if (code == CURLE_OK)
		return HTTP_DONE;
	if (x->too_large)
		return HTTP_TOO_LARGE;
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return HTTP_CANCELLED;
	if (x->watch.verified && x->watch.pkix_code != 0)
		return HTTP_CERTIFICATE;
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return HTTP_CERTIFICATE;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return HTTP_TIMEOUT;
	if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		return HTTP_CONNECT;
	return x->watch.done ? HTTP_BROKEN : HTTP_TLS;
}

static enum tls_failure tls_failure_of(const struct exchange *x, CURLcode code)
{
	if (x->watch.failure.kind != TLS_FAILURE_NONE)
		return x->watch.failure.kind;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return TLS_FAILURE_TIMEOUT;
	/* libcurl's words are the only sign of these two. */
	if (str_find(str_from(x->why), STR("wrong version number")) != NULL ||
		str_find(str_from(x->why), STR("packet length too long")) != NULL)
		return TLS_FAILURE_NOT_TLS;
	if (str_find(str_from(x->why), STR("SSL_ERROR_SYSCALL")) != NULL ||
		str_find(str_from(x->why), STR("unexpected eof")) != NULL ||
		str_find(str_from(x->why), STR("Connection reset")) != NULL)
		return TLS_FAILURE_CLOSED;
	return TLS_FAILURE_OTHER;
}

static struct str outcome_words(
	const struct exchange *x, CURLcode code, struct arena *a, struct http_result *r)
{
	const char *host = x->target->host, *why = x->why[0] ? x->why : curl_easy_strerror(code);
	char ip[IP_TEXT];

	switch (r->outcome) {
	case HTTP_CERTIFICATE:
		return str_from(arena_printf(a, "the certificate of %s is not valid: %s", host,
			r->pkix_code ? tls_pkix_text(r->pkix_code) : why));
	case HTTP_TLS:
		if (r->tls_failure.kind == TLS_FAILURE_REMOTE_ALERT)
			return str_from(arena_printf(a, "TLS with %s: it sent alert %d (%s)", host,
				r->tls_failure.alert, tls_alert_text(r->tls_failure.alert)));
		return str_from(arena_printf(a, "TLS with %s: %s", host, why));
	case HTTP_TIMEOUT:
		return str_from(arena_printf(a, "%s (%s) did not answer in time: %s", host,
			r->ip.len ? ip_text(&r->ip, ip) : "no address", why));
	case HTTP_TOO_LARGE:
		return str_from(arena_printf(
			a, "the answer of %s is over %zu octets", host, x->body_max_bytes));
	case HTTP_CANCELLED:
		return STR("mox is stopping");
	case HTTP_CONNECT:
	case HTTP_BROKEN:
		return str_from(arena_printf(a, "%s: %s", host, why));
	case HTTP_DONE:
	case HTTP_BAD_URL:
	case HTTP_NO_ADDRESS:
	case HTTP_DNS:
	case HTTP_ADDRESS_REFUSED:
		break;
	}
	return STR("");
}

static void result_fill(
	CURL *curl, struct exchange *x, CURLcode code, struct arena *a, struct http_result *r)
{
	long status = 0;

	r->outcome = outcome_of(x, code);
	r->ip = x->dialled;
	if (r->outcome == HTTP_CERTIFICATE) {
		r->pkix_code = x->watch.pkix_code;
		r->tls_failure.kind = TLS_FAILURE_NONE;
	} else if (!x->watch.done && x->watch.started) {
		r->tls_failure = x->watch.failure;
		r->tls_failure.kind = tls_failure_of(x, code);
	}
	if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
		r->status = (int)status;
	r->body = arena_str(a, buf_str(&x->body));
	r->fields = arena_str(a, buf_str(&x->fields));
	r->text = outcome_words(x, code, a, r);
}

/* *next: where a redirect leads, or NULL. */
static int exchange_run(struct http *h, const struct http_target *target,
	const struct http_request *req, struct deadline deadline, struct arena *a,
	struct http_result *r, const char **next, struct err *err)
{
	struct exchange x = {.h = h, .target = target, .body_max_bytes = req->body_max_bytes};
	CURL *curl = curl_easy_init();
	struct curl_slist *resolve = NULL, *fields = NULL;
	int64_t left_ms = deadline_left_ms(deadline);
	const char *redirect = NULL;
	int rc = -1;

	*next = NULL;
	x.watch.server_name = target->host;
	resolve = target->literal ? NULL : resolve_list(target);
	fields = fields_list(req, err);
	if (fields == NULL)
		goto out;
	if (curl == NULL || (resolve == NULL && !target->literal) ||
		!options_set(curl, &x, req, left_ms > 0 ? left_ms : 1) ||
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields) != CURLE_OK ||
		(resolve && curl_easy_setopt(curl, CURLOPT_RESOLVE, resolve) != CURLE_OK)) {
		err_set(err, ERR_BUG, "http: libcurl refuses an option");
		goto out;
	}
	CURLcode code = curl_easy_perform(curl);
	result_fill(curl, &x, code, a, r);
	if (code == CURLE_OK &&
		curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &redirect) == CURLE_OK &&
		redirect != NULL)
		*next = arena_strdup(a, str_from(redirect));
	rc = 0;
out:
	curl_easy_cleanup(curl); /* before the watch goes: it closes the connection */
	curl_slist_free_all(resolve);
	curl_slist_free_all(fields);
	buf_free(&x.body);
	buf_free(&x.fields);
	return rc;
}

static int request_run(struct http *h, const struct dns_asker *ask, const struct http_request *req,
	struct arena *a, struct http_result *out, struct err *err)
{
	int64_t start_ms = clock_mono_ms();
	const char *url = req->url, *next;
	struct http_target target;
	unsigned redirects =
		req->redirects < HTTP_REDIRECTS_MAX ? req->redirects : HTTP_REDIRECTS_MAX;

	for (;; redirects--, url = next) {
		*out = (struct http_result){.outcome = HTTP_BAD_URL};
		if (atomic_load(&h->cancelled)) {
			out->outcome = HTTP_CANCELLED;
			out->text = STR("mox is stopping");
			return 0;
		}
		if (!http_target_parse(h, url, a, &target, out))
			break;
		int rc = http_target_resolve(h, ask, a, &target, out, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		if (exchange_run(h, &target, req, ask->deadline, a, out, &next, err) < 0)
			return -1;
		if (next == NULL || redirects == 0 || req->content_type != NULL)
			break;
	}
	out->took_ms = clock_mono_ms() - start_ms;
	return 0;
}

int https_get(struct http *h, const struct dns_asker *ask, const struct http_request *req,
	struct arena *a, struct http_result *out, struct err *err)
{
	struct http_request get = *req;

	get.content_type = NULL;
	return request_run(h, ask, &get, a, out, err);
}

int https_post(struct http *h, const struct dns_asker *ask, const struct http_request *req,
	struct arena *a, struct http_result *out, struct err *err)
{
	struct http_request post = *req;

	if (post.content_type == NULL)
		post.content_type = "application/octet-stream";
	return request_run(h, ask, &post, a, out, err);
}

struct str http_field(const struct http_result *r, const char *name)
{
	struct str rest = r->fields, line, head, value;

	while (rest.len > 0 && str_next(&rest, '\n', &line)) {
		if (str_split(line, ':', &head, &value) && str_eq_nocase(head, str_from(name)))
			return str_trim(value);
	}
	return STR("");
}

const char *http_outcome_text(enum http_outcome o)
{
	switch (o) {
	case HTTP_DONE:
		return "done";
	case HTTP_BAD_URL:
		return "bad-url";
	case HTTP_NO_ADDRESS:
		return "no-address";
	case HTTP_DNS:
		return "dns";
	case HTTP_ADDRESS_REFUSED:
		return "address-refused";
	case HTTP_CONNECT:
		return "connect";
	case HTTP_CERTIFICATE:
		return "certificate";
	case HTTP_TLS:
		return "tls";
	case HTTP_TIMEOUT:
		return "timeout";
	case HTTP_TOO_LARGE:
		return "too-large";
	case HTTP_BROKEN:
		return "broken";
	case HTTP_CANCELLED:
		return "cancelled";
	}
	return "?";
}
