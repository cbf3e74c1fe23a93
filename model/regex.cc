/*
 * regex - the shim over RE2.
 *
 * Prometheus' dialect is Go's, nearly RE2's own. The differences are settled before compiling, in
 * translate(): \C is refused, (?<name> becomes (?P<name>. Error texts are Go's.
 *
 * Exceptions end here: std::bad_alloc becomes ERR_NO_MEMORY.
 */
extern "C" {
#include "model/regex.h"
#include "model/names.h"
}

#include <memory>
#include <new>
#include <string>

#include <re2/re2.h>

#include "model/regex_shape.h"

using re2::StringPiece;

struct regex {
    std::unique_ptr<RE2> engine; /* NULL: the shape says it all */
    struct regex_shape shape = {};

    ~regex()
    {
        regex_shape_release(&shape);
    }
};

namespace
{

/* Walks a pattern outside of classes and quotes, and rewrites what Go spells differently. */
class translator
{
  public:
    explicit translator(struct str pattern) : at(pattern.data), end(pattern.data + pattern.size)
    {
        out.reserve(pattern.size + 16);
    }

    /* False when the pattern holds \C, which Go does not know. */
    bool run()
    {
        while (at < end) {
            if (*at == '\\') {
                if (!escape()) return false;
            } else if (in_class) {
                class_byte();
            } else if (*at == '[') {
                class_start();
            } else if (starts_named_group()) {
                out += "(?P<";
                at += 3;
            } else {
                out += *at++;
            }
        }
        return true;
    }

    std::string out;

  private:
    size_t left() const
    {
        return static_cast<size_t>(end - at);
    }

    void copy(size_t count)
    {
        if (count > left()) count = left();
        out.append(at, count);
        at += count;
    }

    bool escape()
    {
        if (left() > 1 && at[1] == 'C') return false;
        if (left() > 1 && at[1] == 'Q' && !in_class) {
            size_t quoted = StringPiece(at, left()).find("\\E", 2);
            copy(quoted == StringPiece::npos ? left() : quoted + 2);
        } else {
            copy(2);
        }
        return true;
    }

    void class_start()
    {
        in_class = true;
        copy(1);
        if (left() > 0 && *at == '^') copy(1);
        if (left() > 0 && *at == ']') copy(1); /* a bracket in first place stands for itself */
    }

    void class_byte()
    {
        if (*at == '[' && left() > 1 && at[1] == ':') {
            size_t closed = StringPiece(at, left()).find(":]", 2);
            if (closed != StringPiece::npos) {
                copy(closed + 2);
                return;
            }
        }
        in_class = *at != ']';
        copy(1);
    }

    bool starts_named_group() const
    {
        return left() > 3 && at[0] == '(' && at[1] == '?' && at[2] == '<' && at[3] != '=' &&
               at[3] != '!';
    }

    const char *at;
    const char *end;
    bool in_class = false;
};

const char *go_words(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::ErrorBadEscape: return "invalid escape sequence";
    case RE2::ErrorBadCharClass: return "invalid character class";
    case RE2::ErrorBadCharRange: return "invalid character class range";
    case RE2::ErrorMissingBracket: return "missing closing ]";
    case RE2::ErrorMissingParen: return "missing closing )";
    case RE2::ErrorUnexpectedParen: return "unexpected )";
    case RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize: return "invalid repeat count";
    case RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8: return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture: return "invalid named capture";
    case RE2::ErrorPatternTooLarge: return "expression too large";
    default: return "internal error";
    }
}

enum status report(const RE2 &engine, struct error *err)
{
    RE2::ErrorCode code = engine.error_code();
    if (code == RE2::ErrorPatternTooLarge)
        return error_set(err, ERR_TOO_LARGE,
                         "error parsing regexp: expression too large: it needs more than %d bytes",
                         static_cast<int>(REGEX_BYTES_MAX));
    if (code == RE2::ErrorBadUTF8)
        return error_set(err, ERR_INVALID, "error parsing regexp: invalid UTF-8");
    struct str where = {engine.error_arg().data(), engine.error_arg().size()};
    return error_set(err, ERR_INVALID, "error parsing regexp: %s: `%.*s`", go_words(code),
                     STR_ARG(where));
}

enum status check_size(struct str pattern, struct error *err)
{
    if (pattern.size <= REGEX_PATTERN_BYTES_MAX) return OK;
    return error_set(err, ERR_TOO_LARGE, "regular expression of %zu bytes, at most %d are allowed",
                     pattern.size, static_cast<int>(REGEX_PATTERN_BYTES_MAX));
}

enum status compile(const char *before, struct str pattern, const char *after,
                    std::unique_ptr<RE2> *out, struct error *err)
{
    translator t(pattern);
    if (!t.run())
        return error_set(err, ERR_INVALID, "error parsing regexp: invalid escape sequence: `\\C`");
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(REGEX_BYTES_MAX);
    options.set_dot_nl(true);
    std::unique_ptr<RE2> engine(new RE2(before + t.out + after, options));
    if (!engine->ok()) return report(*engine, err);
    *out = std::move(engine);
    return OK;
}

enum status create(struct str pattern, struct regex **out, struct error *err)
{
    std::unique_ptr<regex> re(new regex);
    enum status st = check_size(pattern, err);
    if (!st) st = compile("^(?s:", pattern, ")$", &re->engine, err);
    if (!st) *out = re.release();
    return st;
}

enum status create_matching(struct str pattern, struct regex **out, struct error *err)
{
    std::unique_ptr<regex> re(new regex);
    enum status st = check_size(pattern, err);
    if (!st && name_is_utf8(pattern)) st = regex_shape_init(&re->shape, pattern, err);
    if (!st && re->shape.form == REGEX_OTHER) st = compile("", pattern, "", &re->engine, err);
    if (!st) *out = re.release();
    return st;
}

/* One step of a template: literal text, then a reference to a group (or none at the end). */
struct reference {
    StringPiece before;
    bool dollar;      /* a literal $ stands behind `before` */
    StringPiece name; /* empty: no reference */
};

/* Take the name behind a $, as extract() of Go's regexp: {name} or the longest run of letters,
 * digits and underscores. False when there is none, then the $ stands for itself. */
bool take_name(StringPiece *rest, StringPiece *name)
{
    static const RE2 word("[\\pL\\p{Nd}_]+");
    StringPiece at = *rest;
    bool braced = !at.empty() && at[0] == '{';
    if (braced) at.remove_prefix(1);
    const char *start = at.data();
    if (!RE2::Consume(&at, word)) return false;
    size_t size = static_cast<size_t>(at.data() - start);
    if (braced) {
        if (at.empty() || at[0] != '}') return false;
        at.remove_prefix(1);
    }
    *name = StringPiece(start, size);
    *rest = at;
    return true;
}

reference take_reference(StringPiece *rest)
{
    reference r = {*rest, false, StringPiece()};
    size_t dollar = rest->find('$');
    if (dollar == StringPiece::npos) {
        rest->remove_prefix(rest->size());
        return r;
    }
    r.before = rest->substr(0, dollar);
    rest->remove_prefix(dollar + 1);
    if (!rest->empty() && (*rest)[0] == '$') {
        rest->remove_prefix(1);
        r.dollar = true;
    } else if (!take_name(rest, &r.name)) {
        r.dollar = true;
    }
    return r;
}

/* The group a name stands for: a number without leading zeros, or a (?P<name>); -1: none. */
int find_group(const RE2 &engine, StringPiece name)
{
    constexpr int number_bound = 100000000;
    int number = 0;
    for (size_t i = 0; i < name.size() && number >= 0; i++) {
        if (name[i] < '0' || name[i] > '9' || number >= number_bound)
            number = -1;
        else
            number = number * 10 + (name[i] - '0');
    }
    if (name[0] == '0' && name.size() > 1) number = -1;
    if (number >= 0) return number <= engine.NumberOfCapturingGroups() ? number : -1;
    auto found = engine.NamedCapturingGroups().find(std::string(name.data(), name.size()));
    return found == engine.NamedCapturingGroups().end() ? -1 : found->second;
}

/* Write the expansion to out, or only count its bytes when out is NULL. */
size_t expand(const RE2 &engine, StringPiece replacement, const StringPiece *groups, char *out)
{
    size_t size = 0;
    auto put = [&](StringPiece piece) {
        if (out && !piece.empty()) memcpy(out + size, piece.data(), piece.size());
        size += piece.size();
    };
    while (!replacement.empty()) {
        reference r = take_reference(&replacement);
        put(r.before);
        if (r.dollar) put("$");
        if (r.name.empty()) continue;
        int group = find_group(engine, r.name);
        if (group >= 0) put(groups[group]);
    }
    return size;
}

enum status match_and_expand(const RE2 &engine, StringPiece text, StringPiece replacement,
                             struct arena *a, bool *matched, struct str *out, struct error *err)
{
    StringPiece groups[REGEX_GROUPS_MAX];
    int group_count = engine.NumberOfCapturingGroups() + 1;
    if (group_count > REGEX_GROUPS_MAX)
        return error_set(err, ERR_TOO_LARGE,
                         "regular expression has %d groups, at most %d are allowed",
                         group_count - 1, static_cast<int>(REGEX_GROUPS_MAX) - 1);
    *matched = engine.Match(text, 0, text.size(), RE2::UNANCHORED, groups, group_count);
    if (!*matched) return OK;
    size_t size = expand(engine, replacement, groups, nullptr);
    char *data = static_cast<char *>(arena_alloc(a, size));
    if (!data) return arena_error(a, err);
    expand(engine, replacement, groups, data);
    *out = {data, size};
    return OK;
}

StringPiece piece_of(struct str text)
{
    return StringPiece(text.data, text.size);
}

} // namespace

enum status regex_create(struct str pattern, struct regex **out, struct error *err)
{
    try {
        return create(pattern, out, err);
    } catch (const std::bad_alloc &) {
        return error_set(err, ERR_NO_MEMORY, "no memory to compile a regular expression");
    }
}

enum status regex_create_matching(struct str pattern, struct regex **out, struct error *err)
{
    try {
        return create_matching(pattern, out, err);
    } catch (const std::bad_alloc &) {
        return error_set(err, ERR_NO_MEMORY, "no memory to compile a regular expression");
    }
}

void regex_destroy(struct regex *re)
{
    delete re;
}

bool regex_matches(const struct regex *re, struct str text)
{
    if (re->shape.form != REGEX_OTHER) return regex_shape_matches(&re->shape, text);
    return re->engine->Match(piece_of(text), 0, text.size, RE2::ANCHOR_BOTH, nullptr, 0);
}

const struct str *regex_literals(const struct regex *re, size_t *count)
{
    if (re->shape.form != REGEX_LITERALS) return nullptr;
    *count = re->shape.count;
    return re->shape.literals;
}

enum status regex_expand(const struct regex *re, struct str text, struct str replacement,
                         struct arena *a, bool *matched, struct str *out, struct error *err)
{
    try {
        return match_and_expand(*re->engine, piece_of(text), piece_of(replacement), a, matched, out,
                                err);
    } catch (const std::bad_alloc &) {
        return error_set(err, ERR_NO_MEMORY, "no memory to match a regular expression");
    }
}
