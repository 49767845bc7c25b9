/* Extended DNS errors (RFC 8914). libunbound's answers have no field for them, but its words
 * about a bogus answer are built from a small set of phrases (those of its val-log-level 2);
 * where a phrase says just what a code of the registry says, that code is it. Everything else
 * that is bogus is 6, which says no more than that. */
#include "dns/internal.h"

enum { EDE_BOGUS = 6 };

/* RFC 8914 section 5.2, in order. */
static const char *const names[] = {"other", "unsupported dnskey algorithm",
	"unsupported ds digest type", "stale answer", "forged answer", "dnssec indeterminate",
	"dnssec bogus", "signature expired", "signature not yet valid", "dnskey missing",
	"rrsigs missing", "no zone key bit set", "nsec missing", "cached error", "not ready",
	"blocked", "censored", "filtered", "prohibited", "stale nxdomain answer",
	"not authoritative", "not supported", "no reachable authority", "network error",
	"invalid data"};

const char *dns_ede_text(int ede)
{
	if (ede < 0 || (size_t)ede >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[ede];
}

bool dns_ede_is_dnssec(int ede)
{
	return ede == 1 || ede == 2 || (ede >= 5 && ede <= 12);
}

int ede_of_bogus(struct str why)
{
	static const struct {
		const char *phrase;
		int ede;
	} phrases[] = {
		{"signature expired", 7},
		{"signature before inception date", 8},
		{"signature not yet valid", 8},
		{"no DNSKEY rrset", 9},
		{"No DNSKEY record", 9},
		{"signatures from unknown keys", 9},
		{"no keys have a DS with algorithm", 9},
		{"no signatures", 10},
		{"signature missing", 10},
		{"no NSEC", 12},
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (str_find(why, str_from(phrases[i].phrase)) != NULL)
			return phrases[i].ede;
	}
	return EDE_BOGUS;
}
