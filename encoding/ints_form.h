/* ints_form - the bits that encoder and decoder of encoding/ints.h agree on. */
#ifndef HEARTH_ENCODING_INTS_FORM_H
#define HEARTH_ENCODING_INTS_FORM_H

enum {
    INTS_ORDER_MAX = 2, /* in the low two bits of the form */
    INTS_HAS_FACTOR = 4,
    INTS_HAS_BIAS = 8,
    INTS_VARINTS = 16,
    INTS_FORM_BITS = 31,    /* all of the above */
    INTS_VARINTS_MAX = 256, /* numbers in a column of varints */
    INTS_POSITION_BITS = 6, /* of a patch */
    INTS_PATCHED = 0x80     /* in the head of a block */
};

#endif
