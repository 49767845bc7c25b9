#include "base/utf8.h"
#include "smtp/client_reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, line;
	struct smtp_reply r;
	struct err err;

	smtp_reply_begin(&r);
	while (str_next(&rest, '\n', &line)) {
		int rc = smtp_reply_add(&r, line, SMTP_ENHANCED_ON, &err);
		if (rc < 0)
			break;
		struct str text = str_from(r.text);
		if (r.code < 200 || r.code > 599 || !utf8_valid(text) ||
			text.len >= sizeof(r.text) || r.lines > SMTP_REPLY_LINES_MAX)
			abort();
		if (rc == 0)
			smtp_reply_begin(&r);
	}
	return 0;
}
