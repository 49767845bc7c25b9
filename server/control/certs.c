#include "control/certs.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SELF_SIGNED_PATH_MAX = 4096 };

int control_certs_load(const struct config *c, const struct config_listener *listener,
	struct tls_server **out, struct err *err)
{
	size_t n = listener->keycert_count;
	const char **certs = mem_alloc((n + 1) * sizeof(*certs));
	const char **keys = mem_alloc((n + 1) * sizeof(*keys));
	char self_signed[SELF_SIGNED_PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		certs[i] = listener->keycerts[i].cert_file;
		keys[i] = listener->keycerts[i].key_file;
	}
	snprintf(self_signed, sizeof(self_signed), "%s/tls", c->data_dir);
	struct tls_server_options opt = {
		.hostname = listener->hostname,
		.min_version = listener->tls_min_version,
		.cert_files = certs,
		.key_files = keys,
		.pair_count = n,
		.self_signed_dir = self_signed,
	};
	/* What goes wrong here is said below, with the file's name. */
	if (n == 0)
		(void)mkdir(self_signed, 0700);
	int rc = tls_server_new(&opt, out, err);
	free(certs);
	free(keys);
	if (rc < 0)
		return err_prefix(err, "listener \"%s\"", listener->name);
	return 0;
}

int control_certs_check(const struct config *c, struct err *err)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *listener = &c->listeners[i];
		struct tls_server *server = NULL;
		if (!listener->tls || listener->keycert_count == 0)
			continue;
		if (control_certs_load(c, listener, &server, err) < 0)
			return -1;
		tls_server_release(&server);
	}
	return 0;
}
