#define XXH_VECTOR XXH_AVX2
#include "crypto/xxh3_kernel_body.hpp"

namespace peernet::crypto::internal {

extern const Xxh3Kernel kXxh3Avx2 = {"avx2", xxh3_one_shot, xxh3_reset, xxh3_update, xxh3_digest};

}  // namespace peernet::crypto::internal
