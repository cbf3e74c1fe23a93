/*
 * crc32c - the Castagnoli checksum of our files (RFC 3720, appendix B.4), as leveldb, ext4 and
 * Prometheus' WAL use it. By instructions where the CPU has them, a table elsewhere; same result.
 */
#ifndef HEARTH_BASE_CRC32C_H
#define HEARTH_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue crc (0 at the start) over size bytes. crc32c(crc32c(0, a), b) is the crc of a then b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif
