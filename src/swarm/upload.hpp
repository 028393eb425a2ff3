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
#include "swarm/request_index.hpp"

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

  /// First unsent bytes of the oldest request (of a table, if there is one), at most max_bytes, taken out of what is to
  /// be sent. Several contents take turns by bytes.
  std::optional<Piece> next_piece(std::uint32_t max_bytes);
  /// A piece that was taken and cannot be sent now: it goes next.
  void give_back(const Piece& piece);
  /// Taken or sealed bytes that must be sent (again). Ended requests are ignored.
  void on_lost(RequestId id, std::uint32_t offset, std::uint32_t length);
  void on_acked(RequestId id, std::uint32_t offset, std::uint32_t length);

  bool active(RequestId id) const { return index_.find(id).has_value(); }
  /// Whether a request for this chunk of this content is active.
  bool serves_chunk(ContentSlot slot, std::uint32_t chunk) const;
  std::size_t active_count() const { return active_; }
  /// Bytes not taken yet, over all requests.
  std::uint64_t waiting_bytes() const { return waiting_bytes_; }
  /// Books balance; for tests and the simulator.
  void check_invariants() const;

 private:
  using ByteRanges = RangeSet<std::uint32_t, WhenFull::kRefuse>;
  // Losses cut a request into at most this many separate pieces; beyond it neighbours are joined and bytes between
  // them are sent twice.
  static constexpr std::size_t kMaxPieces = 512;
  static constexpr std::size_t kUploadsTogether = 8;
  // What a content may send before the next one's turn, about one train.
  static constexpr std::int64_t kTurnBytes = 65536;

  struct Upload {
    UploadRequest request;
    std::uint64_t age = 0;  // counts up: the smaller, the older
    ByteRanges to_send{kMaxPieces};
    ByteRanges acked{kMaxPieces};
  };
  // The uploads of one content. It stays when they have ended: there are no more contents than slots joined.
  struct Content {
    ContentSlot slot;
    std::int64_t credit = 0;             // bytes it may still send in its turn, negative: it has sent more
    std::vector<std::uint16_t> waiting;  // with bytes to send: pages first, then the oldest
  };

  static Range<std::uint32_t> within(const UploadRequest& request, std::uint32_t offset, std::uint32_t length);
  Upload* find(RequestId id);
  Content& content_of(ContentSlot slot);
  Content* next_content();
  bool goes_before(std::uint16_t a, std::uint16_t b) const;
  void insert_waiting(std::uint16_t upload);
  void remove_waiting(std::uint16_t upload);
  void end(std::uint16_t upload);

  std::vector<Upload> uploads_;      // grows to what was ever needed at once
  std::vector<std::uint16_t> free_;  // unused entries of uploads_
  std::vector<Content> contents_;
  std::size_t turn_ = 0;  // whose turn it is among contents_
  RequestIndex index_;
  std::size_t active_ = 0;
  std::uint64_t next_age_ = 0;
  std::uint64_t waiting_bytes_ = 0;
};

}  // namespace peernet::swarm
