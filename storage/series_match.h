/*
 * series_match - is this the series whose labels stand at the start of a message?
 *
 * The labels of a series are symbols, and a symbol has the bytes of its label as remote write sends
 * them (model/label_bytes.h). They are compared one after the other: nothing is parsed, and no
 * series needs a copy of its own.
 *
 * Most often they are equal, so what differs is collected of all labels and looked at once. Of
 * a label the last 32 bytes are compared in one piece. When it is shorter, that begins with bytes
 * in front of it, which do not count: of the label before it there, of the symbol itself here. So
 * LABEL_BYTES_FRONT bytes in front of the message have to be readable.
 *
 *     message  | label | label | label | ...
 *                   '--32 bytes-'
 *     symbol   | ..., name, hash, sizes | label |
 *                                '--32 bytes----'
 *
 * Threads: any, inside the epoch the series was found in.
 */
#ifndef HEARTH_STORAGE_SERIES_MATCH_H
#define HEARTH_STORAGE_SERIES_MATCH_H

#include "storage/series.h"

/* How many bytes at the start of the message are the series' labels, one after the other; 0:
 * others, or none. More labels may follow. */
size_t series_match(const struct series *s, struct str message);

/* The same on any CPU. */
size_t series_match_plain(const struct series *s, struct str message);

#endif
