/* SHA-256 of two equally long messages side by side (FIPS 180-4). sha256_pair_shani.cpp is compiled with
   flags that only some CPUs can run, so it includes no C++ standard header: an inline function of one could be the
   copy that the linker keeps for the whole program. Hence plain C types here. */
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace peernet::crypto::internal {

extern const uint32_t kSha256Round[64];

/* Runs `blocks` blocks of 64 bytes of each message through its state. For CPUs with the SHA extensions and SSE4.1. */
void sha256_pair_shani(uint32_t (*states)[8], const unsigned char* const* messages, size_t blocks);

}  // namespace peernet::crypto::internal
