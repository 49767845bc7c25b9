/* server - the inside of webui: libmicrohttpd owns the sockets in one thread of its own;
 * pages run on worker threads while their connection is suspended, so that neither a
 * slow client nor a password check stops anybody else. */
#ifndef WEBUI_SERVER_H
#define WEBUI_SERVER_H

#include "webui/page.h"
#include "webui/webui.h"

#include <microhttpd.h>
#include <pthread.h>

enum {
	SERVER_CLIENTS_MAX = 4000,
	SERVER_CLIENTS_MANY = 3000,           /* from here on waiting clients get less time */
	SERVER_HEADER_MS = 30 * 1000,         /* for a request's header */
	SERVER_HEADER_MANY_MS = 5 * 1000,     /* the same when there are many */
	SERVER_IDLE_MS = 65 * 1000,           /* between requests */
	SERVER_BODY_MS = 60 * 1000,           /* for its body, and for taking the answer */
	SERVER_CLIENT_MEMORY = 32 * 1024,     /* header and read buffer, octets */
	SERVER_BODIES_MAX = 32 * 1024 * 1024, /* octets of all posted forms at once */
	SERVER_WORKERS = 6,
	SERVER_SLOW_MAX = 2, /* password checks at once */
	SERVER_TESTS_MAX = 2 /* tests of other hosts at once: workers are left for pages */
};

struct client { /* one connection */
	struct webui *ui;
	int fd;
	enum webui_role role;
	bool https, forwarded;
	char base[128];
	struct ip peer;
	bool started;        /* libmicrohttpd knows it */
	bool waiting;        /* for a header */
	int64_t deadline_ms; /* monotonic; 0: we are at work */
	struct client *prev, *next;
};

struct request {
	struct webui *ui;
	struct client *client;
	struct MHD_Connection *mhd;
	struct arena *arena;
	struct page page;
	struct buf body;
	size_t body_counted; /* in ui->bodies */
	bool seen, too_big, busy, done, slow, tests;
	bool is_bad_uri;                 /* it holds what no address may */
	const char *uri_start, *uri_end; /* libmicrohttpd's; uri_end is at its NUL */
	int64_t due_ms;                  /* of a delayed answer */
	struct request *next;
};

struct webui {
	struct gateway *gateway;
	struct template_set *templates;
	char assets_version[17];
	struct kept_store *kept;
	struct MHD_Daemon *mhd;
	int loop_fd; /* listens on loopback, for the inner ends of HTTPS connections */
	struct ip loop_ip;
	unsigned loop_port;
	pthread_mutex_t loop_lock;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t work, timer, idle;
	bool stopping;
	struct client *clients;
	size_t client_count, pump_count, slow_count, test_count;
	size_t bodies; /* octets */
	struct request *queue, **queue_end;
	struct request *delayed;
	pthread_t workers[SERVER_WORKERS], sweeper;
	size_t worker_count;
	struct tail_hub *tails;
};

/* Sets when the client must be done with what it does; 0: it is our turn. */
void client_deadline(struct client *c, int64_t in_ms, bool waiting);

/* Callbacks of libmicrohttpd; cls is the struct webui. */
void *request_begin(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_handle(void *cls, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **state);
void request_end(
	void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode why);
/* Thread functions; arg is the struct webui. */
void *request_worker(void *arg);

/* Relays between the decrypted side (c) and fd until either ends. */
void pump_run(struct conn *c, int fd);

#endif
