// Which packet numbers were already taken: a sliding bitmap behind the largest one (RFC 6479's idea: whole words are
// cleared as the window moves, no shifting).
#pragma once

#include <array>

#include "base/types.hpp"

namespace peernet::crypto {

/// check() before the AEAD, mark() only after the tag was verified: a forged number must not move the window.
class ReplayWindow {
 public:
  static constexpr std::uint64_t kPackets = 4096;
  enum class Verdict : std::uint8_t { kNew, kDuplicate, kTooOld };

  /// kTooOld: kPackets or more below the largest marked number. Never changes anything.
  Verdict check(PacketNumber pn) const {
    const std::uint64_t n = pn.value();
    if (!any_ || n > largest_) return Verdict::kNew;
    if (largest_ - n >= kPackets) return Verdict::kTooOld;
    return (words_[word_of(n)] & bit_of(n)) != 0 ? Verdict::kDuplicate : Verdict::kNew;
  }

  /// Takes a number that check() called kNew.
  void mark(PacketNumber pn) {
    const std::uint64_t n = pn.value();
    if (!any_ || n > largest_) advance_to(n);
    words_[word_of(n)] |= bit_of(n);
  }

  /// The largest marked number; 0 if there is none (see empty()).
  PacketNumber largest() const { return PacketNumber(largest_); }
  bool empty() const { return !any_; }

 private:
  static constexpr std::uint64_t kWordBits = 64;
  // One word more than the window holds, so that the word being entered is never one that still counts.
  static constexpr std::uint64_t kWords = 128;
  static_assert(kWords * kWordBits >= kPackets + kWordBits && (kWords & (kWords - 1)) == 0);

  static constexpr std::size_t word_of(std::uint64_t n) { return static_cast<std::size_t>((n / kWordBits) % kWords); }
  static constexpr std::uint64_t bit_of(std::uint64_t n) { return std::uint64_t{1} << (n % kWordBits); }

  void advance_to(std::uint64_t n) {
    if (any_) {
      const std::uint64_t from = largest_ / kWordBits;
      const std::uint64_t entered = n / kWordBits - from;
      for (std::uint64_t i = 1; i <= entered && i <= kWords; ++i) words_[(from + i) % kWords] = 0;
    }
    largest_ = n;
    any_ = true;
  }

  std::array<std::uint64_t, kWords> words_{};
  std::uint64_t largest_ = 0;
  bool any_ = false;
};

}  // namespace peernet::crypto
