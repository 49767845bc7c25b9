#include "smtp/command.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((s.p[i] >= 0 && s.p[i] < ' ') || s.p[i] == 0x7f)
			abort(); /* would break a header field or a reply */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, line;
	struct arena *a = arena_open();
	struct smtp_command c;
	struct smtp_refusal r;

	while (str_next(&rest, '\n', &line)) {
		if (smtp_command_parse(a, line, &c, &r) < 0) {
			if (r.code < 500 || r.code > 599)
				abort();
			continue;
		}
		check_text(c.arg);
		check_text(c.address.localpart);
		check_text(c.address.domain);
		check_text(c.envid);
		check_text(c.orcpt);
		if (c.chunk < 0 || c.size < 0)
			abort();
		if ((c.verb == SMTP_MAIL || c.verb == SMTP_RCPT) && !c.null_path && !c.postmaster &&
			(c.address.localpart.len == 0 || c.address.domain.len == 0))
			abort();
	}
	arena_close(&a);
	return 0;
}
