#include "daemon/localserve.h"

#include "base/buf.h"
#include "policy/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PORT_SMTP = 1025,
	PORT_SUBMISSIONS = 1465,
	PORT_SUBMISSION = 1587,
	PORT_HTTP = 1080,
	PORT_HTTPS = 1443,
	CONNECTIONS_MAX = 20000,
	PATH_TEXT_MAX = 4096
};

static const char anchor_file[] = "/usr/share/dns/root.key";

/* "mox@localhost" and the passwords are what design.md section 6 promises. */
static const char account_name[] = "mox", account_password[] = "moxmoxmox";
static const char admin_password[] = "moxadmin";

/* Absolute, so that messages and the control socket do not hang on the working directory. */
static int dir_choose(const char *wanted, char out[PATH_TEXT_MAX], struct err *err)
{
	char cwd[PATH_TEXT_MAX];
	int n;

	if (wanted != NULL && wanted[0] == '/') {
		n = snprintf(out, PATH_TEXT_MAX, "%s", wanted);
	} else if (wanted != NULL) {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			return err_set(err, ERR_PERM, "working directory: %s", strerror(errno));
		n = snprintf(out, PATH_TEXT_MAX, "%s/%s", cwd, wanted);
	} else {
		const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
		if (data != NULL && data[0] == '/')
			n = snprintf(out, PATH_TEXT_MAX, "%s/mox-localserve", data);
		else if (home != NULL && home[0] == '/')
			n = snprintf(out, PATH_TEXT_MAX, "%s/.local/share/mox-localserve", home);
		else
			return err_set(err, ERR_PERM, "HOME is not set; say where with -dir DIR");
	}
	if (n < 0 || n >= PATH_TEXT_MAX)
		return err_set(err, ERR_PERM, "-dir: the name is too long");
	return 0;
}

static void service_set(struct config_service *service, unsigned port)
{
	*service = (struct config_service){.enabled = true, .port = port};
}

static void limits_lift(struct config_limits *l)
{
	for (int i = 0; i < 3; i++) {
		l->connection_rate[i] = l->connections_open[i] = 0;
		l->auth_failures_min[i] = l->auth_failures_day[i] = 0;
		l->delivery_messages_min[i] = l->delivery_messages_day[i] = 0;
		l->delivery_bytes_min[i] = l->delivery_bytes_day[i] = 0;
	}
	l->connections_total = CONNECTIONS_MAX;
	l->account_messages_day = 0;
}

/* What there is to say in a mox.conf: kept in the data directory, so that the other
 * commands can be given -config. */
static void conf_write(struct buf *out, const char *dir, const char *ip)
{
	buf_printf(out,
		"# Made by mox localserve, for the -config option of other commands;\n"
		"# localserve itself sets much more than is said here.\n"
		"DataDir: %s\n"
		"Hostname: localhost\n"
		"Listeners:\n"
		"\tlocal:\n"
		"\t\tIPs:\n"
		"\t\t\t- %s\n"
		"\t\tSMTP:\n"
		"\t\t\tEnabled: true\n"
		"\t\t\tPort: %d\n",
		dir, ip, PORT_SMTP);
}

static void config_widen(struct config *c, bool hold)
{
	struct config_listener *l = &c->listeners[0];

	c->path = NULL; /* nothing to read again on SIGHUP */
	c->user = "";
	c->postmaster_account = account_name;
	c->localserve = true;
	c->hold = hold;
	if (access(anchor_file, R_OK) < 0)
		c->resolver.trust_anchor_file = "none";
	limits_lift(&c->limits);
	l->tls = true;
	service_set(&l->submissions, PORT_SUBMISSIONS);
	service_set(&l->submission, PORT_SUBMISSION);
	service_set(&l->admin_http, PORT_HTTP);
	service_set(&l->admin_https, PORT_HTTPS);
}

int localserve_config(const struct localserve_options *opt, struct config **out, struct err *err)
{
	const char *text = opt->ip ? opt->ip : "127.0.0.1";
	struct buf conf = {NULL, 0, 0};
	char dir[PATH_TEXT_MAX];
	struct ip ip;

	*out = NULL;
	if (!ip_parse(str_from(text), &ip) || !ip_is_loopback(&ip))
		return err_set(
			err, ERR_PERM, "-ip %s: not a loopback address (127.0.0.0/8 or ::1)", text);
	if (dir_choose(opt->dir, dir, err) < 0)
		return -1;
	conf_write(&conf, dir, text);
	int rc = config_parse(buf_str(&conf), "localserve", out, err);
	buf_free(&conf);
	if (rc == 0)
		config_widen(*out, opt->hold);
	return rc;
}

/* A problem here is a rule that rejects what we made: ours. */
static int saved(int rc, const struct admin_problems *p, struct err *err)
{
	if (rc <= 0)
		return rc;
	return err_set(err, ERR_BUG, "localserve: %s: %s", p->count ? p->at[0].field : "",
		p->count ? p->at[0].text : "");
}

static int address_fill(struct store *s, struct arena *a, int64_t domain_id, int64_t account_id,
	struct str localpart, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct store_address row;
	int rc = store_address_find(s, domain_id, localpart, a, &row, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	row = (struct store_address){.domain_id = domain_id,
		.localpart = localpart,
		.kind = STORE_ADDRESS_MAILBOX,
		.account_id = account_id};
	return saved(admin_address_save(s, a, &row, &problems, err), &problems, err);
}

static int fill(struct store *s, struct arena *a, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct store_account account;
	struct store_domain domain;
	struct str value;

	int rc = store_setting_get(s, "admin_password", a, &value, err);
	if (rc < 0 || (rc == 0 && admin_password_set(s, str_from(admin_password), err) < 0))
		return -1;
	rc = store_account_find(s, str_from(account_name), a, &account, err);
	if (rc == 0) {
		account = (struct store_account){
			.name = str_from(account_name), .full_name = STR("Localserve")};
		rc = saved(admin_account_save(
				   s, a, &account, str_from(account_password), &problems, err),
			&problems, err);
	}
	if (rc < 0)
		return -1;
	rc = store_domain_find(s, STR("localhost"), a, &domain, err);
	if (rc == 0) {
		domain = (struct store_domain){.name = STR("localhost"),
			.delivery = STORE_DELIVERY_MAILBOX,
			.separator = STR("+")};
		rc = saved(admin_domain_save(s, a, &domain, &problems, err), &problems, err);
	}
	if (rc < 0)
		return -1;
	if (address_fill(s, a, domain.id, account.id, str_from(account_name), err) < 0)
		return -1;
	return address_fill(s, a, domain.id, account.id, STR(""), err);
}

/* Once; what somebody wrote there since is left alone. */
static int conf_keep(const struct config *c, struct err *err)
{
	struct buf conf = {NULL, 0, 0};
	char path[PATH_TEXT_MAX], ip[IP_TEXT];

	snprintf(path, sizeof(path), "%s/mox.conf", c->data_dir);
	FILE *f = fopen(path, "wxe");
	if (f == NULL)
		return errno == EEXIST ? 0
				       : err_set(err, ERR_PERM, "%s: %s", path, strerror(errno));
	conf_write(&conf, c->data_dir, ip_text(&c->listeners[0].ips[0], ip));
	bool ok = fwrite(conf.p, 1, conf.len, f) == conf.len;
	buf_free(&conf);
	if (fclose(f) != 0 || !ok)
		return err_set(err, ERR_PERM, "%s: %s", path, strerror(errno));
	return 0;
}

int localserve_fill(const struct config *c, struct store *s, struct err *err)
{
	struct arena *a = arena_open();
	int rc = fill(s, a, err);

	arena_close(&a);
	return rc < 0 ? -1 : conf_keep(c, err);
}

void localserve_print(FILE *out, const struct config *c)
{
	char text[IP_TEXT], host[IP_TEXT + 2];
	const struct ip *ip = &c->listeners[0].ips[0];

	snprintf(host, sizeof(host), ip->len == 16 ? "[%s]" : "%s", ip_text(ip, text));
	fprintf(out,
		"mox localserve: a mail server on this machine only\n"
		"\n"
		"  SMTP             %s:%d   any recipient is accepted%s\n"
		"  submission       %s:%d   STARTTLS, account %s@localhost, password %s\n"
		"  submissions      %s:%d   TLS, same account\n"
		"  admin pages      http://%s:%d/admin/   password %s\n"
		"                   https://%s:%d/admin/  self-signed certificate\n"
		"  data             %s\n"
		"\n"
		"Look at the queue:  mox queue list -dir %s\n"
		"Stop it:            Ctrl-C, or mox stop -dir %s\n"
		"\n",
		host, PORT_SMTP, c->hold ? " and held in the queue" : "", host, PORT_SUBMISSION,
		account_name, account_password, host, PORT_SUBMISSIONS, host, PORT_HTTP,
		admin_password, host, PORT_HTTPS, c->data_dir, c->data_dir, c->data_dir);
	fflush(out);
}
