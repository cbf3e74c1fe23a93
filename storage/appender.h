/*
 * appender - one batch of samples: staged, applied, logged, acknowledged.
 *
 *     appender_begin -> appender_add ... -> appender_commit     (or appender_abort)
 *
 * Adding only stages: no series is created, no sample stored. Commit takes one shard after the
 * other, appends under its lock (storage/commit.c), and then hands what was accepted to the journal
 * (storage/journal.h says why in this order). Good samples are kept whatever happens to bad ones.
 *
 * Who has the labels as remote write sends them does not take them apart for series that are there:
 *
 *     s = appender_expect(app, message, &label_bytes);     the one that followed last time
 *     if (!s) s = appender_find(app, labels);              20 times slower
 *     s ? appender_add_to(app, s, ...) : appender_add(app, labels, ...)
 *
 * Samples may come in any order inside the retained windows: in order is the fast path, late ones
 * go to the chunk's late run. Same time and same bits: a no-op that still counts as stored (and is
 * logged again). Same time, other bits: refused.
 *
 * Threads: an appender belongs to one thread; any number of appenders at once.
 * Ownership: labels and samples are viewed until commit; storage copies what it keeps. A series
 * that was found stays readable until commit or abort; should it be forgotten meanwhile, it is made
 * again.
 */
#ifndef HEARTH_STORAGE_APPENDER_H
#define HEARTH_STORAGE_APPENDER_H

#include "alloc/arena.h"
#include "storage/storage.h"

struct appender;
struct series;

/* What became of a batch. first_refused is for people: up to APPEND_EXAMPLES refusals with series,
 * time and reason, one per line of the answer. */
enum { APPEND_EXAMPLES = 5 };
struct append_refusal {
    enum sample_refusal reason;
    struct labels labels; /* of the series; views, or on the appender's arena */
    struct sample sample;
};
struct append_result {
    uint64_t stored;     /* new samples, in memory and (on OK) in the journal */
    uint64_t duplicates; /* held already */
    uint64_t refused[REFUSED_REASON_COUNT];
    struct append_refusal examples[APPEND_EXAMPLES];
    size_t example_count;
};

/* The arena lives at least until commit or abort, one of which has to come. */
MUST_USE enum status appender_begin(struct storage *db, struct arena *a, struct appender **out,
                                    struct error *err);

/* The samples of series that are not known yet are refused (REFUSED_NEW_SERIES): memory is short.
 */
void appender_refuse_new_series(struct appender *app);

/* Its samples come from outside, by other clocks: when ours has jumped, they say whether it is
 * right (storage/present.h). */
void appender_is_witness(struct appender *app);
/* What it adds comes from the journal, and is not handed to it again. */
void appender_is_logged(struct appender *app);

/* Stage samples of one series; labels and samples stay where they are until the batch is committed
 * or aborted. labels: normalized (model/labels.h), with __name__ or not.
 * ERR_NO_MEMORY, ERR_TOO_LARGE: the arena, or too many labels or series; abort then. */
MUST_USE enum status appender_add(struct appender *app, struct labels labels,
                                  const struct sample *samples, size_t count, struct error *err);

/* The series whose labels are at the start of the message, in the form of model/label_bytes.h, if
 * it is one of those that are due by the order of earlier batches; *label_bytes of the message are
 * compared, more labels may follow. LABEL_BYTES_FRONT bytes in front of it are readable. NULL: ask
 * appender_find. */
struct series *appender_expect(struct appender *app, struct str message, size_t *label_bytes);
/* The series with these labels, which may be in disorder or not even legal: NULL then, or when
 * there is none. In a run of new series not each is looked for: NULL, and commit finds it if it is
 * there. */
struct series *appender_find(struct appender *app, struct labels labels);
/* Stage samples of a series that was found since appender_begin. As appender_add. */
MUST_USE enum status appender_add_to(struct appender *app, struct series *s,
                                     const struct sample *samples, size_t count, struct error *err);
/* The same for who knows every series and never asks for the ones that are due: what comes next is
 * not looked up. */
MUST_USE enum status appender_add_known(struct appender *app, struct series *s,
                                        const struct sample *samples, size_t count,
                                        struct error *err);

/* Apply and log. The appender is finished whatever comes back; *result is always filled.
 *
 * OK                what could be stored is stored and logged; look at result->refused
 * ERR_UNAVAILABLE   the journal cannot log it now; or the clock is in doubt, and with it whether
 *                   some samples are retained; or what an earlier process stored of their time is
 *                   just being read
 * ERR_IO            the journal failed
 * ERR_NO_MEMORY, ERR_TOO_LARGE   the journal or the arena
 *
 * When it is not OK, nothing of the batch may be acknowledged. Its samples may be visible, and the
 * same batch may be sent again. */
MUST_USE enum status appender_commit(struct appender *app, struct append_result *result,
                                     struct error *err);
void appender_abort(struct appender *app);

#endif
