/* callout - asks the backend whether a recipient exists (RCPT probe), and remembers:
 * yes for 24 h, no for 10 min. One probe an address at a time; others wait for it. A host
 * that lets us wait in vain is left alone for 15 s, so that a dead backend does not hold up
 * every session for its time-out. */
#ifndef SMTP_CALLOUT_H
#define SMTP_CALLOUT_H

#include "config/config.h"
#include "dns/dns.h"
#include "store/directory.h"
#include "tls/tls.h"

struct callout;

struct callout_options {
	struct dns *dns; /* for host names of relay hosts */
	struct tls_client *tls;
	struct config_holder *config;
};
struct callout *callout_new(const struct callout_options *opt);
void callout_free(struct callout **c);

enum callout_answer {
	CALLOUT_EXISTS,
	CALLOUT_UNKNOWN, /* the backend said 5yz; its reply is in text */
	CALLOUT_LATER    /* backend down or 4yz: answer 451 */
};
/* text gets what the backend said, or why it could not be asked. */
enum callout_answer callout_check(struct callout *c, const struct store_relay *relay,
	struct str address, struct deadline d, char text[256]);
/* Forgets all; after the relay of a domain was changed. */
void callout_forget(struct callout *c);

#endif
