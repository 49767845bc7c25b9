#include "policy/destination.h"

#include <stdio.h>

enum { NO_EDE = -1 };

bool dns_trouble_is_dnssec(const struct dns_trouble *t)
{
	return t->status == DNS_BOGUS ||
	       (dns_status_is_temporary(t->status) && dns_ede_is_dnssec(t->ede));
}

void dns_trouble_note(struct dns_trouble *t, const char *what, const struct dns_answer *answer)
{
	*t = (struct dns_trouble){.status = answer->status, .ede = answer->ede};
	snprintf(t->text, sizeof(t->text), "%s: %s%s%.*s", what, dns_status_text(answer->status),
		answer->reason.len > 0 ? ": " : "", STR_FMT(answer->reason));
}

bool destination_is_permanent(enum destination_status s)
{
	return s == DESTINATION_NO_MAIL || s == DESTINATION_BAD_MX;
}

static void ttl_take(int64_t *ttl_s, const struct dns_answer *answer)
{
	if (answer->ttl_s < *ttl_s)
		*ttl_s = answer->ttl_s;
}

enum { TTL_START_S = 86400 };

/* --- the hosts --- */

static int failed(struct destination *out, enum destination_status status, const char *text)
{
	out->status = status;
	snprintf(out->text, sizeof(out->text), "%s", text);
	return 0;
}

static int dns_failed(struct destination *out, const char *type, const char *name,
	const struct dns_answer *answer)
{
	char what[DNS_NAME_MAX + 40];

	snprintf(what, sizeof(what), "%s look-up of %.253s", type, name);
	dns_trouble_note(&out->trouble, what, answer);
	return failed(out, DESTINATION_DNS_ERROR, out->trouble.text);
}

/* A host name mail can be sent to; underscores are let through, as real ones have them. */
static bool host_is_fine(struct str name)
{
	char ascii[DNS_NAME_MAX];
	struct err err;

	return name.len > 0 && dns_name_to_ascii(name, ascii, &err) == 0;
}

static int hosts_take(struct destination *out, const struct dns_answer *answer, struct arena *arena)
{
	char text[DESTINATION_TEXT];

	out->have_mx = true;
	if (answer->count == 1 && answer->records[0].name.len == 0)
		return failed(out, DESTINATION_NO_MAIL,
			"The domain says that it receives no mail (null MX)");
	size_t n = answer->count < DESTINATION_HOSTS_MAX ? answer->count : DESTINATION_HOSTS_MAX;
	out->hosts = arena_alloc(arena, n * sizeof(*out->hosts));
	for (size_t i = 0; i < n; i++) {
		const struct dns_record *r = &answer->records[i];
		if (host_is_fine(r->name))
			out->hosts[out->host_count++] = (struct destination_host){
				.name = arena_strdup(arena, r->name), .pref = r->pref};
	}
	if (out->host_count > 0)
		return 0;
	snprintf(text, sizeof(text), "The MX records of %.253s name no usable host: \"%.*s\"",
		out->expanded,
		(int)(answer->records[0].name.len > 80 ? 80 : answer->records[0].name.len),
		answer->records[0].name.p);
	return failed(out, DESTINATION_BAD_MX, text);
}

static int mx_take(const struct dns_asker *q, struct destination *out, bool first,
	struct arena *arena, struct err *err)
{
	struct dns_answer answer;

	if (dns_ask(q, DNS_MX, out->expanded, arena, &answer, err) < 0)
		return -1;
	if (first)
		out->secure = out->secure && answer.secure;
	out->expanded_secure = out->expanded_secure && answer.secure;
	ttl_take(&out->ttl_s, &answer);
	switch (answer.status) {
	case DNS_OK:
		return hosts_take(out, &answer, arena);
	case DNS_NXDOMAIN:
		out->exists = false;
		break;
	case DNS_NODATA:
		break;
	case DNS_BOGUS:
	case DNS_FAILED:
	case DNS_TIMEOUT:
		return dns_failed(out, "MX", out->expanded, &answer);
	}
	/* The implicit MX; whether it has addresses shows later. */
	out->hosts = arena_alloc(arena, sizeof(*out->hosts));
	out->hosts[out->host_count++] = (struct destination_host){.name = out->expanded};
	return 0;
}

static bool seen_before(const char *const *seen, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(seen[i], name) == 0)
			return true;
	}
	return false;
}

/* The CNAMEs from the domain on. 1: out->expanded is where they end, *links of them; 0: out
 * says what is wrong. */
static int expand(const struct dns_asker *q, struct destination *out, size_t *links,
	struct arena *arena, struct err *err)
{
	const char *seen[DESTINATION_CNAMES_MAX + 1];
	struct dns_answer answer;
	char text[DESTINATION_TEXT];

	for (*links = 0;; ++*links) {
		if (seen_before(seen, *links, out->expanded) || *links == DESTINATION_CNAMES_MAX) {
			snprintf(text, sizeof(text), "The CNAME records of %.253s %s", out->domain,
				*links == DESTINATION_CNAMES_MAX ? "are too many in a row"
								 : "go round in a circle");
			failed(out, DESTINATION_CNAME_LOOP, text);
			return 0;
		}
		seen[*links] = out->expanded;
		if (dns_ask(q, DNS_CNAME, out->expanded, arena, &answer, err) < 0)
			return -1;
		if (*links == 0)
			out->secure = answer.secure;
		out->expanded_secure = out->expanded_secure && answer.secure;
		if (dns_status_is_temporary(answer.status)) {
			dns_failed(out, "CNAME", out->expanded, &answer);
			return 0;
		}
		if (answer.status != DNS_OK)
			return 1;
		ttl_take(&out->ttl_s, &answer);
		if (!host_is_fine(answer.records[0].name)) {
			failed(out, DESTINATION_DNS_ERROR,
				"The domain's CNAME record names what cannot be a domain");
			return 0;
		}
		out->expanded = arena_strdup(arena, answer.records[0].name);
	}
}

int destination_gather(const struct dns_asker *q, const char *domain, struct arena *arena,
	struct destination *out, struct err *err)
{
	struct ip literal;
	size_t links;

	*out = (struct destination){.domain = arena_strdup(arena, str_from(domain)),
		.exists = true,
		.expanded_secure = true,
		.ttl_s = TTL_START_S,
		.trouble = {.ede = NO_EDE}};
	out->expanded = out->domain;
	if (ip_parse(str_from(domain), &literal)) {
		out->literal = true;
		out->expanded = "";
		out->expanded_secure = false;
		out->hosts = arena_alloc(arena, sizeof(*out->hosts));
		out->hosts[out->host_count++] = (struct destination_host){.name = out->domain};
		return 0;
	}
	int rc = expand(q, out, &links, arena, err);
	if (rc <= 0)
		return rc;
	return mx_take(q, out, links == 0, arena, err);
}

/* --- addresses --- */

/* Not there is an answer too, as far as DNSSEC goes. 1: goes on; 0: out says what is wrong. */
static int host_expand(const struct dns_asker *q, struct destination_ips *out, struct arena *arena,
	struct err *err)
{
	struct dns_answer answer;
	char what[DNS_NAME_MAX + 40];

	for (int links = 0;; links++) {
		if (links > DESTINATION_HOST_CNAMES_MAX) {
			out->cname_loop = true;
			out->status = DNS_FAILED;
			out->trouble = (struct dns_trouble){.status = DNS_FAILED, .ede = NO_EDE};
			snprintf(out->trouble.text, sizeof(out->trouble.text),
				"The CNAME records of %.253s are too many in a row or a circle",
				out->host);
			return 0;
		}
		if (dns_ask(q, DNS_CNAME, out->expanded, arena, &answer, err) < 0)
			return -1;
		if (links == 0)
			out->secure = answer.secure;
		out->expanded_secure = out->expanded_secure && answer.secure;
		if (dns_status_is_temporary(answer.status)) {
			snprintf(what, sizeof(what), "CNAME look-up of %.253s", out->expanded);
			dns_trouble_note(&out->trouble, what, &answer);
			out->status = answer.status;
			out->secure = out->expanded_secure = false;
			return 0;
		}
		if (answer.status != DNS_OK)
			return 1;
		ttl_take(&out->ttl_s, &answer);
		out->expanded = arena_strdup(arena, answer.records[0].name);
	}
}

int destination_ips(const struct dns_asker *q, const char *host, struct arena *arena,
	struct destination_ips *out, struct err *err)
{
	struct dns_answer answer;
	char what[DNS_NAME_MAX + 40];
	struct ip literal;
	bool v4 = false, v6 = false;

	*out = (struct destination_ips){.host = arena_strdup(arena, str_from(host)),
		.expanded_secure = true,
		.ttl_s = TTL_START_S,
		.trouble = {.ede = NO_EDE}};
	out->expanded = out->host;
	if (ip_parse(str_from(host), &literal)) {
		out->expanded_secure = false;
		out->ips = arena_alloc(arena, sizeof(*out->ips));
		out->ips[out->count++] = literal;
		return 0;
	}
	int rc = host_expand(q, out, arena, err);
	if (rc <= 0)
		return rc;
	if (dns_ask_addr(q, out->expanded, arena, &answer, err) < 0)
		return -1;
	out->secure = out->secure && answer.secure;
	out->expanded_secure = out->expanded_secure && answer.secure;
	out->status = answer.status;
	ttl_take(&out->ttl_s, &answer);
	if (answer.status != DNS_OK) {
		snprintf(what, sizeof(what), "Looking for an address of %.253s", out->expanded);
		dns_trouble_note(&out->trouble, what, &answer);
		return 0;
	}
	out->ips = arena_alloc(arena, answer.count * sizeof(*out->ips));
	for (size_t i = 0; i < answer.count; i++) {
		out->ips[out->count++] = answer.records[i].ip;
		v4 |= answer.records[i].ip.len == 4;
		v6 |= answer.records[i].ip.len == 16;
	}
	out->dualstack = v4 && v6;
	return 0;
}

/* The smaller comes first. */
static int rank(const struct ip *ip, const struct ip *prev, size_t tries_of_family)
{
	if (ip->len != prev->len)
		return 0;
	return tries_of_family == 1 && ip_equal(ip, prev) ? 1 : 2;
}

void destination_ips_order(struct ip *ips, size_t count, const struct ip *tried, size_t tried_count)
{
	size_t tries = 0;

	if (tried_count == 0)
		return;
	const struct ip *prev = &tried[tried_count - 1];
	for (size_t i = 0; i < tried_count; i++)
		tries += tried[i].len == prev->len;
	for (size_t i = 1; i < count; i++) { /* stable */
		struct ip one = ips[i];
		size_t k = i;
		for (; k > 0 && rank(&ips[k - 1], prev, tries) > rank(&one, prev, tries); k--)
			ips[k] = ips[k - 1];
		ips[k] = one;
	}
}
