#include "crypto/xxh3_kernel_body.hpp"

namespace peernet::crypto::internal {

extern const Xxh3Kernel kXxh3Portable = {"portable", xxh3_one_shot, xxh3_reset, xxh3_update, xxh3_digest};

}  // namespace peernet::crypto::internal
