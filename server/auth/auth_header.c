/* What was found out, for those downstream:
 *
 *   Authentication-Results: mail.example.org;
 *   	iprev=pass (without dnssec) policy.iprev=192.0.2.1;
 *   	dkim=pass (2048 bit rsa, with dnssec) header.d=example.com header.s=s header.a=rsa-sha256
 *   		header.b=AbCdEfGh header.i=@example.com;
 *   	spf=pass (without dnssec) smtp.mailfrom=user@example.com;
 *   	dmarc=pass (without dnssec) header.from=example.com
 *   Received-SPF: pass (...) client-ip=192.0.2.1; envelope-from="user@example.com"; ...
 *
 * Every value came from a stranger: it is written as a token where it is one, else quoted, and
 * controls never get through. A comment with DNSSEC's word stands only where a reason or
 * property follows (our choice, as the reference). */
#include "auth/auth.h"

enum {
	LINE_WANTED = 90,
	VALUE_MAX = 400, /* octets of one value; longer ones are cut. Our choice */
	RESULTS_MAX = 20 /* signatures that are told of. Our choice */
};

static struct str shortened(struct str s)
{
	if (s.len <= VALUE_MAX)
		return s;
	s.len = VALUE_MAX;
	while (s.len > 0 && ((unsigned char)s.p[s.len - 1] & 0xc0) == 0x80)
		s.len--;
	return s;
}

static bool control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* RFC 2045 token, or the dots and at signs of a domain or address (RFC 8601 pvalue). */
static bool plain(struct str s)
{
	size_t ats = 0;

	for (size_t i = 0; i < s.len; i++) {
		ats += s.p[i] == '@';
		if (!ascii_is_alnum(s.p[i]) && (s.p[i] == '\0' || !strchr("-._+@", s.p[i])))
			return false;
	}
	return s.len > 0 && ats <= 1 && s.p[s.len - 1] != '@';
}

static void value_write(struct buf *out, struct str s)
{
	s = shortened(s);
	if (plain(s)) {
		buf_raw(out, s);
		return;
	}
	buf_byte(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_byte(out, '\\');
		buf_byte(out, control(s.p[i]) ? '?' : s.p[i]);
	}
	buf_byte(out, '"');
}

/* ctext: no parentheses, no backslashes. */
static void comment_text(struct buf *out, struct str s)
{
	s = shortened(s);
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '(' || s.p[i] == ')' || s.p[i] == '\\')
			buf_byte(out, '\\');
		buf_byte(out, control(s.p[i]) ? '?' : s.p[i]);
	}
}

static void method_begin(struct buf *out, const char *method, const char *result)
{
	buf_printf(out, ";\r\n\t%s=%s", method, result);
}

static const char *dnssec(bool authentic)
{
	return authentic ? "with dnssec" : "without dnssec";
}

static size_t line_length(const struct buf *out)
{
	size_t n = 0;

	while (n < out->len && out->p[out->len - 1 - n] != '\n')
		n++;
	return n;
}

/* On a line of its own when the one begun is long already. */
static void property(struct buf *out, const char *name, struct str value)
{
	if (value.len == 0)
		return;
	bool fold = line_length(out) + strlen(name) + value.len + 2 > LINE_WANTED;
	buf_printf(out, "%s%s=", fold ? "\r\n\t\t" : " ", name);
	value_write(out, value);
}

/* --- methods --- */

static void iprev_write(struct buf *out, const struct auth_header *h)
{
	const struct iprev_verdict *v = &h->result->iprev;

	method_begin(out, "iprev", iprev_result_text(v->result));
	buf_printf(out, " (%s)", dnssec(v->authentic));
	if (v->result != IPREV_PASS)
		property(out, "reason", v->problem);
	property(out, "policy.iprev", h->ip);
}

static void dkim_write(struct buf *out, const struct dkim_result *r)
{
	method_begin(out, "dkim", dkim_status_text(r->status));
	buf_text(out, " (");
	if (r->key_bits > 0 && str_starts(r->algorithm, STR("rsa")))
		buf_printf(out, "%u bit rsa, ", r->key_bits);
	buf_printf(out, "%s)", dnssec(r->authentic));
	if (r->status != DKIM_PASS)
		property(out, "reason", r->why);
	property(out, "header.d", r->domain);
	property(out, "header.s", r->selector);
	property(out, "header.a", r->algorithm);
	property(out, "header.b", r->prefix);
	property(out, "header.i", r->identity);
}

static void dkims_write(struct buf *out, const struct dkim_results *dkim)
{
	if (dkim->count == 0)
		method_begin(out, "dkim", "none");
	for (size_t i = 0; i < dkim->count && i < RESULTS_MAX; i++)
		dkim_write(out, &dkim->at[i]);
}

static void spf_write(
	struct buf *out, const struct spf_verdict *v, struct str mail_from, struct str helo)
{
	bool of_helo = v->identity == SPF_HELO;

	method_begin(out, "spf", spf_result_text(v->result));
	buf_printf(out, " (%s)", dnssec(v->authentic));
	property(out, "reason", v->problem);
	property(out, of_helo ? "smtp.helo" : "smtp.mailfrom", of_helo ? helo : mail_from);
}

static void arc_write(struct buf *out, const struct arc_result *arc)
{
	if (arc->status == ARC_NONE)
		return;
	method_begin(out, "arc", arc_status_text(arc->status));
	if (arc->count == 0)
		return;
	buf_printf(out, " (%s)", dnssec(arc->sets[0].authentic));
	property(out, "header.d", arc->sets[0].sealer);
	if (arc->status == ARC_PASS)
		buf_printf(out, " header.oldest-pass=%u", arc->oldest_pass);
}

static void dmarc_write(struct buf *out, const struct auth_header *h)
{
	const struct dmarc_verdict *v = &h->result->dmarc;

	method_begin(out, "dmarc", dmarc_result_text(v->result));
	if (v->from_domain.len == 0)
		return;
	buf_printf(out, " (%s", dnssec(v->secure));
	if (h->dmarc_override.len > 0) {
		buf_text(out, ", override ");
		comment_text(out, h->dmarc_override);
	}
	buf_byte(out, ')');
	if (v->result == DMARC_TEMPERROR || v->result == DMARC_PERMERROR)
		property(out, "reason", v->text);
	property(out, "header.from", v->from_domain);
	if (v->result == DMARC_FAIL)
		property(out, "policy.dmarc", str_from(dmarc_policy_text(v->policy)));
}

void auth_results_write(struct buf *out, const struct auth_header *h)
{
	const struct auth_result *r = h->result;

	buf_byte(out, ' ');
	value_write(out, h->authserv_id);
	if (r->has_iprev)
		iprev_write(out, h);
	dkims_write(out, &r->dkim);
	if (r->has_spf)
		spf_write(out, &r->spf, h->mail_from, h->helo);
	if (r->has_spf_helo && r->spf_helo.result != SPF_NONE)
		spf_write(out, &r->spf_helo, h->mail_from, h->helo);
	arc_write(out, &r->arc);
	dmarc_write(out, h);
}

/* --- Received-SPF --- */

static void key_value(struct buf *out, const char *key, struct str value)
{
	if (value.len == 0)
		return;
	buf_printf(out, ";\r\n\t%s=", key);
	value_write(out, value);
}

static const char *spf_says(enum spf_result r)
{
	switch (r) {
	case SPF_PASS:
		return "allows";
	case SPF_FAIL:
		return "does not allow";
	case SPF_SOFTFAIL:
		return "probably does not allow";
	case SPF_NEUTRAL:
		return "does not say anything about";
	case SPF_NONE:
		return "has no SPF record about";
	case SPF_TEMPERROR:
		return "could not be asked about";
	case SPF_PERMERROR:
		return "has a broken SPF record about";
	}
	return "";
}

static void received_spf_write(struct buf *out, const struct auth_header *h)
{
	const struct spf_verdict *v = &h->result->spf;

	buf_printf(out, "Received-SPF: %s (", spf_result_text(v->result));
	comment_text(out, h->authserv_id);
	buf_text(out, ": ");
	comment_text(out, v->domain.len > 0 ? v->domain : STR("no domain"));
	buf_printf(out, " %s ", spf_says(v->result));
	comment_text(out, h->ip);
	buf_text(out, ")\r\n\tclient-ip=");
	value_write(out, h->ip);
	key_value(out, "envelope-from", h->mail_from);
	key_value(out, "helo", h->helo);
	key_value(out, "problem", v->problem);
	key_value(out, "mechanism", v->mechanism);
	key_value(out, "receiver", h->authserv_id);
	key_value(out, "identity", str_from(spf_identity_text(v->identity)));
	buf_text(out, "\r\n");
}

void auth_header_write(struct buf *out, const struct auth_header *h)
{
	buf_text(out, "Authentication-Results:");
	auth_results_write(out, h);
	buf_text(out, "\r\n");
	if (h->result->has_spf)
		received_spf_write(out, h);
}

void auth_header_submission(struct buf *out, struct str authserv_id, struct str mail_from)
{
	buf_text(out, "Authentication-Results: ");
	value_write(out, authserv_id);
	method_begin(out, "auth", "pass");
	property(out, "smtp.mailfrom", mail_from);
	buf_text(out, "\r\n");
}
