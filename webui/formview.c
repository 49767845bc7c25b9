#include "webui/formview.h"

static const char *const protocol_names[] = {
	[STORE_PROTOCOL_SMTP] = "smtp",
	[STORE_PROTOCOL_LMTP] = "lmtp",
};

static const struct {
	const char *value, *label;
} tls_modes[] = {
	[STORE_TLS_NONE] = {"none", "None: plaintext only"},
	[STORE_TLS_OPPORTUNISTIC] = {"opportunistic",
		"When offered: STARTTLS, certificate not checked"},
	[STORE_TLS_REQUIRED] = {"required", "Always: STARTTLS, certificate not checked"},
	[STORE_TLS_VERIFY] = {"verify", "Always: STARTTLS, certificate must be valid"},
	[STORE_TLS_IMMEDIATE] = {"immediate",
		"TLS from the start, certificate must be valid (port 465)"},
};

void formview_open(struct formview *f, struct page *p, const struct admin_problems *problems)
{
	*f = (struct formview){.page = p, .problems = problems};
	f->sections = tval_set_list(p->arena, p->view, "sections");
}

void formview_section(struct formview *f, const char *legend, const char *when)
{
	struct tval *section = tval_add_map(f->page->arena, f->sections);

	tval_set_text(f->page->arena, section, "legend", legend);
	tval_set_text(f->page->arena, section, "when", when);
	f->fields = tval_set_list(f->page->arena, section, "fields");
}

/* The problems of this field, so that they stand beside it. */
static void problems_set(struct formview *f, struct tval *field, const char *name)
{
	struct tval *list = tval_set_list(f->page->arena, field, "problems");

	for (size_t i = 0; f->problems != NULL && i < f->problems->count; i++) {
		if (strcmp(f->problems->at[i].field, name) != 0)
			continue;
		tval_add_text(f->page->arena, list, f->problems->at[i].text);
		f->shown[i] = true;
	}
	tval_set_flag(f->page->arena, field, "invalid", tval_truth(list));
}

static struct tval *field_add(
	struct formview *f, const char *kind, const char *name, const char *label, const char *hint)
{
	struct arena *a = f->page->arena;
	struct tval *field = tval_add_map(a, f->fields);

	tval_set_flag(a, field, kind, true);
	tval_set_text(a, field, "name", name);
	tval_set_text(a, field, "label", label);
	tval_set_text(a, field, "hint", hint);
	problems_set(f, field, name);
	/* For the label's and describedby's sake a missing hint is an empty text, not the
	 * one of an outer scope. */
	tval_set_flag(a, field, "described", hint != NULL && hint[0] != '\0');
	return field;
}

static struct str shown_value(const struct formview *f, const char *name, struct str value)
{
	return page_has_form(f->page) ? urlform_get(&f->page->form, name) : value;
}

void formview_text(
	struct formview *f, const char *name, const char *label, struct str value, const char *hint)
{
	struct tval *field = field_add(f, "is_text", name, label, hint);

	tval_set_str(f->page->arena, field, "value", shown_value(f, name, value));
}

void formview_area(
	struct formview *f, const char *name, const char *label, struct str value, const char *hint)
{
	struct tval *field = field_add(f, "is_area", name, label, hint);

	tval_set_str(f->page->arena, field, "value", shown_value(f, name, value));
}

void formview_secret(struct formview *f, const char *name, const char *label, const char *hint)
{
	(void)field_add(f, "is_secret", name, label, hint);
}

void formview_check(
	struct formview *f, const char *name, const char *label, bool on, const char *hint)
{
	struct tval *field = field_add(f, "is_check", name, label, hint);

	if (page_has_form(f->page))
		on = urlform_has(&f->page->form, name);
	tval_set_flag(f->page->arena, field, "on", on);
}

static void choice_add(struct formview *f, const char *kind, const char *name, const char *label,
	const char *chosen, const char *hint)
{
	struct tval *field = field_add(f, kind, name, label, hint);

	f->chosen = shown_value(f, name, str_from(chosen));
	f->options = tval_set_list(f->page->arena, field, "options");
}

void formview_radio(struct formview *f, const char *name, const char *label, const char *chosen,
	const char *hint)
{
	choice_add(f, "is_radio", name, label, chosen, hint);
}

void formview_select(struct formview *f, const char *name, const char *label, const char *chosen,
	const char *hint)
{
	choice_add(f, "is_select", name, label, chosen, hint);
}

void formview_option(
	struct formview *f, const char *value, const char *label, const char *explanation)
{
	struct arena *a = f->page->arena;
	struct tval *option = tval_add_map(a, f->options);

	tval_set_text(a, option, "value", value);
	tval_set_text(a, option, "label", label);
	tval_set_text(a, option, "explanation", explanation);
	tval_set_flag(a, option, "on", str_eq(f->chosen, str_from(value)));
}

void formview_render(struct formview *f, const char *title, const char *intro, const char *submit,
	const char *cancel, const char *remove)
{
	struct page *p = f->page;
	struct tval *rest = tval_set_list(p->arena, p->view, "form_problems");
	size_t count = f->problems != NULL ? f->problems->count : 0;

	for (size_t i = 0; i < count; i++) {
		if (!f->shown[i])
			tval_add_text(p->arena, rest, f->problems->at[i].text);
	}
	tval_set_text(p->arena, p->view, "intro", intro);
	tval_set_text(p->arena, p->view, "submit", submit);
	tval_set_text(p->arena, p->view, "cancel", cancel);
	tval_set_text(p->arena, p->view, "remove", remove);
	tval_set_flag(p->arena, p->view, "kept", p->kept);
	tval_set_flag(p->arena, p->view, "refused", count > 0);
	if (count > 0)
		tval_set_text(p->arena, p->view, "refused_text",
			count == 1 ? "Nothing was saved: one entry needs a correction."
				   : "Nothing was saved: some entries need a correction.");
	page_render(p, count > 0 ? 422 : 200, "form", title);
}

void formview_confirm(
	struct page *p, const char *title, const char *text, const char *submit, const char *cancel)
{
	tval_set_text(p->arena, p->view, "text", text);
	tval_set_text(p->arena, p->view, "submit", submit);
	tval_set_text(p->arena, p->view, "cancel", cancel);
	page_render(p, 200, "confirm", title);
}

/* --- relay --- */

static struct str hosts_text(struct arena *a, const struct store_relay *relay)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = 0; i < relay->host_count; i++) {
		buf_raw(&b, relay->hosts[i]);
		buf_byte(&b, '\n');
	}
	struct str text = arena_str(a, buf_str(&b));
	buf_free(&b);
	return text;
}

void formview_relay(struct formview *f, const struct store_relay *relay, enum formview_relay which)
{
	formview_area(f, "relay_hosts", "Servers", hosts_text(f->page->arena, relay),
		"One host:port a line, for example mail.internal:25. The first that answers is "
		"used.");
	if (which == FORMVIEW_RELAY_FULL) {
		formview_select(
			f, "relay_protocol", "Protocol", protocol_names[relay->protocol], "");
		formview_option(f, "smtp", "SMTP", "");
		formview_option(f, "lmtp", "LMTP", "");
	}
	formview_select(f, "relay_tls", "Encryption", tls_modes[relay->tls].value, "");
	for (size_t i = 0; i < sizeof(tls_modes) / sizeof(tls_modes[0]); i++)
		formview_option(f, tls_modes[i].value, tls_modes[i].label, "");
	formview_text(f, "relay_username", "User name", relay->username,
		"Empty when the servers ask for none.");
	formview_secret(f, "relay_password", "Password",
		relay->password.len > 0 ? "One is stored. Leave empty to keep it." : "");
}

void formview_relay_read(const struct page *p, struct store_relay *relay)
{
	struct str tls = page_field(p, "relay_tls");
	struct str password = urlform_get(&p->form, "relay_password");

	/* All lines as one: policy/admin takes them apart. */
	relay->hosts[0] = page_field(p, "relay_hosts");
	relay->host_count = relay->hosts[0].len > 0;
	relay->protocol = str_eq(page_field(p, "relay_protocol"), STR("lmtp"))
				  ? STORE_PROTOCOL_LMTP
				  : STORE_PROTOCOL_SMTP;
	for (size_t i = 0; i < sizeof(tls_modes) / sizeof(tls_modes[0]); i++) {
		if (str_eq(tls, str_from(tls_modes[i].value)))
			relay->tls = (enum store_tls_mode)i;
	}
	relay->username = page_field(p, "relay_username");
	if (password.len > 0)
		relay->password = password;
	else if (relay->username.len == 0)
		relay->password = STR("");
}
