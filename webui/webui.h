/* webui - the admin pages over libmicrohttpd. */
#ifndef WEBUI_WEBUI_H
#define WEBUI_WEBUI_H

#include "base/conn.h"
#include "daemon/gateway.h"

struct webui;

/* gateway outlives it. */
int webui_start(struct gateway *g, struct webui **out, struct err *err) MUST_USE;
void webui_stop(struct webui **w);

enum webui_role { WEBUI_ADMIN, WEBUI_METRICS };
/* Serves one accepted connection, plain or with TLS done, and returns when it is over (or
 * handed to the HTTP server's own threads, for plain ones). Takes conn over. path is where
 * the admin pages live on this listener ("/admin/"). */
void webui_serve(
	struct webui *w, struct conn *conn, enum webui_role role, const char *path, bool https);

#endif
