// A peer: one session and what this node does over it, serving and fetching. Owned by its shard.
#pragma once

#include <cstdint>

#include "base/inplace_vector.hpp"
#include "base/slab.hpp"
#include "swarm/download.hpp"
#include "swarm/fair_queue.hpp"
#include "swarm/have_teller.hpp"
#include "swarm/patience.hpp"
#include "swarm/upload.hpp"
#include "transport/session.hpp"

namespace peernet::node {

class Shard;
class Fetch;
struct Served;

/// Contents joined over one session, each way.
inline constexpr std::size_t kMaxSlots = 16;

/// A content the peer has joined and we serve; the slot is the peer's number.
struct ServedSlot {
  ContentSlot slot;
  Served* served = nullptr;                 // lives until the peer left it (Serving::remove drops the slot first)
  bool completed = false;                   // the peer has told that it has everything
  swarm::HaveTeller have;                   // what it is still to be told
  Instant spread_since = Instant::never();  // refused chunks since then, for others, and given none
};

/// A content we want from the peer; the slot is ours.
struct FetchSlot {
  ContentSlot slot;
  Fetch* fetch = nullptr;  // outlives the slot: a fetch that ends takes its slots away
  swarm::SourceIndex source;
  bool joined = false;  // both proofs are good
};

class Peer final : public transport::SessionHandler {
 public:
  Peer(Shard& shard, transport::Session&& new_session) : session(std::move(new_session)), shard_(shard) {}

  // transport::SessionHandler
  void on_established(const NodeId& peer, const wire::Parameters& parameters) override;
  void on_frame(const wire::Frame& frame) override;
  MutableByteSpan data_target(RequestId request, transport::DataRange range) override;
  void on_data(RequestId request, transport::DataRange range) override;
  void on_data_lost(RequestId request, transport::DataRange range) override;
  void on_data_acked(RequestId request, transport::DataRange range) override;
  void on_closed(const transport::CloseReason& reason) override;

  FetchSlot* fetch_slot(ContentSlot slot);
  FetchSlot* fetch_of(RequestId request);
  ServedSlot* served_slot(ContentSlot slot);
  /// For a content that this node wants to join over this session. Slots of an initiator are even, those of a responder
  /// odd: a number names one content of a session, whoever joined it.
  ContentSlot fresh_slot();

  transport::Session session;
  SlabHandle self{};
  SlabHandle timer{};
  Instant timer_at = Instant::never();
  bool touched = false;                ///< in the shard's list of peers to look after at the end of the turn
  bool half_open = false;              ///< accepted, not established
  std::uint64_t first_packet_key = 0;  ///< while half open
  bool dead = false;                   ///< on_closed was called

  // Fetching. A dial is made for one fetch, which learns of its end even before it is established.
  Fetch* dialled_for = nullptr;
  InplaceVector<FetchSlot, kMaxSlots> fetches;
  std::uint16_t next_slot = 1;

  // Serving.
  InplaceVector<ServedSlot, kMaxSlots> served;
  swarm::UploadQueue uploads;
  InplaceVector<std::uint16_t, 16> ready_blocks;  ///< read and waiting for the window, oldest first
  std::uint64_t blocks_bytes = 0;                 ///< in all its blocks, being read or ready
  std::uint32_t blocks = 0;                       ///< how many
  swarm::FairShare share;                         ///< its place among those with something to send
  bool wants_bytes = false;                       ///< counted among them
  bool have_behind = false;                       ///< more is to be told when there is room for frames
  swarm::Patience patience;
  std::uint32_t refused_joins = 0;
  Instant useless_since = Instant::never();  ///< nothing is joined over it, either way

 private:
  Shard& shard_;
};

}  // namespace peernet::node
