/* XXH3-128 compiled once per instruction set, and the choice among them. The files behind this header are compiled with
   flags that only some CPUs can run, so they include no C++ standard header: an inline function of one could be the
   copy that the linker keeps for the whole program. Hence plain C types here. */
#pragma once

#include <stddef.h>

namespace peernet::crypto::internal {

struct Xxh3Kernel {
  const char* name;
  void (*one_shot)(const void* data, size_t size, unsigned char* canonical16);
  void (*reset)(void* state576);
  void (*update)(void* state576, const void* data, size_t size);
  void (*digest)(const void* state576, unsigned char* canonical16);
};

extern const Xxh3Kernel kXxh3Portable;  // SSE2 on x86-64, NEON on 64-bit ARM
extern const Xxh3Kernel kXxh3Avx2;      // x86-64 only
extern const Xxh3Kernel kXxh3Avx512;    // x86-64 only

}  // namespace peernet::crypto::internal
