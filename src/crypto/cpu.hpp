// What this CPU can run. Not for other rooms.
#pragma once

namespace peernet::crypto::internal {

#ifdef PEERNET_X86_KERNELS
bool cpu_has_avx2();
bool cpu_has_avx512f();
bool cpu_has_sha();  ///< and SSE4.1
#endif

}  // namespace peernet::crypto::internal
