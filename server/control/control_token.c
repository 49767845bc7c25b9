/* control_token - tokens for the JSON API. The token itself is shown once, when it is made. */
#include "control/control_priv.h"

#include "base/rand.h"
#include "control/token.h"

#include <openssl/evp.h>

enum { TOKEN_BYTES = 32, TOKEN_NAME_MAX = 100, TOKEN_DAYS_MAX = 3660 };

static void hex(const unsigned char *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
	out[2 * len] = '\0';
}

int control_token_hash(struct str token, char out[STORE_TOKEN_HASH], struct err *err)
{
	unsigned char digest[32];
	unsigned len = 0;

	if (EVP_Digest(token.p, token.len, digest, &len, EVP_sha256(), NULL) != 1 ||
		len != sizeof(digest))
		return err_set(err, ERR_BUG, "SHA-256 failed");
	hex(digest, sizeof(digest), out);
	return 0;
}

int control_token_new(struct store *s, struct store_token *row, struct admin_problems *problems,
	char token[CONTROL_TOKEN_TEXT], struct err *err)
{
	unsigned char bytes[TOKEN_BYTES];
	char hash[STORE_TOKEN_HASH];

	row->name = str_trim(row->name);
	bool printable = row->name.len > 0 && row->name.len <= TOKEN_NAME_MAX;
	for (size_t i = 0; i < row->name.len && printable; i++)
		printable = (unsigned char)row->name.p[i] >= ' ' && row->name.p[i] != 0x7f;
	if (!printable) {
		problems->at[0].field = "name";
		snprintf(problems->at[0].text, sizeof(problems->at[0].text),
			"Give it a name of up to %d characters that says who uses it.",
			TOKEN_NAME_MAX);
		problems->count = 1;
		return 1;
	}
	rand_bytes(bytes, sizeof(bytes));
	memcpy(token, CONTROL_TOKEN_PREFIX, sizeof(CONTROL_TOKEN_PREFIX) - 1);
	hex(bytes, sizeof(bytes), token + sizeof(CONTROL_TOKEN_PREFIX) - 1);
	row->created_s = clock_unix_s();
	if (control_token_hash(str_from(token), hash, err) < 0)
		return -1;
	if (store_token_add(s, row, hash, err) == 0)
		return 0;
	if (err->kind != ERR_PERM)
		return -1;
	problems->at[0].field = "name";
	snprintf(problems->at[0].text, sizeof(problems->at[0].text), "Not possible: %.200s.",
		err->text);
	problems->count = 1;
	return 1;
}

static json_t *json_time_s(int64_t s)
{
	char text[CLOCK_TEXT];

	return s == 0 ? json_null() : json_string(clock_iso(s, text));
}

static int token_list(struct call *call, json_t **last, struct err *err)
{
	struct store_token *rows;
	size_t count;

	(void)last;
	if (store_token_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call,
			    json_pack("{s:I, s:o, s:b, s:o, s:o, s:o, s:o}", "id",
				    (json_int_t)rows[i].id, "name", json_view(rows[i].name),
				    "read_only", rows[i].read_only, "created",
				    json_time_s(rows[i].created_s), "used",
				    json_time_s(rows[i].used_s), "expires",
				    json_time_s(rows[i].expires_s), "used_ip",
				    json_view(rows[i].used_ip)),
			    err) < 0)
			return -1;
	return 0;
}

static int token_add(struct call *call, json_t **last, struct err *err)
{
	struct store_token row = {.read_only = call_flag(call, "read_only")};
	struct admin_problems problems = {.count = 0};
	char token[CONTROL_TOKEN_TEXT];
	int64_t days = 0;

	if (call_need(call, "name", &row.name, err) < 0 ||
		call_number(call, "days", 0, TOKEN_DAYS_MAX, &days, err) < 0)
		return -1;
	row.expires_s = days == 0 ? 0 : clock_unix_s() + days * 86400;
	if (call_saved(call, control_token_new(call->ctl->store, &row, &problems, token, err),
		    &problems, err) < 0)
		return -1;
	*last = json_pack("{s:I, s:s}", "id", (json_int_t)row.id, "token", token);
	return 0;
}

static int token_rm(struct call *call, json_t **last, struct err *err)
{
	int64_t id = 0;
	bool found;

	(void)last;
	if (call_number(call, "id", 1, INT64_MAX, &id, err) < 0)
		return -1;
	if (id == 0)
		return err_set(err, ERR_PERM, "id is missing");
	if (store_token_delete(call->ctl->store, id, &found, err) < 0)
		return -1;
	return found ? 0 : call_missing(call, err, "there is no token %lld", (long long)id);
}

const struct verb control_token_verbs[] = {
	{"token.list", token_list},
	{"token.add", token_add},
	{"token.rm", token_rm},
	{NULL, NULL},
};
