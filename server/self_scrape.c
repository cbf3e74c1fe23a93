/* self_scrape - a metric sink that appends to storage. */
#include "server/self_scrape.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "model/label_bytes.h"
#include "server/hearth.h"
#include "server/metrics.h"
#include "storage/appender.h"
#include "wire/exposition.h"

enum { OWN_LABELS = 3 }; /* __name__, instance, job */

/* One scrape under way. */
struct scrape {
    struct appender *appender;
    struct arena mem;
    struct str instance;
    int64_t t_ms;
    const char *family;
    uint64_t samples;
    enum status status; /* sticky */
    struct error err;
};

static void on_family(void *self, const char *name, enum metric_type type, const char *help)
{
    (void)type;
    (void)help;
    struct scrape *scrape = self;
    scrape->family = name;
}

static struct str join(struct arena *a, struct str front, struct str back)
{
    char *text = arena_alloc(a, front.size + back.size + 1);
    if (!text) return (struct str){0};
    memcpy(text, front.data, front.size);
    memcpy(text + front.size, back.data, back.size + 1);
    return (struct str){text, front.size + back.size};
}

/* A scrape has the series of the one before, in the same order: they are found as those of a sender
 * are. */
static enum status stage(struct scrape *scrape, struct labels set, const struct sample *sample)
{
    struct appender *app = scrape->appender;
    struct str message = label_bytes_of(set, &scrape->mem);
    size_t matched = 0;
    struct series *s = message.data ? appender_expect(app, message, &matched) : NULL;
    if (!s || matched < message.size) s = appender_find(app, set);
    return s ? appender_add_to(app, s, sample, 1, &scrape->err)
             : appender_add(app, set, sample, 1, &scrape->err);
}

static void on_sample(void *self, const char *suffix, const struct label *labels,
                      size_t label_count, double v)
{
    struct scrape *scrape = self;
    if (scrape->status) return;
    struct labels set;
    struct label *items =
        arena_alloc_array(&scrape->mem, label_count + OWN_LABELS, sizeof(struct label));
    struct sample *sample = arena_alloc(&scrape->mem, sizeof(*sample));
    struct str name = join(&scrape->mem, str_from(scrape->family), str_from(suffix));
    if (!items || !sample || !name.data) {
        scrape->status = arena_error(&scrape->mem, &scrape->err);
        return;
    }
    *sample = (struct sample){scrape->t_ms, v};
    for (size_t i = 0; i < label_count; i++) {
        items[i].name = labels[i].name; /* names are literals, values may be of the moment */
        items[i].value = arena_copy(&scrape->mem, labels[i].value);
        if (!items[i].value.data) {
            scrape->status = arena_error(&scrape->mem, &scrape->err);
            return;
        }
    }
    items[label_count] = (struct label){LABEL_METRIC_NAME, name};
    items[label_count + 1] = (struct label){STR("instance"), scrape->instance};
    items[label_count + 2] = (struct label){STR("job"), STR("prometheus")};
    scrape->status = labels_normalize(items, label_count + OWN_LABELS, &set, &scrape->err);
    if (!scrape->status) scrape->status = stage(scrape, set, sample);
    scrape->samples++;
}

static void add_own(struct scrape *scrape, const char *name, double v)
{
    on_family(scrape, name, METRIC_GAUGE, "");
    on_sample(scrape, "", NULL, 0, v);
}

/* What a scrape says about itself. Series are added when there are more than last time: the set of
 * our metrics only grows. */
static void add_scrape_series(struct self_scrape *s, struct scrape *scrape, int64_t start_ns)
{
    uint64_t scraped = scrape->samples;
    uint64_t added = scraped > s->sample_count ? scraped - s->sample_count : 0;
    s->sample_count = scraped;
    add_own(scrape, "up", 1);
    add_own(scrape, "scrape_duration_seconds", (double)(clock_mono_ns() - start_ns) / 1e9);
    add_own(scrape, "scrape_samples_scraped", (double)scraped);
    add_own(scrape, "scrape_samples_post_metric_relabeling", (double)scraped);
    add_own(scrape, "scrape_series_added", (double)added);
}

static enum status commit(struct scrape *scrape)
{
    struct append_result result;
    if (scrape->status) {
        appender_abort(scrape->appender);
        return scrape->status;
    }
    enum status st = appender_commit(scrape->appender, &result, &scrape->err);
    if (st) return st;
    for (size_t reason = 0; reason < REFUSED_REASON_COUNT; reason++)
        if (result.refused[reason])
            return error_set(&scrape->err, ERR_UNAVAILABLE, "samples refused: %s",
                             sample_refusal_name((enum sample_refusal)reason));
    return OK;
}

static enum status scrape_once(struct self_scrape *s, struct scrape *scrape)
{
    int64_t start_ns = clock_mono_ns();
    struct metric_sink sink = {.self = scrape, .family = on_family, .sample = on_sample};
    enum status st = appender_begin(s->app->storage, &scrape->mem, &scrape->appender, &scrape->err);
    if (st) return st;
    metrics_collect(s->app, &sink);
    add_scrape_series(s, scrape, start_ns);
    st = commit(scrape);
    gauge_set(&s->last_ms, scrape->t_ms);
    gauge_set(&s->last_ns, clock_mono_ns() - start_ns);
    return st;
}

static int64_t scrape_round(void *arg)
{
    struct self_scrape *s = arg;
    struct scrape scrape = {.instance = str_from(http_address(s->app->http, 0)),
                            .t_ms = storage_now_ms(s->app->storage)};
    arena_init(&scrape.mem, HEAP_PROCESS, SELF_SCRAPE_ARENA_BYTES_MAX);
    if (scrape_once(s, &scrape) != OK) {
        counter_add(&s->failures, 1);
        log_debug("self-scrape", "not all of our own metrics were stored", "err=%s",
                  LOG_TEXT(str_from(scrape.err.text)));
    }
    arena_release(&scrape.mem);
    return s->app->config.self_scrape_ms;
}

enum status self_scrape_start(struct self_scrape *s, struct hearth *app, struct error *err)
{
    s->app = app;
    if (app->config.self_scrape_ms == 0) return OK;
    return ticker_start(&s->ticker, "self-scrape", scrape_round, s, err);
}

void self_scrape_stop(struct self_scrape *s)
{
    ticker_stop(&s->ticker);
}
