#include "message/message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[MESSAGE_DATE_TEXT];
	struct err err;
	int64_t one, two;

	if (message_date_parse((struct str){(const char *)data, size}, &one, &err) < 0)
		return 0;
	if (one < INT64_C(-2208902400) || one > INT64_C(253402214400))
		return 0; /* the zone took it out of the years 1900 to 9999 */
	if (message_date_parse(str_from(message_date_write(one, text)), &two, &err) < 0 ||
		one != two)
		abort(); /* there and back again */
	return 0;
}
