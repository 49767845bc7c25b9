/* tlsrpt_report - the JSON of a TLS report (RFC 8460 section 4.4): read from strangers, written
 * for strangers. */
#ifndef REPORT_TLSRPT_REPORT_H
#define REPORT_TLSRPT_REPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/tlsresult.h"

enum {
	TLSRPT_JSON_MAX = 20 * 1024 * 1024, /* octets, unpacked */
	TLSRPT_DEPTH_MAX = 32,              /* of arrays and objects; a report needs 6 */
	TLSRPT_VALUES_MAX = 500 * 1000,     /* of any kind */
	TLSRPT_POLICIES_MAX = 1000,
	TLSRPT_DETAILS_MAX = 10000,    /* of all policies together */
	TLSRPT_LIST_MAX = 1000,        /* policy strings, mx hosts of a policy */
	TLSRPT_MEMBER_MAX = 1000,      /* octets of one text; longer ones are cut */
	TLSRPT_STRING_MAX = 16 * 1024, /* octets of a policy string; longer ones are cut */
	TLSRPT_RATIO_MAX = 200         /* unpacked octets per packed one, over the first MiB */
};

struct tlsrpt_report {
	struct str organization; /* organization-name, may be empty */
	struct str contact;      /* contact-info, may be empty */
	struct str id;           /* report-id, not empty */
	int64_t start_s, end_s; /* date-range, unix time, both inclusive; end is not before start */
	struct store_tls_policy *policies;
	size_t policy_count;
};

/* Reads a report; all in the arena. Beyond the RFC: what follows the value is ignored, members
 * that are not known are skipped, null is as if absent, numbers may come as strings, date-times
 * without a zone are UTC, policy-string and mx-host may be one string, "mx-host-pattern" is
 * mx-host. ERR_PERM with what is wrong and where. */
int tlsrpt_report_read(
	struct arena *a, struct str json, struct tlsrpt_report *out, struct err *err) MUST_USE;

/* As JSON, indented by tabs, ending with LF; arrays that are empty as [], details without
 * the members that are empty. */
void tlsrpt_report_write(const struct tlsrpt_report *report, struct buf *out);

int64_t tlsrpt_report_successes(const struct tlsrpt_report *r);
int64_t tlsrpt_report_failures(const struct tlsrpt_report *r);

/* gzip. TLSRPT_JSON_MAX and TLSRPT_RATIO_MAX are ERR_PERM, as is a broken file. */
int tlsrpt_gunzip(struct str packed, struct buf *out, struct err *err) MUST_USE;
int tlsrpt_gzip(struct str plain, struct buf *out, struct err *err) MUST_USE;
/* The content of an upload or a part: unpacked when it begins as gzip does, else itself.
 * *plain is a view into data or into work. */
int tlsrpt_unpack(struct str data, struct buf *work, struct str *plain, struct err *err) MUST_USE;

#endif
