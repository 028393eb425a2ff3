// Strong types: indices, numbers and units that must not be mixed up.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace peernet {

/// An integer with a name of its own. No implicit conversion in either direction; differences are plain integers.
template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  explicit constexpr Strong(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;
  constexpr Strong& operator++() {
    ++value_;
    return *this;
  }
  friend constexpr Strong operator+(Strong a, Rep n) { return Strong(static_cast<Rep>(a.value_ + n)); }
  friend constexpr Strong operator-(Strong a, Rep n) { return Strong(static_cast<Rep>(a.value_ - n)); }
  friend constexpr Rep operator-(Strong a, Strong b) { return static_cast<Rep>(a.value_ - b.value_); }

 private:
  Rep value_ = 0;
};

using ChunkIndex = Strong<struct ChunkIndexTag, std::uint32_t>;       ///< position of a chunk in its content
using PacketNumber = Strong<struct PacketNumberTag, std::uint64_t>;   ///< per session and direction, never repeats
using SessionId = Strong<struct SessionIdTag, std::uint32_t>;         ///< chosen by the receiver of packets
using RequestId = Strong<struct RequestIdTag, std::uint32_t>;         ///< chosen by the requester: slot and generation
using ContentSlot = Strong<struct ContentSlotTag, std::uint16_t>;     ///< a content within one session, requester's number
using KeyEpoch = Strong<struct KeyEpochTag, std::uint64_t>;           ///< packet number / packets per key epoch
using BytesPerSecond = Strong<struct BytesPerSecondTag, std::uint64_t>;

template <std::size_t N>
using ByteArray = std::array<std::byte, N>;

using Hash256 = ByteArray<32>;
using Hash128 = ByteArray<16>;
using ContentId = ByteArray<32>;  ///< SHA-256 of the manifest core
using NodeId = ByteArray<32>;     ///< Ed25519 public key
using SwarmKey = ByteArray<32>;   ///< secret of a private swarm
using SwarmId = ByteArray<20>;    ///< what trackers and JOIN see of a swarm

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan as_bytes(const char* text, std::size_t n) { return {reinterpret_cast<const std::byte*>(text), n}; }

}  // namespace peernet

template <class Tag, class Rep>
struct std::hash<peernet::Strong<Tag, Rep>> {
  std::size_t operator()(peernet::Strong<Tag, Rep> v) const noexcept { return std::hash<Rep>{}(v.value()); }
};
