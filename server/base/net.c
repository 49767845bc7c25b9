#include "base/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void unmap(struct ip *ip)
{
	if (ip->len == 16 && memcmp(ip->bytes, mapped_prefix, 12) == 0) {
		memmove(ip->bytes, ip->bytes + 12, 4);
		memset(ip->bytes + 4, 0, 12);
		ip->len = 4;
	}
}

bool ip_parse(struct str text, struct ip *ip)
{
	char copy[IP_TEXT];

	*ip = (struct ip){.len = 0};
	if (!str_copy(copy, sizeof(copy), text))
		return false;
	if (inet_pton(AF_INET, copy, ip->bytes) == 1) {
		ip->len = 4;
		return true;
	}
	if (inet_pton(AF_INET6, copy, ip->bytes) == 1) {
		ip->len = 16;
		unmap(ip);
		return true;
	}
	return false;
}

const char *ip_text(const struct ip *ip, char out[IP_TEXT])
{
	if (ip->len == 0 ||
		inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, out, IP_TEXT) == NULL)
		snprintf(out, IP_TEXT, "unknown");
	return out;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

struct ip ip_mask(const struct ip *ip, unsigned bits)
{
	struct ip out = *ip;

	for (unsigned i = 0; i < out.len; i++) {
		unsigned first = i * 8;
		if (first >= bits)
			out.bytes[i] = 0;
		else if (bits - first < 8)
			out.bytes[i] &= (unsigned char)(0xff00U >> (bits - first));
	}
	return out;
}

static bool in_any(const struct ip *ip, const char *const *nets)
{
	for (; *nets != NULL; nets++) {
		struct cidr cidr;
		struct err err;
		if (cidr_parse(str_from(*nets), &cidr, &err) == 0 && cidr_contains(&cidr, ip))
			return true;
	}
	return false;
}

bool ip_is_loopback(const struct ip *ip)
{
	static const char *const nets[] = {"127.0.0.0/8", "::1/128", NULL};

	return in_any(ip, nets);
}

bool ip_is_private(const struct ip *ip)
{
	static const char *const nets[] = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10",
		"127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/4", "240.0.0.0/4", "::/127", "64:ff9b:1::/48", "100::/64",
		"2001:db8::/32", "fc00::/7", "fe80::/10", "ff00::/8", NULL};

	return in_any(ip, nets);
}

void ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip, unsigned *port)
{
	*ip = (struct ip){.len = 0};
	*port = 0;
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in4;
		memcpy(&in4, sa, sizeof(in4));
		memcpy(ip->bytes, &in4.sin_addr, 4);
		ip->len = 4;
		*port = ntohs(in4.sin_port);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		memcpy(ip->bytes, &in6.sin6_addr, 16);
		ip->len = 16;
		unmap(ip);
		*port = ntohs(in6.sin6_port);
	}
}

socklen_t ip_to_sockaddr(const struct ip *ip, unsigned port, struct sockaddr_storage *sa)
{
	memset(sa, 0, sizeof(*sa));
	if (ip->len == 4) {
		struct sockaddr_in in4 = {
			.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
		memcpy(&in4.sin_addr, ip->bytes, 4);
		memcpy(sa, &in4, sizeof(in4));
		return sizeof(in4);
	}
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
	memcpy(&in6.sin6_addr, ip->bytes, 16);
	memcpy(sa, &in6, sizeof(in6));
	return sizeof(in6);
}

int cidr_parse(struct str text, struct cidr *cidr, struct err *err)
{
	struct str addr = text, bits;
	uint64_t n;
	char shown[IP_TEXT];
	bool has_bits = str_split(text, '/', &addr, &bits);

	if (!ip_parse(addr, &cidr->ip))
		return err_set(err, ERR_PERM, "\"%.*s\" is not an IP address", STR_FMT(addr));
	cidr->bits = cidr->ip.len * 8U;
	if (has_bits) {
		if (!str_to_u64(bits, cidr->bits, &n))
			return err_set(err, ERR_PERM, "\"%.*s\": the prefix length must be 0 to %u",
				STR_FMT(text), cidr->bits);
		cidr->bits = (unsigned)n;
	}
	struct ip masked = ip_mask(&cidr->ip, cidr->bits);
	if (!ip_equal(&masked, &cidr->ip))
		return err_set(err, ERR_PERM, "\"%.*s\" has host bits set; did you mean %s/%u?",
			STR_FMT(text), ip_text(&masked, shown), cidr->bits);
	return 0;
}

bool cidr_contains(const struct cidr *cidr, const struct ip *ip)
{
	struct ip masked = ip_mask(ip, cidr->bits);

	return ip_equal(&masked, &cidr->ip);
}

int hostport_parse(
	struct str text, unsigned default_port, struct str *host, unsigned *port, struct err *err)
{
	struct str rest = {NULL, 0};
	uint64_t n;

	*port = default_port;
	if (text.len > 0 && text.p[0] == '[') {
		if (!str_split(str_skip(text, 1), ']', host, &rest))
			return err_set(err, ERR_PERM, "\"%.*s\": missing \"]\"", STR_FMT(text));
		if (rest.len > 0 && rest.p[0] != ':')
			return err_set(err, ERR_PERM, "\"%.*s\": expected \":port\" after \"]\"",
				STR_FMT(text));
		rest = rest.len > 0 ? str_skip(rest, 1) : (struct str){NULL, 0};
	} else {
		struct ip ip;
		*host = text;
		if (!ip_parse(text, &ip)) /* a bare IPv6 address has colons of its own */
			str_split(text, ':', host, &rest);
	}
	if (host->len == 0)
		return err_set(err, ERR_PERM, "\"%.*s\": the host is empty", STR_FMT(text));
	if (rest.p != NULL) {
		if (!str_to_u64(rest, 65535, &n) || n == 0)
			return err_set(err, ERR_PERM, "\"%.*s\": the port must be 1 to 65535",
				STR_FMT(text));
		*port = (unsigned)n;
	}
	return 0;
}
