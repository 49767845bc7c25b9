/* cmd_password - passwords come over standard input, never as arguments, which others on
 * the machine can see. */
#include "cli/client.h"
#include "cli/commands.h"
#include "control/control.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_TEXT_MAX = 1024 };

/* One line of stdin without its end. */
static int line_read(const char *prompt, char out[PASSWORD_TEXT_MAX], struct err *err)
{
	struct termios shown, hidden;
	bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;

	if (tty) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		fprintf(stderr, "%s: ", prompt);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	char *got = fgets(out, PASSWORD_TEXT_MAX, stdin);
	if (tty) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (got == NULL)
		return err_set(err, ERR_PERM, "no password on standard input");
	size_t len = strlen(out);
	if (len == PASSWORD_TEXT_MAX - 1 && out[len - 1] != '\n')
		return err_set(err, ERR_PERM, "the password is too long");
	out[strcspn(out, "\r\n")] = '\0';
	return 0;
}

static int password_read(char out[PASSWORD_TEXT_MAX], struct err *err)
{
	char again[PASSWORD_TEXT_MAX];

	if (line_read("New password", out, err) < 0)
		return -1;
	if (out[0] == '\0')
		return err_set(err, ERR_PERM, "the password is empty");
	if (!isatty(STDIN_FILENO))
		return 0;
	if (line_read("Once more", again, err) < 0)
		return -1;
	bool same = strcmp(out, again) == 0;
	explicit_bzero(again, sizeof(again));
	return same ? 0 : err_set(err, ERR_PERM, "the two passwords differ");
}

static int password_set(
	const struct cli *cli, const char *verb, const char *account, struct err *err)
{
	char password[PASSWORD_TEXT_MAX];
	struct cli_client *c = NULL;

	int rc = cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err);
	if (rc == 0)
		rc = password_read(password, err);
	if (rc == 0)
		rc = cli_client_call(c,
			control_request(verb, "name", account, "password", password, NULL), NULL,
			err);
	explicit_bzero(password, sizeof(password));
	cli_client_close(&c);
	return rc;
}

int cmd_set_admin_password(const struct cli *cli, struct err *err)
{
	return password_set(cli, "adminpassword", NULL, err);
}

int cmd_set_account_password(const struct cli *cli, struct err *err)
{
	return password_set(cli, "account.set", cli->args[0], err);
}
