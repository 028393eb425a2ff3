// Reliable frames in their encoded form, bounded: waiting to be sent, or carried by a packet that is not acknowledged.
//
// States of a slot: free -> queued (push) -> carried (take) -> free (acknowledged) | queued again (its packet was
// lost). A packet carries a chain of slots, named by its first. Slots come in two sizes, because nearly all frames
// (REQUEST, HAVE, CANCEL) are small.
#pragma once

#include <cstdint>
#include <memory>

#include "base/check.hpp"
#include "base/types.hpp"
#include "transport/sent_packets.hpp"
#include "wire/spec.hpp"

namespace peernet::transport {

class FrameStore {
 public:
  static constexpr std::size_t kSmallBytes = 64;
  static constexpr std::size_t kLargeBytes = wire::kMaxFrameSize;
  /// Slots that only the session's own frames (PING, HANDSHAKE_DONE, PATH_CHALLENGE) may use.
  static constexpr std::uint32_t kReserve = 8;

  struct Capacity {
    std::uint32_t small = 0;
    std::uint32_t large = 0;
  };
  explicit FrameStore(Capacity capacity);

  enum class For : std::uint8_t { kOwner, kSession };
  /// Copies an encoded frame to the end of the queue. False: no slot of its size is free, or it is larger than any.
  bool push(ByteSpan encoded, For whom);
  /// Owner's frames that fit at least, whatever their size up to kSmallBytes.
  std::size_t room() const;
  /// Frames above kSmallBytes that fit.
  std::size_t large_room() const { return free_large_count_; }

  bool queue_empty() const { return queue_head_ == kNoFrame; }
  /// The frame that goes next; the queue must not be empty.
  ByteSpan front() const;
  /// Moves the front of the queue into the chain that starts at `chain` (kNoFrame: a new one); returns its start.
  std::uint16_t take(std::uint16_t chain);

  /// The chain's packet was acknowledged: its slots are free.
  void release(std::uint16_t chain);
  /// The chain's packet was lost: its frames go next, before what is queued. Returns how many.
  std::uint32_t requeue(std::uint16_t chain);

  std::uint32_t chain_length(std::uint16_t chain) const;
  /// Type of the chain's first frame; the chain must not be kNoFrame.
  wire::FrameType first_type(std::uint16_t chain) const;
  std::uint32_t queued() const { return queued_; }
  std::uint32_t carried() const { return carried_; }
  void check_invariants() const;

 private:
  struct Slot {
    std::uint16_t next = kNoFrame;
    std::uint16_t length = 0;
  };

  std::byte* bytes_of(std::uint16_t slot) const;
  bool is_small(std::uint16_t slot) const { return slot < small_count_; }
  void put_free(std::uint16_t slot);

  std::uint32_t small_count_;
  std::uint32_t large_count_;
  std::unique_ptr<Slot[]> slots_;
  std::unique_ptr<std::byte[]> bytes_;  // not touched before use: a quiet session costs no memory
  std::uint16_t free_small_ = kNoFrame;
  std::uint16_t free_large_ = kNoFrame;
  std::uint32_t free_small_count_ = 0;
  std::uint32_t free_large_count_ = 0;
  std::uint16_t queue_head_ = kNoFrame;
  std::uint16_t queue_tail_ = kNoFrame;
  std::uint32_t queued_ = 0;
  std::uint32_t carried_ = 0;
};

}  // namespace peernet::transport
