/* leaks - one walk over all spans, sums by the number of the place; of regions, what the books say.
 */
#include "alloc/leaks.h"

#include <inttypes.h>
#include <string.h>

#include "alloc/live.h"
#include "alloc/memstats.h"
#include "alloc/page_heap.h"
#include "alloc/place.h"
#include "alloc/tally.h"
#include "alloc/tiny.h"
#include "base/log.h"

enum { REPORT_MAX = 32 };

/* Behind the places, by tag: objects of places that are not known, and those of regions. */
enum {
    SUM_NOWHERE = PLACE_SLOTS,
    SUM_REGIONS = SUM_NOWHERE + HEAP_TAG_COUNT,
    SUM_COUNT = SUM_REGIONS + HEAP_TAG_COUNT
};

struct sum {
    uint64_t objects;
    uint64_t bytes;
};

static void add_object(void *arg, const struct live_note *note, uint64_t bytes)
{
    struct sum *sums = arg;
    size_t nowhere = SUM_NOWHERE + note->owner - 1u;
    struct sum *sum = &sums[note->allocated == PLACE_NOWHERE ? nowhere : note->allocated];
    sum->objects++;
    sum->bytes += bytes;
}

static void add_span(void *sums, struct span *span)
{
    live_visit(span, add_object, sums);
}

static void add_regions(struct sum *sums)
{
    for (unsigned t = 0; t < HEAP_TAG_COUNT; t++) {
        struct sum *sum = &sums[SUM_REGIONS + t];
        for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++)
            sum->objects += tally_read(&tally_regions.objects[c].given[t]) -
                            tally_read(&tally_regions.objects[c].taken[t]);
        sum->bytes = tally_read(&tally_regions.large_bytes.given[t]) -
                     tally_read(&tally_regions.large_bytes.taken[t]);
    }
}

static void add_up(struct sum *sums)
{
    tiny_flush_thread(); /* blocks that this thread would fill further are nobody's */
    memset(sums, 0, SUM_COUNT * sizeof(*sums));
    if (!HEARTH_DEBUG) return;
    page_heap_visit(add_span, sums);
    add_regions(sums);
}

static struct leak leak_of(size_t number, const struct sum *sum)
{
    struct place place = place_at(number < PLACE_SLOTS ? (uint16_t)number : PLACE_NOWHERE);
    if (number >= SUM_REGIONS)
        place = (struct place){.file = "regions", .tag = (enum heap_tag)(number - SUM_REGIONS)};
    else if (number >= SUM_NOWHERE)
        place.tag = (enum heap_tag)(number - SUM_NOWHERE);
    return (struct leak){.file = place.file,
                         .line = place.line,
                         .tag = place.tag,
                         .objects = sum->objects,
                         .bytes = sum->bytes};
}

/* The sum with most bytes; SUM_COUNT when all are 0. */
static size_t largest(const struct sum *sums)
{
    size_t best = SUM_COUNT;
    for (size_t i = 0; i < SUM_COUNT; i++)
        if (sums[i].objects && (best == SUM_COUNT || sums[i].bytes > sums[best].bytes)) best = i;
    return best;
}

size_t leaks_read(struct leak *out, size_t max)
{
    struct sum sums[SUM_COUNT];
    size_t count = 0;
    add_up(sums);
    for (size_t i = 0; i < SUM_COUNT; i++)
        count += sums[i].objects != 0;
    for (size_t i = 0; i < max && i < count; i++) {
        size_t best = largest(sums);
        out[i] = leak_of(best, &sums[best]);
        sums[best].objects = 0;
    }
    return count;
}

uint64_t leaks_objects(void)
{
    struct sum sums[SUM_COUNT];
    uint64_t objects = 0;
    add_up(sums);
    for (size_t i = 0; i < SUM_COUNT; i++)
        objects += sums[i].objects;
    return objects;
}

uint64_t leaks_report(enum heap_tag without)
{
    struct sum sums[SUM_COUNT];
    uint64_t objects = 0;
    int reported = 0;
    add_up(sums);
    for (size_t best; (best = largest(sums)) < SUM_COUNT; sums[best].objects = 0) {
        struct leak leak = leak_of(best, &sums[best]);
        if (leak.tag == without) continue;
        objects += leak.objects;
        if (reported++ >= REPORT_MAX) continue;
        log_warn("heap", "still allocated",
                 "tag=%s place=%s:%" PRIu32 " objects=%" PRIu64 " bytes=%" PRIu64,
                 heap_tag_name(leak.tag), leak.file, leak.line, leak.objects, leak.bytes);
    }
    return objects;
}
