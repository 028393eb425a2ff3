// Counts every operator new and every allocation of OpenSSL in this test program. ThreadSanitizer's runtime brings an
// operator new that cannot be replaced: there only OpenSSL's are counted.
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "unit/crypto/testing.hpp"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PEERNET_COUNTS_NEW 0
#endif
#endif
#ifndef PEERNET_COUNTS_NEW
#define PEERNET_COUNTS_NEW 1
#endif

namespace peernet::crypto {
namespace {

std::atomic<std::uint64_t> count{0};  // only read while one thread runs

void* counted_malloc(std::size_t n, const char*, int) {
  count.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(n);
}
void* counted_realloc(void* p, std::size_t n, const char*, int) {
  count.fetch_add(1, std::memory_order_relaxed);
  return std::realloc(p, n);
}
void counted_free(void* p, const char*, int) {
  std::free(p);
}

// OpenSSL takes these only before its first allocation.
const int kInstalled = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);

}  // namespace

std::uint64_t allocations() {
  EXPECT_EQ(kInstalled, 1);
  return count.load(std::memory_order_relaxed);
}

[[maybe_unused]] void* counted_new(std::size_t n, std::size_t alignment) {
  count.fetch_add(1, std::memory_order_relaxed);
  void* const p = alignment <= alignof(std::max_align_t)
                      ? std::malloc(n == 0 ? 1 : n)
                      : std::aligned_alloc(alignment, (n + alignment - 1) / alignment * alignment);
  if (p == nullptr) std::abort();
  return p;
}

TEST(AllocationCounter, SeesBothKinds) {
  const std::uint64_t before = allocations();
  OPENSSL_free(OPENSSL_malloc(10));
  EXPECT_EQ(allocations(), before + 1);
  delete new volatile int(1);
  EXPECT_EQ(allocations(), before + 1 + PEERNET_COUNTS_NEW);
}

}  // namespace peernet::crypto

#if PEERNET_COUNTS_NEW
void* operator new(std::size_t n) {
  return peernet::crypto::counted_new(n, 1);
}
void* operator new[](std::size_t n) {
  return peernet::crypto::counted_new(n, 1);
}
void* operator new(std::size_t n, std::align_val_t a) {
  return peernet::crypto::counted_new(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
  return peernet::crypto::counted_new(n, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete[](void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
#endif
