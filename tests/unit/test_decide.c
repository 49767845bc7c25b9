#include "tests/unit/unit.h"

#include "policy/decide.h"

#include <stdio.h>

static struct store_mail_policy defaults(void)
{
	struct store_mail_policy p;

	store_mail_policy_default(&p);
	return p;
}

static struct decide_facts good(void)
{
	return (struct decide_facts){.dmarc = DMARC_NONE,
		.from_domain = STR("example.org"),
		.spf = WORD_PASS,
		.spf_domain = STR("example.org"),
		.iprev = WORD_PASS,
		.ip = STR("192.0.2.1")};
}

static enum decide_action stricter(enum decide_action a, enum decide_action b)
{
	return a > b ? a : b;
}

static enum decide_action measured(enum store_measure m)
{
	return m == STORE_MEASURE_REJECT       ? DECIDE_REJECT
	       : m == STORE_MEASURE_QUARANTINE ? DECIDE_QUARANTINE
					       : DECIDE_ACCEPT;
}

/* What DMARC asks for, told apart from decide.c by being a table. */
static enum decide_action dmarc_wish(
	const struct decide_facts *f, const struct store_mail_policy *p)
{
	static const enum decide_action wish[3][3] = {
		/* none, quarantine, reject */
		[STORE_DMARC_HONOUR] = {DECIDE_ACCEPT, DECIDE_QUARANTINE, DECIDE_REJECT},
		[STORE_DMARC_QUARANTINE] = {DECIDE_ACCEPT, DECIDE_QUARANTINE, DECIDE_QUARANTINE},
		[STORE_DMARC_OFF] = {DECIDE_ACCEPT, DECIDE_ACCEPT, DECIDE_ACCEPT},
	};

	if (f->override.len > 0)
		return DECIDE_ACCEPT;
	if (f->dmarc == DMARC_PERMERROR)
		return p->dmarc == STORE_DMARC_OFF ? DECIDE_ACCEPT : DECIDE_QUARANTINE;
	return f->dmarc == DMARC_FAIL ? wish[p->dmarc][f->dmarc_policy] : DECIDE_ACCEPT;
}

static enum decide_action expected(const struct decide_facts *f, const struct store_mail_policy *p)
{
	enum decide_action a = DECIDE_ACCEPT;

	if (f->list == LIST_ALLOWS)
		return DECIDE_ACCEPT;
	if (f->list == LIST_DENIES)
		return DECIDE_REJECT;
	a = stricter(a, dmarc_wish(f, p));
	if (f->spf == WORD_FAIL && f->dmarc != DMARC_PASS && f->override.len == 0)
		a = stricter(a, measured(p->spf));
	if (f->iprev == WORD_FAIL || f->iprev == WORD_PERMERROR)
		a = stricter(a, measured(p->iprev));
	if (f->dnsbl.len > 0)
		a = stricter(a, measured(p->dnsbl));
	if (p->temperror_defer &&
		((f->dmarc == DMARC_TEMPERROR && p->dmarc != STORE_DMARC_OFF &&
			 f->override.len == 0) ||
			(f->spf == WORD_TEMPERROR && p->spf != STORE_MEASURE_OFF &&
				f->dmarc != DMARC_PASS) ||
			(f->iprev == WORD_TEMPERROR && p->iprev != STORE_MEASURE_OFF)))
		a = stricter(a, DECIDE_DEFER);
	return a;
}

static void verdict_check(const struct decide_verdict *v, enum decide_action want)
{
	static const char classes[] = {[DECIDE_ACCEPT] = '2',
		[DECIDE_QUARANTINE] = '2',
		[DECIDE_DEFER] = '4',
		[DECIDE_REJECT] = '5'};

	assert_int_equal(v->action, want);
	assert_int_equal(v->code / 100, classes[want] - '0');
	assert_int_equal(v->ecode[0], classes[want]);
	assert_true(strlen(v->sentence) > 10 && v->sentence[strlen(v->sentence) - 1] == '.');
	assert_true(v->code == 250 || v->reply[0] != '\0');
	assert_true(want == DECIDE_ACCEPT || v->rule != RULE_NONE);
}

/* Facts times policies: 3*5*3*2*7*7*2 * 3*3*3*3*2. */
static size_t run_policies(const struct decide_facts *f)
{
	size_t n = 0;

	for (int i = 0; i < 3 * 3 * 3 * 3 * 2; i++) {
		struct store_mail_policy p = {.dmarc = (enum store_dmarc_measure)(i % 3),
			.spf = (enum store_measure)(i / 3 % 3),
			.iprev = (enum store_measure)(i / 9 % 3),
			.dnsbl = (enum store_measure)(i / 27 % 3),
			.temperror_defer = i / 81 == 1};
		struct decide_verdict v;
		decide(f, &p, &v);
		verdict_check(&v, expected(f, &p));
		n++;
	}
	return n;
}

static void every_combination(void **state)
{
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 3 * 5 * 3 * 2 * 7 * 7 * 2; i++) {
		struct decide_facts f = good();
		f.list = (enum decide_list)(i % 3);
		f.list_text = STR("domain example.org");
		f.dmarc = (enum dmarc_result)(i / 3 % 5);
		f.dmarc_policy =
			f.dmarc == DMARC_FAIL ? (enum dmarc_policy)(i / 15 % 3) : DMARC_POLICY_NONE;
		f.override = i / 45 % 2 == 1 ? STR("a reason") : STR("");
		f.spf = (enum decide_word)(i / 90 % 7);
		f.iprev = (enum decide_word)(i / 630 % 7);
		f.dnsbl = i / 4410 % 2 == 1 ? STR("bl.example") : STR("");
		n += run_policies(&f);
	}
	print_message("%zu combinations\n", n);
	assert_true(n > 1000000);
}

/* --- which rule, which code, which words --- */

static void defaults_honour_dmarc(void **state)
{
	struct store_mail_policy p = defaults();
	struct decide_facts f = good();
	struct decide_verdict v;

	(void)state;
	f.dmarc = DMARC_FAIL;
	f.dmarc_policy = DMARC_POLICY_REJECT;
	decide(&f, &p, &v);
	assert_int_equal(v.action, DECIDE_REJECT);
	assert_int_equal(v.rule, RULE_DMARC);
	assert_int_equal(v.code, 550);
	assert_string_equal(v.ecode, "5.7.26");
	assert_non_null(strstr(v.sentence, "example.org"));
	assert_non_null(strstr(v.sentence, "asks to reject"));
	assert_false(v.dmarc_overridden);
	f.dmarc_policy = DMARC_POLICY_QUARANTINE;
	decide(&f, &p, &v);
	assert_int_equal(v.action, DECIDE_QUARANTINE);
	assert_int_equal(v.rule, RULE_DMARC);
	f.override = STR("forwarder.example, whom you trust, saw it pass");
	decide(&f, &p, &v);
	assert_int_equal(v.action, DECIDE_ACCEPT);
	assert_true(v.dmarc_overridden);
	assert_non_null(strstr(v.sentence, "forwarder.example"));
}

static const struct {
	enum decide_rule rule;
	const char *ecode;
} codes[] = {{RULE_DENY, "5.7.1"}, {RULE_DMARC, "5.7.26"}, {RULE_SPF, "5.7.23"},
	{RULE_IPREV, "5.7.25"}, {RULE_DNSBL, "5.7.1"}, {RULE_SCORE, "5.7.1"},
	{RULE_CONTENT, "5.7.1"}};

static void each_rule_has_its_code(void **state)
{
	struct store_mail_policy strict = {.spf = STORE_MEASURE_REJECT,
		.iprev = STORE_MEASURE_REJECT,
		.dnsbl = STORE_MEASURE_REJECT,
		.quarantine_score = 500,
		.reject_score = 1000};
	struct decide_fact spam = {.source = STR("rspamd"), .score = 10.0, .text = STR("spam")};
	struct decide_fact virus = {.source = STR("clamav"),
		.verdict = DECIDE_REJECT,
		.even_if_allowed = true,
		.text = STR("Eicar")};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct decide_facts f = good();
		struct decide_verdict v;
		f.list = codes[i].rule == RULE_DENY ? LIST_DENIES : LIST_NO_MATCH;
		f.list_text = STR("address a@b");
		if (codes[i].rule == RULE_DMARC) {
			f.dmarc = DMARC_FAIL;
			f.dmarc_policy = DMARC_POLICY_REJECT;
		}
		f.spf = codes[i].rule == RULE_SPF ? WORD_FAIL : WORD_NONE;
		f.iprev = codes[i].rule == RULE_IPREV ? WORD_FAIL : WORD_PASS;
		f.dnsbl = codes[i].rule == RULE_DNSBL ? STR("bl.example") : STR("");
		f.facts = codes[i].rule == RULE_SCORE ? &spam : &virus;
		f.fact_count = codes[i].rule == RULE_SCORE || codes[i].rule == RULE_CONTENT;
		decide(&f, &strict, &v);
		print_message("%s\n  %s\n", v.sentence, v.reply);
		assert_int_equal(v.action, DECIDE_REJECT);
		assert_int_equal(v.rule, codes[i].rule);
		assert_string_equal(v.ecode, codes[i].ecode);
	}
}

static void temporary_trouble_defers_where_wanted(void **state)
{
	struct store_mail_policy p = defaults();
	struct decide_facts f = good();
	struct decide_verdict v;

	(void)state;
	f.dmarc = DMARC_TEMPERROR;
	decide(&f, &p, &v);
	assert_int_equal(v.action, DECIDE_ACCEPT);
	p.temperror_defer = true;
	decide(&f, &p, &v);
	assert_int_equal(v.action, DECIDE_DEFER);
	assert_int_equal(v.code, 451);
	assert_string_equal(v.ecode, "4.7.26");
	f.dmarc = DMARC_NONE;
	f.spf = WORD_TEMPERROR;
	p.spf = STORE_MEASURE_REJECT;
	decide(&f, &p, &v);
	assert_string_equal(v.ecode, "4.7.24");
	f.spf = WORD_PASS;
	f.iprev = WORD_TEMPERROR;
	p.iprev = STORE_MEASURE_QUARANTINE;
	decide(&f, &p, &v);
	assert_string_equal(v.ecode, "4.7.25");
}

static void scores_add_up(void **state)
{
	static const struct {
		double a, b;
		enum decide_action want;
	} cases[] = {{1, 2, DECIDE_ACCEPT}, {2.5, 2.5, DECIDE_QUARANTINE}, {4.99, 0, DECIDE_ACCEPT},
		{9, 0.99, DECIDE_QUARANTINE}, {5, 5, DECIDE_REJECT}, {20, -12, DECIDE_QUARANTINE},
		{-5, 0, DECIDE_ACCEPT}};
	struct store_mail_policy p = {.quarantine_score = 500, .reject_score = 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decide_fact facts[] = {{.source = STR("a"), .score = cases[i].a},
			{.source = STR("b"), .score = cases[i].b}};
		struct decide_facts f = good();
		struct decide_verdict v;
		f.facts = facts;
		f.fact_count = 2;
		decide(&f, &p, &v);
		assert_int_equal(v.action, cases[i].want);
		assert_int_equal(v.rule, v.action == DECIDE_ACCEPT ? RULE_NONE : RULE_SCORE);
	}
}

/* The allow list helps against everything but what is dangerous. */
static void allowed_malware_is_refused(void **state)
{
	struct decide_fact facts[] = {{.source = STR("rspamd"),
					      .score = 99,
					      .verdict = DECIDE_REJECT,
					      .text = STR("spam")},
		{.source = STR("clamav"),
			.verdict = DECIDE_REJECT,
			.even_if_allowed = true,
			.text = STR("Eicar")}};
	struct store_mail_policy p = defaults();
	struct decide_facts f = good();
	struct decide_verdict v;

	(void)state;
	p.reject_score = 100;
	f.list = LIST_ALLOWS;
	f.list_text = STR("network 192.0.2.0/24");
	f.facts = facts;
	f.fact_count = 1;
	decide(&f, &p, &v);
	assert_int_equal(v.action, DECIDE_ACCEPT);
	assert_int_equal(v.rule, RULE_ALLOW);
	f.fact_count = 2;
	decide(&f, &p, &v);
	assert_int_equal(v.action, DECIDE_REJECT);
	assert_int_equal(v.rule, RULE_CONTENT);
	assert_non_null(strstr(v.sentence, "Eicar"));
}

static void foreign_words_stay_on_one_line(void **state)
{
	struct decide_fact fact = {
		.source = STR("x"), .verdict = DECIDE_REJECT, .text = STR("a\r\nb\x7f")};
	struct store_mail_policy p = defaults();
	struct decide_facts f = good();
	struct decide_verdict v;

	(void)state;
	f.facts = &fact;
	f.fact_count = 1;
	decide(&f, &p, &v);
	assert_non_null(strstr(v.sentence, "a??b?"));
}

#define A DECIDE_ACCEPT
#define Q DECIDE_QUARANTINE
#define D DECIDE_DEFER
#define R DECIDE_REJECT

static const struct {
	enum decide_action in[3];
	size_t count;
	enum decide_action want;
	size_t speaker;
} common_cases[] = {
	{{A}, 1, A, 0},
	{{Q}, 1, Q, 0},
	{{D}, 1, D, 0},
	{{R}, 1, R, 0},
	{{R, R}, 2, R, 0},
	{{A, R}, 2, A, 0},
	{{R, A}, 2, A, 1},
	{{R, Q}, 2, Q, 1},
	{{A, Q}, 2, A, 0},
	{{Q, A, R}, 3, A, 1},
	{{D, A}, 2, D, 0},
	{{R, D}, 2, D, 1},
	{{R, D, A}, 3, D, 1},
	{{Q, D, R}, 3, D, 1},
	{{R, R, Q}, 3, Q, 2},
	{{R, R, R}, 3, R, 0},
};

static void one_reply_for_several_domains(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(common_cases) / sizeof(common_cases[0]); i++) {
		struct decide_verdict v[3];
		enum decide_action got;
		for (size_t k = 0; k < common_cases[i].count; k++)
			v[k] = (struct decide_verdict){.action = common_cases[i].in[k]};
		assert_int_equal(
			decide_common(v, common_cases[i].count, &got), common_cases[i].speaker);
		assert_int_equal(got, common_cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination),
		cmocka_unit_test(defaults_honour_dmarc),
		cmocka_unit_test(each_rule_has_its_code),
		cmocka_unit_test(temporary_trouble_defers_where_wanted),
		cmocka_unit_test(scores_add_up),
		cmocka_unit_test(allowed_malware_is_refused),
		cmocka_unit_test(foreign_words_stay_on_one_line),
		cmocka_unit_test(one_reply_for_several_domains),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
