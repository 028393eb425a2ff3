// A bitmap of fixed size, as for the chunks of a content. Bit 0 is the highest bit of the first byte, as HAVE_MAP and
// BitTorrent's bitfield have it, so pages of the map can be copied to and from the wire.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/types.hpp"

namespace peernet {

class Bitmap {
 public:
  explicit Bitmap(std::uint64_t bits = 0) : words_((bits + 63) / 64), bits_(bits) {}

  std::uint64_t size() const { return bits_; }
  /// How many bits are set; kept, not counted.
  std::uint64_t count() const { return set_; }
  bool all() const { return set_ == bits_; }
  bool none() const { return set_ == 0; }

  bool test(std::uint64_t i) const {
    PN_CHECK(i < bits_);
    return (words_[i / 64] & mask(i)) != 0;
  }
  /// True if the bit was not set before.
  bool set(std::uint64_t i) {
    PN_CHECK(i < bits_);
    const bool fresh = (words_[i / 64] & mask(i)) == 0;
    words_[i / 64] |= mask(i);
    set_ += fresh ? 1 : 0;
    return fresh;
  }
  /// True if the bit was set before.
  bool reset(std::uint64_t i) {
    PN_CHECK(i < bits_);
    const bool was = (words_[i / 64] & mask(i)) != 0;
    words_[i / 64] &= ~mask(i);
    set_ -= was ? 1 : 0;
    return was;
  }

  /// Bits first .. end - 1; end <= size().
  void set_range(std::uint64_t first, std::uint64_t end) { change(first, end, true); }
  void reset_range(std::uint64_t first, std::uint64_t end) { change(first, end, false); }
  std::uint64_t count_range(std::uint64_t first, std::uint64_t end) const {
    PN_CHECK(first <= end && end <= bits_);
    std::uint64_t n = 0;
    for_words(first, end,
              [&](std::size_t w, std::uint64_t m) { n += static_cast<std::uint64_t>(std::popcount(words_[w] & m)); });
    return n;
  }

  /// The first such bit at or after `from`; size() if there is none.
  std::uint64_t find_next_set(std::uint64_t from) const { return find(from, 0); }
  std::uint64_t find_next_unset(std::uint64_t from) const { return find(from, ~std::uint64_t{0}); }

  /// Writes the bits from `first` (a multiple of 8) on, bits past the end as 0.
  void copy_to(std::uint64_t first, MutableByteSpan out) const {
    PN_CHECK(first % 8 == 0);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = byte_at(first / 8 + i);
  }
  /// Sets every bit that is 1 in `in`, whose first bit stands for `first` (a multiple of 8); bits past the end are
  /// ignored. Answers how many became set.
  std::uint64_t merge_from(std::uint64_t first, ByteSpan in) {
    PN_CHECK(first % 8 == 0);
    const std::uint64_t before = set_;
    for (std::size_t i = 0; i < in.size() && first + i * 8 < bits_; ++i) {
      auto byte = static_cast<std::uint64_t>(in[i]);
      const std::uint64_t at = first + i * 8;
      if (bits_ - at < 8) byte &= ~(std::uint64_t{0xff} >> (bits_ - at));
      const std::uint64_t add = byte << (56 - at % 64);
      std::uint64_t& word = words_[at / 64];
      set_ += static_cast<std::uint64_t>(std::popcount(add & ~word));
      word |= add;
    }
    return set_ - before;
  }

  friend bool operator==(const Bitmap& a, const Bitmap& b) { return a.bits_ == b.bits_ && a.words_ == b.words_; }

 private:
  static std::uint64_t mask(std::uint64_t i) { return std::uint64_t{1} << (63 - i % 64); }
  std::byte byte_at(std::uint64_t i) const {
    return i / 8 < words_.size() ? static_cast<std::byte>(words_[i / 8] >> (56 - i % 8 * 8)) : std::byte{0};
  }

  /// Calls f(word index, mask of the bits in range) for each word that has some.
  template <class F>
  static void for_words(std::uint64_t first, std::uint64_t end, F&& f) {
    while (first < end) {
      const std::uint64_t word_end = std::min(end, (first / 64 + 1) * 64);
      std::uint64_t m = ~std::uint64_t{0} >> (first % 64);
      if (word_end % 64 != 0) m &= ~(~std::uint64_t{0} >> (word_end % 64));
      f(static_cast<std::size_t>(first / 64), m);
      first = word_end;
    }
  }
  void change(std::uint64_t first, std::uint64_t end, bool to) {
    PN_CHECK(first <= end && end <= bits_);
    for_words(first, end, [&](std::size_t w, std::uint64_t m) {
      const auto were = static_cast<std::uint64_t>(std::popcount(words_[w] & m));
      words_[w] = to ? words_[w] | m : words_[w] & ~m;
      set_ = set_ - were + (to ? static_cast<std::uint64_t>(std::popcount(m)) : 0);
    });
  }
  std::uint64_t find(std::uint64_t from, std::uint64_t flip) const {
    if (from >= bits_) return bits_;
    std::size_t w = from / 64;
    std::uint64_t word = (words_[w] ^ flip) & (~std::uint64_t{0} >> (from % 64));
    while (word == 0) {
      if (++w == words_.size()) return bits_;
      word = words_[w] ^ flip;
    }
    return std::min(bits_, w * 64 + static_cast<std::uint64_t>(std::countl_zero(word)));
  }

  std::vector<std::uint64_t> words_;  // bits past the end stay 0
  std::uint64_t bits_;
  std::uint64_t set_ = 0;
};

}  // namespace peernet
