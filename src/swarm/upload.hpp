// What one receiver has asked of us over one session: which range to send next, what is to be sent again, what is done.
// Pure. The owner takes pieces, reads them from the file, seals them, and tells what was lost and acknowledged.
//
// Life of an upload: active (from on_request) -> done (every byte acknowledged) or dropped (CANCEL, session end).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/range_set.hpp"
#include "base/types.hpp"
#include "content/manifest.hpp"

namespace peernet::swarm {

/// Requests of one session served at a time; said in the handshake parameters.
inline constexpr std::uint16_t kMaxUploads = 256;

struct UploadRequest {
  RequestId id;
  ContentSlot slot;
  content::TableId table = content::TableId::kChunks;
  std::uint32_t index = 0;   ///< chunk or page
  std::uint32_t offset = 0;  ///< from its start
  std::uint32_t length = 0;
};

/// Bytes to send next; the owner has taken them and either seals them or gives them back.
struct Piece {
  UploadRequest request;
  std::uint32_t offset = 0;  ///< from the start of the chunk or page
  std::uint32_t length = 0;
};

class UploadQueue {
 public:
  enum class Answer : std::uint8_t { kAccepted, kKnown, kBusy };

  /// A valid request. kKnown: the same id is active already (the frame came twice). kBusy: kMaxUploads are active.
  Answer on_request(const UploadRequest& request);
  /// Drops it; true if it was active.
  bool on_cancel(RequestId id);
  /// Drops all requests of a content slot.
  void drop_slot(ContentSlot slot);

  /// The oldest request's first unsent bytes, at most max_bytes, taken out of what is to be sent.
  std::optional<Piece> next_piece(std::uint32_t max_bytes);
  /// Taken or sealed bytes that must be sent (again). Ended requests are ignored.
  void on_lost(RequestId id, std::uint32_t offset, std::uint32_t length);
  void on_acked(RequestId id, std::uint32_t offset, std::uint32_t length);

  bool active(RequestId id) const { return find(id) != nullptr; }
  std::size_t active_count() const { return order_.size(); }
  /// Bytes not taken yet, over all requests.
  std::uint64_t waiting_bytes() const { return waiting_bytes_; }

 private:
  using ByteRanges = RangeSet<std::uint32_t, WhenFull::kRefuse>;
  // Losses cut a request into at most this many separate pieces; beyond it neighbours are joined and bytes between
  // them are sent twice.
  static constexpr std::size_t kMaxPieces = 512;
  static constexpr std::size_t kUploadsTogether = 8;

  struct Upload {
    UploadRequest request;
    ByteRanges to_send{kMaxPieces};
    ByteRanges acked{kMaxPieces};
  };

  static Range<std::uint32_t> within(const UploadRequest& request, std::uint32_t offset, std::uint32_t length);
  Upload* find(RequestId id);
  const Upload* find(RequestId id) const;
  void end(std::size_t position);

  std::vector<Upload> uploads_;       // grows to what was ever needed at once
  std::vector<std::uint16_t> free_;   // unused entries of uploads_
  std::vector<std::uint16_t> order_;  // active ones, oldest first
  std::uint64_t waiting_bytes_ = 0;
};

}  // namespace peernet::swarm
