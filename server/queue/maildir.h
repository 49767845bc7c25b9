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
	int64_t received_ms, rcpt_id; /* name the file, see maildir_deliver */
};

/* Writes to tmp/, fsyncs, links into new/ and fsyncs that: when it returns 0 the mail is on
 * disk under its final name. The name is the same for each delivery of a queued recipient: if
 * a crash came between delivery and its record, the second one finds the mail there and is
 * done. Folders are made as needed, mode 0700, files 0600. On failure
 * nothing is left behind. ERR_FULL: no space; ERR_TEMP: other trouble with the disk. */
int maildir_deliver(const struct maildir_mail *mail, struct err *err) MUST_USE;

enum { MAILDIR_TMP_AGE_S = 36 * 3600 };

/* Removes what a crash left in tmp/ of any account, once it is MAILDIR_TMP_AGE_S old (the
 * Maildir convention). Trouble is logged. Returns how many files went. */
size_t maildir_sweep(const char *data_dir, int64_t now_s);

#endif
