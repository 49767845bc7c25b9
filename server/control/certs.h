/* certs - the certificates that a listener section of mox.conf asks for. */
#ifndef CONTROL_CERTS_H
#define CONTROL_CERTS_H

#include "config/config.h"
#include "tls/tls.h"

/* A section without KeyCerts gets a self-signed certificate, kept in <DataDir>/tls. */
int control_certs_load(const struct config *c, const struct config_listener *listener,
	struct tls_server **out, struct err *err) MUST_USE;
/* Reads the KeyCerts of all listeners; makes nothing. */
int control_certs_check(const struct config *c, struct err *err) MUST_USE;

#endif
