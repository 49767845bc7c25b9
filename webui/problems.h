/* problems - what needs somebody's attention, worst first, each with a link to where it is put
 * right. The overview shows them before anything else. */
#ifndef WEBUI_PROBLEMS_H
#define WEBUI_PROBLEMS_H

#include "webui/page.h"

enum {
	PROBLEM_OLDEST_S = 6 * 3600, /* mail older than this is worth a look */
	PROBLEM_CERT_WARN_S = 14 * 24 * 3600,
	PROBLEM_HOPS_SHOWN = 5
};

/* Disk: low from DISK_LOW_PERCENT or DISK_LOW_BYTES down; mail is in danger at a third. */
enum { DISK_LOW_PERCENT = 10 };
static const int64_t disk_low_bytes = INT64_C(1) << 30;

enum problems_disk { DISK_UNKNOWN, DISK_OK, DISK_LOW, DISK_FULL };
enum problems_disk problems_disk(int64_t free_bytes, int64_t total_bytes);
enum problems_cert { CERT_NONE, CERT_OK, CERT_SOON, CERT_ENDED };
enum problems_cert problems_cert(int64_t expires_s, int64_t now_s);

/* Sets "notices" of page.view. -1: the store failed. */
int problems_fill(struct page *p, const struct health *h, struct err *err) MUST_USE;

#endif
