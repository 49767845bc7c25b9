#include "store/db.h"

/* Version 2: message log, authentication, TLS policy. */
const char schema_2[] =
	/* --- the message log --- */

	/* --- queue: hold rules and the like --- */

	/* --- API tokens --- */

	/* --- statistics for the dashboard --- */

	/* --- DKIM selectors and signing --- */

	/* --- allow and deny lists, DNS block lists, what a domain does with verdicts --- */

	/* --- quarantine --- */

	/* --- MTA-STS policy cache --- */

	/* --- TLS results --- */

	/* --- TLS overrides by destination --- */

	"INSERT INTO setting VALUES('schema_2', '1');";
