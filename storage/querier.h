/*
 * querier - reading: matchers and a time range to series, series to columns of samples.
 *
 *     querier_open -> querier_select -> series_reader_next ... -> querier_close
 *
 * A querier pins the epoch: what it selected stays readable until it is closed, while writers,
 * expiry and snapshots go on. It sees every request acknowledged before it was opened, perhaps one
 * that was applied and not acknowledged yet, and nothing of later ones (storage/view.h). Times
 * outside the retained windows (by the clock at open) are not seen.
 *
 * What is selected is an array of pointers: many queries look at a hundred thousand series and ask
 * none of them for its labels.
 *
 * Threads: one querier belongs to one query; after select, series may be read, and asked for their
 * labels, on several threads at once, each with its own columns. Ownership: series and the texts of
 * their labels live until querier_close; arrays are on the arena.
 */
#ifndef HEARTH_STORAGE_QUERIER_H
#define HEARTH_STORAGE_QUERIER_H

#include "alloc/arena.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "storage/columns.h"
#include "storage/storage.h"

struct querier;
struct series;

struct selection {
    const struct series **series; /* sorted by labels when asked for, else in no order */
    /* For a reader of these series: when the newest sample of each was (storage/newest.h). NULL
     * when they are sorted, and where windows are too long for that. */
    const uint32_t *newest_words;
    size_t count;
};

/* On the arena. ERR_NO_MEMORY, ERR_TOO_LARGE: the arena; ERR_NO_MEMORY: the limit. */
MUST_USE enum status querier_open(struct storage *db, struct arena *a, struct querier **out,
                                  struct error *err);
void querier_close(struct querier *q);

/* Series that match all matchers and have a chunk that overlaps [t_min_ms, t_max_ms] (both
 * inclusive). An empty matcher list selects every series. ERR_TOO_LARGE, ERR_NO_MEMORY from the
 * arena, or what tick says. */
struct select_request {
    const struct matcher *matchers;
    /* Told now and then of the work done with regular expressions, of which there is no end; what
     * it returns, if not OK, ends the selecting. May be NULL. */
    enum status (*tick)(void *self, uint64_t work, struct error *err);
    void *tick_self;
    size_t matcher_count;
    int64_t t_min_ms;
    int64_t t_max_ms;
    bool sorted;
    size_t limit; /* stop after so many series (names, values in lists); 0: all */
};
MUST_USE enum status querier_select(struct querier *q, const struct select_request *request,
                                    struct selection *out, struct error *err);

/* The label set of a series, as views written to items[series_label_count]. */
size_t series_label_count(const struct series *s);
struct labels series_labels(const struct series *s, struct label *items);
/* The order of label sets, as labels_compare. */
int series_compare(const struct series *a, const struct series *b);
/* Whether some of the series have a label of this name. */
bool selection_has_label(struct querier *q, const struct selection *selection, struct str name);

/* The value of a label; size 0 when there is none. */
struct str series_label(const struct series *s, struct str name);

/* Classes of series: those of one class have the same labels under some names, or, without, under
 * all others. Series of two classes nearly always differ there; whoever has to know compares labels
 * once per class. One thread at a time. */
struct series_classes;
struct series_classes_request {
    const struct str *names; /* they live as long as the classes */
    size_t name_count;
    bool without;
};
MUST_USE enum status series_classes_create(struct querier *q,
                                           const struct series_classes_request *request,
                                           struct arena *a, struct series_classes **out,
                                           struct error *err);
/* Classes are numbered from 0 in the order of their first series, for which *is_new.
 * ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. */
MUST_USE enum status series_classes_find(struct series_classes *c, const struct series *s,
                                         uint32_t *number, bool *is_new, struct error *err);

/* Samples of one series with t_min_ms <= t <= t_max_ms, stale markers included, replacing what the
 * columns held. ERR_CORRUPT when a chunk does not decode (it names series and window). */
MUST_USE enum status series_read(struct querier *q, const struct series *s, int64_t t_min_ms,
                                 int64_t t_max_ms, struct columns *columns, struct error *err);

/* The same for who needs only the newest of these samples: others may be left out. Most often that
 * is known without decoding. */
MUST_USE enum status series_read_newest(struct querier *q, const struct series *s, int64_t t_min_ms,
                                        int64_t t_max_ms, struct columns *columns,
                                        struct error *err);

/* Reading many series, one after the other: several are decoded at once, and memory is asked for
 * ahead. Threads: one at a time; several readers of a querier may be at work. On the arena, as what
 * it reads. ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. */
struct series_reader;
struct series_reader_request {
    const struct series *const *series; /* [count], for as long as the reader is used */
    size_t count;
    int64_t t_min_ms;
    int64_t t_max_ms;
    bool newest;                  /* as series_read_newest, else as series_read */
    bool times_later;             /* the caller asks for those of chains (columns_lay_times) */
    const uint32_t *newest_words; /* [count], the selection's, or NULL */
};
MUST_USE enum status series_reader_create(struct querier *q,
                                          const struct series_reader_request *request,
                                          struct arena *a, struct series_reader **out,
                                          struct error *err);
/* From now on the caller looks at times alone: of values it is only right which are stale markers.
 * Whether a series has a sample now is mostly known without a look at it. Only for readers of the
 * newest samples that have newest_words. */
void series_reader_skip_values(struct series_reader *r);
/* Pass over the series that come next as long as it is known in that way that they have a sample;
 * how many. */
MUST_USE size_t series_reader_pass_known(struct series_reader *r);
/* The next series and its samples, which are the caller's to change until the next call; who
 * changes times says so (columns_forget_chain). *series is NULL behind the last. Statuses as
 * series_read. */
MUST_USE enum status series_reader_next(struct series_reader *r, const struct series **series,
                                        struct columns **columns, struct error *err);

/* Distinct label names, or values of one name, sorted; of the series that match and overlap the
 * range as in select, whose statuses these are. Without matchers no series is touched, and names
 * and values of later requests may be among them. */
struct str_list {
    struct str *items;
    size_t count;
};
MUST_USE enum status querier_label_names(struct querier *q, const struct select_request *request,
                                         struct str_list *out, struct error *err);
MUST_USE enum status querier_label_values(struct querier *q, struct str name,
                                          const struct select_request *request,
                                          struct str_list *out, struct error *err);

#endif
