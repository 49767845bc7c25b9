#include "tests/unit/unit.h"

#include "auth/spf_priv.h"

#include <stdio.h>

/* RFC 7208 by rule families: records that are read, which record is taken, each mechanism,
 * modifiers, macros, limits. test_spf.py asks a real name server. */

static const char world[] =
	/* selecting */
	"one.t.example. TXT \"v=spf1 -all\"\n"
	"other.t.example. TXT \"v=spf2.0/pra +all\"\n"
	"both.t.example. TXT \"google-site-verification=1\"\nboth.t.example. TXT \"v=spf1 ~all\"\n"
	"two.t.example. TXT \"v=spf1 -all\"\ntwo.t.example. TXT \"V=SPF1 +all\"\n"
	"glued.t.example. TXT \"v=spf1\" \"-all\"\n"
	"split.t.example. TXT \"v=spf1 ip4:192.0.\" \"2.1 -all\"\n"
	"bare.t.example. TXT \"v=spf1\"\n"
	"upper.t.example. TXT \"V=SPF1 IP4:192.0.2.0/24 -ALL\"\n"
	"v10.t.example. TXT \"v=spf10\"\nv10.t.example. TXT \"v=spf1 ?all\"\n"
	"empty.t.example. TXT \"\"\nempty.t.example. TXT \"v=spf1 +all\"\n"
	"bin.t.example. TXT \"\\150\\000\"\nbin.t.example. TXT \"v=spf1 -all\"\n"
	"spaces.t.example. TXT \"v=spf1   ip4:192.0.2.1    -all   \"\n"
	"noname.t.example. A 192.0.2.9\n"
	"late.t.example. TXT \"v=spf1 -all\"\ntimeout: txt late.t.example.\n"
	"fail: txt broken.t.example.\n"
	"bogus: txt forged.t.example. signature expired\n"
	"link.t.example. CNAME split.t.example.\n"
	"x23456789012345678901234567890123456789012345678901234567890123.t.example. TXT "
	"\"v=spf1 -all\"\n"
	"under_score.t.example. TXT \"v=spf1 +all\"\n"
	"xn--mnchen-3ya.t.example. TXT \"v=spf1 +all\"\n"
	/* hosts */
	"h1.t.example. A 192.0.2.1\nh1.t.example. AAAA 2001:db8::1\n"
	"h2.t.example. A 192.0.2.2\n"
	"h6.t.example. AAAA 2001:db8::6\n"
	"timeout: ip slow.t.example.\n"
	"a:b/c.t.example. A 192.0.2.1\n"
	"sp\\032ace%x.t.example. A 192.0.2.1\n"
	"h1.xn--zckzah-x1. A 192.0.2.1\n"
	"many.t.example. A 192.0.2.101\nmany.t.example. A 192.0.2.102\n"
	"many.t.example. A 192.0.2.103\nmany.t.example. A 192.0.2.104\n"
	"many.t.example. A 192.0.2.105\nmany.t.example. A 192.0.2.106\n"
	"many.t.example. A 192.0.2.107\nmany.t.example. A 192.0.2.108\n"
	"many.t.example. A 192.0.2.109\nmany.t.example. A 192.0.2.110\n"
	"many.t.example. A 192.0.2.111\nmany.t.example. A 192.0.2.1\n"
	/* mail hosts */
	"m1.t.example. MX 10 h2.t.example.\nm1.t.example. MX 20 h1.t.example.\n"
	"mnull.t.example. MX 0 .\n"
	"mslow.t.example. MX 10 slow.t.example.\n"
	"mslow1.t.example. MX 10 slow.t.example.\nmslow1.t.example. MX 20 h1.t.example.\n"
	"mself.t.example. A 192.0.2.1\nmself.t.example. TXT \"v=spf1 mx -all\"\n"
	"m10.t.example. MX 1 h2.t.example.\nm10.t.example. MX 2 h2.t.example.\n"
	"m10.t.example. MX 3 h2.t.example.\nm10.t.example. MX 4 h2.t.example.\n"
	"m10.t.example. MX 5 h2.t.example.\nm10.t.example. MX 6 h2.t.example.\n"
	"m10.t.example. MX 7 h2.t.example.\nm10.t.example. MX 8 h2.t.example.\n"
	"m10.t.example. MX 9 h2.t.example.\nm10.t.example. MX 10 h1.t.example.\n"
	"m11.t.example. MX 1 h1.t.example.\nm11.t.example. MX 2 h1.t.example.\n"
	"m11.t.example. MX 3 h1.t.example.\nm11.t.example. MX 4 h1.t.example.\n"
	"m11.t.example. MX 5 h1.t.example.\nm11.t.example. MX 6 h1.t.example.\n"
	"m11.t.example. MX 7 h1.t.example.\nm11.t.example. MX 8 h1.t.example.\n"
	"m11.t.example. MX 9 h1.t.example.\nm11.t.example. MX 10 h1.t.example.\n"
	"m11.t.example. MX 11 h1.t.example.\n"
	"m6only.t.example. MX 10 h6.t.example.\nm6only.t.example. MX 20 h6.t.example.\n"
	"m6only.t.example. MX 30 h6.t.example.\n"
	/* names of clients */
	"192.0.2.1 PTR h1.t.example.\n192.0.2.1 PTR liar.t.example.\n"
	"192.0.2.1 PTR deep.h1.T.Example.\ndeep.h1.t.example. A 192.0.2.1\n"
	"192.0.2.2 PTR liar.t.example.\nliar.t.example. A 192.0.2.99\n"
	"2001:db8::1 PTR h1.t.example.\n"
	"fail: ptr 192.0.2.3\n"
	/* includes and redirects */
	"ip1.t.example. TXT \"v=spf1 ip4:192.0.2.1 -all exp=never.t.example\"\n"
	"never.t.example. TXT \"never seen\"\n"
	"soft.t.example. TXT \"v=spf1 ~all\"\n"
	"neutral.t.example. TXT \"v=spf1 ?all\"\n"
	"syntax.t.example. TXT \"v=spf1 nonsense -all\"\n"
	"loop.t.example. TXT \"v=spf1 redirect=loop.t.example\"\n"
	"ping.t.example. TXT \"v=spf1 include:pong.t.example -all\"\n"
	"pong.t.example. TXT \"v=spf1 include:ping.t.example -all\"\n"
	"implicit.t.example. A 192.0.2.1\nimplicit.t.example. TXT \"v=spf1 a -all\"\n"
	"bomb8.t.example. TXT \"v=spf1 a:h2.t.example a:h2.t.example a:h2.t.example a:h2.t.example "
	"a:h2.t.example a:h2.t.example a:h2.t.example a:h2.t.example\"\n";

static const char world_more[] =
	/* explanations */
	"why.t.example. TXT \"%{i} is not welcome at %{d}. 100%% sure\"\n"
	"why2.t.example. TXT one\nwhy2.t.example. TXT two\n"
	"whybad.t.example. TXT \"%{q}\"\n"
	"why8.t.example. TXT \"\\195\\164\"\n"
	"whycrt.t.example. TXT \"%{c} %{r} %{t} %{v}\"\n"
	"whyp.t.example. TXT \"%{p}\"\n"
	"whyl.t.example. TXT \"%{L} %{l} %{s} %{O}\"\n"
	"whyctl.t.example. TXT \"a\\013b\"\n"
	"timeout: txt whyslow.t.example.\n"
	"1.2.0.192.in-addr.why.t.example. TXT reversed\n"
	/* exists with macros */
	"x.192.0.2.1.in-addr.t.example. A 127.0.0.2\n"
	"c.b.a.u.t.example. A 127.0.0.2\nb.c.u.t.example. A 127.0.0.2\n"
	"joe.smith.user.t.example. A 127.0.0.2\n"
	"h1.t.example.p.t.example. A 127.0.0.2\n"
	"only6.t.example. AAAA 2001:db8::6\n"
	"helo.mail.h.t.example. A 127.0.0.2\n"
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.t.example. A "
	"127.0.0.2\n";

struct check {
	const char *record; /* of r.t.example; NULL: none is added */
	const char *ip, *mailfrom, *result;
	const char *mechanism;   /* NULL: any */
	const char *explanation; /* NULL: none */
};

#define V4 "192.0.2.1"
#define V6 "2001:db8::1"
#define R "u@r.t.example"

static struct dns *world_open(const char *record)
{
	struct buf text = {NULL, 0, 0};
	struct dns *d;
	struct err err = {.text = ""};

	buf_text(&text, world);
	buf_text(&text, world_more);
	if (record != NULL)
		buf_printf(&text, "r.t.example. TXT \"%s\"\n", record);
	if (dns_open_fixture(buf_str(&text), &d, &err) < 0)
		fail_msg("%s", err.text);
	buf_free(&text);
	return d;
}

static void check_one(const struct check *c, size_t number)
{
	struct dns *d = world_open(c->record);
	struct arena *a = arena_open();
	struct dns_asker q = {.dns = d, .deadline = deadline_in_ms(20000)};
	struct spf_args args = {.helo = STR("helo.mail"),
		.mailfrom = str_from(c->mailfrom),
		.receiver = STR("us.example"),
		.now_unix_s = 1700000000};
	struct spf_verdict v;

	print_message("case %zu: %s from %s, %s\n", number, c->record ? c->record : "-",
		c->mailfrom, c->ip);
	assert_true(ip_parse(str_from(c->ip), &args.ip));
	spf_check(&q, &args, SPF_MAILFROM, a, &v);
	print_message("  -> %s, \"%.*s\", %.*s\n", spf_result_text(v.result), STR_FMT(v.mechanism),
		STR_FMT(v.problem));
	assert_string_equal(spf_result_text(v.result), c->result);
	if (c->mechanism != NULL)
		assert_true(str_eq(v.mechanism, str_from(c->mechanism)));
	assert_true(str_eq(v.explanation, str_from(c->explanation ? c->explanation : "")));
	bool error = v.result == SPF_NONE || v.result == SPF_TEMPERROR || v.result == SPF_PERMERROR;
	assert_int_equal(v.problem.len > 0, error);
	assert_int_equal(v.mechanism.len > 0, !error);
	arena_close(&a);
	dns_close(&d);
}

static void checks_run(const struct check *checks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_one(&checks[i], i);
}

static const struct check initial[] = {
	{NULL, V4, "u@one.t.example", "fail", "-all", NULL},
	{NULL, V4, "u@ONE.T.Example", "fail", "-all", NULL},
	{NULL, V4, "u@one.t.example.", "fail", "-all", NULL},
	{NULL, V4, "u@nowhere.t.example", "none", "", NULL},
	{NULL, V4, "u@noname.t.example", "none", "", NULL},
	{NULL, V4, "u@single", "none", "", NULL},
	{NULL, V4, "u@[192.0.2.1]", "none", "", NULL},
	{NULL, V4, "u@192.0.2.1", "none", "", NULL},
	{NULL, V4, "u@a..t.example", "none", "", NULL},
	{NULL, V4, "u@.t.example", "none", "", NULL},
	{NULL, V4, "u@", "none", "", NULL},
	{NULL, V4,
		"u@"
		"x234567890123456789012345678901234567890123456789012345678901234.t.example",
		"none", "", NULL},
	{NULL, V4,
		"u@"
		"x23456789012345678901234567890123456789012345678901234567890123.t.example",
		"fail", "-all", NULL},
	{NULL, V4, "@one.t.example", "fail", "-all", NULL},
	{NULL, V4, "u@one.t.example@one.t.example", "fail", "-all", NULL},
	{NULL, V4, "u@under_score.t.example", "pass", "+all", NULL},
	{NULL, V4, "u@m\xc3\xbcnchen.t.example", "pass", "+all", NULL},
	{NULL, V4, "u@m\xffnchen.t.example", "none", "", NULL},
	/* selecting */
	{NULL, V4, "u@other.t.example", "none", "", NULL},
	{NULL, V4, "u@both.t.example", "softfail", "~all", NULL},
	{NULL, V4, "u@two.t.example", "permerror", "", NULL},
	{NULL, V4, "u@glued.t.example", "none", "", NULL},
	{NULL, V4, "u@split.t.example", "pass", "ip4:192.0.2.1", NULL},
	{NULL, V4, "u@link.t.example", "pass", "ip4:192.0.2.1", NULL},
	{NULL, V4, "u@bare.t.example", "neutral", "default", NULL},
	{NULL, V4, "u@upper.t.example", "pass", "IP4:192.0.2.0/24", NULL},
	{NULL, "192.0.3.1", "u@upper.t.example", "fail", "-ALL", NULL},
	{NULL, V4, "u@v10.t.example", "neutral", "?all", NULL},
	{NULL, V4, "u@empty.t.example", "pass", "+all", NULL},
	{NULL, V4, "u@bin.t.example", "fail", "-all", NULL},
	{NULL, V4, "u@spaces.t.example", "pass", "ip4:192.0.2.1", NULL},
	{NULL, V4, "u@late.t.example", "temperror", "", NULL},
	{NULL, V4, "u@broken.t.example", "temperror", "", NULL},
	{NULL, V4, "u@forged.t.example", "temperror", "", NULL},
};

static void initial_processing_and_selection(void **state)
{
	(void)state;
	checks_run(initial, sizeof(initial) / sizeof(initial[0]));
}

static const struct check evaluation[] = {
	/* errors anywhere count, also behind what matches */
	{"v=spf1 +all boo", V4, R, "permerror", "", NULL},
	{"v=spf1 +all a:", V4, R, "permerror", "", NULL},
	{"v=spf1 ip4:192.0.2.1 ?", V4, R, "permerror", "", NULL},
	{"v=spf1 ip4:192.0.2.1", "192.0.2.2", R, "neutral", "default", NULL},
	{"v=spf1 a.b-c_1=x:y/z ~all", V4, R, "softfail", "~all", NULL},
	{"v=spf1 a.b/c=x ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 a.b:c=x ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 9x=y ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 =y ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 +x=y ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 x= ~all", V4, R, "softfail", "~all", NULL},
	{"v=spf1 default=deny", V4, R, "neutral", "default", NULL},
	{"v=spf1 x=%q ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 x=%{t} ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 a:\\195\\164.t.example -all", V4, R, "permerror", "", NULL},
	{"v=spf1 \\128all", V4, R, "permerror", "", NULL},
	{"v=spf1 x=\\195\\164 -all", V4, R, "permerror", "", NULL},
	{"v=spf1 a:h1.t.example\\000 -all", V4, R, "permerror", "", NULL},
	{"v=spf1 ip4:192.0.2.1\\009-all", V4, R, "permerror", "", NULL},
	{"v=spf1 ip4:192.0.2.1\\013\\010-all", V4, R, "permerror", "", NULL},
	{"v=spf1\\009-all", V4, R, "none", "", NULL},
	/* all */
	{"v=spf1 all", V4, R, "pass", "all", NULL},
	{"v=spf1 ALL", V4, R, "pass", "ALL", NULL},
	{"v=spf1 -all +all", V4, R, "fail", "-all", NULL},
	{"v=spf1 all.", V4, R, "permerror", "", NULL},
	{"v=spf1 all:", V4, R, "permerror", "", NULL},
	{"v=spf1 all/0", V4, R, "permerror", "", NULL},
	{"v=spf1 +-all", V4, R, "permerror", "", NULL},
	{"v=spf1 allx", V4, R, "permerror", "", NULL},
	/* ip4 */
	{"v=spf1 ip4:192.0.2.0/24 -all", V4, R, "pass", "ip4:192.0.2.0/24", NULL},
	{"v=spf1 ip4:192.0.2.77/24 -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 ip4:10.0.0.0/0 -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 ip4:10.0.0.0/0 -all", V6, R, "fail", NULL, NULL},
	{"v=spf1 ip4:192.0.2.1/32 -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 ip4:192.0.2.1/33 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:192.0.2.1/024 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:192.0.2.1/ -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:192.0.2.1//32 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:192.0.2.1/99999999999999999999 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4: -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:192.0.2 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:192.0.2.01 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:192.0.2.1:25 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:2001:db8::1 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip4:h1.t.example -all", V4, R, "permerror", NULL, NULL},
	/* ip6 */
	{"v=spf1 ip6:2001:DB8::/33 -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 ip6:2001:db8:8000::/33 -all", V6, R, "fail", NULL, NULL},
	{"v=spf1 ip6:::/0 -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 ip6:::/0 -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 ip6:::ffff:192.0.2.1 -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 ip6:::ffff:192.0.2.1 -all", "::ffff:192.0.2.1", R, "fail", NULL, NULL},
	{"v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1", R, "pass", NULL, NULL},
	{"v=spf1 ip6:2001:db8::1/129 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip6:2001:db8::1//64 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip6:2001::db8::1 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip6 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ip6:192.0.2.1 -all", V4, R, "permerror", NULL, NULL},
};

static void records_are_evaluated(void **state)
{
	(void)state;
	checks_run(evaluation, sizeof(evaluation) / sizeof(evaluation[0]));
}

static const struct check hosts[] = {
	/* a */
	{NULL, V4, "u@implicit.t.example", "pass", "a", NULL},
	{"v=spf1 a -all", V4, R, "fail", "-all", NULL}, /* no address, that is no error */
	{"v=spf1 a:h1.t.example -all", V4, R, "pass", "a:h1.t.example", NULL},
	{"v=spf1 a:h1.t.example. -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 a:H1.T.EXAMPLE -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 a:h2.t.example -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 a:h2.t.example/24 -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 a:h2.t.example/0 -all", V6, R, "fail", NULL, NULL},
	{"v=spf1 a:h2.t.example//0 -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 a:h6.t.example//64 -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 a:h6.t.example/24//64 -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 a:h6.t.example/24 -all", V6, R, "fail", NULL, NULL},
	{"v=spf1 a:nowhere.t.example/0 -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 a:many.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 a:slow.t.example -all", V4, R, "temperror", NULL, NULL},
	{"v=spf1 a:h1.t.example a:slow.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 a/33 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a//129 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a/24/64 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:h2.t.example/24/64 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a///64 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a/ -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a/024 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a: -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:/24 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a=h1.t.example -all", V4, R, "fail", NULL, NULL}, /* an unknown modifier */
	{"v=spf1 a:192.0.2.1 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:host.123 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:host.-com -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:host.com- -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:host.c_m -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:toplevel -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:toplevel. -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:h1.t.example.. -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:h1.t.example:25 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:a:b/c.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 a:h1.xn--zckzah-x1 -all", V4, R, "pass", NULL, NULL},
	/* no name of DNS: nothing matches, nothing fails */
	{"v=spf1 a:h1..t.example -all", V4, R, "fail", "-all", NULL},
	{"v=spf1 a:.t.example -all", V4, R, "fail", "-all", NULL},
	{"v=spf1 a:x234567890123456789012345678901234567890123456789012345678901234.t.example "
	 "-all",
		V4, R, "fail", "-all", NULL},
	{"v=spf1 mx:h1..t.example exists:h1..t.example ptr:h1..t.example -all", V4, R, "fail",
		"-all", NULL},
	/* mx */
	{NULL, V4, "u@mself.t.example", "fail", "-all", NULL}, /* no implicit MX */
	{"v=spf1 mx:m1.t.example -all", V4, R, "pass", "mx:m1.t.example", NULL},
	{"v=spf1 mx:m1.t.example -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 mx:m1.t.example -all", "192.0.2.3", R, "fail", NULL, NULL},
	{"v=spf1 mx:m1.t.example/24 -all", "192.0.2.3", R, "pass", NULL, NULL},
	{"v=spf1 mx:m1.t.example//0 -all", "192.0.2.3", R, "fail", NULL, NULL},
	{"v=spf1 mx:m1.t.example//32 -all", "2001:db8:5::1", R, "pass", NULL, NULL},
	{"v=spf1 mx:mnull.t.example -all", V4, R, "fail", "-all", NULL},
	{"v=spf1 mx:mslow.t.example -all", V4, R, "temperror", "", NULL},
	{"v=spf1 mx:mslow1.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 mx:m10.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 mx:m11.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 mx/33 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 mx//129 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 mx: -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 mx:abc.123 -all", V4, R, "permerror", NULL, NULL},
	/* hosts with addresses of the other kind are one look-up in vain, not three */
	{"v=spf1 mx:m6only.t.example mx:m6only.t.example -all", V4, R, "fail", NULL, NULL},
	/* ptr */
	{"v=spf1 ptr:t.example -all", V4, R, "pass", "ptr:t.example", NULL},
	{"v=spf1 ptr:T.EXAMPLE. -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 ptr:h1.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 ptr:1.t.example -all", V4, R, "fail", NULL, NULL}, /* labels, not letters */
	{"v=spf1 ptr -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 ptr:t.example -all", "192.0.2.2", R, "fail", NULL, NULL}, /* it lies */
	{"v=spf1 ptr:t.example -all", "192.0.2.3", R, "fail", NULL, NULL}, /* no answer */
	{"v=spf1 ptr:t.example -all", "192.0.2.4", R, "fail", NULL, NULL}, /* no name */
	{"v=spf1 ptr/24 -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 ptr: -all", V4, R, "permerror", NULL, NULL},
	/* exists */
	{"v=spf1 exists:h1.t.example -all", "192.0.2.77", R, "pass", NULL, NULL},
	{"v=spf1 exists:h1.t.example -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 exists:only6.t.example -all", V6, R, "fail", NULL, NULL},
	{"v=spf1 exists:slow.t.example -all", V4, R, "temperror", NULL, NULL},
	{"v=spf1 exists:nowhere.t.example -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 exists -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 exists: -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 exists:h1.t.example/24 -all", V4, R, "permerror", NULL, NULL},
};

static void mechanisms_with_lookups(void **state)
{
	(void)state;
	checks_run(hosts, sizeof(hosts) / sizeof(hosts[0]));
}

static const struct check includes[] = {
	{"v=spf1 include:ip1.t.example ~all", V4, R, "pass", "include:ip1.t.example", NULL},
	{"v=spf1 -include:ip1.t.example ~all", V4, R, "fail", "-include:ip1.t.example", NULL},
	{"v=spf1 include:ip1.t.example ~all", "192.0.2.2", R, "softfail", "~all", NULL},
	{"v=spf1 include:soft.t.example -all", V4, R, "fail", "-all", NULL},
	{"v=spf1 include:neutral.t.example -all", V4, R, "fail", "-all", NULL},
	{"v=spf1 include:late.t.example -all", V4, R, "temperror", "", NULL},
	{"v=spf1 include:syntax.t.example -all", V4, R, "permerror", "", NULL},
	{"v=spf1 include:two.t.example -all", V4, R, "permerror", "", NULL},
	{"v=spf1 include:noname.t.example -all", V4, R, "permerror", "", NULL},
	{"v=spf1 include:nowhere.t.example -all", V4, R, "permerror", "", NULL},
	{"v=spf1 include:a..t.example -all", V4, R, "permerror", "", NULL},
	{"v=spf1 ip4:192.0.2.1 include:nowhere.t.example", V4, R, "pass", NULL, NULL},
	{"v=spf1 include -all", V4, R, "permerror", "", NULL},
	{"v=spf1 include: -all", V4, R, "permerror", "", NULL},
	{"v=spf1 include:ip1.t.example/24 -all", V4, R, "permerror", "", NULL},
	{"v=spf1 include:implicit.t.example -all", V4, R, "pass", NULL, NULL},
	/* redirect */
	{"v=spf1 redirect=ip1.t.example", V4, R, "pass", "ip4:192.0.2.1", NULL},
	{"v=spf1 redirect=ip1.t.example", "192.0.2.2", R, "fail", "-all", "never seen"},
	{"v=spf1 redirect=implicit.t.example", V4, R, "pass", "a", NULL},
	{"v=spf1 redirect=ip1.t.example ~all", V4, R, "softfail", "~all", NULL},
	{"v=spf1 redirect=nowhere.t.example", V4, R, "permerror", "", NULL},
	{"v=spf1 redirect=noname.t.example", V4, R, "permerror", "", NULL},
	{"v=spf1 redirect=a..t.example", V4, R, "permerror", "", NULL},
	{"v=spf1 redirect=%{l}", V4, R, "permerror", "", NULL},
	{"v=spf1 redirect=late.t.example", V4, R, "temperror", "", NULL},
	{"v=spf1 redirect= ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 redirect=-all ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 redirect:ip1.t.example", V4, R, "permerror", "", NULL},
	{"v=spf1 redirect=ip1.t.example redirect=ip1.t.example ~all", V4, R, "permerror", "", NULL},
	{"v=spf1 exp=why.t.example redirect=one.t.example", V4, R, "fail", "-all", NULL},
	{"v=spf1 REDIRECT=one.t.example", V4, R, "fail", "-all", NULL},
	/* limits */
	{NULL, V4, "u@loop.t.example", "permerror", "", NULL},
	{NULL, V4, "u@ping.t.example", "permerror", "", NULL},
	{"v=spf1 include:bomb8.t.example a:h1.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 include:bomb8.t.example a:h2.t.example a:h1.t.example -all", V4, R, "permerror",
		NULL, NULL},
	{"v=spf1 include:bomb8.t.example a:h2.t.example ip4:192.0.2.1 a a", V4, R, "pass", NULL,
		NULL},
	{"v=spf1 include:bomb8.t.example a:h2.t.example redirect=ip1.t.example", V4, R, "permerror",
		NULL, NULL},
	{"v=spf1 include:bomb8.t.example redirect=ip1.t.example", V4, R, "pass", NULL, NULL},
	{"v=spf1 a:no1.t.example a:no2.t.example ?all", V4, R, "neutral", "?all", NULL},
	{"v=spf1 a:no1.t.example mx:no2.t.example exists:no3.t.example ?all", V4, R, "permerror",
		NULL, NULL},
	{"v=spf1 a:no1.t.example a:no2.t.example -all exp=no3.t.example", V4, R, "fail", NULL,
		NULL},
	/* what cannot be asked is not in vain */
	{"v=spf1 a:a..t.example a:b..t.example a:c..t.example ?all", V4, R, "neutral", NULL, NULL},
	/* %{p} is a look-up, once */
	{"v=spf1 include:bomb8.t.example exists:%{p}.no.t.example ?all", V4, R, "permerror", NULL,
		NULL},
	{"v=spf1 exists:%{p}.no.t.example exists:%{p}.p.t.example", V4, R, "pass",
		"exists:%{p}.p.t.example", NULL},
};

static void includes_redirects_limits(void **state)
{
	(void)state;
	checks_run(includes, sizeof(includes) / sizeof(includes[0]));
}

static const struct check macros[] = {
	{"v=spf1 exists:x.%{i}.%{v}.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 exists:%{ir}.%{v}.t.example -all", V6, R, "pass", NULL, NULL},
	{"v=spf1 exists:%{lr-}.u.t.example -all", V4, "a-b-c@r.t.example", "pass", NULL, NULL},
	{"v=spf1 exists:%{LR-}.u.t.example -all", V4, "a-b-c@r.t.example", "pass", NULL, NULL},
	{"v=spf1 exists:%{l2+-}.u.t.example -all", V4, "a+b-c@r.t.example", "pass", NULL, NULL},
	{"v=spf1 exists:%{l2+-}.u.t.example -all", V4, "a+-b--c@r.t.example", "pass", NULL, NULL},
	{"v=spf1 exists:%{l99+-}.user.%{d2} -all", V4, "joe+smith@r.t.example", "pass", NULL, NULL},
	{"v=spf1 exists:%{l}.user.%{d2} -all", V4, "joe.smith@r.t.example", "pass", NULL, NULL},
	{"v=spf1 exists:%{l}.user.%{o2} -all", V4, "joe.smith@r.t.example", "pass", NULL, NULL},
	{"v=spf1 exists:%{h}.h.%{d2} -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 a:%{h} -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 a:sp%_ace%%x.t.example -all", V4, R, "pass", NULL, NULL},
	{"v=spf1 a:sp%-ace.t.example -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 a:%{d}.x%%.t.example -all", V4, R, "fail", NULL, NULL},
	/* bad ones */
	{"v=spf1 a:%.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%(d).t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:x%.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{d.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{d} -all", V4, R, "fail", NULL, NULL},
	{"v=spf1 a:%{ -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:% -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{} -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{a}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{c}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{r}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{t}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{d0}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{dr2}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{d:}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{dd}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{\\000}.t.example -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{d}t -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 a:%{d}. -all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 -all exp=%{r}.t.example", V4, R, "permerror", NULL, NULL},
	/* explanations */
	{"v=spf1 -all exp=why.t.example", V4, R, "fail", "-all",
		"192.0.2.1 is not welcome at r.t.example. 100% sure"},
	{"v=spf1 exp=why.t.example. -all", V4, R, "fail", NULL,
		"192.0.2.1 is not welcome at r.t.example. 100% sure"},
	{"v=spf1 exp=%{ir}.%{v}.why.t.example -all", V4, R, "fail", NULL, "reversed"},
	{"v=spf1 ~all exp=why.t.example", V4, R, "softfail", NULL, NULL},
	{"v=spf1 include:why.t.example -all exp=why.t.example", V4, R, "permerror", NULL, NULL},
	{"v=spf1 -include:ip1.t.example exp=why.t.example", V4, R, "fail", NULL,
		"192.0.2.1 is not welcome at r.t.example. 100% sure"},
	{"v=spf1 include:ip1.t.example -all", "192.0.2.7", R, "fail", NULL, NULL},
	{"v=spf1 -all exp=whycrt.t.example", V6, R, "fail", NULL,
		"2001:db8::1 us.example 1700000000 ip6"},
	{"v=spf1 -all exp=whyp.t.example", V4, "u@T.Example", "none", NULL, NULL},
	{"v=spf1 -all exp=whyp.t.example", "192.0.2.2", R, "fail", NULL, "unknown"},
	{"v=spf1 -all exp=whyl.t.example", V4, "J ~&=x@r.t.example", "fail", NULL,
		"J%20~%26%3Dx J ~&=x J ~&=x@r.t.example r.t.example"},
	{"v=spf1 -all exp=why2.t.example", V4, R, "fail", NULL, NULL},
	{"v=spf1 -all exp=whybad.t.example", V4, R, "fail", NULL, NULL},
	{"v=spf1 -all exp=why8.t.example", V4, R, "fail", NULL, NULL},
	{"v=spf1 -all exp=whyctl.t.example", V4, R, "fail", NULL, NULL},
	{"v=spf1 -all exp=whyslow.t.example", V4, R, "fail", NULL, NULL},
	{"v=spf1 -all exp=nowhere.t.example", V4, R, "fail", NULL, NULL},
	{"v=spf1 -all exp=h1.t.example", V4, R, "fail", NULL, NULL},
	{"v=spf1 -all exp=a..t.example", V4, R, "fail", NULL, NULL},
	{"v=spf1 -all exp=", V4, R, "permerror", NULL, NULL},
	{"v=spf1 exp=-all", V4, R, "permerror", NULL, NULL},
	{"v=spf1 -all exp=why.t.example exp=why.t.example", V4, R, "permerror", NULL, NULL},
};

static void macros_and_explanations(void **state)
{
	(void)state;
	checks_run(macros, sizeof(macros) / sizeof(macros[0]));
}

static void expand(const char *text, const struct spf_macro_values *v, const char *want)
{
	struct buf out = {NULL, 0, 0};
	struct err err = {.text = ""};

	if (spf_macro_check(str_from(text), SPF_TEXT_EXPLAIN, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_true(spf_macro_expand(str_from(text), v, &out));
	print_message("%s -> %.*s\n", text, STR_FMT(buf_str(&out)));
	assert_true(str_eq(buf_str(&out), str_from(want)));
	buf_free(&out);
}

/* The examples of RFC 7208 section 7.4. */
static void macro_examples(void **state)
{
	struct spf_macro_values v = {.sender = STR("strong-bad@email.example.com"),
		.local = STR("strong-bad"),
		.sender_domain = STR("email.example.com"),
		.domain = STR("email.example.com"),
		.validated = STR("mx.example.org"),
		.helo = STR("mx.example.org")};

	(void)state;
	assert_true(ip_parse(STR("192.0.2.3"), &v.ip));
	expand("%{s}", &v, "strong-bad@email.example.com");
	expand("%{o}", &v, "email.example.com");
	expand("%{d}", &v, "email.example.com");
	expand("%{d4}", &v, "email.example.com");
	expand("%{d3}", &v, "email.example.com");
	expand("%{d2}", &v, "example.com");
	expand("%{d1}", &v, "com");
	expand("%{dr}", &v, "com.example.email");
	expand("%{d2r}", &v, "example.email");
	expand("%{l}", &v, "strong-bad");
	expand("%{l-}", &v, "strong.bad");
	expand("%{lr}", &v, "strong-bad");
	expand("%{lr-}", &v, "bad.strong");
	expand("%{l1r-}", &v, "strong");
	expand("%{ir}.%{v}._spf.%{d2}", &v, "3.2.0.192.in-addr._spf.example.com");
	expand("%{lr-}.lp._spf.%{d2}", &v, "bad.strong.lp._spf.example.com");
	expand("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", &v,
		"bad.strong.lp.3.2.0.192.in-addr._spf.example.com");
	expand("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", &v,
		"3.2.0.192.in-addr.strong.lp._spf.example.com");
	expand("%{d2}.trusted-domains.example.net", &v, "example.com.trusted-domains.example.net");
	expand("%{p} %{h} %{r} %{S}", &v,
		"mx.example.org mx.example.org unknown strong-bad%40email.example.com");
	assert_true(ip_parse(STR("2001:db8::cb01"), &v.ip));
	expand("%{ir}.%{v}._spf.%{d2}", &v,
		"1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example."
		"com");
}

static void long_names_lose_their_left(void **state)
{
	char name[600];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		len += (size_t)snprintf(name + len, sizeof(name) - len, "label%03d.", i);
	len += (size_t)snprintf(name + len, sizeof(name) - len, "example.");
	struct str cut = spf_macro_name((struct str){name, len});
	assert_true(cut.len <= 253 && cut.len > 253 - 9);
	assert_true(str_starts(cut, STR("label")));
	assert_true(str_ends(cut, STR(".example")));
	assert_true(str_eq(spf_macro_name(STR("a.example.")), STR("a.example")));
	assert_true(str_eq(spf_macro_name(STR("")), STR("")));
}

static void caps_hold(void **state)
{
	struct arena *a = arena_open();
	struct spf_macro_values v = {.sender = STR("0123456789012345678901234567890123456789@x")};
	struct buf text = {NULL, 0, 0}, out = {NULL, 0, 0};
	struct spf_record record;
	struct err err;

	(void)state;
	buf_text(&text, "v=spf1");
	for (int i = 0; i < SPF_TERMS_MAX; i++)
		buf_text(&text, " a");
	assert_int_equal(spf_record_parse(a, buf_str(&text), &record, &err), 0);
	assert_int_equal(record.term_count, SPF_TERMS_MAX);
	buf_text(&text, " a");
	assert_int_equal(spf_record_parse(a, buf_str(&text), &record, &err), -1);
	buf_clear(&text);
	buf_text(&text, "v=spf1 x=");
	while (text.len <= SPF_RECORD_MAX)
		buf_byte(&text, 'x');
	assert_int_equal(spf_record_parse(a, buf_str(&text), &record, &err), -1);
	buf_clear(&text);
	for (int i = 0; i < 1000; i++)
		buf_text(&text, "%{s}");
	assert_false(spf_macro_expand(buf_str(&text), &v, &out));
	assert_true(out.len < SPF_EXPANDED_MAX + 100);
	buf_free(&out);
	buf_free(&text);
	arena_close(&a);
}

static void helo_and_null_sender(void **state)
{
	struct dns *d = world_open(NULL);
	struct arena *a = arena_open();
	struct dns_asker q = {.dns = d, .deadline = deadline_in_ms(5000)};
	struct spf_args args = {.helo = STR("one.t.example"), .mailfrom = STR("u@soft.t.example")};
	struct spf_verdict v;

	(void)state;
	assert_true(ip_parse(STR(V4), &args.ip));
	spf_check(&q, &args, SPF_HELO, a, &v);
	assert_int_equal(v.result, SPF_FAIL);
	assert_int_equal(v.identity, SPF_HELO);
	assert_true(str_eq(v.domain, STR("one.t.example")));
	spf_check(&q, &args, SPF_MAILFROM, a, &v);
	assert_int_equal(v.result, SPF_SOFTFAIL);
	assert_int_equal(v.identity, SPF_MAILFROM);
	args.mailfrom = STR("");
	spf_check(&q, &args, SPF_MAILFROM, a, &v);
	assert_int_equal(v.result, SPF_FAIL);
	assert_int_equal(v.identity, SPF_HELO);
	static const char *const odd[] = {
		"[192.0.2.1]", "localhost", "", "a b.example", "x\r\n.y", "[IPv6:2001:db8::1]"};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		args.helo = str_from(odd[i]);
		spf_check(&q, &args, SPF_MAILFROM, a, &v);
		print_message(
			"%s: %s %.*s\n", odd[i], spf_result_text(v.result), STR_FMT(v.problem));
		assert_int_equal(v.result, SPF_NONE);
		assert_false(v.authentic);
		assert_null(memchr(v.problem.p, '\r', v.problem.len));
		assert_null(memchr(v.domain.p, '\n', v.domain.len));
	}
	arena_close(&a);
	dns_close(&d);
}

/* Every answer must be secure, those of an explanation too. */
static void dnssec_state(void **state)
{
	static const struct {
		const char *record, *ip, *inauthentic;
		bool authentic;
	} cases[] = {
		{"v=spf1 -all", V4, "txt elsewhere.example.", true},
		{"v=spf1 -all", V4, "txt r.t.example.", false},
		{"v=spf1 a:h1.t.example -all", V4, "a h1.t.example.", false},
		{"v=spf1 a:h1.t.example -all", V4, "aaaa h1.t.example.", true},
		{"v=spf1 a:no.t.example -all", V4, "a no.t.example.", false},
		{"v=spf1 mx:m1.t.example -all", V4, "mx m1.t.example.", false},
		{"v=spf1 mx:m1.t.example -all", V4, "a h1.t.example.", false},
		{"v=spf1 ptr:t.example -all", V4, "ptr 192.0.2.1", false},
		{"v=spf1 ptr:t.example -all", V4, "a h1.t.example.", false},
		{"v=spf1 include:ip1.t.example -all", V4, "txt ip1.t.example.", false},
		{"v=spf1 redirect=ip1.t.example", V4, "txt ip1.t.example.", false},
		{"v=spf1 exists:h1.t.example", V4, "a h1.t.example.", false},
		{"v=spf1 -all exp=why.t.example", V4, "txt why.t.example.", false},
		{"v=spf1 -all exp=why.t.example", V4, "txt no.t.example.", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *a = arena_open();
		char text[9000];
		struct dns *d;
		struct err err;
		struct spf_args args = {.helo = STR("x.example"), .mailfrom = STR("u@r.t.example")};
		struct spf_verdict v;

		print_message("case %zu\n", i);
		snprintf(text, sizeof(text),
			"%s%sr.t.example. TXT \"%s\"\nall-authentic\ninauthentic: %s\n", world,
			world_more, cases[i].record, cases[i].inauthentic);
		assert_int_equal(dns_open_fixture(str_from(text), &d, &err), 0);
		assert_true(ip_parse(str_from(cases[i].ip), &args.ip));
		struct dns_asker q = {.dns = d, .deadline = deadline_in_ms(5000)};
		spf_check(&q, &args, SPF_MAILFROM, a, &v);
		assert_int_equal(v.authentic, cases[i].authentic);
		dns_close(&d);
		arena_close(&a);
	}
}

/* What a slow server costs: the deadline, once; mail hosts are asked side by side. */
static void time_is_bounded(void **state)
{
	static const char text[] =
		"r.t.example. TXT \"v=spf1 mx -all\"\nr.t.example. MX 1 a.t.example.\n"
		"r.t.example. MX 2 b.t.example.\nr.t.example. MX 3 c.t.example.\n"
		"a.t.example. A 192.0.2.3\nb.t.example. A 192.0.2.4\nc.t.example. A 192.0.2.1\n"
		"delay: a a.t.example. 200\ndelay: a b.t.example. 200\n"
		"delay: a c.t.example. 200\n"
		"dead.t.example. TXT \"v=spf1 -all\"\ndelay: txt dead.t.example. 60000\n";
	struct arena *a = arena_open();
	struct dns *d;
	struct err err;
	struct spf_args args = {.helo = STR("x.example"), .mailfrom = STR("u@r.t.example")};
	struct spf_verdict v;

	(void)state;
	assert_int_equal(dns_open_fixture(str_from(text), &d, &err), 0);
	assert_true(ip_parse(STR(V4), &args.ip));
	struct dns_asker q = {.dns = d, .deadline = deadline_in_ms(5000)};
	int64_t begin = clock_mono_ms();
	spf_check(&q, &args, SPF_MAILFROM, a, &v);
	assert_int_equal(v.result, SPF_PASS);
	assert_true(clock_mono_ms() - begin < 500);
	args.mailfrom = STR("u@dead.t.example");
	q.deadline = deadline_in_ms(150);
	begin = clock_mono_ms();
	spf_check(&q, &args, SPF_MAILFROM, a, &v);
	assert_int_equal(v.result, SPF_TEMPERROR);
	assert_true(clock_mono_ms() - begin < 600);
	dns_close(&d);
	arena_close(&a);
}

static void trace_has_its_steps(void **state)
{
	struct dns *d = world_open("v=spf1 a:h1.t.example -all exp=why.t.example");
	struct arena *a = arena_open();
	struct trace *t = trace_new();
	struct dns_asker q = {.dns = d, .deadline = deadline_in_ms(5000), .trace = t};
	struct spf_args args = {.helo = STR("x.example"), .mailfrom = STR(R)};
	struct buf json = {NULL, 0, 0};
	struct spf_verdict v;

	(void)state;
	assert_true(ip_parse(STR("192.0.2.8"), &args.ip));
	spf_check(&q, &args, SPF_MAILFROM, a, &v);
	assert_int_equal(v.lookups, 1);
	trace_write(t, &json);
	print_message("%s\n", json.p);
	assert_non_null(strstr(json.p, "\"title\": \"TXT r.t.example\""));
	assert_non_null(strstr(json.p, "\"title\": \"A h1.t.example\""));
	assert_non_null(strstr(json.p, "\"kind\": \"spf\""));
	assert_non_null(strstr(json.p, "192.0.2.8 may not send for r.t.example"));
	buf_free(&json);
	trace_free(&t);
	arena_close(&a);
	dns_close(&d);
}

static void lookup_says_what_is_there(void **state)
{
	static const struct {
		const char *domain;
		enum spf_result result;
		const char *words;
	} cases[] = {
		{"one.t.example", SPF_PASS, ""},
		{"two.t.example", SPF_PERMERROR, "2 SPF records"},
		{"noname.t.example", SPF_NONE, "has no SPF record"},
		{"nowhere.t.example", SPF_NONE, "does not exist"},
		{"broken.t.example", SPF_TEMPERROR, "could not be looked up: failed"},
		{"syntax.t.example", SPF_PERMERROR, "\"nonsense\": no such mechanism"},
		{"single", SPF_NONE, "not a domain name"},
	};
	struct dns *d = world_open(NULL);
	struct arena *a = arena_open();
	struct dns_asker q = {.dns = d, .deadline = deadline_in_ms(5000)}, none = {.dns = NULL};
	struct spf_record_answer r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		spf_lookup(&q, cases[i].domain, a, &r);
		print_message("%s: %.*s\n", cases[i].domain, STR_FMT(r.problem));
		assert_int_equal(r.result, cases[i].result);
		assert_non_null(str_find(r.problem, str_from(cases[i].words)));
	}
	spf_lookup(&none, "one.t.example", a, &r); /* without a resolver */
	assert_int_equal(r.result, SPF_TEMPERROR);
	arena_close(&a);
	dns_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initial_processing_and_selection),
		cmocka_unit_test(records_are_evaluated),
		cmocka_unit_test(mechanisms_with_lookups),
		cmocka_unit_test(includes_redirects_limits),
		cmocka_unit_test(macros_and_explanations),
		cmocka_unit_test(macro_examples),
		cmocka_unit_test(long_names_lose_their_left),
		cmocka_unit_test(caps_hold),
		cmocka_unit_test(helo_and_null_sender),
		cmocka_unit_test(dnssec_state),
		cmocka_unit_test(time_is_bounded),
		cmocka_unit_test(trace_has_its_steps),
		cmocka_unit_test(lookup_says_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
