/* AUTH of the SMTP client (RFC 4954): SCRAM-SHA-256 where offered; PLAIN, and LOGIN for
 * servers that know nothing else, only inside TLS. */
#include "auth/password.h"
#include "smtp/client_priv.h"

enum { CHALLENGE_MAX = 1500 };

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Strict RFC 4648 section 4. False when it is not base64 or does not fit. */
static bool base64_decode(struct str in, char *out, size_t size, size_t *len)
{
	unsigned bits = 0, have = 0;

	*len = 0;
	if (in.len % 4 != 0)
		return false;
	while (in.len > 0 && in.p[in.len - 1] == '=')
		in.len--;
	for (size_t i = 0; i < in.len; i++) {
		int v = base64_value(in.p[i]);
		if (v < 0)
			return false;
		bits = bits << 6 | (unsigned)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			if (*len == size)
				return false;
			out[(*len)++] = (char)(unsigned char)(bits >> have & 0xff);
		}
	}
	return true;
}

/* Sends base64 of data after prefix (may be ""); nothing of it is in the transcript, even when
 * the server's reply repeats it. */
static int secret_send(struct smtp_client *c, const char *prefix, struct str data,
	struct smtp_reply *r, struct smtp_failure *failure)
{
	struct buf line = {NULL, 0, 0};
	struct buf shown = {NULL, 0, 0};
	struct err err;
	int rc;

	buf_text(&line, prefix);
	buf_base64(&line, data.p, data.len);
	buf_printf(&shown, "%s***", prefix);
	rc = smtp_client_line(c, buf_str(&line), buf_str(&shown), &err);
	c->secret = str_skip(buf_str(&line), strlen(prefix));
	if (rc == 0)
		rc = smtp_client_reply(c, r, 1, &err);
	c->secret = (struct str){NULL, 0};
	if (line.p != NULL)
		explicit_bzero(line.p, line.len);
	buf_free(&line);
	buf_free(&shown);
	return rc < 0 ? smtp_fail_io(c, failure, SMTP_STAGE_AUTH, &err) : 0;
}

static int auth_trouble(struct smtp_failure *failure, const char *text)
{
	*failure = (struct smtp_failure){.stage = SMTP_STAGE_AUTH};
	smtp_text_copy(failure->text, sizeof(failure->text), str_from(text));
	return -1;
}

static int auth_plain(struct smtp_client *c, struct smtp_failure *failure)
{
	struct buf b = {NULL, 0, 0};
	struct smtp_reply r;

	buf_byte(&b, '\0');
	buf_raw(&b, c->opt.username);
	buf_byte(&b, '\0');
	buf_raw(&b, c->opt.password);
	int rc = secret_send(c, "AUTH PLAIN ", buf_str(&b), &r, failure);
	explicit_bzero(b.p, b.len);
	buf_free(&b);
	if (rc < 0)
		return -1;
	return r.code == 235 ? 0 : smtp_fail_reply(failure, SMTP_STAGE_AUTH, &r);
}

static int auth_login(struct smtp_client *c, struct smtp_failure *failure)
{
	struct smtp_reply r;
	struct err err;

	if (smtp_client_command(c, "AUTH LOGIN", &r, &err) < 0)
		return smtp_fail_io(c, failure, SMTP_STAGE_AUTH, &err);
	if (r.code == 334 && secret_send(c, "", c->opt.username, &r, failure) < 0)
		return -1;
	if (r.code == 334 && secret_send(c, "", c->opt.password, &r, failure) < 0)
		return -1;
	return r.code == 235 ? 0 : smtp_fail_reply(failure, SMTP_STAGE_AUTH, &r);
}

/* The server's signature comes as a last 334 or inside 235 (RFC 4954 section 4); both are
 * seen. A server that cannot prove that it knows the password gets no mail. */
static int scram_end(struct smtp_client *c, struct scram_client *scram, struct smtp_reply *r,
	struct smtp_failure *failure)
{
	char raw[CHALLENGE_MAX];
	size_t len;
	struct err err;

	if (r->code != 334 && r->code != 235)
		return smtp_fail_reply(failure, SMTP_STAGE_AUTH, r);
	if (!base64_decode(str_from(r->text), raw, sizeof(raw), &len) ||
		scram_client_verify(scram, (struct str){raw, len}, &err) < 0)
		return auth_trouble(failure, "AUTH: the server's signature is wrong");
	if (r->code == 235)
		return 0;
	if (secret_send(c, "", (struct str){"", 0}, r, failure) < 0)
		return -1;
	return r->code == 235 ? 0 : smtp_fail_reply(failure, SMTP_STAGE_AUTH, r);
}

static int auth_scram(struct smtp_client *c, struct smtp_failure *failure)
{
	struct scram_client *scram;
	struct str first, final;
	struct smtp_reply r;
	struct err err;
	char raw[CHALLENGE_MAX];
	size_t len;

	if (scram_client_begin(c->arena, c->opt.username, c->opt.password, &scram, &first, &err) <
		0)
		return auth_trouble(failure, err.text);
	if (secret_send(c, "AUTH SCRAM-SHA-256 ", first, &r, failure) < 0)
		return -1;
	if (r.code != 334)
		return smtp_fail_reply(failure, SMTP_STAGE_AUTH, &r);
	if (!base64_decode(str_from(r.text), raw, sizeof(raw), &len))
		return auth_trouble(failure, "AUTH: challenge is not base64");
	if (scram_client_final(scram, (struct str){raw, len}, &final, &err) < 0)
		return auth_trouble(failure, err.text);
	if (secret_send(c, "", final, &r, failure) < 0)
		return -1;
	return scram_end(c, scram, &r, failure);
}

int smtp_client_auth(struct smtp_client *c, struct smtp_failure *failure)
{
	if (c->auth_scram)
		return auth_scram(c, failure);
	if (c->tls_on && c->auth_plain)
		return auth_plain(c, failure);
	if (c->tls_on && c->auth_login)
		return auth_login(c, failure);
	auth_trouble(
		failure, c->auth_plain || c->auth_login
				 ? "AUTH: the server takes passwords in clear only, and TLS is off"
				 : "AUTH: the server offers no mechanism we know");
	failure->permanent = true;
	return -1;
}
