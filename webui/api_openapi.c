/* The OpenAPI 3.1 document of the API, written from its route table. */
#include "webui/api.h"
#include "base/version.h"

#include <stdio.h>

static json_t *reference(const char *schema)
{
	char text[128];

	snprintf(text, sizeof(text), "#/components/schemas/%s", schema);
	return json_pack("{s:s}", "$ref", text);
}

static json_t *words(const char *of)
{
	struct str rest = str_from(of), one;
	json_t *list = json_array();

	while (str_next(&rest, ' ', &one))
		json_array_append_new(list, json_stringn(one.p, one.len));
	return list;
}

static json_t *type_schema(const struct api_field *f)
{
	json_t *s = NULL;

	switch (f->type) {
	case API_TEXT:
		s = json_pack("{s:s}", "type", "string");
		if (f->of != NULL)
			json_object_set_new(s, "enum", words(f->of));
		break;
	case API_NUMBER:
		s = json_pack("{s:s}", "type", "integer");
		break;
	case API_FLAG:
		s = json_pack("{s:s}", "type", "boolean");
		break;
	case API_TIME:
		s = json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
		break;
	case API_TEXTS:
		s = json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
		break;
	case API_RELAY:
		return reference("Relay");
	case API_OBJECTS:
		return json_pack("{s:s, s:o}", "type", "array", "items", reference(f->of));
	case API_OBJECT:
		return reference(f->of);
	case API_ANY:
		s = json_pack("{s:s}", "type", "object");
		break;
	case API_ANY_LIST:
		s = json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "object");
		break;
	}
	if (f->flags & API_NULLABLE) {
		json_t *type = json_incref(json_object_get(s, "type"));
		json_object_set_new(s, "type", json_pack("[o, s]", type, "null"));
	}
	return s;
}

static json_t *field_schema(const struct api_field *f)
{
	json_t *s = type_schema(f);

	if (f->help != NULL && json_object_get(s, "$ref") == NULL)
		json_object_set_new(s, "description", json_string(f->help));
	return s;
}

/* answer: every member is there unless it is optional; else only the required ones. */
static json_t *object_schema(const struct api_field *fields, bool answer)
{
	json_t *properties = json_object(), *required = json_array();

	for (const struct api_field *f = fields; f != NULL && f->name != NULL; f++) {
		json_object_set_new(properties, f->name, field_schema(f));
		if (answer ? !(f->flags & API_OPTIONAL) : (f->flags & API_REQUIRED) != 0)
			json_array_append_new(required, json_string(f->name));
	}
	json_t *s = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
		"additionalProperties", 0);
	if (json_array_size(required) > 0)
		json_object_set(s, "required", required);
	json_decref(required);
	return s;
}

static json_t *content(json_t *schema)
{
	return json_pack("{s:{s:o}}", "application/json", "schema", schema);
}

static json_t *success(const struct api_route *r)
{
	json_t *schema = NULL;

	switch (r->answer) {
	case API_ANSWER_LIST:
		schema = json_pack("{s:s, s:[s, s], s:{s:{s:s, s:o}, s:{s:[s, s], s:s}}}", "type",
			"object", "required", "items", "next", "properties", "items", "type",
			"array", "items", reference(r->schema), "next", "type", "string", "null",
			"description",
			"Give it as parameter \"after\" for the next page; null on the last one.");
		break;
	case API_ANSWER_OBJECT:
	case API_ANSWER_CREATED:
		schema = r->schema != NULL ? reference(r->schema)
					   : json_pack("{s:s}", "type", "object");
		break;
	case API_ANSWER_DONE:
		return json_pack("{s:s}", "description", "Done");
	}
	return json_pack("{s:s, s:o}", "description", "Success", "content", content(schema));
}

static json_t *parameters(const struct api_route *r)
{
	struct str rest = str_from(r->pattern), piece;
	json_t *list = json_array();

	while (str_next(&rest, '/', &piece)) {
		if (piece.len > 0 && piece.p[0] == ':')
			json_array_append_new(
				list, json_pack("{s:o, s:s, s:b, s:{s:s}}", "name",
					      json_stringn(piece.p + 1, piece.len - 1), "in",
					      "path", "required", 1, "schema", "type", "string"));
	}
	if (strcmp(r->method, "GET") != 0)
		return list;
	for (const struct api_field *f = r->in; f != NULL && f->name != NULL; f++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:o}", "name", f->name, "in", "query",
				      "required", (f->flags & API_REQUIRED) != 0, "schema",
				      field_schema(f)));
	return list;
}

static json_t *operation(const struct api_route *r)
{
	static const char *const statuses[] = {
		[API_ANSWER_LIST] = "200",
		[API_ANSWER_OBJECT] = "200",
		[API_ANSWER_CREATED] = "201",
		[API_ANSWER_DONE] = "204",
	};
	json_t *responses = json_object(), *op;

	json_object_set_new(responses, statuses[r->answer], success(r));
	json_object_set_new(responses, "default",
		json_pack("{s:s, s:{s:{s:o}}}", "description", "What went wrong", "content",
			"application/problem+json", "schema", reference("Problem")));
	op = json_pack("{s:s, s:o, s:o}", "summary", r->summary, "parameters", parameters(r),
		"responses", responses);
	if (strcmp(r->method, "GET") != 0 && r->in != NULL)
		json_object_set_new(op, "requestBody",
			json_pack("{s:b, s:o}", "required", 1, "content",
				content(object_schema(r->in, false))));
	return op;
}

/* "domains/:name" is "/domains/{name}" there. */
static json_t *paths(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < api_route_count; i++) {
		struct str rest = str_from(api_routes[i].pattern), piece;
		char path[256] = "", method[8];
		size_t n = 0;
		while (str_next(&rest, '/', &piece)) {
			bool param = piece.len > 0 && piece.p[0] == ':';
			struct str name = param ? str_skip(piece, 1) : piece;
			n += (size_t)snprintf(path + n, sizeof(path) - n,
				param ? "/{%.*s}" : "/%.*s", STR_FMT(name));
		}
		(void)str_copy(method, sizeof(method), str_from(api_routes[i].method));
		str_lower(method, strlen(method));
		json_t *item = json_object_get(all, path);
		if (item == NULL) {
			item = json_object();
			json_object_set_new(all, path, item);
		}
		json_object_set_new(item, method, operation(&api_routes[i]));
	}
	return all;
}

static json_t *schemas(void)
{
	json_t *all = json_object();

	for (const struct api_schema *s = api_schemas; s->name != NULL; s++)
		json_object_set_new(all, s->name, object_schema(s->fields, true));
	json_object_set_new(all, "Problem",
		json_pack("{s:s, s:[s, s, s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s},"
			  " s:{s:s, s:{s:s, s:{s:{s:s}, s:{s:s}}}}}}",
			"type", "object", "required", "type", "title", "status", "properties",
			"type", "type", "string", "title", "type", "string", "status", "type",
			"integer", "detail", "type", "string", "errors", "type", "array", "items",
			"type", "object", "properties", "field", "type", "string", "detail", "type",
			"string"));
	return all;
}

json_t *api_openapi(void)
{
	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:o, s:[{s:[]}],"
			 " s:{s:o, s:{s:{s:s, s:s}}}}",
		"openapi", "3.1.0", "info", "title", "mox", "version", "1", "description",
		"The mail gateway's administration. Errors are RFC 9457 problem documents.",
		"servers", "url", "/api/v1", "paths", paths(), "security", "token", "components",
		"schemas", schemas(), "securitySchemes", "token", "type", "http", "scheme",
		"bearer");
}
