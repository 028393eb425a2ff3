// Bounded reader and writer for network byte order (big endian). Neither ever touches a byte outside its span: a short
// read or write sets failed() and yields zeros, so that a decoder checks once, at its end.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>

#include "base/types.hpp"

namespace peernet {

template <std::unsigned_integral T>
constexpr T to_big_endian(T v) {
  if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) return std::byteswap(v);
  return v;
}

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  std::uint8_t u8() { return integer<std::uint8_t>(); }
  std::uint16_t u16() { return integer<std::uint16_t>(); }
  std::uint32_t u32() { return integer<std::uint32_t>(); }
  std::uint64_t u64() { return integer<std::uint64_t>(); }

  /// The next n bytes, borrowed from the input; empty and failed() if there are fewer.
  ByteSpan bytes(std::size_t n) {
    if (n > remaining()) {
      fail();
      return {};
    }
    const ByteSpan out = bytes_.subspan(position_, n);
    position_ += n;
    return out;
  }

  template <std::size_t N>
  ByteArray<N> array() {
    ByteArray<N> out{};
    const ByteSpan in = bytes(N);
    if (in.size() == N) std::memcpy(out.data(), in.data(), N);
    return out;
  }

  ByteSpan rest() { return bytes(remaining()); }
  std::size_t remaining() const { return bytes_.size() - position_; }
  std::size_t position() const { return position_; }
  bool failed() const { return failed_; }
  /// Read to the last byte and never past it.
  bool finished() const { return !failed_ && remaining() == 0; }

 private:
  void fail() {
    failed_ = true;
    position_ = bytes_.size();
  }

  template <std::unsigned_integral T>
  T integer() {
    if (remaining() < sizeof(T)) {
      fail();
      return 0;
    }
    T v;
    std::memcpy(&v, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return to_big_endian(v);
  }

  ByteSpan bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

class ByteWriter {
 public:
  explicit ByteWriter(MutableByteSpan out) : out_(out) {}

  void u8(std::uint8_t v) { integer(v); }
  void u16(std::uint16_t v) { integer(v); }
  void u32(std::uint32_t v) { integer(v); }
  void u64(std::uint64_t v) { integer(v); }

  void bytes(ByteSpan in) {
    if (in.size() > remaining()) {
      failed_ = true;
      return;
    }
    if (!in.empty()) std::memcpy(out_.data() + position_, in.data(), in.size());
    position_ += in.size();
  }

  void zeros(std::size_t n) {
    if (n > remaining()) {
      failed_ = true;
      return;
    }
    if (n != 0) std::memset(out_.data() + position_, 0, n);
    position_ += n;
  }

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return out_.size() - position_; }
  bool failed() const { return failed_; }
  MutableByteSpan written() const { return out_.first(position_); }

 private:
  template <std::unsigned_integral T>
  void integer(T v) {
    if (remaining() < sizeof(T)) {
      failed_ = true;
      return;
    }
    v = to_big_endian(v);
    std::memcpy(out_.data() + position_, &v, sizeof(T));
    position_ += sizeof(T);
  }

  MutableByteSpan out_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

}  // namespace peernet
