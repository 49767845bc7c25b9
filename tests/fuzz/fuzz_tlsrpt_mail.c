#include "report/tlsrpt_mail.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct tlsrpt_mail mail;

	tlsrpt_mail_read(a, (struct str){(const char *)data, size}, &mail);
	if ((mail.found == TLSRPT_REPORT) != (mail.report.id.len > 0) ||
		(mail.found == TLSRPT_REPORT) != (mail.why[0] == '\0'))
		abort();
	arena_close(&a);
	return 0;
}
