/*
 * labels - sorted pairs: search by halves, merge with sorted name lists.
 *
 * Sorting is in place and never worse than n log n, because the count comes from outside: already
 * sorted input is left alone, short input is sorted by insertion, long input by heap sort.
 */
#include "model/labels.h"

#include "base/hash.h"
#include "model/names.h"

static int compare_names(const struct label *a, const struct label *b)
{
    return str_compare(a->name, b->name);
}

static void swap(struct label *a, struct label *b)
{
    struct label kept = *a;
    *a = *b;
    *b = kept;
}

static void sort_by_insertion(struct label *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && compare_names(&items[j - 1], &items[j]) > 0; j--)
            swap(&items[j - 1], &items[j]);
    }
}

/* Let the item at root sink until both its children are smaller. */
static void sink(struct label *items, size_t root, size_t count)
{
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && compare_names(&items[child], &items[child + 1]) < 0) child++;
        if (compare_names(&items[root], &items[child]) >= 0) return;
        swap(&items[root], &items[child]);
        root = child;
    }
}

static void sort_by_heap(struct label *items, size_t count)
{
    for (size_t root = count / 2; root-- > 0;)
        sink(items, root, count);
    for (size_t last = count; last-- > 1;) {
        swap(&items[0], &items[last]);
        sink(items, 0, last);
    }
}

/* Each name is behind the one before, which most first letters tell without a call. */
static bool names_ascend(const struct label *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint8_t before = (uint8_t)items[i - 1].name.data[0];
        uint8_t here = (uint8_t)items[i].name.data[0];
        if (before > here) return false;
        if (before == here && compare_names(&items[i - 1], &items[i]) >= 0) return false;
    }
    return true;
}

static void sort_by_name(struct label *items, size_t count)
{
    enum { INSERTION_MAX = 32 };
    if (count <= INSERTION_MAX)
        sort_by_insertion(items, count);
    else
        sort_by_heap(items, count);
}

static enum status check_label(const struct label *l, struct error *err)
{
    if (l->name.size == 0) return error_set(err, ERR_INVALID, "empty label name");
    if (!name_is_utf8(l->name)) return error_set(err, ERR_INVALID, "label name is not valid UTF-8");
    if (!name_is_utf8(l->value))
        return error_set(err, ERR_INVALID, "value of label \"%.*s\" is not valid UTF-8",
                         STR_ARG(l->name));
    return OK;
}

enum status labels_normalize(struct label *items, size_t count, struct labels *out,
                             struct error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        enum status st = check_label(&items[i], err);
        if (st) return st;
        if (items[i].value.size > 0) items[kept++] = items[i];
    }
    *out = (struct labels){.items = items, .count = kept};
    if (names_ascend(items, kept)) return OK;
    sort_by_name(items, kept);
    for (size_t i = 1; i < kept; i++) {
        if (str_equal(items[i - 1].name, items[i].name))
            return error_set(err, ERR_INVALID, "duplicate label name \"%.*s\"",
                             STR_ARG(items[i].name));
    }
    return OK;
}

/* The index of name, or of the first label behind it. */
static size_t lower_bound(struct labels set, struct str name)
{
    size_t low = 0;
    size_t high = set.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_compare(set.items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(struct labels set, size_t index, struct str name)
{
    return index < set.count && str_equal(set.items[index].name, name);
}

struct str labels_get(struct labels set, struct str name)
{
    size_t index = lower_bound(set, name);
    return is_at(set, index, name) ? set.items[index].value : STR("");
}

bool labels_has(struct labels set, struct str name)
{
    return is_at(set, lower_bound(set, name), name);
}

int labels_compare(struct labels a, struct labels b)
{
    size_t shared = a.count < b.count ? a.count : b.count;
    for (size_t i = 0; i < shared; i++) {
        int order = str_compare(a.items[i].name, b.items[i].name);
        if (order == 0) order = str_compare(a.items[i].value, b.items[i].value);
        if (order) return order;
    }
    return a.count < b.count ? -1 : a.count > b.count;
}

bool labels_equal(struct labels a, struct labels b)
{
    if (a.count != b.count) return false;
    for (size_t i = 0; i < a.count; i++) {
        if (!str_equal(a.items[i].name, b.items[i].name) ||
            !str_equal(a.items[i].value, b.items[i].value))
            return false;
    }
    return true;
}

static uint64_t hash_label(uint64_t hash, const struct label *l)
{
    /* Each text is hashed with its own length inside XXH3, so that ab=c and a=bc differ. */
    hash = hash_mix(hash, hash_bytes(l->name.data, l->name.size, 0));
    return hash_mix(hash, hash_bytes(l->value.data, l->value.size, 0));
}

uint64_t labels_hash(struct labels set)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < set.count; i++)
        hash = hash_label(hash, &set.items[i]);
    return hash;
}

/* Whether name is among names; both sides are walked in order, *at is where the last walk ended. */
static bool is_listed(struct str name, const struct str *names, size_t count, size_t *at)
{
    while (*at < count) {
        int order = str_compare(names[*at], name);
        if (order >= 0) return order == 0;
        (*at)++;
    }
    return false;
}

uint64_t labels_hash_with(struct labels set, const struct str *names, size_t count)
{
    uint64_t hash = 0;
    size_t at = 0;
    for (size_t i = 0; i < set.count; i++) {
        if (is_listed(set.items[i].name, names, count, &at)) hash = hash_label(hash, &set.items[i]);
    }
    return hash;
}

uint64_t labels_hash_without(struct labels set, const struct str *names, size_t count)
{
    uint64_t hash = 0;
    size_t at = 0;
    for (size_t i = 0; i < set.count; i++) {
        struct str name = set.items[i].name;
        if (is_listed(name, names, count, &at) || str_equal(name, LABEL_METRIC_NAME)) continue;
        hash = hash_label(hash, &set.items[i]);
    }
    return hash;
}

/* The labels whose being listed in names equals `listed`. */
static enum status filter(struct labels set, const struct str *names, size_t count, bool listed,
                          struct arena *a, struct labels *out, struct error *err)
{
    struct label *items = arena_alloc_array(a, set.count, sizeof(*items));
    if (!items) return arena_error(a, err);
    size_t at = 0;
    size_t kept = 0;
    for (size_t i = 0; i < set.count; i++) {
        if (is_listed(set.items[i].name, names, count, &at) == listed) items[kept++] = set.items[i];
    }
    *out = (struct labels){.items = items, .count = kept};
    return OK;
}

enum status labels_keep(struct labels set, const struct str *names, size_t count, struct arena *a,
                        struct labels *out, struct error *err)
{
    return filter(set, names, count, true, a, out, err);
}

enum status labels_drop(struct labels set, const struct str *names, size_t count, struct arena *a,
                        struct labels *out, struct error *err)
{
    return filter(set, names, count, false, a, out, err);
}

enum status labels_set(struct labels set, struct str name, struct str value, struct arena *a,
                       struct labels *out, struct error *err)
{
    struct label *items = arena_alloc_array(a, set.count + 1, sizeof(*items));
    if (!items) return arena_error(a, err);
    size_t index = lower_bound(set, name);
    size_t kept = 0;
    for (size_t i = 0; i < index; i++)
        items[kept++] = set.items[i];
    if (value.size > 0) items[kept++] = (struct label){.name = name, .value = value};
    for (size_t i = index + is_at(set, index, name); i < set.count; i++)
        items[kept++] = set.items[i];
    *out = (struct labels){.items = items, .count = kept};
    return OK;
}

enum status labels_copy(struct labels set, struct arena *a, struct labels *out, struct error *err)
{
    struct label *items = arena_alloc_array(a, set.count, sizeof(*items));
    if (!items) return arena_error(a, err);
    for (size_t i = 0; i < set.count; i++) {
        items[i].name = arena_copy(a, set.items[i].name);
        if (!items[i].name.data) return arena_error(a, err);
        items[i].value = arena_copy(a, set.items[i].value);
        if (!items[i].value.data) return arena_error(a, err);
    }
    *out = (struct labels){.items = items, .count = set.count};
    return OK;
}
