/* live - notes behind the bits of each span, a pattern in what is nobody's, and the last words. */
#include "alloc/live.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "alloc/memstats.h"
#include "alloc/os.h"
#include "alloc/page_map.h"
#include "alloc/place.h"
#include "base/assert.h"

_Static_assert(sizeof(struct live_note) == SPAN_NOTE_BYTES, "alloc/span.h leaves room for notes");

typedef _Atomic(struct live_note) atomic_note;

/* An object's slot; a large object has the only slot of its span. */
struct live_slot {
    const uint8_t *start;
    uint64_t bytes;
    unsigned size_class;
    atomic_note *note;
};

static atomic_note *notes_of(struct span *span)
{
    return (atomic_note *)(void *)(span->words + span_inline_words(span->size_class));
}

static uint32_t slots_of(const struct span *span)
{
    return span->size_class == SIZE_CLASS_LARGE ? 1 : span_slots(span);
}

static uint64_t slot_bytes(const struct span *span)
{
    return span->size_class == SIZE_CLASS_LARGE ? (uint64_t)span->pages << PAGE_SHIFT
                                                : size_classes[span->size_class].bytes;
}

static struct live_slot slot_at(struct span *span, uint32_t index)
{
    uint64_t bytes = slot_bytes(span);
    return (struct live_slot){.start = page_map_address(span->page) + index * bytes,
                              .bytes = bytes,
                              .size_class = span->size_class,
                              .note = &notes_of(span)[index]};
}

static struct live_note load(const atomic_note *note)
{
    return atomic_load_explicit(note, memory_order_acquire);
}

static void store(atomic_note *note, struct live_note value)
{
    atomic_store_explicit(note, value, memory_order_release);
}

/* The last words: everything known of the object, and the place of the call that found out. */
static NO_RETURN COLD void end(const char *what, const void *p, const struct live_slot *slot)
{
    const struct place here = place_said();
    const struct live_note note = load(slot->note);
    const struct place allocated = place_at(note.allocated);
    const struct place freed = place_at(note.freed);
    char text[400];
    int length = snprintf(
        text, sizeof(text), "%s: address=%p object=%p bytes=%llu class=%u tag=%s allocated=%s:%u",
        what, p, (const void *)slot->start, (unsigned long long)(slot->bytes - note.slack),
        size_classes[slot->size_class].bytes,
        note.owner ? heap_tag_name((enum heap_tag)(note.owner - 1)) : "none", allocated.file,
        allocated.line);
    if (note.freed && length > 0 && (size_t)length < sizeof(text))
        snprintf(text + length, sizeof(text) - (size_t)length, " freed=%s:%u", freed.file,
                 freed.line);
    assert_failed(here.file, (int)here.line, "heap", text);
}

static NO_RETURN COLD void end_unknown(const void *p)
{
    const struct place here = place_said();
    char text[100];
    snprintf(text, sizeof(text), "no object of this heap: address=%p", p);
    assert_failed(here.file, (int)here.line, "heap", text);
}

/* The span whose slots p may be one of; NULL when p points to free pages or into the pages of a
 * large object. */
static struct span *span_at(const void *p)
{
    size_t offset = page_map_offset(p);
    if (offset >= page_map.reserved_bytes) return NULL;
    uint32_t page = (uint32_t)(offset >> PAGE_SHIFT);
    struct span *span = page_map_span(page);
    if (page_map_class(page) != SIZE_CLASS_LARGE) return span;
    bool found = page_map.spans[page] != 0 && span->state == SPAN_LARGE && span->page == page;
    return found ? span : NULL;
}

static struct live_slot find(const void *p)
{
    struct span *span = span_at(p);
    if (!span) end_unknown(p);
    bool large = span->size_class == SIZE_CLASS_LARGE;
    struct live_slot slot = slot_at(span, large ? 0 : page_map_slot(span, p));
    if (slot.start != p) end("inside an object", p, &slot);
    return slot;
}

/* The first byte that does not hold the pattern; size when all do. */
static size_t first_written(const uint8_t *p, size_t size)
{
    if (!LIVE_FILLS || size == 0) return size;
    if (p[0] == LIVE_PATTERN && memcmp(p, p + 1, size - 1) == 0) return size;
    size_t i = 0;
    while (p[i] == LIVE_PATTERN)
        i++;
    return i;
}

static void fill(void *p, size_t size)
{
    if (LIVE_FILLS && size) memset(p, LIVE_PATTERN, size);
}

static void check_unwritten(const struct live_slot *slot)
{
    size_t at = first_written(slot->start, slot->bytes);
    if (at < slot->bytes) end("written to after it was freed", slot->start + at, slot);
}

static uint64_t filled_bytes(const struct live_slot *slot)
{
    return slot->bytes < LIVE_LARGE_BYTES ? slot->bytes : LIVE_LARGE_BYTES;
}

/* A large object that is free, as far as it was filled. */
static void check_filled(const struct live_slot *slot)
{
    uint64_t bytes = filled_bytes(slot);
    size_t at = first_written(slot->start, bytes);
    if (at < bytes) end("written to after it was freed", slot->start + at, slot);
}

static void check_slack(const struct live_slot *slot, struct live_note note)
{
    const uint8_t *slack = slot->start + slot->bytes - note.slack;
    if (note.open) return;
    size_t at = first_written(slack, note.slack);
    if (at < note.slack) end("written to behind its end", slack + at, slot);
}

void live_debug_mark(void *p, size_t size, enum heap_tag tag)
{
    struct live_slot slot = find(p);
    struct live_note note = load(slot.note);
    if (note.owner) end("handed out twice", p, &slot);
    if (slot.size_class != SIZE_CLASS_LARGE) check_unwritten(&slot);
    if (note.filled) check_filled(&slot);
    /* Pages come with anything in them. */
    if (slot.size_class == SIZE_CLASS_LARGE) fill((uint8_t *)p + size, slot.bytes - size);
    note.slack = (uint16_t)(slot.bytes - size);
    note.allocated = place_take(tag);
    note.owner = (uint8_t)(tag + 1);
    note.open = 0;
    note.filled = 0;
    note.turn++;
    store(slot.note, note);
}

/* What a user says of an object is true. Returns its note. */
static struct live_note examine(const struct live_slot *slot, size_t size, enum heap_tag tag,
                                const char *when_free)
{
    struct live_note note = load(slot->note);
    if (!note.owner) end(when_free, slot->start, slot);
    if (note.owner != tag + 1) end("another tag", slot->start, slot);
    if (size != slot->bytes - note.slack) end("another size", slot->start, slot);
    check_slack(slot, note);
    return note;
}

void live_debug_unmark(void *p, size_t size, enum heap_tag tag)
{
    struct live_slot slot = find(p);
    struct live_note note = examine(&slot, size, tag, "freed twice");
    struct live_note after = note;
    after.owner = 0;
    after.freed = place_take(tag);
    if (!atomic_compare_exchange_strong(slot.note, &note, after)) end("freed twice", p, &slot);
    if (slot.size_class != SIZE_CLASS_LARGE) {
        fill(p, slot.bytes);
        return;
    }
    fill(p, filled_bytes(&slot));
    after.filled = LIVE_FILLS;
    store(slot.note, after); /* only now: a walker may look at once */
}

void live_debug_expect(const void *p, bool cell)
{
    struct live_slot slot = find(p);
    if ((slot.size_class == SIZE_CLASS_CELLS) == cell) return;
    end(cell ? "freed as a cell" : "a cell, freed as another object", p, &slot);
}

void live_debug_examine(const void *p, size_t size, enum heap_tag tag)
{
    struct live_slot slot = find(p);
    (void)examine(&slot, size, tag, "resized after it was freed");
}

size_t live_size(const void *p)
{
    if (page_map_offset(p) >= page_map.reserved_bytes) return 0;
    struct live_slot slot = find(p);
    return slot.bytes - load(slot.note).slack;
}

void live_debug_open(const void *p)
{
    struct live_slot slot = find(p);
    struct live_note note = load(slot.note);
    check_slack(&slot, note);
    note.open = 1;
    store(slot.note, note);
}

void live_debug_close(void *p, size_t size)
{
    struct live_slot slot = find(p);
    struct live_note note = load(slot.note);
    fill((uint8_t *)p + size, slot.bytes - size);
    note.slack = (uint16_t)(slot.bytes - size);
    note.open = 0;
    note.turn++;
    store(slot.note, note);
}

void live_debug_reset(struct span *span)
{
    for (uint32_t i = 0; i < slots_of(span); i++)
        store(&notes_of(span)[i], (struct live_note){0});
}

void live_debug_fill(struct span *span)
{
    fill(page_map_address(span->page), (size_t)span->pages << PAGE_SHIFT);
}

void live_debug_refill(struct span *span, uint32_t pages)
{
    for (; pages; pages &= pages - 1) {
        size_t offset = (size_t)__builtin_ctz(pages) * OS_PAGE_BYTES;
        fill(page_map_address(span->page) + offset, OS_PAGE_BYTES);
    }
}

/* As first_written, while the owner may free the object and another use it. */
__attribute__((no_sanitize("thread"))) static size_t first_written_in_use(const uint8_t *p,
                                                                          size_t size)
{
    size_t i = 0;
    while (i < size && p[i] == LIVE_PATTERN)
        i++;
    return i;
}

/* A large object in the cache of some thread, which may hand it out meanwhile. */
static void check_filled_in_use(const struct live_slot *slot, struct live_note note)
{
    uint64_t bytes = filled_bytes(slot);
    size_t at = first_written_in_use(slot->start, bytes);
    if (at < bytes && atomic_compare_exchange_strong(slot->note, &note, note))
        end("written to after it was freed", slot->start + at, slot);
}

static void check_in_use(const struct live_slot *slot)
{
    struct live_note note = load(slot->note);
    if (note.filled) {
        check_filled_in_use(slot, note);
        return;
    }
    /* With no user: in the cache of some thread. */
    if (!LIVE_FILLS || !note.owner || note.open) return;
    const uint8_t *slack = slot->start + slot->bytes - note.slack;
    size_t at = first_written_in_use(slack, note.slack);
    if (at == note.slack) return;
    /* A full barrier. When the note has changed, those bytes may be another object's by now. */
    if (atomic_compare_exchange_strong(slot->note, &note, note))
        end("written to behind its end", slack + at, slot);
}

static bool is_in_span(struct span *span, uint32_t index)
{
    return span->state == SPAN_SMALL && span_has(span, index);
}

void live_debug_check_span(struct span *span)
{
    uint64_t used = slots_of(span) * slot_bytes(span);
    uint64_t bytes = (uint64_t)span->pages << PAGE_SHIFT;
    for (uint32_t i = 0; i < slots_of(span); i++) {
        struct live_slot slot = slot_at(span, i);
        if (!is_in_span(span, i)) {
            check_in_use(&slot);
            continue;
        }
        if (load(slot.note).owner) end("in its span, and with a user", slot.start, &slot);
        /* What was given back reads as anything. */
        bool gone = span->gone && (span_slot_pages(span->size_class, i) & span->gone);
        if (!gone) check_unwritten(&slot);
    }
    if (span->gone) return;
    const uint8_t *tail = page_map_address(span->page) + used;
    ASSERT(first_written(tail, bytes - used) == bytes - used);
}

void live_debug_check_free(const void *p)
{
    struct live_slot slot = find(p);
    if (load(slot.note).owner) end("in a cache, and with a user", p, &slot);
    check_unwritten(&slot);
}

void live_debug_fill_unused(void *p, size_t size)
{
    fill(p, size);
}

void live_debug_check_unused(const void *p, size_t size)
{
    size_t at = first_written(p, size);
    if (at == size) return;
    char text[100];
    snprintf(text, sizeof(text), "written to where no object is: address=%p",
             (const void *)((const uint8_t *)p + at));
    assert_failed(__FILE__, __LINE__, "heap", text);
}

void live_visit(struct span *span, live_visit_fn *visit, void *arg)
{
    for (uint32_t i = 0; HEARTH_DEBUG && i < slots_of(span); i++) {
        struct live_note note = load(&notes_of(span)[i]);
        if (note.owner) visit(arg, &note, slot_bytes(span));
    }
}
