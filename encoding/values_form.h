/* values_form - the bits that encoder and decoder of encoding/values.h agree on. */
#ifndef HEARTH_ENCODING_VALUES_FORM_H
#define HEARTH_ENCODING_VALUES_FORM_H

enum {
    /* the numbers: */
    VALUES_DECIMAL = 0,
    VALUES_DECIMAL_NEAR = 1,
    VALUES_RAW = 2,
    VALUES_NUMBERS = 3, /* mask */
    VALUES_STRAYS = 4,
    /* which samples they are of: */
    VALUES_DENSE = 0,
    VALUES_BITMAP = 8,
    VALUES_GAPS = 16,
    VALUES_CONSTANT = 24,
    VALUES_POSITIONS = 24, /* mask */
    VALUES_FORM_BITS = 31
};

#endif
