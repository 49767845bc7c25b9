/* nameserver - a name server in a thread, for benchmarks of the real resolver: it answers TXT, A
 * and PTR over UDP on loopback from the text of a fixture, and NXDOMAIN else. Trusts its client. */
#ifndef BENCH_NAMESERVER_H
#define BENCH_NAMESERVER_H

#include "base/buf.h"
#include "dns/dns.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct nameserver {
	struct dns *zone;
	pthread_t thread;
	int fd;
	unsigned port;
};

enum { PACKET_MAX = 1232, NAME_AT = 12, NEGATIVE_TTL_S = 900, TTL_S = 3600 };

static void put8(struct buf *b, unsigned v)
{
	buf_byte(b, (char)(unsigned char)v);
}

static void put16(struct buf *b, unsigned v)
{
	put8(b, v >> 8 & 255);
	put8(b, v & 255);
}

static void put_name(struct buf *b, struct str name)
{
	struct str label;

	while (str_next(&name, '.', &label)) {
		put8(b, (unsigned)label.len);
		buf_raw(b, label);
	}
	put8(b, 0);
}

static void put_record(struct buf *b, enum dns_type type, const struct dns_record *r)
{
	struct buf data = {NULL, 0, 0};

	if (type == DNS_A)
		buf_raw(&data, (struct str){(const char *)r->ip.bytes, r->ip.len});
	else if (type == DNS_PTR)
		put_name(&data, r->name);
	for (struct str rest = r->data; type == DNS_TXT && rest.len > 0;) {
		size_t len = rest.len < 255 ? rest.len : 255;
		put8(&data, (unsigned)len);
		buf_raw(&data, (struct str){rest.p, len});
		rest = str_skip(rest, len);
	}
	put16(b, 0xc000 | NAME_AT);
	put16(b, (unsigned)type);
	put16(b, 1);
	put16(b, 0);
	put16(b, TTL_S);
	put16(b, (unsigned)data.len);
	buf_raw(b, buf_str(&data));
	buf_free(&data);
}

static void put_soa_of_root(struct buf *b)
{
	put8(b, 0);
	put16(b, 6);
	put16(b, 1);
	put16(b, 0);
	put16(b, NEGATIVE_TTL_S);
	put16(b, 22);
	put16(b, 0); /* two names: the root */
	for (int i = 0; i < 5; i++) {
		put16(b, 0);
		put16(b, NEGATIVE_TTL_S);
	}
}

/* The name of the question as text; false for a packet that has none. */
static bool question_read(const unsigned char *p, size_t len, char *name, size_t *end)
{
	size_t at = NAME_AT, out = 0;

	while (at < len && p[at] != 0) {
		size_t label = p[at];
		if (label > 63 || at + 1 + label >= len || out + label + 1 >= DNS_NAME_MAX)
			return false;
		if (out > 0)
			name[out++] = '.';
		memcpy(name + out, p + at + 1, label);
		out += label;
		at += 1 + label;
	}
	name[out] = '\0';
	*end = at + 5;
	return *end <= len;
}

static void reply_make(struct dns *zone, const unsigned char *p, size_t len, struct buf *out)
{
	char name[DNS_NAME_MAX];
	struct arena *a = arena_open();
	struct dns_answer r = {.status = DNS_NXDOMAIN};
	struct err err;
	size_t end;

	if (question_read(p, len, name, &end)) {
		enum dns_type type = (enum dns_type)((unsigned)p[end - 4] << 8 | p[end - 3]);
		if (dns_lookup(zone, type, name[0] ? name : ".", deadline_in_ms(1000), a, &r,
			    &err) < 0)
			r.status = DNS_NXDOMAIN;
		buf_raw(out, (struct str){(const char *)p, 2});
		put16(out, r.status == DNS_NXDOMAIN ? 0x8583 : 0x8580); /* AA, RD, RA */
		put16(out, 1);
		put16(out, (unsigned)r.count);
		put16(out, r.count == 0 ? 1 : 0);
		put16(out, 0);
		buf_raw(out, (struct str){(const char *)p + NAME_AT, end - NAME_AT});
		for (size_t i = 0; i < r.count; i++)
			put_record(out, type, &r.records[i]);
		if (r.count == 0)
			put_soa_of_root(out);
	}
	arena_close(&a);
}

static void *nameserver_run(void *arg)
{
	struct nameserver *n = arg;
	unsigned char packet[PACKET_MAX];
	struct sockaddr_in from;

	for (;;) {
		struct buf out = {NULL, 0, 0};
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(
			n->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_len);
		if (len <= 0)
			return NULL; /* shut down */
		reply_make(n->zone, packet, (size_t)len, &out);
		if (out.len > 0 &&
			sendto(n->fd, out.p, out.len, 0, (struct sockaddr *)&from, from_len) < 0)
			perror("nameserver: sendto");
		buf_free(&out);
	}
}

static int nameserver_open(struct str zone, struct nameserver *n, struct err *err)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);

	if (dns_open_fixture(zone, &n->zone, err) < 0)
		return -1;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	n->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0 || bind(n->fd, (struct sockaddr *)&sa, len) < 0 ||
		getsockname(n->fd, (struct sockaddr *)&sa, &len) < 0 ||
		pthread_create(&n->thread, NULL, nameserver_run, n) != 0)
		return err_set(err, ERR_TEMP, "name server: no socket or thread");
	n->port = ntohs(sa.sin_port);
	return 0;
}

static void nameserver_close(struct nameserver *n)
{
	shutdown(n->fd, SHUT_RDWR);
	pthread_join(n->thread, NULL);
	close(n->fd);
	dns_close(&n->zone);
}

#endif
