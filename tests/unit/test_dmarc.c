#include "tests/unit/unit.h"

#include "auth/dmarc.h"

#include <stdio.h>
#include <stdlib.h>

/* --- records --- */

struct record_case {
	const char *text;
	int is; /* a DMARC record at all */
	bool applies;
	enum dmarc_policy p, sp, np;
	const char *note; /* part of one, or NULL for none at all */
};

#define N DMARC_POLICY_NONE
#define Q DMARC_POLICY_QUARANTINE
#define R DMARC_POLICY_REJECT

static const struct record_case record_cases[] = {
	{"v=DMARC1; p=none", 1, true, N, N, N, NULL},
	{"v=DMARC1;p=reject;", 1, true, R, R, R, NULL},
	{"V = DMARC1 ; P = Reject ; SP=QUARANTINE", 1, true, R, Q, Q, NULL},
	{"v=DMARC1; p=reject; sp=quarantine; np=none", 1, true, R, Q, N, NULL},
	{"v=DMARC1; p=quarantine; np=reject", 1, true, Q, Q, R, NULL},
	{"v=DMARC1; sp=none; rua=mailto:a@example.org; p=reject", 1, true, R, N, N, NULL},
	/* No p: none with a report address, nothing at all without (4.10.1). */
	{"v=DMARC1; rua=mailto:a@example.org", 1, true, N, N, N, "there is no p="},
	{"v=DMARC1; sp=reject; rua=mailto:a@example.org", 1, true, N, N, N, "there is no p="},
	{"v=DMARC1", 1, false, N, N, N, "there is no p="},
	{"v=DMARC1; sp=reject", 1, false, N, N, N, "asks for nothing"},
	{"v=DMARC1; p=maybe; rua=mailto:a@example.org", 1, true, N, N, N, "not a policy"},
	{"v=DMARC1; p=maybe", 1, false, N, N, N, "not a policy"},
	{"v=DMARC1; p=reject; sp=maybe; rua=mailto:a@example.org", 1, true, N, N, N, "sp=maybe"},
	{"v=DMARC1; p=reject; np=maybe", 1, false, N, N, N, "np=maybe"},
	{"v=DMARC1; p=; rua=mailto:a@example.org", 1, true, N, N, N, "not a policy"},
	/* A report address that is none does not help. */
	{"v=DMARC1; rua=nobody", 1, false, N, N, N, "is not a URI"},
	{"v=DMARC1; rua=mailto:", 1, false, N, N, N, "is not a URI"},
	{"v=DMARC1; rua=mailto:a", 1, false, N, N, N, "is not a URI"},
	{"v=DMARC1; rua=1x:a", 1, false, N, N, N, "is not a URI"},
	/* Unknown and removed tags, syntax errors. */
	{"v=DMARC1; p=reject; pct=50", 1, true, R, R, R, "pct= was removed"},
	{"v=DMARC1; p=reject; rf=afrf; ri=3600", 1, true, R, R, R, "ri= was removed"},
	{"v=DMARC1; p=reject; future=x", 1, true, R, R, R, "future= is unknown"},
	{"v=DMARC1; p=reject; nonsense", 1, true, R, R, R, "not a tag"},
	{"v=DMARC1;; p=reject", 1, true, R, R, R, "\";;\""},
	{"v=DMARC1; p=reject; p=none", 1, true, R, R, R, "twice"},
	{"v=DMARC1; p=reject; adkim=x; aspf=; psd=q; t=maybe; fo=9", 1, true, R, R, R, "fo=9"},
	{"v=DMARC1; p=reject; fo=0:1; ruf=mailto:a@b", 1, true, R, R, R, "both 0 and 1"},
	{"v=DMARC1; p=reject; rua=mailto:a@b!10m", 1, true, R, R, R, "obsolete"},
	{"v=DMARC1; p=reject; rua=mailto:a@b!x", 1, true, R, R, R, "not encoded"},
	{"v=DMARC1; p=reject\x01", 1, false, N, N, N, "not a policy"},
	/* No records. */
	{"", 0, false, N, N, N, NULL},
	{"v=DMARC1 p=reject", 0, false, N, N, N, NULL},
	{"v=DMARC12; p=reject", 0, false, N, N, N, NULL},
	{"v=dmarc1; p=reject", 0, false, N, N, N, NULL},
	{" v=DMARC1; p=reject", 0, false, N, N, N, NULL},
	{"p=reject; v=DMARC1", 0, false, N, N, N, NULL},
	{"v=spf1 -all", 0, false, N, N, N, NULL},
	{"v=DMARC1, p=reject", 0, false, N, N, N, NULL},
};

static bool has_note(const struct dmarc_record *r, const char *part)
{
	for (size_t i = 0; i < r->note_count; i++) {
		if (str_find(r->notes[i], str_from(part)) != NULL)
			return true;
	}
	return false;
}

static void records_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(record_cases) / sizeof(record_cases[0]); i++) {
		const struct record_case *c = &record_cases[i];
		struct arena *a = arena_open();
		struct dmarc_record r;
		print_message("%s\n", c->text);
		assert_int_equal(dmarc_record_parse(a, str_from(c->text), &r), c->is);
		if (c->is) {
			assert_int_equal(r.applies, c->applies);
			assert_int_equal(r.p, c->p);
			assert_int_equal(r.sp, c->sp);
			assert_int_equal(r.np, c->np);
			if (c->note != NULL)
				assert_true(has_note(&r, c->note));
			else
				assert_int_equal(r.note_count, 0);
		}
		arena_close(&a);
	}
}

static void the_other_tags(void **state)
{
	struct arena *a = arena_open();
	struct dmarc_record r;

	(void)state;
	assert_int_equal(dmarc_record_parse(a,
				 STR("v=DMARC1; p=none; adkim=s; aspf=S; psd=n; t=y; "
				     "fo=1:d:s; rua=mailto:a@b.example,https://c/d "
				     ", mailto:e@f!20k; ruf=mailto:g@h"),
				 &r),
		1);
	assert_int_equal(r.adkim, DMARC_STRICT);
	assert_int_equal(r.aspf, DMARC_STRICT);
	assert_int_equal(r.psd, DMARC_PSD_NO);
	assert_true(r.testing);
	assert_int_equal(r.fo, DMARC_FO_ANY | DMARC_FO_DKIM | DMARC_FO_SPF);
	assert_int_equal(r.rua_count, 3);
	assert_true(str_eq(r.rua[1], STR("https://c/d")));
	assert_true(str_eq(r.rua[2], STR("mailto:e@f")));
	assert_int_equal(r.ruf_count, 1);
	/* fo means nothing without ruf. */
	assert_int_equal(dmarc_record_parse(a, STR("v=DMARC1; p=none; fo=1"), &r), 1);
	assert_int_equal(r.fo, DMARC_FO_ALL);
	arena_close(&a);
}

static void caps_hold(void **state)
{
	struct arena *a = arena_open();
	struct buf b = {NULL, 0, 0};
	struct dmarc_record r;

	(void)state;
	buf_text(&b, "v=DMARC1; p=reject; rua=mailto:a@b");
	for (int i = 0; i < 100; i++)
		buf_printf(&b, ",mailto:a@b%d", i);
	assert_int_equal(dmarc_record_parse(a, buf_str(&b), &r), 1);
	assert_int_equal(r.rua_count, DMARC_URIS_MAX);
	assert_int_equal(r.note_count, DMARC_NOTES_MAX);
	while (b.len <= DMARC_RECORD_MAX)
		buf_text(&b, ",mailto:a@b");
	assert_int_equal(dmarc_record_parse(a, buf_str(&b), &r), 0);
	buf_free(&b);
	arena_close(&a);
}

/* --- the walk --- */

static const struct {
	const char *domain;
	size_t count;
	const char *second, *last;
} name_cases[] = {
	{"com", 1, NULL, "com"},
	{"example.com", 2, "com", "com"},
	{"a.mail.example.com", 4, "mail.example.com", "com"},
	{"a.b.c.d.e.f.g", 7, "b.c.d.e.f.g", "g"},
	{"a.b.c.d.e.f.g.h", 8, "b.c.d.e.f.g.h", "h"},
	{"a.b.c.d.e.f.g.h.i", 8, "c.d.e.f.g.h.i", "i"},
	/* The example of section 4.10. */
	{"a.b.c.d.e.f.g.h.i.j.mail.example.com", 8, "g.h.i.j.mail.example.com", "com"},
};

static void walks_ask_eight_names_at_most(void **state)
{
	struct str names[DMARC_QUERIES_MAX];

	(void)state;
	assert_int_equal(dmarc_walk_names(STR(""), names), 0);
	for (size_t i = 0; i < sizeof(name_cases) / sizeof(name_cases[0]); i++) {
		size_t n = dmarc_walk_names(str_from(name_cases[i].domain), names);
		assert_int_equal(n, name_cases[i].count);
		assert_true(str_eq(names[0], str_from(name_cases[i].domain)));
		if (n > 1)
			assert_true(str_eq(names[1], str_from(name_cases[i].second)));
		assert_true(str_eq(names[n - 1], str_from(name_cases[i].last)));
	}
}

static const char zone[] =
	"_dmarc.example.com TXT \"v=DMARC1; p=reject; sp=quarantine; np=reject\"\n"
	"_dmarc.mail.example.com TXT \"v=DMARC1; p=none\"\n"
	"sub.example.com A 192.0.2.1\n"
	/* A part of the house with a house of its own. */
	"_dmarc.big.example TXT \"v=DMARC1; p=reject\"\n"
	"_dmarc.dept.big.example TXT \"v=DMARC1; p=quarantine; psd=n\"\n"
	"x.dept.big.example A 192.0.2.1\n"
	/* A public suffix with a policy. */
	"_dmarc.bank TXT \"v=DMARC1; p=reject; sp=quarantine; np=reject; psd=y\"\n"
	"here.bank A 192.0.2.1\n"
	"_dmarc.own.bank TXT \"v=DMARC1; p=none\"\n"
	"_dmarc.deep.mail.own2.bank TXT \"v=DMARC1; p=none\"\n"
	"_dmarc.mail.nothing.bank TXT \"v=DMARC1; p=none\"\n"
	"x.mail.nothing.bank A 192.0.2.1\n"
	/* Two records are none. */
	"_dmarc.two.example TXT \"v=DMARC1; p=reject\"\n"
	"_dmarc.two.example TXT \"v=DMARC1; p=none\"\n"
	"_dmarc.mixed.example TXT \"v=spf1 -all\"\n"
	"_dmarc.mixed.example TXT \"v=DMARC1; \" \"p=quarantine\"\n"
	"_dmarc.strict.example TXT \"v=DMARC1; p=reject; adkim=s; aspf=s\"\n"
	"_dmarc.test.example TXT \"v=DMARC1; p=reject; sp=quarantine; t=y\"\n"
	"a.test.example A 192.0.2.1\n"
	"_dmarc.nop.example TXT \"v=DMARC1; rua=mailto:a@nop.example\"\n"
	"_dmarc.nothing.example TXT \"v=DMARC1\"\n"
	"_dmarc.quarantine.example TXT \"v=DMARC1; p=quarantine\"\n"
	"_dmarc.none.example TXT \"v=DMARC1; p=none\"\n"
	"_dmarc.alias.example CNAME _dmarc.example.com\n"
	"fail: txt _dmarc.dead.example\n"
	"timeout: txt _dmarc.slow.example\n"
	"bogus: txt _dmarc.bogus.example signature expired\n"
	"_dmarc.secure.example TXT \"v=DMARC1; p=reject\"\n"
	"authentic: txt _dmarc.secure.example\n";

struct fixture {
	struct dns *dns;
	struct arena *a;
	struct dns_asker ask;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	if (f == NULL || dns_open_fixture(str_from(zone), &f->dns, &err) < 0)
		return -1;
	f->a = arena_open();
	f->ask = (struct dns_asker){.dns = f->dns, .deadline = deadline_in_ms(5000)};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	dns_close(&f->dns);
	arena_close(&f->a);
	free(f);
	return 0;
}

static const struct {
	const char *domain, *org, *psd;
	bool temperror;
} org_cases[] = {
	{"example.com", "example.com", "", false},
	{"a.mail.example.com", "example.com", "", false},
	{"sub.example.com", "example.com", "", false},
	{"x.dept.big.example", "dept.big.example", "", false},
	{"dept.big.example", "dept.big.example", "", false},
	{"big.example", "big.example", "", false},
	{"here.bank", "here.bank", "bank", false},
	{"a.b.here.bank", "here.bank", "bank", false},
	{"own.bank", "own.bank", "bank", false},
	{"x.own.bank", "own.bank", "bank", false},
	{"deep.mail.own2.bank", "own2.bank", "bank", false},
	{"bank", "bank", "", false}, /* its own record starts the walk */
	{"nobody.example", "nobody.example", "", false},
	{"a.nobody.example", "a.nobody.example", "", false},
	{"two.example", "two.example", "", false},
	{"a.two.example", "a.two.example", "", false},
	{"dead.example", "", "", true},
	{"a.dead.example", "", "", true},
	{"slow.example", "", "", true},
	{"bogus.example", "", "", true},
};

static void organizational_domains(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(org_cases) / sizeof(org_cases[0]); i++) {
		struct dmarc_walk w;
		print_message("%s\n", org_cases[i].domain);
		dmarc_walk(&f->ask, str_from(org_cases[i].domain), f->a, &w);
		assert_int_equal(w.temperror, org_cases[i].temperror);
		assert_true(str_eq(w.org, str_from(org_cases[i].org)));
		assert_true(str_eq(w.psd, str_from(org_cases[i].psd)));
	}
}

static const struct {
	const char *domain;
	enum dmarc_found found;
	const char *at, *tag;
	enum dmarc_policy published, policy;
} lookup_cases[] = {
	{"example.com", DMARC_FOUND_RECORD, "example.com", "p", R, R},
	{"mail.example.com", DMARC_FOUND_RECORD, "mail.example.com", "p", N, N},
	/* Not the nearest record but that of the organization. */
	{"a.mail.example.com", DMARC_FOUND_RECORD, "example.com", "np", R, R},
	{"sub.example.com", DMARC_FOUND_RECORD, "example.com", "sp", Q, Q},
	{"void.example.com", DMARC_FOUND_RECORD, "example.com", "np", R, R},
	{"x.dept.big.example", DMARC_FOUND_RECORD, "dept.big.example", "p", Q, Q},
	{"here.bank", DMARC_FOUND_RECORD, "bank", "sp", Q, Q},
	{"missing.bank", DMARC_FOUND_RECORD, "bank", "np", R, R},
	{"own.bank", DMARC_FOUND_RECORD, "own.bank", "p", N, N},
	/* A record between author and organization is not looked at; the suffix's is. */
	{"x.mail.nothing.bank", DMARC_FOUND_RECORD, "bank", "sp", Q, Q},
	{"bank", DMARC_FOUND_RECORD, "bank", "p", R, R},
	{"test.example", DMARC_FOUND_RECORD, "test.example", "p", R, Q},
	{"a.test.example", DMARC_FOUND_RECORD, "test.example", "sp", Q, N},
	{"mixed.example", DMARC_FOUND_RECORD, "mixed.example", "p", Q, Q},
	{"alias.example", DMARC_FOUND_RECORD, "alias.example", "p", R, R},
	{"nop.example", DMARC_FOUND_RECORD, "nop.example", "p", N, N},
	{"two.example", DMARC_FOUND_SEVERAL, "", "p", N, N},
	{"nobody.example", DMARC_FOUND_NOTHING, "", "p", N, N},
	{"dead.example", DMARC_FOUND_TEMPERROR, "", "p", N, N},
	{"a.dead.example", DMARC_FOUND_TEMPERROR, "", "p", N, N},
	{"bogus.example", DMARC_FOUND_TEMPERROR, "", "p", N, N},
};

static void policies_are_discovered(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(lookup_cases) / sizeof(lookup_cases[0]); i++) {
		struct dmarc_lookup l;
		dmarc_lookup(&f->ask, str_from(lookup_cases[i].domain), f->a, &l);
		print_message("%s: %.*s\n", lookup_cases[i].domain, STR_FMT(l.text));
		assert_int_equal(l.found, lookup_cases[i].found);
		assert_true(str_eq(l.record_domain, str_from(lookup_cases[i].at)));
		if (l.found == DMARC_FOUND_RECORD) {
			assert_string_equal(l.tag, lookup_cases[i].tag);
			assert_int_equal(l.published, lookup_cases[i].published);
			assert_int_equal(l.policy, lookup_cases[i].policy);
		}
		assert_true(l.text.len > 0);
	}
}

/* --- verdicts --- */

static const struct verdict_case {
	const char *name;
	const char *from[7];
	bool from_bad;
	const char *spf, *dkim[4]; /* "?domain": could not be decided */
	enum dmarc_result result;
	enum dmarc_policy policy;
	const char *decided; /* From domain that decided */
} verdict_cases[] = {
	{"SPF", {"example.com"}, false, "example.com", {NULL}, DMARC_PASS, N, "example.com"},
	{"DKIM", {"example.com"}, false, NULL, {"example.com"}, DMARC_PASS, N, "example.com"},
	{"relaxed, child", {"example.com"}, false, "sub.example.com", {NULL}, DMARC_PASS, N,
		"example.com"},
	{"relaxed, parent", {"sub.example.com"}, false, NULL, {"example.com"}, DMARC_PASS, N,
		"sub.example.com"},
	{"relaxed, cousins", {"sub.example.com"}, false, NULL, {"x.y.example.com"}, DMARC_PASS, N,
		"sub.example.com"},
	{"second signature", {"example.com"}, false, NULL, {"list.example", "example.com"},
		DMARC_PASS, N, "example.com"},
	{"nothing", {"example.com"}, false, NULL, {NULL}, DMARC_FAIL, R, "example.com"},
	{"somebody else", {"example.com"}, false, "evil.example", {"evil.example"}, DMARC_FAIL, R,
		"example.com"},
	{"ends the same", {"example.com"}, false, "notexample.com", {"xexample.com"}, DMARC_FAIL, R,
		"example.com"},
	{"subdomain", {"sub.example.com"}, false, NULL, {NULL}, DMARC_FAIL, Q, "sub.example.com"},
	{"no such subdomain", {"void.example.com"}, false, NULL, {NULL}, DMARC_FAIL, R,
		"void.example.com"},
	{"a house of its own", {"x.dept.big.example"}, false, "big.example", {NULL}, DMARC_FAIL, Q,
		"x.dept.big.example"},
	{"not the other way either", {"big.example"}, false, "dept.big.example", {NULL}, DMARC_FAIL,
		R, "big.example"},
	{"neighbours under a suffix", {"here.bank"}, false, "there.bank", {NULL}, DMARC_FAIL, Q,
		"here.bank"},
	{"the suffix itself", {"here.bank"}, false, "bank", {NULL}, DMARC_FAIL, Q, "here.bank"},
	{"strict, same", {"strict.example"}, false, "strict.example", {NULL}, DMARC_PASS, N,
		"strict.example"},
	{"strict, child", {"strict.example"}, false, "a.strict.example", {"b.strict.example"},
		DMARC_FAIL, R, "strict.example"},
	{"testing", {"test.example"}, false, NULL, {NULL}, DMARC_FAIL, Q, "test.example"},
	{"quarantine", {"quarantine.example"}, false, NULL, {NULL}, DMARC_FAIL, Q,
		"quarantine.example"},
	{"p=none", {"none.example"}, false, NULL, {NULL}, DMARC_FAIL, N, "none.example"},
	{"no p, rua", {"nop.example"}, false, NULL, {NULL}, DMARC_FAIL, N, "nop.example"},
	{"no p, no rua", {"nothing.example"}, false, "nothing.example", {NULL}, DMARC_NONE, N,
		"nothing.example"},
	{"no record", {"nobody.example"}, false, "nobody.example", {NULL}, DMARC_NONE, N,
		"nobody.example"},
	{"two records", {"two.example"}, false, "two.example", {NULL}, DMARC_NONE, N,
		"two.example"},
	{"dead servers", {"dead.example"}, false, "dead.example", {NULL}, DMARC_TEMPERROR, N,
		"dead.example"},
	{"bogus", {"bogus.example"}, false, "bogus.example", {NULL}, DMARC_TEMPERROR, N,
		"bogus.example"},
	{"undecided key", {"example.com"}, false, NULL, {"?example.com"}, DMARC_TEMPERROR, N,
		"example.com"},
	{"undecided key, but SPF", {"example.com"}, false, "example.com", {"?example.com"},
		DMARC_PASS, N, "example.com"},
	{"undecided key of somebody else", {"example.com"}, false, NULL, {"?evil.example"},
		DMARC_FAIL, R, "example.com"},
	{"undecided SPF", {"example.com"}, false, "?sub.example.com", {NULL}, DMARC_TEMPERROR, N,
		"example.com"},
	/* From. */
	{"bad From", {NULL}, true, "example.com", {NULL}, DMARC_PERMERROR, N, ""},
	{"no From", {NULL}, false, "example.com", {NULL}, DMARC_NONE, N, ""},
	{"two authors, both fine", {"example.com", "strict.example"}, false, "example.com",
		{"strict.example"}, DMARC_PASS, N, "example.com"},
	{"two authors, one forged", {"none.example", "example.com"}, false, "none.example", {NULL},
		DMARC_FAIL, R, "example.com"},
	{"the strictest decides", {"none.example", "quarantine.example", "example.com"}, false,
		NULL, {NULL}, DMARC_FAIL, R, "example.com"},
	{"one without a policy", {"example.com", "nobody.example"}, false, "example.com", {NULL},
		DMARC_NONE, N, "nobody.example"},
	{"too many authors",
		{"a.example", "b.example", "c.example", "d.example", "e.example", "f.example"},
		false, NULL, {NULL}, DMARC_PERMERROR, N, ""},
};

static struct dmarc_identity identity(const char *text)
{
	bool undecided = text[0] == '?';

	return (struct dmarc_identity){
		.domain = str_from(text + (undecided ? 1 : 0)), .temperror = undecided};
}

static void messages_are_judged(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(verdict_cases) / sizeof(verdict_cases[0]); i++) {
		const struct verdict_case *c = &verdict_cases[i];
		struct dmarc_identity spf, dkim[4];
		struct str from[7];
		struct dmarc_input in = {
			.from_domains = from, .from_bad = c->from_bad, .spf = &spf, .dkim = dkim};
		struct dmarc_verdict v;

		while (in.from_count < 7 && c->from[in.from_count] != NULL) {
			from[in.from_count] = str_from(c->from[in.from_count]);
			in.from_count++;
		}
		if (c->spf != NULL) {
			spf = identity(c->spf);
			in.spf_count = 1;
		}
		while (in.dkim_count < 4 && c->dkim[in.dkim_count] != NULL) {
			dkim[in.dkim_count] = identity(c->dkim[in.dkim_count]);
			in.dkim_count++;
		}
		dmarc_evaluate(&f->ask, &in, f->a, &v);
		print_message(
			"%s: %s, %.*s\n", c->name, dmarc_result_text(v.result), STR_FMT(v.text));
		assert_int_equal(v.result, c->result);
		assert_int_equal(v.policy, c->policy);
		assert_true(str_eq(v.from_domain, str_from(c->decided)));
		assert_true(v.text.len > 0);
	}
}

static void dnssec_is_told(void **state)
{
	struct fixture *f = *state;
	struct str from = STR("secure.example");
	struct dmarc_identity spf = {.domain = STR("secure.example")};
	struct dmarc_input in = {
		.from_domains = &from, .from_count = 1, .spf = &spf, .spf_count = 1};
	struct dmarc_verdict v;

	dmarc_evaluate(&f->ask, &in, f->a, &v);
	assert_int_equal(v.result, DMARC_PASS);
	assert_true(v.secure);
	/* Alignment needs the insecure name above. */
	spf.domain = STR("a.secure.example");
	dmarc_evaluate(&f->ask, &in, f->a, &v);
	assert_int_equal(v.result, DMARC_PASS);
	assert_false(v.secure);
}

/* What was looked up and what it came to is in the trace. */
static void traces_tell(void **state)
{
	struct fixture *f = *state;
	struct str from = STR("void.example.com");
	struct dmarc_input in = {.from_domains = &from, .from_count = 1};
	struct dns_asker ask = f->ask;
	struct dmarc_verdict v;
	struct buf b = {NULL, 0, 0};

	ask.trace = trace_new();
	dmarc_evaluate(&ask, &in, f->a, &v);
	trace_write(ask.trace, &b);
	print_message("%s\n", b.p);
	assert_non_null(strstr(b.p, "TXT _dmarc.void.example.com"));
	assert_non_null(strstr(b.p, "TXT _dmarc.com"));
	assert_non_null(strstr(b.p, "record at _dmarc.example.com: v=DMARC1"));
	assert_non_null(strstr(b.p, "its owner asks to reject"));
	assert_non_null(strstr(b.p, "np=reject"));
	buf_free(&b);
	trace_free(&ask.trace);
}

static void names_too_long_for_a_record(void **state)
{
	struct fixture *f = *state;
	char name[252];
	struct dmarc_lookup l;

	memset(name, 'a', sizeof(name));
	for (size_t i = 50; i < sizeof(name) - 1; i += 50)
		name[i] = '.';
	name[sizeof(name) - 1] = '\0';
	dmarc_lookup(&f->ask, str_from(name), f->a, &l);
	assert_int_equal(l.found, DMARC_FOUND_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(the_other_tags),
		cmocka_unit_test(caps_hold),
		cmocka_unit_test(walks_ask_eight_names_at_most),
		cmocka_unit_test_setup_teardown(organizational_domains, setup, teardown),
		cmocka_unit_test_setup_teardown(policies_are_discovered, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_are_judged, setup, teardown),
		cmocka_unit_test_setup_teardown(dnssec_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(traces_tell, setup, teardown),
		cmocka_unit_test_setup_teardown(names_too_long_for_a_record, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
