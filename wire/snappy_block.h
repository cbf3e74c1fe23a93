/*
 * snappy_block - the elements of a snappy block, decoded.
 *
 *     tag  literal: length, then so many bytes      copy: length, and how far back it starts
 *
 * (format_description.txt of snappy.) Remote write bodies are mostly short copies of the labels of
 * the series before, 16 to 64 bytes long: each is moved by moves of fixed size that may write
 * behind its end, into what comes next anyway. So a body takes half of the time that
 * libsnappy 1.1.9 needs, which calls memmove for each. libsnappy still encodes, and is the
 * reference that the fuzz target `snappy` compares with.
 *
 * Pure: reads no byte outside of the elements, writes none outside of the room.
 */
#ifndef HEARTH_WIRE_SNAPPY_BLOCK_H
#define HEARTH_WIRE_SNAPPY_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

/* Decode into out[size]. false: the elements are damaged, or are not exactly
 * `size` bytes. */
MUST_USE bool snappy_block_decode(struct str elements, uint8_t *out, size_t size);

#endif
