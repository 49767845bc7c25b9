/* facts - one pass over the header of a message being received. Field names are told apart
 * by their length first: most need no comparison at all. */
#include "message/message.h"

static void tls_required_note(struct arena *a, struct str value, unsigned *seen, unsigned *no)
{
	(*seen)++;
	if (str_eq_nocase(message_field_unfold(a, value), STR("No")))
		(*no)++;
}

void message_facts_read(struct arena *a, struct str header, struct message_facts *out)
{
	struct message_field f;
	struct err err;
	unsigned tls_seen = 0, tls_no = 0;

	*out = (struct message_facts){.received_count = 0};
	while (message_header_next(&header, &f, &err) == 1) {
		switch (f.name.len) {
		case 4:
			if (str_eq_nocase(f.name, STR("From"))) {
				if (out->from_count++ == 0)
					out->from = f.value;
				out->has_from = true;
			} else if (str_eq_nocase(f.name, STR("Date")))
				out->has_date = true;
			break;
		case 7:
			if (out->subject.p == NULL && str_eq_nocase(f.name, STR("Subject")))
				out->subject = f.value;
			break;
		case 8:
			if (str_eq_nocase(f.name, STR("Received")))
				out->received_count++;
			break;
		case 10:
			if (!out->has_message_id && str_eq_nocase(f.name, STR("Message-ID"))) {
				out->has_message_id = true;
				out->message_id = message_field_unfold(a, f.value);
			}
			break;
		case 11:
			if (str_eq_nocase(f.name, STR("Return-Path")))
				out->has_return_path = true;
			break;
		case 12:
			if (str_eq_nocase(f.name, STR("TLS-Required")))
				tls_required_note(a, f.value, &tls_seen, &tls_no);
			break;
		default:
			break;
		}
	}
	out->tls_required_no = tls_seen > 0 && tls_no == tls_seen;
}
