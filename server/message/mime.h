/* mime - the parts of a message (RFC 2045, 2046) for looking at: a flat list of leaves, with
 * bounds on everything, as the text is a stranger's. */
#ifndef MESSAGE_MIME_H
#define MESSAGE_MIME_H

#include "base/arena.h"
#include "base/err.h"

enum {
	MIME_PARTS_MAX = 100, /* leaves; later ones are counted */
	MIME_DEPTH_MAX = 10,  /* of multiparts in multiparts; deeper ones are leaves */
	MIME_NAME_MAX = 200   /* octets of a file name */
};

struct mime_part {
	struct str type;        /* "text/plain", lower case */
	struct str charset;     /* or empty */
	struct str name;        /* file name, decoded for people; or empty */
	struct str encoding;    /* lower case: "base64", "quoted-printable", "7bit", ... */
	struct str report_type; /* parameter of the multipart it is in; or empty */
	struct str within;      /* type of that multipart; or empty */
	bool attachment;
	struct str header; /* raw */
	struct str body;   /* raw, still encoded */
};

struct mime_message {
	struct mime_part *parts;
	size_t count;
	size_t left_out;
};

/* Reads a whole message, header included, as views into it. Never fails: what is no
 * multipart, or a broken one, is one leaf. */
void mime_read(struct arena *a, struct str message, struct mime_message *out);
/* The body without its transfer encoding, at most max octets (*cut: there were more). What
 * cannot be decoded is left out. */
struct str mime_decode(struct arena *a, const struct mime_part *part, size_t max, bool *cut);
/* Text in the part's charset as UTF-8; bytes that are not of it become U+FFFD. */
struct str mime_to_utf8(struct arena *a, struct str text, struct str charset);
/* A parameter of a structured field value ("text/plain; charset=utf-8"), RFC 2231 forms
 * included; empty when it is not there. */
struct str mime_param(struct arena *a, struct str value, const char *name);

#endif
