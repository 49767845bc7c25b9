#include "dns/internal.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first octet chooses the type; names never hold a control, blank or bare dot. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT,
		DNS_AAAA, DNS_SRV, DNS_TLSA, DNS_CAA};
	struct arena *a = arena_open();
	struct dns_record r;

	if (size > 0) {
		enum dns_type type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
		bool good = dns_rdata_parse(
			type, (struct str){(const char *)data + 1, size - 1}, a, &r);
		for (size_t i = 0; good && i < r.name.len; i++) {
			if (r.name.p[i] <= ' ' || r.name.p[i] > '~')
				abort();
		}
		if (good && (r.name.len >= DNS_TEXT_MAX || r.data.len > size || r.tag.len > size))
			abort();
	}
	arena_close(&a);
	return 0;
}
