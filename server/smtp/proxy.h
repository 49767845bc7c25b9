/* proxy - the PROXY protocol, version 2, binary header only. */
#ifndef SMTP_PROXY_H
#define SMTP_PROXY_H

#include "base/conn.h"

enum { PROXY_HEADER_MAX = 16 + 4096 }; /* octets, TLVs included; our limit */

struct proxy_header {
	bool local; /* the proxy speaks for itself (health check): addresses stay */
	struct ip source, target;
	unsigned source_port, target_port;
};

/* Parses data. Returns octets used, 0 when more is needed, -1 when it is no valid header
 * (err says what). TLVs are read over. */
int proxy_header_parse(struct str data, struct proxy_header *out, struct err *err) MUST_USE;
/* Reads the header off c, which must begin with one and must not have been read from, and
 * sets c's addresses. Takes no octet more than the header, so that a TLS handshake right
 * behind it is left alone. */
int proxy_header_read(struct conn *c, struct deadline d, struct err *err) MUST_USE;

#endif
