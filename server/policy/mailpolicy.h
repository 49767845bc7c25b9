/* mailpolicy - what an admin may set for the checks of a domain's incoming mail: the rules of
 * policy/admin.h for struct store_mail_policy. */
#ifndef POLICY_MAILPOLICY_H
#define POLICY_MAILPOLICY_H

#include "policy/admin.h"
#include "store/mailpolicy.h"

/* "5", "7.5" or "7.25" into hundredths; empty is 0: off. Problems go beside field. */
int64_t mailpolicy_score_read(struct str text, const char *field, struct admin_problems *problems);
/* And back; "" for 0. In the arena. */
struct str mailpolicy_score_text(struct arena *a, int64_t hundredths);

/* As the _save functions of policy/admin.h. Fields: dmarc, spf, iprev, dnsbl, quarantine_score,
 * reject_score. */
int mailpolicy_save(struct store *s, const struct store_mail_policy *row,
	struct admin_problems *problems, struct err *err) MUST_USE;

/* "off", "quarantine", "reject"; "honour", "quarantine", "off". */
const char *mailpolicy_measure_text(enum store_measure m);
const char *mailpolicy_dmarc_text(enum store_dmarc_measure m);
bool mailpolicy_measure_parse(struct str text, enum store_measure *out);
bool mailpolicy_dmarc_parse(struct str text, enum store_dmarc_measure *out);

#endif
