/*
 * commit - applying what an appender has staged: shard by shard, then the journal.
 */
#ifndef HEARTH_STORAGE_COMMIT_H
#define HEARTH_STORAGE_COMMIT_H

#include "storage/staged.h"

/* As appender_commit; the appender's pin is left to the caller. */
MUST_USE enum status commit(struct appender *app, struct append_result *result, struct error *err);

#endif
