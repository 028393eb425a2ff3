// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012): a keyed hash of short inputs that nobody
// without the key can predict or steer. For table hashes that strangers feed, and for the tracker's connection ids.
#pragma once

#include <cstdint>

#include "base/types.hpp"

namespace peernet::crypto {

/// The 64-bit output, as a number: the reference implementation writes it with the lowest byte first. 26 bytes take
/// some 20 ns; nothing allocates.
std::uint64_t siphash24(const Hash128& key, ByteSpan data);

}  // namespace peernet::crypto
