/* time   = date [ ("T" / SP) HH ":" MM [ ":" SS ] ] [ "Z" ] / 1*6DIGIT ("m" / "h" / "d")
 * date   = YYYY "-" MM "-" DD */
#include "control/logfind.h"

#include "base/net.h"
#include "base/rand.h"
#include "dns/dns.h"

#include <time.h>

static const struct {
	const char *name;
	unsigned bit;
} results[] = {
	{"accepted", STORE_LOG_ACCEPTED},
	{"rejected", STORE_LOG_REJECTED},
	{"tempfailed", STORE_LOG_TEMPFAILED},
	{"delivered", STORE_LOG_DELIVERED},
	{"deferred", STORE_LOG_DEFERRED},
	{"bounced", STORE_LOG_BOUNCED},
	{"quarantined", STORE_LOG_QUARANTINED},
	{"dropped", STORE_LOG_DROPPED},
};

const char *const logfind_results[] = {"accepted", "rejected", "tempfailed", "delivered",
	"deferred", "bounced", "quarantined", "dropped", NULL};

unsigned logfind_result(struct str name)
{
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (str_eq_nocase(name, str_from(results[i].name)))
			return results[i].bit;
	}
	return 0;
}

const char *logfind_event_name(enum store_log_kind kind)
{
	switch (kind) {
	case STORE_LOG_EV_DELIVERED:
		return "delivered";
	case STORE_LOG_EV_DEFERRED:
		return "deferred";
	case STORE_LOG_EV_FAILED:
		return "failed";
	case STORE_LOG_EV_NOTICE:
		return "notice";
	case STORE_LOG_EV_RETRY:
		return "retry";
	case STORE_LOG_EV_HELD:
		return "held";
	case STORE_LOG_EV_UNHELD:
		return "unheld";
	case STORE_LOG_EV_DROPPED:
		return "dropped";
	case STORE_LOG_EV_QUARANTINED:
		return "quarantined";
	case STORE_LOG_EV_RELEASED:
		return "released";
	}
	return "";
}

const char *logfind_stage_name(enum store_log_stage stage)
{
	switch (stage) {
	case STORE_LOG_STAGE_QUEUED:
		return "queued";
	case STORE_LOG_STAGE_MAIL:
		return "MAIL";
	case STORE_LOG_STAGE_RCPT:
		return "RCPT";
	case STORE_LOG_STAGE_DATA:
		return "DATA";
	}
	return "";
}

/* --- what was typed --- */

/* Into A-labels; what is no name stays as it is and finds nothing. */
static struct str ascii_domain(struct arena *a, struct str domain)
{
	char name[DNS_NAME_MAX];
	struct err err;

	if (domain.len > 0 && domain.p[0] != '[' && dns_name_to_ascii(domain, name, &err) == 0)
		return arena_str(a, str_from(name));
	return domain;
}

static struct str ascii_address(struct arena *a, struct str text)
{
	const char *at = memrchr(text.p, '@', text.len);
	size_t local = (size_t)(at - text.p);
	struct str domain = ascii_domain(a, str_skip(text, local + 1));

	return str_from(arena_printf(a, "%.*s@%.*s", (int)local, text.p, STR_FMT(domain)));
}

static bool is_session(struct str text)
{
	if (text.len != RAND_ID_TEXT - 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.p[i]))
			return false;
	}
	return true;
}

enum logfind_kind logfind_text(
	struct arena *a, struct str text, struct store_msglog_filter *f, int64_t *queue_id)
{
	char written[IP_TEXT];
	struct ip ip;

	text = str_trim(text);
	if (text.len == 0)
		return LOGFIND_NOTHING;
	if (text.len > LOGFIND_TEXT_MAX)
		return LOGFIND_UNKNOWN;
	struct str bare = text;
	if (bare.len > 2 && bare.p[0] == '[' && bare.p[bare.len - 1] == ']')
		bare = (struct str){bare.p + 1, bare.len - 2};
	if (ip_parse(bare, &ip)) {
		f->ip = arena_str(a, str_from(ip_text(&ip, written)));
		return LOGFIND_IP;
	}
	if (text.p[0] == '<' && text.p[text.len - 1] == '>') {
		f->message_id = text;
		return LOGFIND_MESSAGE_ID;
	}
	if (text.len > 1 && text.p[0] == '@') {
		f->domain = ascii_domain(a, str_skip(text, 1));
		return LOGFIND_DOMAIN;
	}
	if (memchr(text.p, '@', text.len) != NULL) {
		f->address = ascii_address(a, text);
		return LOGFIND_ADDRESS;
	}
	if (memchr(text.p, '.', text.len) != NULL && memchr(text.p, ' ', text.len) == NULL) {
		f->domain = ascii_domain(a, text);
		return LOGFIND_DOMAIN;
	}
	if (is_session(text)) {
		f->session = text;
		return LOGFIND_SESSION;
	}
	if (store_id_parse(text, queue_id))
		return LOGFIND_QUEUE_ID;
	if (str_eq_nocase(text, STR("localhost"))) {
		f->domain = text;
		return LOGFIND_DOMAIN;
	}
	return LOGFIND_UNKNOWN;
}

/* --- time --- */

static bool digits(struct str *rest, size_t n, int min, int max, int *value)
{
	uint64_t v;

	if (rest->len < n || !str_to_u64((struct str){rest->p, n}, (uint64_t)max, &v) ||
		(int)v < min)
		return false;
	*value = (int)v;
	*rest = str_skip(*rest, n);
	return true;
}

static bool skip(struct str *rest, char c)
{
	if (rest->len == 0 || rest->p[0] != c)
		return false;
	*rest = str_skip(*rest, 1);
	return true;
}

static bool ago_parse(struct str text, int64_t now_ms, int64_t *unix_ms)
{
	static const struct {
		char letter;
		int64_t ms;
	} units[] = {{'m', 60000}, {'h', 3600000}, {'d', 86400000}};
	uint64_t n;

	if (text.len < 2 || !str_to_u64((struct str){text.p, text.len - 1}, 999999, &n))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text.p[text.len - 1] != units[i].letter)
			continue;
		*unix_ms = now_ms - (int64_t)n * units[i].ms;
		return *unix_ms > 0;
	}
	return false;
}

static bool date_parse(struct str text, int64_t *unix_ms)
{
	struct tm tm = {.tm_sec = 0};

	if (!digits(&text, 4, 1970, 9999, &tm.tm_year) || !skip(&text, '-') ||
		!digits(&text, 2, 1, 12, &tm.tm_mon) || !skip(&text, '-') ||
		!digits(&text, 2, 1, 31, &tm.tm_mday))
		return false;
	if (skip(&text, 'T') || skip(&text, ' ')) {
		if (!digits(&text, 2, 0, 23, &tm.tm_hour) || !skip(&text, ':') ||
			!digits(&text, 2, 0, 59, &tm.tm_min) ||
			(skip(&text, ':') && !digits(&text, 2, 0, 60, &tm.tm_sec)))
			return false;
		(void)skip(&text, 'Z');
	}
	if (text.len > 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	int day = tm.tm_mday;
	time_t t = timegm(&tm);
	if (tm.tm_mday != day && tm.tm_sec < 60) /* February 30th */
		return false;
	*unix_ms = (int64_t)t * 1000;
	return t > 0;
}

int logfind_time(struct str text, int64_t now_ms, int64_t *unix_ms, struct err *err)
{
	text = str_trim(text);
	if (ago_parse(text, now_ms, unix_ms) || date_parse(text, unix_ms))
		return 0;
	return err_set(err, ERR_PERM,
		"\"%.*s\" is no time: write 2026-11-24, 2026-11-24T10:30 (UTC) or 90m, 24h, 7d",
		(int)(text.len > 60 ? 60 : text.len), text.len > 0 ? text.p : "");
}
