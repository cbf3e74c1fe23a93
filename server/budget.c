/* budget - the arithmetic of memory limits. */
#include "server/budget.h"

#include <stdbool.h>

#include "base/bits.h"

#define HEADROOM_BYTES_MAX (UINT64_C(256) << 20)

/* The soft line is a twentieth below the hard one: 95 %. */
enum {
    HEADROOM_DIVISOR = 4,
    SOFT_DIVISOR = 20,
    HYSTERESIS_DIVISOR = 8,
    QUERY_LEAST_DIVISOR = 8,
    GRANTED_DIVISOR = 16
};

uint64_t budget_resolve(struct config_limit limit, uint64_t base_bytes)
{
    if (limit.percent == 0) return limit.bytes;
    return base_bytes / 100 * limit.percent + base_bytes % 100 * limit.percent / 100;
}

/* Below the limit, what writes leave to everybody else. */
static uint64_t headroom(uint64_t limit_bytes)
{
    uint64_t share = limit_bytes / HEADROOM_DIVISOR;
    return share < HEADROOM_BYTES_MAX ? share : HEADROOM_BYTES_MAX;
}

uint64_t budget_hard_bytes(uint64_t limit_bytes)
{
    return limit_bytes ? limit_bytes - headroom(limit_bytes) : UINT64_MAX;
}

uint64_t budget_full_bytes(uint64_t limit_bytes)
{
    return limit_bytes ? limit_bytes - headroom(limit_bytes) / 2 : UINT64_MAX;
}

uint64_t budget_soft_bytes(uint64_t limit_bytes)
{
    uint64_t hard = budget_hard_bytes(limit_bytes);
    return limit_bytes ? hard - hard / SOFT_DIVISOR : UINT64_MAX;
}

uint64_t budget_spare_bytes(uint64_t limit_bytes)
{
    return headroom(limit_bytes) / 4;
}

uint64_t budget_granted_bytes(uint64_t limit_bytes)
{
    return budget_spare_bytes(limit_bytes) / GRANTED_DIVISOR;
}

static uint64_t less_or_none(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t hysteresis(uint64_t limit_bytes)
{
    return headroom(limit_bytes) / HYSTERESIS_DIVISOR;
}

/* Whether so much is beyond the line at which a level begins. */
static bool is_beyond(uint64_t bytes, uint64_t line, enum heap_pressure level,
                      const struct budget_reading *now, enum heap_pressure before)
{
    return bytes > (before >= level ? line - hysteresis(now->limit_bytes) : line);
}

enum heap_pressure budget_pressure(const struct budget_reading *now, enum heap_pressure before)
{
    uint64_t limit = now->limit_bytes;
    uint64_t held = less_or_none(now->used_bytes, now->idle_bytes);
    uint64_t kept = less_or_none(held, now->query_bytes);
    if (is_beyond(kept, budget_full_bytes(limit), HEAP_FULL, now, before)) return HEAP_FULL;
    if (is_beyond(kept, budget_hard_bytes(limit), HEAP_HARD, now, before)) return HEAP_HARD;
    if (is_beyond(held, budget_full_bytes(limit), HEAP_HARD, now, before)) return HEAP_HARD;
    if (is_beyond(now->used_bytes, budget_soft_bytes(limit), HEAP_SOFT, now, before))
        return HEAP_SOFT;
    return HEAP_CALM;
}

uint64_t budget_query_bytes(uint64_t share_bytes, uint64_t room_bytes, uint64_t running)
{
    uint64_t own = room_bytes / (running ? running : 1);
    uint64_t least = share_bytes / QUERY_LEAST_DIVISOR;
    if (own < least) return least;
    return own < share_bytes ? own : share_bytes;
}

uint64_t budget_surplus(const struct budget_reading *now, enum heap_pressure pressure)
{
    if (pressure == HEAP_CALM) return 0;
    uint64_t ends = budget_soft_bytes(now->limit_bytes) - hysteresis(now->limit_bytes);
    /* Pages go whole: without the last one the pressure would stay. */
    uint64_t over = bits_align_up(less_or_none(now->used_bytes, ends), HEAP_PAGE_BYTES);
    return over < now->idle_bytes ? over : now->idle_bytes;
}
