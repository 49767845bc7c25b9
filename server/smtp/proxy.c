#include "smtp/proxy.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static const unsigned char signature[12] = {
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum { HEAD = 16, COMMAND_LOCAL = 0, COMMAND_PROXY = 1, TCP4 = 0x11, TCP6 = 0x21, UNSPECIFIED = 0 };

static unsigned word(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* An IPv4 address in IPv6 clothes is the IPv4 address: limits and networks know it so. */
static void unmap(struct ip *ip)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (ip->len == 16 && memcmp(ip->bytes, mapped, sizeof(mapped)) == 0) {
		struct ip v4 = {.len = 4};
		memcpy(v4.bytes, ip->bytes + sizeof(mapped), 4);
		*ip = v4;
	}
}

/* Source and target address, then source and target port. */
static void addresses_read(const unsigned char *p, unsigned char len, struct proxy_header *out)
{
	out->source.len = out->target.len = len;
	memcpy(out->source.bytes, p, len);
	memcpy(out->target.bytes, p + len, len);
	out->source_port = word(p + 2 * len);
	out->target_port = word(p + 2 * len + 2);
	unmap(&out->source);
	unmap(&out->target);
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
	if (command == COMMAND_LOCAL || family == UNSPECIFIED)
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

static int read_exactly(int fd, char *out, size_t len, struct deadline d, struct err *err)
{
	size_t done = 0;

	while (done < len) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int n = poll(&p, 1, (int)deadline_left_ms(d));
		if (n == 0)
			return err_set(err, ERR_TEMP, "no PROXY header in time");
		ssize_t got = n < 0 ? -1 : recv(fd, out + done, len - done, MSG_DONTWAIT);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return err_set(err, ERR_TEMP, "PROXY header: %s", strerror(errno));
		if (got == 0)
			return err_set(err, ERR_TEMP, "closed before the end of the PROXY header");
		done += (size_t)got;
	}
	return 0;
}

int proxy_header_read(struct conn *c, struct deadline d, struct err *err)
{
	struct proxy_header h;
	char head[PROXY_HEADER_MAX];
	struct str seen = {head, HEAD};

	if (read_exactly(conn_fd(c), head, HEAD, d, err) < 0)
		return -1;
	int used = proxy_header_parse(seen, &h, err);
	if (used == 0) { /* addresses follow */
		size_t rest = word((unsigned char *)head + 14);
		if (read_exactly(conn_fd(c), head + HEAD, rest, d, err) < 0)
			return -1;
		seen.len += rest;
		used = proxy_header_parse(seen, &h, err);
	}
	if (used <= 0)
		return used < 0 ? -1 : err_set(err, ERR_PERM, "PROXY header is incomplete");
	if (!h.local)
		conn_set_addresses(c, &h.target, h.target_port, &h.source, h.source_port);
	return 0;
}
