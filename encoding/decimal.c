/* decimal - the table of scales, and their order. */
#include "encoding/decimal.h"

/* What there is of an exponent in each way; the row of a way is its 16 exponents. */
#define NONE                                                                                       \
    {                                                                                              \
        0, 0, 0, 0                                                                                 \
    }
#define DIVIDED(power)                                                                             \
    {                                                                                              \
        power, power, 1, 1                                                                         \
    }
#define MULTIPLIED(power, multiply)                                                                \
    {                                                                                              \
        power, 1, 1, multiply                                                                      \
    }
#define TWICE(power, divide_again)                                                                 \
    {                                                                                              \
        power, 1000, divide_again, 1                                                               \
    }

const struct decimal_scale decimal_scales[DECIMAL_SCALES] = {
    DIVIDED(1e0),
    DIVIDED(1e1),
    DIVIDED(1e2),
    DIVIDED(1e3),
    DIVIDED(1e4),
    DIVIDED(1e5),
    DIVIDED(1e6),
    DIVIDED(1e7),
    DIVIDED(1e8),
    DIVIDED(1e9),
    DIVIDED(1e10),
    DIVIDED(1e11),
    DIVIDED(1e12),
    DIVIDED(1e13),
    NONE,
    NONE,

    NONE,
    MULTIPLIED(1e1, 1e-1),
    MULTIPLIED(1e2, 1e-2),
    MULTIPLIED(1e3, 1e-3),
    MULTIPLIED(1e4, 1e-4),
    MULTIPLIED(1e5, 1e-5),
    MULTIPLIED(1e6, 1e-6),
    MULTIPLIED(1e7, 1e-7),
    MULTIPLIED(1e8, 1e-8),
    MULTIPLIED(1e9, 1e-9),
    MULTIPLIED(1e10, 1e-10),
    MULTIPLIED(1e11, 1e-11),
    MULTIPLIED(1e12, 1e-12),
    MULTIPLIED(1e13, 1e-13),
    NONE,
    NONE,

    NONE,
    NONE,
    NONE,
    NONE,
    TWICE(1e4, 1e1),
    TWICE(1e5, 1e2),
    TWICE(1e6, 1e3),
    TWICE(1e7, 1e4),
    TWICE(1e8, 1e5),
    TWICE(1e9, 1e6),
    TWICE(1e10, 1e7),
    TWICE(1e11, 1e8),
    TWICE(1e12, 1e9),
    TWICE(1e13, 1e10),
    NONE,
    NONE,
};

const struct decimal_inverse decimal_inverses[DECIMAL_EXPONENT_MAX + 1] = {
    {1, 0},
    {0x1.9999999999999p-4, 0x1.3333333333333p-57},
    {0x1.47ae147ae147ap-7, 0x1.c28f5c28f5c29p-60},
    {0x1.0624dd2f1a9fbp-10, 0x1.ced916872b021p-63},
    {0x1.a36e2eb1c432cp-14, 0x1.4af4f0d844d01p-67},
    {0x1.4f8b588e368f0p-17, 0x1.08c3f3e0370cep-70},
    {0x1.0c6f7a0b5ed8dp-20, 0x1.b5a63f9a49c2cp-75},
    {0x1.ad7f29abcaf48p-24, 0x1.5e1e99483b023p-78},
    {0x1.5798ee2308c39p-27, 0x1.bf3f70834acdbp-80},
    {0x1.12e0be826d694p-30, 0x1.65cc5a02a23e2p-83},
    {0x1.b7cdfd9d7bdbap-34, 0x1.6fad5cd10396ap-87},
    {0x1.5fd7fe1796495p-37, 0x1.7f7bc7b4d28aap-91},
    {0x1.19799812dea11p-40, 0x1.97f27f0f6e886p-96},
    {0x1.c25c268497681p-44, 0x1.84ca19697c81bp-97},
};

uint32_t decimal_next_scale(uint32_t scale)
{
    const uint32_t way_step = 1u << DECIMAL_WAY_SHIFT;
    if (scale + way_step < DECIMAL_SCALES && decimal_scale_exists(scale + way_step))
        return scale + way_step;
    uint32_t next = (scale & (way_step - 1)) + 1;
    return decimal_scale_exists(next) ? next : DECIMAL_SCALES;
}

uint32_t decimal_find_scale(uint32_t scale, double v, int64_t *m)
{
    while (scale < DECIMAL_SCALES && !decimal_exact(decimal_scale(scale), v, m))
        scale = decimal_next_scale(scale);
    return scale;
}
