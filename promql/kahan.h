/*
 * kahan - sums that remember what rounding took away.
 *
 * Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 1974.
 * The true sum is near sum + lost. An infinite sum forgets the rest.
 */
#ifndef HEARTH_PROMQL_KAHAN_H
#define HEARTH_PROMQL_KAHAN_H

#include <math.h>

struct kahan {
    double sum;
    double lost;
};

static inline void kahan_add(struct kahan *k, double v)
{
    double sum = k->sum + v;
    if (isinf(sum))
        k->lost = 0;
    else if (fabs(k->sum) >= fabs(v))
        k->lost += (k->sum - sum) + v;
    else
        k->lost += (v - sum) + k->sum;
    k->sum = sum;
}

static inline double kahan_total(const struct kahan *k)
{
    return k->sum + k->lost;
}

/* A mean: the plain sum over the count, until the sum would overflow; from there on incremental. */
struct kahan_mean {
    struct kahan total; /* the sum, or the mean when incremental */
    double count;
    int incremental;
};

static inline void kahan_mean_add(struct kahan_mean *m, double v)
{
    m->count += 1;
    if (m->count == 1) {
        m->total = (struct kahan){.sum = v};
        return;
    }
    if (!m->incremental) {
        struct kahan next = m->total;
        kahan_add(&next, v);
        if (!isinf(next.sum)) {
            m->total = next;
            return;
        }
        m->incremental = 1;
        m->total.sum /= m->count - 1;
        m->total.lost /= m->count - 1;
    }
    double q = (m->count - 1) / m->count;
    m->total.sum *= q;
    m->total.lost *= q;
    kahan_add(&m->total, v / m->count);
}

static inline double kahan_mean_value(const struct kahan_mean *m)
{
    if (m->incremental) return kahan_total(&m->total);
    return m->total.sum / m->count + m->total.lost / m->count;
}

#endif
