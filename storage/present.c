/* present - following, doubting, and hearing the witnesses. */
#include "storage/present.h"

#include "base/bits.h"
#include "base/clock.h"
#include "base/compiler.h"

/* Moved a little at every look, base_ms would go from core to core. */
enum { FOLLOW_MS = 1000 };

static int64_t base_of(int64_t t_ms, int64_t mono_ns)
{
    return bits_sub_clamped(t_ms, mono_ns / NS_PER_MS);
}

void present_init(struct present *p, const struct present_options *options)
{
    *p = (struct present){.options = *options};
    mutex_init(&p->lock, LOCK_PRESENT);
    present_accept(p);
}

void present_release(struct present *p)
{
    mutex_release(&p->lock);
}

static bool is_near(const struct present *p, int64_t a_ms, int64_t b_ms)
{
    int64_t gap_ms = bits_sub_clamped(a_ms, b_ms);
    return gap_ms >= -p->options.bound_ms && gap_ms <= p->options.bound_ms;
}

/* Lock held. */
static void end_doubt(struct present *p)
{
    atomic_store(&p->doubt, false);
    p->voice_ns = 0;
}

static COLD void clock_is_back(struct present *p)
{
    mutex_lock(&p->lock);
    end_doubt(p);
    mutex_unlock(&p->lock);
}

struct present_time present_now(struct present *p)
{
    int64_t mono_ns = clock_mono_ns();
    int64_t wall_ms = clock_wall_ms();
    int64_t base_ms = atomic_load_explicit(&p->base_ms, memory_order_relaxed);
    int64_t believed_ms = bits_add_clamped(base_ms, mono_ns / NS_PER_MS);
    if (LIKELY(is_near(p, wall_ms, believed_ms))) {
        int64_t gap_ms = wall_ms - believed_ms;
        if (UNLIKELY(gap_ms > FOLLOW_MS || gap_ms < -FOLLOW_MS))
            atomic_store_explicit(&p->base_ms, base_of(wall_ms, mono_ns), memory_order_relaxed);
        if (UNLIKELY(atomic_load_explicit(&p->doubt, memory_order_relaxed))) clock_is_back(p);
        believed_ms = wall_ms;
    }
    return (struct present_time){
        .believed_ms = believed_ms, .wall_ms = wall_ms, .mono_ns = mono_ns};
}

bool present_doubt(struct present *p, const struct present_time *now)
{
    mutex_lock(&p->lock);
    bool first = !atomic_load(&p->doubt);
    if (first) {
        atomic_store(&p->doubt, true);
        p->doubted_ns = now->mono_ns;
        counter_add(now->wall_ms > now->believed_ms ? &p->jumps_forward : &p->jumps_back, 1);
    }
    mutex_unlock(&p->lock);
    return first;
}

void present_reach(struct present *p, const struct present_time *now, int64_t t_ms)
{
    if (t_ms > now->wall_ms) t_ms = now->wall_ms;
    if (t_ms > now->believed_ms) atomic_store(&p->base_ms, base_of(t_ms, now->mono_ns));
}

void present_accept(struct present *p)
{
    present_believe(p, clock_wall_ms());
}

void present_believe(struct present *p, int64_t t_ms)
{
    mutex_lock(&p->lock);
    atomic_store(&p->base_ms, base_of(t_ms, clock_mono_ns()));
    end_doubt(p);
    mutex_unlock(&p->lock);
}

void present_hurry(struct present *p, bool at_once)
{
    mutex_lock(&p->lock);
    end_doubt(p);
    atomic_store(&p->at_once, at_once);
    atomic_store(&p->doubt, true); /* if there is no difference, the next look ends it */
    p->doubted_ns = clock_mono_ns();
    mutex_unlock(&p->lock);
}

static uint64_t distance(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? (uint64_t)a_ms - (uint64_t)b_ms : (uint64_t)b_ms - (uint64_t)a_ms;
}

/* Lock held: samples of the wall clock's time have come for long enough. */
static void move(struct present *p, const struct present_time *now)
{
    int64_t t_ms = now->wall_ms;
    if (t_ms > now->believed_ms && p->voice_ms < t_ms) t_ms = p->voice_ms;
    atomic_store(&p->base_ms, base_of(t_ms, now->mono_ns));
    bool doubt = !is_near(p, t_ms, now->wall_ms);
    end_doubt(p);
    atomic_store(&p->doubt, doubt);
}

bool present_hear(struct present *p, const struct present_time *now, int64_t t_ms)
{
    mutex_lock(&p->lock);
    bool at_once = atomic_load(&p->at_once);
    int64_t patience_ns = at_once ? 0 : p->options.patience_ms * NS_PER_MS;
    bool forward = now->wall_ms > now->believed_ms;
    bool beyond = t_ms > bits_add_clamped(now->believed_ms, p->options.future_ms);
    bool nearer = distance(t_ms, now->wall_ms) < distance(t_ms, now->believed_ms);
    if (forward ? beyond : nearer && !at_once) {
        if (!p->voice_ns || t_ms > p->voice_ms) p->voice_ms = t_ms;
        if (!p->voice_ns) p->voice_ns = now->mono_ns;
    } else if (is_near(p, t_ms, now->believed_ms) || (!forward && !nearer)) {
        p->voice_ns = 0;
    }
    bool decided = p->voice_ns && now->mono_ns - p->voice_ns >= patience_ns;
    if (decided) move(p, now);
    mutex_unlock(&p->lock);
    return decided;
}

void present_round(struct present *p)
{
    struct present_time now = present_now(p);
    mutex_lock(&p->lock);
    bool over = atomic_load(&p->doubt) && present_differs(&now) &&
                now.mono_ns - p->doubted_ns >= p->options.limit_ms * NS_PER_MS;
    mutex_unlock(&p->lock);
    if (over) present_accept(p);
}
