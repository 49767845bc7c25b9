#include "policy/mailpolicy.h"

#include "policy/admin_check.h"

enum { SCORE_MAX = 100000 }; /* hundredths: 1000, our limit */

static const char *const measures[] = {[STORE_MEASURE_OFF] = "off",
	[STORE_MEASURE_QUARANTINE] = "quarantine",
	[STORE_MEASURE_REJECT] = "reject"};
static const char *const dmarcs[] = {[STORE_DMARC_HONOUR] = "honour",
	[STORE_DMARC_QUARANTINE] = "quarantine",
	[STORE_DMARC_OFF] = "off"};

const char *mailpolicy_measure_text(enum store_measure m)
{
	return (unsigned)m < 3 ? measures[m] : "off";
}

const char *mailpolicy_dmarc_text(enum store_dmarc_measure m)
{
	return (unsigned)m < 3 ? dmarcs[m] : "honour";
}

bool mailpolicy_measure_parse(struct str text, enum store_measure *out)
{
	for (unsigned i = 0; i < 3; i++) {
		if (str_eq(text, str_from(measures[i]))) {
			*out = (enum store_measure)i;
			return true;
		}
	}
	return false;
}

bool mailpolicy_dmarc_parse(struct str text, enum store_dmarc_measure *out)
{
	for (unsigned i = 0; i < 3; i++) {
		if (str_eq(text, str_from(dmarcs[i]))) {
			*out = (enum store_dmarc_measure)i;
			return true;
		}
	}
	return false;
}

int64_t mailpolicy_score_read(struct str text, const char *field, struct admin_problems *problems)
{
	struct str whole = text, part = STR("");
	uint64_t units, rest = 0;

	if (text.len == 0)
		return 0;
	bool dotted = str_split(text, '.', &whole, &part);
	if (!str_to_u64(whole, SCORE_MAX / 100, &units) ||
		(dotted && (part.len > 2 || !str_to_u64(part, 99, &rest)))) {
		admin_problem(problems, field,
			"A number up to %d, such as 5 or 7.5, or nothing for no limit.",
			SCORE_MAX / 100);
		return 0;
	}
	if (part.len == 1)
		rest *= 10;
	return (int64_t)(units * 100 + rest);
}

struct str mailpolicy_score_text(struct arena *a, int64_t n)
{
	if (n <= 0)
		return STR("");
	if (n % 100 == 0)
		return str_from(arena_printf(a, "%lld", (long long)(n / 100)));
	return str_from(n % 10 == 0 ? arena_printf(a, "%lld.%lld", (long long)(n / 100),
					      (long long)(n % 100 / 10))
				    : arena_printf(a, "%lld.%02lld", (long long)(n / 100),
					      (long long)(n % 100)));
}

static void measure_check(enum store_measure m, const char *field, struct admin_problems *problems)
{
	if ((unsigned)m > STORE_MEASURE_REJECT)
		admin_problem(problems, field, "Choose one of off, quarantine and reject.");
}

int mailpolicy_save(struct store *s, const struct store_mail_policy *row,
	struct admin_problems *problems, struct err *err)
{
	if ((unsigned)row->dmarc > STORE_DMARC_OFF)
		admin_problem(problems, "dmarc", "Choose one of honour, quarantine and off.");
	measure_check(row->spf, "spf", problems);
	measure_check(row->iprev, "iprev", problems);
	measure_check(row->dnsbl, "dnsbl", problems);
	if (row->quarantine_score < 0 || row->quarantine_score > SCORE_MAX)
		admin_problem(
			problems, "quarantine_score", "A number from 0 to %d.", SCORE_MAX / 100);
	if (row->reject_score < 0 || row->reject_score > SCORE_MAX)
		admin_problem(problems, "reject_score", "A number from 0 to %d.", SCORE_MAX / 100);
	if (row->quarantine_score > 0 && row->reject_score > 0 &&
		row->reject_score <= row->quarantine_score)
		admin_problem(problems, "reject_score",
			"It must be higher than the score for quarantine, or nothing would go "
			"there.");
	return problems->count > 0 ? 1 : store_mail_policy_put(s, row, err);
}
