/* api_fields - words that objects and requests of the API share. */
#ifndef WEBUI_API_FIELDS_H
#define WEBUI_API_FIELDS_H

#define END                                                                                        \
	{                                                                                          \
		NULL, API_TEXT, 0, NULL, NULL                                                      \
	}
#define NAME(what)                                                                                 \
	{                                                                                          \
		"name", API_TEXT, API_REQUIRED, what, NULL                                         \
	}

#define DELIVERIES "mailbox relay"
#define CHECKS "list callout any"
#define PROTOCOLS "smtp lmtp"
#define TLS_MODES "none opportunistic required verify immediate"
#define KINDS "mailbox alias relay"
#define STATES "queued held delivered failed"
#define OUTCOMES "delivered deferred failed"
#define EVENTS "delivered deferred failed notice retry held unheld dropped quarantined released"

#define LOG_RESULTS "accepted rejected tempfailed delivered deferred bounced quarantined dropped"

#endif
