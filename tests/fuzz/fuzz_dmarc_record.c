#include "auth/dmarc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool clean(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	}
	return true;
}

/* Whatever stands in a record: policies are in order, caps hold, notes are printable. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size}, names[DMARC_QUERIES_MAX];
	struct arena *a = arena_open();
	struct dmarc_record r;

	if (dmarc_record_parse(a, text, &r) == 1) {
		if (!str_eq(r.text, text) || r.rua_count > DMARC_URIS_MAX ||
			r.ruf_count > DMARC_URIS_MAX || r.note_count > DMARC_NOTES_MAX ||
			(!r.applies && (r.has_p || r.p != DMARC_POLICY_NONE || r.rua_count > 0)))
			abort();
		for (size_t i = 0; i < r.note_count; i++) {
			if (!clean(r.notes[i]))
				abort();
		}
	}
	for (size_t n = dmarc_walk_names(text, names); n-- > 0;) {
		if (!str_ends(text, names[n]))
			abort();
	}
	arena_close(&a);
	return 0;
}
