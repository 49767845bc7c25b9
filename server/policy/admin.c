/* Form fields that problems are put beside:
 *
 *   domain     name description delivery relay_hosts relay_tls relay_username
 *              relay_password rcpt_check separator
 *   address    localpart kind account members and, for a relay address with hosts of its
 *              own, relay_hosts relay_tls relay_username relay_password
 *   account    name full_name password
 *   transport  name relay_hosts relay_protocol relay_tls relay_username relay_password
 *   route      from_domain to_domain min_attempts transport
 *   network    cidr comment */
#include "policy/admin.h"

#include "auth/password.h"
#include "policy/admin_check.h"

/* What a store_..._put refused becomes a problem of the field: another change came first,
 * or the value is taken. */
static int saved(int rc, const char *field, struct admin_problems *problems, struct err *err)
{
	if (rc == 0)
		return 0;
	if (err->kind != ERR_PERM)
		return -1;
	admin_problem(problems, field, "%s.", err->text);
	return 1;
}

int admin_domain_save(struct store *s, struct arena *a, struct store_domain *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_domain other;

	problems->count = 0;
	row->name = admin_domain_check(a, row->name, "name", problems);
	row->description = admin_text_check(a, row->description, "description", problems);
	row->separator = str_trim(row->separator);
	admin_separator_check(row->separator, problems);
	if (row->delivery == STORE_DELIVERY_RELAY && row->relay.host_count == 0)
		admin_problem(problems, "relay_hosts",
			"Name at least one server that this domain's mail goes to, for example "
			"mail.internal.example:25.");
	if (row->delivery == STORE_DELIVERY_RELAY)
		admin_relay_check(a, &row->relay, problems);
	else
		row->relay = (struct store_relay){.host_count = 0};
	if (problems->count > 0)
		return 1;
	int rc = store_domain_find(s, row->name, a, &other, err);
	if (rc < 0)
		return -1;
	if (rc == 1 && other.id != row->id) {
		admin_problem(
			problems, "name", "The domain %.*s exists already.", STR_FMT(row->name));
		return 1;
	}
	return saved(store_domain_put(s, row, err), "name", problems, err);
}

/* The account behind a mailbox address: by id, or by the name that a form gave. */
static int account_check(struct store *s, struct arena *a, struct store_address *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_account account;
	int rc = 0;

	if (row->account_id != 0)
		rc = store_account_get(s, row->account_id, a, &account, err);
	else if (row->account.len > 0)
		rc = store_account_find(s, row->account, a, &account, err);
	if (rc < 0)
		return -1;
	if (rc == 1) {
		row->account_id = account.id;
		row->account = account.name;
	} else {
		const char *text = "Choose the account that the mail is for.";

		if (row->account_id != 0)
			text = "The account is gone; choose another.";
		else if (row->account.len > 0)
			text = "There is no account of this name.";
		row->account_id = 0;
		admin_problem(problems, "account", "%s", text);
	}
	return 0;
}

/* Each member an address; the alias itself would be a loop. */
static void members_check(struct arena *a, struct store_address *row,
	const struct store_domain *domain, struct admin_problems *problems)
{
	struct str *kept = arena_alloc(a, (row->member_count + 1) * sizeof(*kept));
	struct message_address self = {.localpart = row->localpart, .domain = domain->name};
	struct str own = row->localpart.len > 0 ? message_address_write(a, &self) : STR("");
	size_t n = 0;

	if (row->member_count > STORE_ALIAS_MEMBERS_MAX) {
		admin_problem(problems, "members", "An alias has at most %d members, not %zu.",
			STORE_ALIAS_MEMBERS_MAX, row->member_count);
		return;
	}
	for (size_t i = 0; i < row->member_count; i++) {
		struct str text = str_trim(row->members[i]), member;
		bool seen = false;

		if (text.len == 0)
			continue;
		if (!admin_member_parse(a, text, &member, problems))
			continue;
		if (own.len > 0 && str_eq_nocase(member, own))
			admin_problem(problems, "members",
				"%.*s cannot be a member of itself: its mail would go round "
				"in circles.",
				STR_FMT(own));
		for (size_t k = 0; k < n && !seen; k++)
			seen = str_eq(kept[k], member);
		if (!seen)
			kept[n++] = member;
	}
	if (n == 0 && problems->count == 0)
		admin_problem(problems, "members",
			"Name at least one address that the alias's mail goes to.");
	row->members = kept;
	row->member_count = n;
}

/* By kind: what the address does not need is emptied. */
static int kind_check(struct store *s, struct arena *a, struct store_address *row,
	const struct store_domain *domain, struct admin_problems *problems, struct err *err)
{
	if (row->kind == STORE_ADDRESS_MAILBOX && account_check(s, a, row, problems, err) < 0)
		return -1;
	if (row->kind != STORE_ADDRESS_MAILBOX) {
		row->account_id = 0;
		row->account = (struct str){"", 0};
	}
	if (row->kind == STORE_ADDRESS_ALIAS)
		members_check(a, row, domain, problems);
	else
		row->member_count = 0;
	if (row->kind != STORE_ADDRESS_RELAY) {
		row->relay = (struct store_relay){.host_count = 0};
		return 0;
	}
	if (row->relay.host_count > 0)
		admin_relay_check(a, &row->relay, problems);
	else if (domain->delivery != STORE_DELIVERY_RELAY)
		admin_problem(problems, "relay_hosts",
			"Name the server that this address's mail goes to: the domain %.*s "
			"itself is delivered to mailboxes.",
			STR_FMT(domain->name));
	return 0;
}

int admin_address_save(struct store *s, struct arena *a, struct store_address *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_domain domain;
	struct store_address other;
	int rc;

	problems->count = 0;
	rc = store_domain_get(s, row->domain_id, a, &domain, err);
	if (rc < 0)
		return -1;
	if (rc == 0) {
		admin_problem(problems, "localpart", "The domain of this address is gone.");
		return 1;
	}
	row->localpart = admin_localpart_check(a, row->localpart, &domain, problems);
	if (kind_check(s, a, row, &domain, problems, err) < 0)
		return -1;
	if (problems->count > 0)
		return 1;
	rc = store_address_find(s, row->domain_id, row->localpart, a, &other, err);
	if (rc < 0)
		return -1;
	if (rc == 1 && other.id != row->id) {
		if (row->localpart.len == 0)
			admin_problem(problems, "localpart",
				"The domain %.*s has a catch-all address already.",
				STR_FMT(domain.name));
		else
			admin_problem(problems, "localpart",
				"The address %.*s@%.*s exists already.", STR_FMT(row->localpart),
				STR_FMT(domain.name));
		return 1;
	}
	return saved(store_address_put(s, row, err), "localpart", problems, err);
}

/* Verifiers for a new password. 0, 1 a problem, -1. */
static int password_make(struct arena *a, struct str password, struct str *argon2,
	struct str *scram, struct admin_problems *problems, struct err *err)
{
	struct str prepared;

	if (password_prepare(a, password, &prepared, err) < 0) {
		if (err->kind != ERR_PERM)
			return -1;
		admin_problem(problems, "password", "%s.", err->text);
		return 1;
	}
	if (password_argon2(a, prepared, argon2, err) < 0 ||
		(scram != NULL && password_scram(a, prepared, scram, err) < 0))
		return -1;
	return 0;
}

int admin_account_save(struct store *s, struct arena *a, struct store_account *row,
	struct str password, struct admin_problems *problems, struct err *err)
{
	struct store_account other;
	int rc;

	problems->count = 0;
	row->name = admin_name_check(a, row->name, "name", problems);
	row->full_name = admin_text_check(a, row->full_name, "full_name", problems);
	if (password.len > 0)
		admin_password_check(password, "password", problems);
	if (problems->count > 0)
		return 1;
	rc = store_account_find(s, row->name, a, &other, err);
	if (rc < 0)
		return -1;
	if (rc == 1 && other.id != row->id) {
		admin_problem(
			problems, "name", "The account %.*s exists already.", STR_FMT(row->name));
		return 1;
	}
	if (password.len > 0) {
		rc = password_make(a, password, &row->argon2, &row->scram, problems, err);
		if (rc != 0)
			return rc;
	} else if (row->id != 0 && row->argon2.len == 0 && row->scram.len == 0) {
		/* Kept, also when the caller did not read the row first. */
		rc = store_account_get(s, row->id, a, &other, err);
		if (rc < 0)
			return -1;
		row->argon2 = other.argon2;
		row->scram = other.scram;
	}
	return saved(store_account_put(s, row, err), "name", problems, err);
}

int admin_transport_save(struct store *s, struct arena *a, struct store_transport *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_transport *all;
	size_t count;

	problems->count = 0;
	row->name = admin_name_check(a, row->name, "name", problems);
	if (row->relay.host_count == 0)
		admin_problem(problems, "relay_hosts",
			"Name at least one server, for example smtp.provider.example:465.");
	if (row->relay.protocol != STORE_PROTOCOL_SMTP)
		admin_problem(problems, "relay_protocol",
			"A transport speaks SMTP; LMTP is for delivery to a domain's own server.");
	admin_relay_check(a, &row->relay, problems);
	if (problems->count > 0)
		return 1;
	if (store_transport_list(s, a, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(all[i].name, row->name) && all[i].id != row->id) {
			admin_problem(problems, "name", "The transport %.*s exists already.",
				STR_FMT(row->name));
			return 1;
		}
	}
	return saved(store_transport_put(s, row, err), "name", problems, err);
}

/* Sets the transport from its id or, when a form gave a name, from that. */
static int route_transport_check(struct store *s, struct arena *a, struct store_route *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_transport *all;
	size_t count;

	if (row->transport_id == 0 && row->transport.len == 0)
		return 0; /* direct */
	if (store_transport_list(s, a, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (row->transport_id != 0 ? all[i].id == row->transport_id
					   : str_eq(all[i].name, row->transport)) {
			row->transport_id = all[i].id;
			row->transport = all[i].name;
			return 0;
		}
	}
	admin_problem(problems, "transport",
		"There is no such transport (any more). Choose another, or deliver directly.");
	return 0;
}

int admin_route_save(struct store *s, struct arena *a, struct store_route *row,
	struct admin_problems *problems, struct err *err)
{
	problems->count = 0;
	row->from_domain = admin_pattern_check(a, row->from_domain, "from_domain", problems);
	row->to_domain = admin_pattern_check(a, row->to_domain, "to_domain", problems);
	if (row->min_attempts > 100)
		admin_problem(
			problems, "min_attempts", "At most 100: no message is tried so often.");
	if (row->position < 0)
		row->position = 0;
	if (route_transport_check(s, a, row, problems, err) < 0)
		return -1;
	if (problems->count > 0)
		return 1;
	return saved(store_route_put(s, row, err), "transport", problems, err);
}

int admin_network_save(struct store *s, struct arena *a, struct store_network *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_network *all;
	size_t count;

	problems->count = 0;
	row->cidr = admin_cidr_check(a, row->cidr, "cidr", problems);
	row->comment = admin_text_check(a, row->comment, "comment", problems);
	if (problems->count > 0)
		return 1;
	if (store_network_list(s, a, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(all[i].cidr, row->cidr) && all[i].id != row->id) {
			admin_problem(problems, "cidr", "The network %.*s is listed already.",
				STR_FMT(row->cidr));
			return 1;
		}
	}
	return saved(store_network_put(s, row, err), "cidr", problems, err);
}

int admin_password_set(struct store *s, struct str password, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct arena *a = arena_open();
	struct str encoded;
	int rc;

	admin_password_check(password, "password", &problems);
	rc = problems.count > 0 ? 1 : password_make(a, password, &encoded, NULL, &problems, err);
	if (rc == 1)
		rc = err_set(err, ERR_PERM, "%s", problems.at[0].text);
	else if (rc == 0)
		rc = store_setting_put(s, "admin_password", encoded, err);
	arena_close(&a);
	return rc;
}
