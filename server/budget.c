/* budget - the arithmetic of memory limits. */
#include "server/budget.h"

#include "base/bits.h"

#define HEADROOM_BYTES_MAX (UINT64_C(256) << 20)

/* The soft line is a twentieth below the hard one: 95 %. */
enum { HEADROOM_DIVISOR = 4, SOFT_DIVISOR = 20, HYSTERESIS_DIVISOR = 8 };

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

uint64_t budget_soft_bytes(uint64_t limit_bytes)
{
    uint64_t hard = budget_hard_bytes(limit_bytes);
    return limit_bytes ? hard - hard / SOFT_DIVISOR : UINT64_MAX;
}

static uint64_t less_or_none(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t hysteresis(uint64_t limit_bytes)
{
    return headroom(limit_bytes) / HYSTERESIS_DIVISOR;
}

enum heap_pressure budget_pressure(const struct budget_reading *now, enum heap_pressure before)
{
    uint64_t hard = budget_hard_bytes(now->limit_bytes);
    uint64_t soft = budget_soft_bytes(now->limit_bytes);
    if (before >= HEAP_HARD) hard -= hysteresis(now->limit_bytes);
    if (before >= HEAP_SOFT) soft -= hysteresis(now->limit_bytes);
    if (less_or_none(now->used_bytes, now->idle_bytes) > hard) return HEAP_HARD;
    return now->used_bytes > soft ? HEAP_SOFT : HEAP_CALM;
}

uint64_t budget_surplus(const struct budget_reading *now, enum heap_pressure pressure)
{
    if (pressure == HEAP_CALM) return 0;
    uint64_t ends = budget_soft_bytes(now->limit_bytes) - hysteresis(now->limit_bytes);
    /* Pages go whole: without the last one the pressure would stay. */
    uint64_t over = bits_align_up(less_or_none(now->used_bytes, ends), HEAP_PAGE_BYTES);
    return over < now->idle_bytes ? over : now->idle_bytes;
}
