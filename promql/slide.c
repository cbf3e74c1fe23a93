/* slide - sums, means, extremes and changes of sliding windows. */
#include "promql/slide.h"

#include <math.h>

/* The sum of two parts of a window. */
static struct kahan join(struct kahan left, struct kahan right)
{
    kahan_join(&left, right);
    return left;
}

static void make_suffix_sums(const struct slide *s, size_t low, size_t high)
{
    struct kahan sum = {0};
    for (size_t i = high; i > low; i--) {
        kahan_add(&sum, s->v[i - 1]);
        s->suffixes[i - 1] = sum;
    }
}

static void sums(const struct slide *s, double (*finish)(struct kahan sum, double count))
{
    struct kahan running = {0};
    size_t mid = 0;
    size_t taken = 0; /* samples before it are in a suffix or in the running part */
    for (size_t i = 0; i < s->steps; i++) {
        size_t low = s->low[i];
        size_t high = s->high[i];
        if (low == high) continue;
        if (low >= mid) {
            make_suffix_sums(s, low, high);
            mid = taken = high;
            running = (struct kahan){0};
        }
        for (; taken < high; taken++)
            kahan_add(&running, s->v[taken]);
        s->out[i] = finish(join(s->suffixes[low], running), (double)(high - low));
    }
}

static double total(struct kahan sum, double count)
{
    (void)count;
    return kahan_total(&sum);
}

static double mean(struct kahan sum, double count)
{
    return sum.sum / count + sum.lost / count;
}

void slide_sum(struct slide *s)
{
    sums(s, total);
}

void slide_avg(struct slide *s)
{
    sums(s, mean);
}

/* Of equals the earlier one, as a walk from the left keeps it. */
static double extreme(double left, double right, double sign)
{
    return sign * right > sign * left ? right : left;
}

static void extremes(const struct slide *s, double sign)
{
    double running = -sign * (double)INFINITY;
    size_t mid = 0;
    size_t taken = 0;
    for (size_t i = 0; i < s->steps; i++) {
        size_t low = s->low[i];
        size_t high = s->high[i];
        if (low == high) continue;
        if (low >= mid) {
            double best = s->v[high - 1];
            for (size_t k = high; k > low; k--)
                s->suffixes[k - 1].sum = best = extreme(s->v[k - 1], best, sign);
            mid = taken = high;
            running = -sign * (double)INFINITY;
        }
        for (; taken < high; taken++)
            running = extreme(running, s->v[taken], sign);
        s->out[i] = extreme(s->suffixes[low].sum, running, sign);
    }
}

void slide_min(struct slide *s)
{
    extremes(s, -1);
}

void slide_max(struct slide *s)
{
    extremes(s, 1);
}

/* Whole numbers: here what leaves may be taken off again. */
void slide_changes(struct slide *s)
{
    size_t changes = 0; /* between neighbours in [left, right) */
    size_t left = 0;
    size_t right = 0;
    for (size_t i = 0; i < s->steps; i++) {
        size_t low = s->low[i];
        size_t high = s->high[i];
        if (low == high) continue;
        if (low >= right) {
            left = right = low;
            changes = 0;
        }
        for (; right < high; right++)
            changes += right > left && s->v[right] != s->v[right - 1];
        for (; left < low; left++)
            changes -= s->v[left + 1] != s->v[left];
        s->out[i] = (double)changes;
    }
}
