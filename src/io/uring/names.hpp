// What the user_data of a ring operation says: its kind, and the slot and generation it belongs to. Never a pointer.
#pragma once

#include <cstdint>

namespace peernet::io {

enum class RingOp : std::uint8_t { kReceive = 1, kSend, kFile, kWake, kWritable, kCancel };

struct RingName {
  RingOp op = RingOp::kCancel;
  std::uint32_t generation = 0;  ///< 24 bits
  std::uint32_t slot = 0;        ///< of its kind; for sockets the SocketIndex

  std::uint64_t pack() const {
    return static_cast<std::uint64_t>(op) << 56 | static_cast<std::uint64_t>(generation & kGenerationMask) << 32 | slot;
  }
  static RingName unpack(std::uint64_t data) {
    return {static_cast<RingOp>(data >> 56), static_cast<std::uint32_t>(data >> 32) & kGenerationMask,
            static_cast<std::uint32_t>(data)};
  }
  static constexpr std::uint32_t kGenerationMask = 0xff'ffff;
};

/// How an operation names its file: a registered slot, or the descriptor itself where registering was refused.
struct RingFile {
  std::int32_t number = -1;
  bool registered = false;
};

}  // namespace peernet::io
