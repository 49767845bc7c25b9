#include "dns/internal.h"

#include "base/rand.h"

#include <stdio.h>

enum { NAME_OCTETS_MAX = 255, LABEL_MAX = 63, TXT_MAX = 65535 };

struct reader {
	struct str rest;
	bool bad;
};

static unsigned take_number(struct reader *r, size_t octets)
{
	unsigned value = 0;

	if (r->rest.len < octets) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < octets; i++)
		value = value << 8 | (unsigned char)r->rest.p[i];
	r->rest = str_skip(r->rest, octets);
	return value;
}

static struct str take(struct reader *r, size_t octets)
{
	struct str part = {r->rest.p, octets};

	if (r->rest.len < octets) {
		r->bad = true;
		return (struct str){"", 0};
	}
	r->rest = str_skip(r->rest, octets);
	return part;
}

/* Lower case, without the last dot; what no host name has as \DDD (RFC 1035 section 5.1). */
static struct str take_name(struct reader *r, struct arena *a)
{
	char text[DNS_TEXT_MAX];
	size_t len = 0, octets = 1;

	for (unsigned size; !r->bad && (size = take_number(r, 1)) != 0;) {
		octets += 1 + size;
		if (size > LABEL_MAX || octets > NAME_OCTETS_MAX) {
			r->bad = true;
			break;
		}
		struct str label = take(r, size);
		if (len > 0)
			text[len++] = '.';
		for (size_t i = 0; i < label.len; i++) {
			char c = ascii_lower(label.p[i]);
			if (c > ' ' && c <= '~' && c != '.' && c != '\\' && c != '"') {
				text[len++] = c;
				continue;
			}
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "\\%03u", (unsigned char)c);
		}
	}
	return r->bad ? (struct str){"", 0} : arena_str(a, (struct str){text, len});
}

static struct str take_txt(struct reader *r, struct arena *a)
{
	char *text = arena_alloc(a, r->rest.len + 1); /* lengths are octets too: it fits */
	size_t len = 0;

	if (r->rest.len == 0 || r->rest.len > TXT_MAX)
		r->bad = true;
	while (!r->bad && r->rest.len > 0) {
		struct str part = take(r, take_number(r, 1));
		if (part.len > 0)
			memcpy(text + len, part.p, part.len);
		len += part.len;
	}
	return (struct str){text, len};
}

static void take_ip(struct reader *r, size_t octets, struct ip *ip)
{
	struct str bytes = take(r, octets);

	if (bytes.len != octets)
		return;
	memcpy(ip->bytes, bytes.p, octets);
	ip->len = (unsigned char)octets;
}

static void take_caa(struct reader *r, struct arena *a, struct dns_record *out)
{
	out->usage = take_number(r, 1);
	struct str tag = take(r, take_number(r, 1));
	if (tag.len == 0)
		r->bad = true;
	for (size_t i = 0; i < tag.len; i++) {
		if (!ascii_is_alnum(tag.p[i]))
			r->bad = true;
	}
	out->tag = arena_str(a, tag);
	out->data = arena_str(a, take(r, r->rest.len));
}

static void take_tlsa(struct reader *r, struct arena *a, struct dns_record *out)
{
	out->usage = take_number(r, 1);
	out->selector = take_number(r, 1);
	out->match = take_number(r, 1);
	out->data = arena_str(a, take(r, r->rest.len));
}

bool dns_rdata_parse(enum dns_type type, struct str rdata, struct arena *a, struct dns_record *out)
{
	struct reader r = {rdata, false};
	struct str none = {"", 0};

	*out = (struct dns_record){.name = none, .data = none, .tag = none};
	switch (type) {
	case DNS_A:
		take_ip(&r, 4, &out->ip);
		break;
	case DNS_AAAA:
		take_ip(&r, 16, &out->ip);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		out->name = take_name(&r, a);
		break;
	case DNS_MX:
		out->pref = take_number(&r, 2);
		out->name = take_name(&r, a);
		break;
	case DNS_SRV:
		out->pref = take_number(&r, 2);
		out->weight = take_number(&r, 2);
		out->port = take_number(&r, 2);
		out->name = take_name(&r, a);
		break;
	case DNS_TXT:
		out->data = take_txt(&r, a);
		break;
	case DNS_TLSA:
		take_tlsa(&r, a, out);
		break;
	case DNS_CAA:
		take_caa(&r, a, out);
		break;
	}
	return !r.bad && r.rest.len == 0;
}

void dns_records_sort(struct dns_record *records, size_t count)
{
	/* Shuffled, then sorted without changing the order of equals. */
	for (size_t i = count; i > 1; i--) {
		size_t k = rand_below((uint32_t)i);
		struct dns_record swap = records[i - 1];
		records[i - 1] = records[k];
		records[k] = swap;
	}
	for (size_t i = 1; i < count; i++) {
		struct dns_record one = records[i];
		size_t k = i;
		for (; k > 0 && records[k - 1].pref > one.pref; k--)
			records[k] = records[k - 1];
		records[k] = one;
	}
}
