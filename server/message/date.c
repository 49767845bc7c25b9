/* date-time = [ day-name "," ] day month year time zone            RFC 5322 3.3, 4.3
 * time      = hour ":" minute [ ":" second ]
 * zone      = ( "+" / "-" ) 4DIGIT / "UT" / "GMT" / "EST" / ... / a letter */
#include "message/message.h"

#include <stdio.h>
#include <time.h>

static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

const char *message_date_write(int64_t unix_s, char out[MESSAGE_DATE_TEXT])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL) {
		t = 0; /* beyond all calendars */
		(void)gmtime_r(&t, &tm);
	}
	(void)snprintf(out, MESSAGE_DATE_TEXT, "%s, %d %s %04d %02d:%02d:%02d +0000",
		days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
		tm.tm_min, tm.tm_sec);
	return out;
}

/* Skips blanks, line ends and comments. */
static void cfws_skip(struct str *s)
{
	size_t depth = 0;

	while (s->len > 0) {
		char c = s->p[0];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0 && s->len > 1)
			*s = str_skip(*s, 1);
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return;
		*s = str_skip(*s, 1);
	}
}

static bool take(struct str *s, char c)
{
	cfws_skip(s);
	if (s->len == 0 || s->p[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static struct str word_take(struct str *s)
{
	struct str word;

	cfws_skip(s);
	word = (struct str){s->p, 0};
	while (word.len < s->len && ascii_is_alnum(s->p[word.len]))
		word.len++;
	*s = str_skip(*s, word.len);
	return word;
}

/* A number of at most max_digits digits; *digits says how many. */
static bool number_take(struct str *s, size_t max_digits, size_t *digits, int *out)
{
	struct str word;
	uint64_t n;

	cfws_skip(s);
	word = (struct str){s->p, 0};
	while (word.len < s->len && ascii_is_digit(s->p[word.len]))
		word.len++;
	*digits = word.len;
	if (word.len > max_digits || !str_to_u64(word, 9999, &n))
		return false;
	*out = (int)n;
	*s = str_skip(*s, word.len);
	return true;
}

static int name_index(struct str word, const char (*names)[4], int count)
{
	for (int i = 0; i < count; i++) {
		if (str_eq_nocase(word, str_from(names[i])))
			return i;
	}
	return -1;
}

/* Seconds east of UTC. An unknown name is UTC, as RFC 5322 4.3 says. */
static bool zone_take(struct str *s, int *offset_s)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6}, {"MDT", -6}, {"MST", -7},
		{"PDT", -7}, {"PST", -8}};
	struct str word;
	size_t digits;
	int n, sign;

	*offset_s = 0;
	cfws_skip(s);
	if (s->len > 0 && (s->p[0] == '+' || s->p[0] == '-')) {
		sign = s->p[0] == '-' ? -1 : 1;
		*s = str_skip(*s, 1);
		if (!number_take(s, 4, &digits, &n) || digits != 4 || n % 100 > 59)
			return false;
		*offset_s = sign * (n / 100 * 3600 + n % 100 * 60);
		return true;
	}
	word = word_take(s);
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (str_eq_nocase(word, str_from(zones[i].name)))
			*offset_s = zones[i].hours * 3600;
	}
	return word.len > 0;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar, years counted from March. */
static int64_t days_from_date(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era_year = y % 400, month_from_march = (month + 9) % 12;
	int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;

	return y / 400 * 146097 + era_year * 365 + era_year / 4 - era_year / 100 + day_of_year -
	       719468;
}

static int month_days(int year, int month)
{
	static const int length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return length[month - 1] + (month == 2 && leap ? 1 : 0);
}

int message_date_parse(struct str text, int64_t *unix_s, struct err *err)
{
	int day, month, year, hour, minute, second = 0, offset_s;
	struct str word;
	size_t digits;

	*unix_s = 0;
	cfws_skip(&text);
	if (text.len > 0 && !ascii_is_digit(text.p[0])) {
		word = word_take(&text);
		if (name_index(word, days, 7) < 0 || !take(&text, ','))
			return err_set(err, ERR_PERM, "date: bad name of a day");
	}
	if (!number_take(&text, 2, &digits, &day))
		return err_set(err, ERR_PERM, "date: bad day");
	month = name_index(word_take(&text), months, 12) + 1;
	if (month == 0)
		return err_set(err, ERR_PERM, "date: bad month");
	if (!number_take(&text, 4, &digits, &year) || digits < 2)
		return err_set(err, ERR_PERM, "date: bad year");
	if (digits == 2)
		year += year < 50 ? 2000 : 1900;
	else if (digits == 3)
		year += 1900;
	if (year < 1900 || day < 1 || day > month_days(year, month))
		return err_set(err, ERR_PERM, "date: no such day");
	if (!number_take(&text, 2, &digits, &hour) || !take(&text, ':') ||
		!number_take(&text, 2, &digits, &minute) ||
		(take(&text, ':') && !number_take(&text, 2, &digits, &second)))
		return err_set(err, ERR_PERM, "date: bad time");
	if (hour > 23 || minute > 59 || second > 60)
		return err_set(err, ERR_PERM, "date: no such time");
	if (!zone_take(&text, &offset_s))
		return err_set(err, ERR_PERM, "date: bad time zone");
	cfws_skip(&text);
	if (text.len > 0)
		return err_set(err, ERR_PERM, "date: text behind it");
	*unix_s = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
		  offset_s;
	return 0;
}
