#include "smtp/proxy.h"

static const unsigned char signature[12] = {
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum { HEAD = 16, COMMAND_LOCAL = 0, COMMAND_PROXY = 1, TCP4 = 0x11, TCP6 = 0x21 };

static unsigned word(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Source and target address, then source and target port. */
static void addresses_read(const unsigned char *p, unsigned char len, struct proxy_header *out)
{
	out->source.len = out->target.len = len;
	memcpy(out->source.bytes, p, len);
	memcpy(out->target.bytes, p + len, len);
	out->source_port = word(p + 2 * len);
	out->target_port = word(p + 2 * len + 2);
}

int proxy_header_parse(struct str data, struct proxy_header *out, struct err *err)
{
	const unsigned char *p = (const unsigned char *)data.p;
	size_t look = data.len < sizeof(signature) ? data.len : sizeof(signature);

	*out = (struct proxy_header){.local = false};
	if (look > 0 && memcmp(p, signature, look) != 0)
		return err_set(err, ERR_PERM, "no PROXY v2 header");
	if (data.len < HEAD)
		return 0;
	unsigned version = p[12] >> 4, command = p[12] & 15, family = p[13], len = word(p + 14);
	if (version != 2 || command > COMMAND_PROXY)
		return err_set(
			err, ERR_PERM, "PROXY header of version %u, command %u", version, command);
	if (len > PROXY_HEADER_MAX - HEAD)
		return err_set(err, ERR_PERM, "PROXY header of %u octets", len);
	if (data.len < HEAD + len)
		return 0;
	if (command == COMMAND_LOCAL)
		out->local = true;
	else if (family == TCP4 && len >= 12)
		addresses_read(p + HEAD, 4, out);
	else if (family == TCP6 && len >= 36)
		addresses_read(p + HEAD, 16, out);
	else
		return err_set(
			err, ERR_PERM, "PROXY header of family 0x%02x with %u octets", family, len);
	return (int)(HEAD + len);
}

int proxy_header_read(struct conn *c, struct deadline d, struct err *err)
{
	struct proxy_header h;
	unsigned char head[PROXY_HEADER_MAX];
	size_t have = 0;

	for (;;) {
		struct str got;
		int rc = conn_peek(c, 512, d, &got, err);
		if (rc <= 0)
			return rc < 0 ? -1
				      : err_set(err, ERR_TEMP, "closed before the PROXY header");
		size_t take = got.len < sizeof(head) - have ? got.len : sizeof(head) - have;
		memcpy(head + have, got.p, take);
		int used = proxy_header_parse((struct str){(char *)head, have + take}, &h, err);
		if (used < 0)
			return -1;
		if (used > 0) {
			conn_consume(c, (size_t)used - have);
			break;
		}
		have += take;
		conn_consume(c, take);
		if (have == sizeof(head))
			return err_set(err, ERR_PERM, "PROXY header too long");
	}
	if (!h.local)
		conn_set_addresses(c, &h.target, h.target_port, &h.source, h.source_port);
	return 0;
}
