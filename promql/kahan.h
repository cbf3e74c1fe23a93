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

/* The sum of two parts. */
static inline void kahan_join(struct kahan *k, struct kahan part)
{
    kahan_add(k, part.sum);
    k->lost += part.lost;
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

/* From the sum of so many to their mean. */
static inline void kahan_mean_increment(struct kahan_mean *m, double count)
{
    if (m->incremental) return;
    m->incremental = 1;
    m->total.sum /= count;
    m->total.lost /= count;
}

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
        kahan_mean_increment(m, m->count - 1);
    }
    double q = (m->count - 1) / m->count;
    m->total.sum *= q;
    m->total.lost *= q;
    kahan_add(&m->total, v / m->count);
}

/* The mean of what both have seen; each has seen something. */
static inline void kahan_mean_join(struct kahan_mean *m, const struct kahan_mean *other)
{
    struct kahan_mean part = *other;
    if (!m->incremental && !part.incremental) {
        struct kahan next = m->total;
        kahan_join(&next, part.total);
        if (!isinf(next.sum)) {
            m->total = next;
            m->count += part.count;
            return;
        }
    }
    kahan_mean_increment(m, m->count);
    kahan_mean_increment(&part, part.count);
    double count = m->count + part.count;
    m->total.sum *= m->count / count;
    m->total.lost *= m->count / count;
    kahan_join(&m->total, (struct kahan){part.total.sum * (part.count / count),
                                         part.total.lost * (part.count / count)});
    m->count = count;
}

static inline double kahan_mean_value(const struct kahan_mean *m)
{
    if (m->incremental) return kahan_total(&m->total);
    return m->total.sum / m->count + m->total.lost / m->count;
}

#endif
