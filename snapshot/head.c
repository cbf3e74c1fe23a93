/*
 * head - see head.h.
 */
#include "snapshot/head.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/endian.h"

enum {
    AT_VERSION = 8,
    AT_IDENTITY = 16,
    AT_NUMBER = 32,
    AT_SEQUENCE = 40,
    AT_CHUNK_MS = 48,
    AT_CRC = 56
};

static const char magics[][9] = {
    [HEAD_IDENTITY] = "hearthID",
    [HEAD_SEGMENT] = "hearthWL",
    [HEAD_WINDOW] = "hearthWN",
    [HEAD_MANIFEST] = "hearthMF",
};

void head_encode(const struct head *head, uint8_t out[HEAD_BYTES])
{
    memset(out, 0, HEAD_BYTES);
    memcpy(out, magics[head->kind], 8);
    put_le32(out + AT_VERSION, HEAD_VERSION);
    memcpy(out + AT_IDENTITY, head->identity.bytes, IDENTITY_BYTES);
    put_le64(out + AT_NUMBER, head->number);
    put_le64(out + AT_SEQUENCE, head->sequence);
    put_le64(out + AT_CHUNK_MS, (uint64_t)head->chunk_ms);
    put_le32(out + AT_CRC, crc32c(0, out, AT_CRC));
}

uint32_t head_seed(const struct head *head)
{
    uint8_t bytes[HEAD_BYTES];
    head_encode(head, bytes);
    return get_le32(bytes + AT_CRC);
}

enum status head_decode(const uint8_t *bytes, size_t size, enum head_kind kind, struct head *out,
                        struct error *err)
{
    if (size < HEAD_BYTES)
        return error_set(err, ERR_CORRUPT, "%zu bytes are too short for a head", size);
    if (memcmp(bytes, magics[kind], 8) != 0)
        return error_set(err, ERR_CORRUPT, "no %s head", magics[kind]);
    if (crc32c(0, bytes, AT_CRC) != get_le32(bytes + AT_CRC))
        return error_set(err, ERR_CORRUPT, "crc mismatch in the head");
    uint32_t version = get_le32(bytes + AT_VERSION);
    if (version != HEAD_VERSION)
        return error_set(err, ERR_UNSUPPORTED,
                         "format version %u, and this program reads version %d", version,
                         HEAD_VERSION);
    out->kind = kind;
    memcpy(out->identity.bytes, bytes + AT_IDENTITY, IDENTITY_BYTES);
    out->number = get_le64(bytes + AT_NUMBER);
    out->sequence = get_le64(bytes + AT_SEQUENCE);
    out->chunk_ms = (int64_t)get_le64(bytes + AT_CHUNK_MS);
    return OK;
}
