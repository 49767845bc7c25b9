/* net - IP addresses, networks and "host:port" texts. */
#ifndef BASE_NET_H
#define BASE_NET_H

#include "base/err.h"
#include "base/str.h"

#include <sys/socket.h>

struct ip {
	unsigned char bytes[16]; /* network order; 4 used for IPv4 */
	unsigned char len;       /* 4, 16, or 0 for none */
};

struct cidr {
	struct ip ip; /* host bits zero */
	unsigned bits;
};

enum { IP_TEXT = 64 };

/* IPv4 dotted or IPv6, no brackets, no zone. IPv4-mapped IPv6 becomes IPv4. */
bool ip_parse(struct str text, struct ip *ip);
const char *ip_text(const struct ip *ip, char out[IP_TEXT]);
bool ip_equal(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *ip);
/* RFC 1918, 4193, link-local, loopback, and other addresses that are not global. */
bool ip_is_private(const struct ip *ip);
/* The address with all but its first bits zeroed. */
struct ip ip_mask(const struct ip *ip, unsigned bits);

void ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip, unsigned *port);
socklen_t ip_to_sockaddr(const struct ip *ip, unsigned port, struct sockaddr_storage *sa);

/* "10.0.0.0/8", "2001:db8::/32" or a single address. Host bits that are set are an
 * error that says which network was probably meant. */
int cidr_parse(struct str text, struct cidr *cidr, struct err *err) MUST_USE;
bool cidr_contains(const struct cidr *cidr, const struct ip *ip);

/* "host:port", "[v6]:port", or "host" (port then default_port). host is a view
 * into text, without brackets. */
int hostport_parse(struct str text, unsigned default_port, struct str *host, unsigned *port,
	struct err *err) MUST_USE;

#endif
