/* pages - the function behind each page; templates/ has a file of the same name. */
#ifndef WEBUI_PAGES_H
#define WEBUI_PAGES_H

#include "webui/page.h"

void page_dashboard(struct page *p);

void page_machine(struct page *p);
void page_metrics_shown(struct page *p);

void page_log(struct page *p);
void page_log_tail(struct page *p); /* a stream, see tail.h */
void page_log_keep(struct page *p);
void page_log_entry(struct page *p);

void page_queue(struct page *p);
void page_queue_confirm(struct page *p);
void page_queue_act(struct page *p);
void page_message(struct page *p);
void page_message_act(struct page *p);

void page_holds(struct page *p);
void page_hold_new(struct page *p);
void page_hold_apply(struct page *p);
void page_hold_delete(struct page *p);

void page_domains(struct page *p);
void page_domain(struct page *p);
void page_domain_new(struct page *p);
void page_domain_edit(struct page *p);
void page_domain_delete(struct page *p);
void page_address_new(struct page *p);
void page_address_edit(struct page *p);
void page_address_delete(struct page *p);

/* Checks of incoming mail; the first fills its section of the domain's page. */
int page_domain_policy(struct page *p, const struct store_domain *d, struct err *err) MUST_USE;
void page_mailpolicy(struct page *p);

/* DKIM keys; the first fills its section of the domain's page, the last adds notices. */
int page_domain_dkim(struct page *p, const struct store_domain *d, struct err *err) MUST_USE;
void page_domain_arc(struct page *p);
void page_selector_new(struct page *p);
void page_selector(struct page *p);
void page_selector_edit(struct page *p);
void page_selector_delete(struct page *p);
int page_dkim_notices(struct page *p, struct err *err) MUST_USE;

void page_sealers(struct page *p);
void page_sealer_new(struct page *p);
void page_sealer_edit(struct page *p);
void page_sealer_delete(struct page *p);

void page_accounts(struct page *p);
void page_account_new(struct page *p);
void page_account_edit(struct page *p);
void page_account_delete(struct page *p);

void page_routes(struct page *p);
void page_route_new(struct page *p);
void page_route_edit(struct page *p);
void page_route_delete(struct page *p);
void page_route_move(struct page *p);
void page_transport_new(struct page *p);
void page_transport_edit(struct page *p);
void page_transport_delete(struct page *p);

void page_lists(struct page *p);
void page_list_new(struct page *p);
void page_list_edit(struct page *p);
void page_list_delete(struct page *p);
void page_blocklist_new(struct page *p);
void page_blocklist_edit(struct page *p);
void page_blocklist_delete(struct page *p);
void page_transport_test(struct page *p);
void page_domain_test(struct page *p);
void page_address_test(struct page *p);
void page_listeners(struct page *p);
void page_networks(struct page *p);
void page_network_new(struct page *p);
void page_network_edit(struct page *p);
void page_network_delete(struct page *p);

void page_simulate(struct page *p);
void page_destinations(struct page *p);
void page_destination_new(struct page *p);
void page_destination_edit(struct page *p);
void page_destination_delete(struct page *p);
void page_quarantine(struct page *p);
void page_quarantine_act(struct page *p);
void page_quarantine_keep(struct page *p);
void page_quarantine_message(struct page *p);
void page_quarantine_html(struct page *p);

void page_tokens(struct page *p);
void page_token_delete(struct page *p);

void page_mtasts(struct page *p);
void page_mtasts_act(struct page *p);
void page_tlsresults(struct page *p);
void page_reports(struct page *p);
void page_reports_keep(struct page *p);
void page_reports_list(struct page *p);
void page_reports_csv(struct page *p);
void page_report(struct page *p);
void page_report_json(struct page *p);
void page_reports_token(struct page *p);
/* The section of a domain's page, and its form. */
int page_domain_tlsrpt(struct page *p, const struct store_domain *d, struct err *err) MUST_USE;
void page_domain_tlsrpt_post(struct page *p);
/* Outside base: /.well-known/tlsrpt/TOKEN. */
void page_report_post(struct page *p, struct str token);
void page_tlssent(struct page *p);
void page_tlssent_act(struct page *p);
void page_tlssent_json(struct page *p);

void page_password(struct page *p);

void page_login(struct page *p);
void page_login_post(struct page *p);
void page_logout(struct page *p);

/* Outside base. */
void page_static(struct page *p, struct str path);
void page_health(struct page *p);
void page_ready(struct page *p);
void page_metrics(struct page *p);
/* What page_metrics answers with; a page for people shows the same. */
int metrics_write(struct page *p, struct buf *b, struct err *err) MUST_USE;

#endif
