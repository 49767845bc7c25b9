/* design.md 4.14: localserve is a test bench for other people's software too. */
#include "smtp/internal.h"

bool testing_rcpt(struct session *s, struct str localpart)
{
	size_t n = localpart.len;

	if (str_ends(localpart, STR("temperror")))
		session_refuse(s, 451, "4.3.0", "Temporary failure, as you asked for");
	else if (str_ends(localpart, STR("permerror")))
		session_refuse(s, 550, "5.0.0", "Permanent failure, as you asked for");
	else if (str_ends(localpart, STR("timeout"))) {
		session_flush(s);
		conn_pause(s->conn, s->limits->read_timeout_ms);
		s->over = true;
	} else if (n >= 3 && localpart.p[n - 3] >= '2' && localpart.p[n - 3] <= '5' &&
		   ascii_is_digit(localpart.p[n - 2]) && ascii_is_digit(localpart.p[n - 1])) {
		int code = (localpart.p[n - 3] - '0') * 100 + (localpart.p[n - 2] - '0') * 10 +
			   (localpart.p[n - 1] - '0');
		if (code < 400)
			return false;
		session_refuse(s, code, code < 500 ? "4.0.0" : "5.0.0", "As you asked for");
	} else
		return false;
	return true;
}
