/* Does the sender's domain take mail back? Mail from one that says it does not (a null MX, RFC
 * 7505) or that does not exist cannot be answered, and is hardly ever wanted. */
#include "smtp/check.h"

#include "store/mailpolicy.h"

static struct str sender_domain(const struct session *s)
{
	const char *at = s->env.mail_from.len > 0
				 ? memrchr(s->env.mail_from.p, '@', s->env.mail_from.len)
				 : NULL;

	return at != NULL ? str_skip(s->env.mail_from, (size_t)(at - s->env.mail_from.p) + 1)
			  : STR("");
}

/* Without MX records the domain itself is the host (RFC 5321 section 5.1). */
static enum sender_mx address_ask(struct session *s, const char *domain, struct deadline d)
{
	struct dns_answer answer;
	struct err err;

	if (dns_addr(s->deps->dns, domain, d, s->scratch, &answer, &err) < 0)
		return SENDER_MX_NONE;
	if (dns_status_is_temporary(answer.status))
		return SENDER_MX_UNKNOWN;
	return answer.status == DNS_OK ? SENDER_MX_FINE : SENDER_MX_NONE;
}

static enum sender_mx mx_ask(struct session *s)
{
	struct deadline d = deadline_in_ms(s->limits->check_timeout_ms);
	struct str domain = sender_domain(s);
	struct dns_answer answer;
	struct err err;

	if (domain.len == 0)
		return SENDER_MX_FINE; /* the null sender wants no answer */
	if (domain.p[0] == '[')
		return SENDER_MX_LITERAL;
	const char *name = arena_strdup(s->scratch, domain);
	if (dns_lookup(s->deps->dns, DNS_MX, name, d, s->scratch, &answer, &err) < 0)
		return SENDER_MX_NONE;
	switch (answer.status) {
	case DNS_OK:
		return answer.count == 1 && answer.records[0].name.len == 0 ? SENDER_MX_NULL
									    : SENDER_MX_FINE;
	case DNS_NXDOMAIN:
		return SENDER_MX_NONE;
	case DNS_NODATA:
		return address_ask(s, name, d);
	case DNS_BOGUS:
	case DNS_FAILED:
	case DNS_TIMEOUT:
		break;
	}
	return SENDER_MX_UNKNOWN;
}

static bool wanted(struct session *s, int64_t domain_id)
{
	struct store_mail_policy policy;
	struct err err;

	if (session_is_submission(s) || s->trusted || s->config->localserve || s->deps->dns == NULL)
		return false;
	/* What cannot be read now fails soon enough after DATA. */
	return store_mail_policy_get(s->deps->store, domain_id, &policy, &err) == 0 &&
	       policy.sender_mx;
}

bool check_sender_mx(struct session *s, int64_t domain_id)
{
	if (!wanted(s, domain_id))
		return true;
	if (s->env.sender_mx == SENDER_MX_UNASKED)
		s->env.sender_mx = mx_ask(s);
	switch (s->env.sender_mx) {
	case SENDER_MX_UNASKED:
	case SENDER_MX_FINE:
		return true;
	case SENDER_MX_LITERAL:
		session_refuse(s, 550, "5.7.27", "Sender addresses with an IP address are refused");
		break;
	case SENDER_MX_NULL:
		session_refuse(s, 550, "5.7.27", "The sender's domain says that it takes no mail");
		break;
	case SENDER_MX_NONE:
		session_refuse(s, 550, "5.7.27",
			"The sender's domain does not exist or has no mail server");
		break;
	case SENDER_MX_UNKNOWN:
		session_refuse(
			s, 451, "4.4.3", "The sender's domain cannot be looked up now, try later");
		break;
	}
	store_count(s->deps->store,
		s->env.sender_mx == SENDER_MX_UNKNOWN ? STORE_COUNT_TEMPFAILED
						      : STORE_COUNT_REJECTED,
		1);
	return false;
}
