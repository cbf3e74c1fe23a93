/* extended - the ends of a window, by anchor or by interpolation. */
#include "promql/extended.h"

double interpolate_samples(const int64_t *t_ms, const double *v, size_t i, int64_t t, bool counter)
{
    double from = counter && v[i + 1] < v[i] ? 0 : v[i];
    return from + (v[i + 1] - from) * (double)(t - t_ms[i]) / (double)(t_ms[i + 1] - t_ms[i]);
}

/* The first of the samples [0, count) that is behind t; count: none. */
static size_t first_behind(const struct window *w, size_t count, int64_t t_ms)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->t_ms[middle] > t_ms)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool window_find_ends(const struct window *w, bool smoothed, bool counter, struct window_ends *out)
{
    size_t last = w->count - 1;
    size_t behind = first_behind(w, last, w->start_ms);
    size_t first = behind ? behind - 1 : 0;
    if (smoothed) last = first_behind(w, last, w->end_ms - 1);
    if (w->t_ms[last] <= w->start_ms) return false;
    *out = (struct window_ends){
        .first = first, .last = last, .left = w->v[first], .right = w->v[last]};
    if (smoothed && w->t_ms[first] < w->start_ms)
        out->left = interpolate_samples(w->t_ms, w->v, first, w->start_ms, counter);
    if (smoothed && last > 0 && w->t_ms[last] > w->end_ms)
        out->right = interpolate_samples(w->t_ms, w->v, last - 1, w->end_ms, counter);
    return true;
}

struct window_inside window_inside_of(const struct window *w, const struct window_ends *ends)
{
    size_t first = ends->first + (w->t_ms[ends->first] <= w->start_ms);
    size_t end = ends->last + (w->t_ms[ends->last] < w->end_ms);
    return (struct window_inside){.first = first, .count = end > first ? end - first : 0};
}

bool window_extended_increase(const struct window *w, bool smoothed, bool counter, double *out)
{
    struct window_ends ends;
    if (!window_find_ends(w, smoothed, counter, &ends)) return false;
    if (smoothed && w->t_ms[ends.first] > w->end_ms) return false;
    *out = ends.right - ends.left;
    if (!counter) return true;
    struct window_inside inside = window_inside_of(w, &ends);
    double before = ends.left;
    double lost = 0;
    for (size_t i = inside.first; i < inside.first + inside.count; i++) {
        if (w->v[i] < before) lost += before;
        before = w->v[i];
    }
    if (ends.right < before) lost += before;
    *out += lost;
    return true;
}

struct window window_from_anchor(const struct window *w)
{
    struct window out = *w;
    size_t behind = first_behind(w, w->count, w->start_ms);
    size_t first = behind ? behind - 1 : 0;
    out.t_ms += first;
    out.v += first;
    out.count = behind < w->count ? w->count - first : 0;
    return out;
}
