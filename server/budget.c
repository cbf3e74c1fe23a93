/* budget - the arithmetic of memory limits. */
#include "server/budget.h"

#define HEADROOM_BYTES_MAX (UINT64_C(256) << 20)

enum { HEADROOM_DIVISOR = 4, HYSTERESIS_DIVISOR = 8 };

uint64_t budget_resolve(struct config_limit limit, uint64_t base_bytes)
{
    if (limit.percent == 0) return limit.bytes;
    return base_bytes / 100 * limit.percent + base_bytes % 100 * limit.percent / 100;
}

uint64_t budget_headroom(uint64_t limit_bytes)
{
    uint64_t share = limit_bytes / HEADROOM_DIVISOR;
    return share < HEADROOM_BYTES_MAX ? share : HEADROOM_BYTES_MAX;
}

bool budget_refuses_writes(uint64_t used_bytes, uint64_t idle_bytes, uint64_t limit_bytes,
                           bool refusing)
{
    if (limit_bytes == 0) return false;
    uint64_t headroom = budget_headroom(limit_bytes);
    if (refusing) headroom += headroom / HYSTERESIS_DIVISOR;
    uint64_t busy_bytes = used_bytes > idle_bytes ? used_bytes - idle_bytes : 0;
    return busy_bytes > limit_bytes - headroom;
}
