/* api - the JSON API below /api/v1/: one table of routes, each over a verb of server/control
 * (or a function of its own), with the fields it takes and gives. openapi.json is written from
 * the same table. Errors are RFC 9457 problem documents. */
#ifndef WEBUI_API_H
#define WEBUI_API_H

#include "control/control.h"
#include "webui/page.h"

#define API_BASE "/api/v1/"

enum { API_PARAMS_MAX = 2, API_PAGE_MAX = 1000 };

enum api_type {
	API_TEXT,
	API_NUMBER,
	API_FLAG,
	API_TIME, /* RFC 3339, UTC */
	API_TEXTS,
	API_RELAY,   /* {"hosts": [...], "protocol", "tls", "username", "password"} */
	API_OBJECTS, /* array; of says what of */
	API_OBJECT,  /* one; of says which */
	API_ANY,     /* an object whose members are not fixed */
	API_ANY_LIST /* an array of such */
};
enum api_flag {
	API_REQUIRED = 1,
	API_NULLABLE = 2,
	API_OPTIONAL = 4 /* in answers: may be left out */
};

struct api_field {
	const char *name; /* NULL ends a list */
	enum api_type type;
	unsigned flags;
	const char *help;
	const char *of; /* texts: words allowed, space between; objects: the schema's name */
};

struct api_schema {       /* a kind of object in answers */
	const char *name; /* NULL ends the table */
	const struct api_field *fields;
};

enum api_answer {
	API_ANSWER_LIST,    /* 200 {"items": [...], "next": cursor or null} */
	API_ANSWER_OBJECT,  /* 200 */
	API_ANSWER_CREATED, /* 201, with what the verb gives */
	API_ANSWER_DONE     /* 204 */
};

struct api_route {
	const char *method;  /* "GET" */
	const char *pattern; /* below API_BASE; ":name" stands for a segment */
	const char *verb;    /* of server/control, or NULL with run */
	/* As a verb that collects: 0 or -1. */
	int (*run)(
		struct page *p, const json_t *request, struct control_result *out, struct err *err);
	const char *summary;
	const struct api_field *in; /* query (GET) or body; NULL: none */
	enum api_answer answer;
	const char *schema;  /* of the object or of the items; NULL: none */
	const char *rows_as; /* the verb's rows become this member of the object */
	const char *cursor;  /* of a list: what the verb calls parameter "after" */
};

extern const struct api_route api_routes[];
extern const size_t api_route_count;
extern const struct api_schema api_schemas[];

/* Answers a request below API_BASE; below is the path after it. */
void api_run(struct page *p, struct str below);
/* The OpenAPI 3.1 document; the caller's. */
json_t *api_openapi(void);
/* Answers with a problem document. errors may be NULL; its reference is taken. */
void api_problem(struct page *p, int status, const char *title, const char *detail, json_t *errors);

#endif
