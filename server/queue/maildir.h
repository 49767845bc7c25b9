/* maildir - the last step into a local mailbox: <data_dir>/mail/<account>/{tmp,new,cur}.
 * Line ends are LF on disk, the Maildir convention; Dovecot and other readers give them
 * back as CRLF. */
#ifndef QUEUE_MAILDIR_H
#define QUEUE_MAILDIR_H

#include "store/message.h"

struct maildir_mail {
	const char *data_dir, *hostname;
	struct str account;   /* folder name */
	struct str mail_from; /* for Return-Path */
	struct str rcpt;      /* for Delivered-To */
	struct store_body *body;
};

/* Writes to tmp/, fsyncs, moves into new/ and fsyncs that: when it returns 0 the mail is on
 * disk under its final name. Folders are made as needed, mode 0700, files 0600. On failure
 * nothing is left behind. ERR_FULL: no space; ERR_TEMP: other trouble with the disk. */
int maildir_deliver(const struct maildir_mail *mail, struct err *err) MUST_USE;

#endif
