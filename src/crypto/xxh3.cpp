#include <cstring>

#include "crypto/cpu.hpp"
#include "crypto/hash.hpp"
#include "crypto/xxh3_kernels.hpp"

namespace peernet::crypto {
namespace {

const internal::Xxh3Kernel& choose() {
#ifdef PEERNET_X86_KERNELS
  if (internal::cpu_has_avx512f()) return internal::kXxh3Avx512;
  if (internal::cpu_has_avx2()) return internal::kXxh3Avx2;
#endif
  return internal::kXxh3Portable;
}

const internal::Xxh3Kernel& kernel() {
  static const internal::Xxh3Kernel& chosen = choose();
  return chosen;
}

}  // namespace

Hash128 xxh3_128(ByteSpan data) {
  Hash128 out;
  kernel().one_shot(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

void Xxh3::reset() {
  std::memset(state_.data(), 0, state_.size());  // the library expects a new state to be zeroed
  kernel().reset(state_.data());
}

void Xxh3::update(ByteSpan data) {
  if (!data.empty()) kernel().update(state_.data(), data.data(), data.size());
}

Hash128 Xxh3::finish() {
  Hash128 out;
  kernel().digest(state_.data(), reinterpret_cast<unsigned char*>(out.data()));
  kernel().reset(state_.data());
  return out;
}

}  // namespace peernet::crypto
