/*
 * hash - one hash for tables: XXH3, 64 bits (libxxhash, header only). Never written to disk, so the
 * seed may differ from process to process; not for adversarial input without a secret seed.
 */
#ifndef HEARTH_BASE_HASH_H
#define HEARTH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Hash of `size` bytes; data may be NULL when size is 0. */
uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);

/* XXH64 with seed 0: the same number in every process and in every program that computes it. */
uint64_t hash_xxh64(const void *data, size_t size);

/* Mix a further word into a running hash; order matters. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t word)
{
    __uint128_t product = (__uint128_t)(hash ^ word ^ 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
