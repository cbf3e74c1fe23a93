/* fork - all locks, lowest rank first; let go in the opposite order. */
#include "alloc/fork.h"

#include "alloc/cache.h"
#include "alloc/central.h"
#include "alloc/meta.h"
#include "alloc/page_heap.h"
#include "alloc/scavenge.h"
#include "alloc/transfer.h"

void fork_prepare(void)
{
    struct page_heap_stats unread;
    scavenge_hold();
    cache_hold();
    transfer_hold_all();
    central_hold_all();
    page_heap_hold(&unread);
    meta_hold();
}

void fork_done(void)
{
    meta_let_go();
    page_heap_let_go();
    central_let_go_all();
    transfer_let_go_all();
    cache_let_go();
    scavenge_let_go();
}

void fork_done_in_child(void)
{
    cache_forget_others();
    fork_done();
}
