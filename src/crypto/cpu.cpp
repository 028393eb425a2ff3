#include "crypto/cpu.hpp"

#ifdef PEERNET_X86_KERNELS

#include <cpuid.h>

namespace peernet::crypto::internal {
namespace {

// g++ 12's __builtin_cpu_supports has no name for the SHA extensions.
bool cpuid_says_sha() {
  constexpr unsigned int kSha = 1u << 29;  // leaf 7, EBX
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & kSha) != 0;
}

}  // namespace

// __builtin_cpu_supports also asks whether the kernel saves the wide registers (XGETBV).
bool cpu_has_avx2() {
  return __builtin_cpu_supports("avx2") != 0;
}
bool cpu_has_avx512f() {
  return __builtin_cpu_supports("avx512f") != 0;
}
bool cpu_has_sha() {
  return __builtin_cpu_supports("sse4.1") != 0 && cpuid_says_sha();
}

}  // namespace peernet::crypto::internal

#endif
