/* auth/spf_eval - one check under way; for the files of the SPF check. */
#ifndef AUTH_SPF_EVAL_H
#define AUTH_SPF_EVAL_H

#include "auth/spf_priv.h"

struct spf_eval {
	const struct dns_asker *q;
	const struct spf_args *args;
	struct arena *arena;
	struct str sender, local, sender_domain;
	unsigned lookups, voids;
	bool asked, authentic; /* authentic: so far */

	bool names_known;                /* the names of the client were looked up */
	struct str names[SPF_NAMES_MAX]; /* those that lead back to its address */
	size_t name_count;
};

/* What check_host() says of a domain. Texts are in the arena or static. */
struct spf_outcome {
	enum spf_result result;
	struct str mechanism; /* empty unless a record was gone through */
	struct str problem;
	struct str record;  /* of the domain asked for, not of one it redirects to */
	struct str domain;  /* whose record decided: %{d} of the explanation */
	struct str explain; /* its exp= */
};

/* --- spf.c --- */

struct str spf_printable(struct arena *arena, struct str raw);
void spf_ask(struct spf_eval *e, enum dns_type type, const char *name, struct dns_answer *out);
/* At most SPF_NAMES_MAX. */
void spf_ask_many(struct spf_eval *e, const struct dns_request *requests, size_t count,
	struct dns_answer *out);
/* Of the client. */
void spf_ask_ptr(struct spf_eval *e, struct dns_answer *out);
/* As text that can be asked for; NULL when raw is no domain name of several labels whose last
 * one could be a top-level domain's. */
const char *spf_domain_name(struct arena *arena, struct str raw);
/* "the SPF record of example.org could not be looked up: timeout, ..." */
struct str spf_trouble(
	struct arena *arena, const char *what, const char *name, const struct dns_answer *answer);
void spf_record_fetch(struct spf_eval *e, const char *name, struct spf_record_answer *out);

/* --- spf_host.c --- */

void spf_check_host(struct spf_eval *e, struct str domain, struct spf_outcome *out);
/* What a domain-spec stands for; the current domain when it is empty. False: too long. */
bool spf_target(struct spf_eval *e, struct str spec, struct str domain, struct str *target);
void spf_values(struct spf_eval *e, struct str domain, bool with_p, struct spf_macro_values *out);

#endif
