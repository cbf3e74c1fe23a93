/*
 * api - the handlers that the table of routes names, one file per endpoint family.
 *
 * A handler gets a complete request of a method its route allows and fills in its reply.
 *
 * Threads: handlers of pooled routes run on the query pool, the others on libmicrohttpd's threads;
 * any number at once.
 */
#ifndef HEARTH_SERVER_API_H
#define HEARTH_SERVER_API_H

#include "server/http.h"

/* api_write.c */
void api_write(struct request *req);

/* api_query.c */
void api_query(struct request *req);
void api_query_range(struct request *req);
void api_query_exemplars(struct request *req);
void api_format_query(struct request *req);
void api_parse_query(struct request *req);

/* api_labels.c */
void api_series(struct request *req);
void api_labels(struct request *req);
void api_label_values(struct request *req);

/* api_status.c */
void api_status_buildinfo(struct request *req);
void api_status_runtimeinfo(struct request *req);
void api_status_config(struct request *req);
void api_status_flags(struct request *req);
void api_status_tsdb(struct request *req);
void api_status_walreplay(struct request *req);

/* api_active.c: what runs on the query pool; killing with --web.enable-admin-api */
void api_active_queries(struct request *req);
void api_admin_kill_query(struct request *req);

/* api_discovery.c: what a Prometheus with rules and targets would list */
void api_metadata(struct request *req);
void api_rules(struct request *req);
void api_alerts(struct request *req);
void api_alertmanagers(struct request *req);
void api_targets(struct request *req);
void api_target_metadata(struct request *req);
void api_scrape_pools(struct request *req);

/* api_federate.c */
void api_federate(struct request *req);

/* api_metrics.c */
void api_metrics(struct request *req);

/* api_admin.c: with --web.enable-admin-api. Without, api_admin_allowed has filled in the reply. */
bool api_admin_allowed(struct request *req);
void api_admin_snapshot(struct request *req);
void api_admin_delete_series(struct request *req);
void api_admin_clean_tombstones(struct request *req);

/* api_debug_heap.c, api_debug_heap_release.c: with --web.enable-admin-api */
void api_debug_heap(struct request *req);
void api_debug_heap_release(struct request *req);

/* api_health.c */
void api_root(struct request *req);
void api_healthy(struct request *req);
void api_ready(struct request *req);
void api_quit(struct request *req);
void api_reload(struct request *req);

#endif
