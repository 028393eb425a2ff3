/* Included by the xxh3_*.cpp files after XXH_VECTOR (or nothing) is set: everything of xxhash is static there. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "crypto/xxh3_kernels.hpp"

static_assert(sizeof(XXH3_state_t) == 576 && alignof(XXH3_state_t) <= 64, "crypto::Xxh3 has room for exactly this");

namespace peernet::crypto::internal {

static void xxh3_one_shot(const void* data, size_t size, unsigned char* canonical16) {
  XXH128_canonicalFromHash(reinterpret_cast<XXH128_canonical_t*>(canonical16), XXH3_128bits(data, size));
}
static void xxh3_reset(void* state) {
  XXH3_128bits_reset(static_cast<XXH3_state_t*>(state));
}
static void xxh3_update(void* state, const void* data, size_t size) {
  XXH3_128bits_update(static_cast<XXH3_state_t*>(state), data, size);
}
static void xxh3_digest(const void* state, unsigned char* canonical16) {
  XXH128_canonicalFromHash(reinterpret_cast<XXH128_canonical_t*>(canonical16),
                           XXH3_128bits_digest(static_cast<const XXH3_state_t*>(state)));
}

}  // namespace peernet::crypto::internal
