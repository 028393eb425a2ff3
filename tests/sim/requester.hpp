// The application that fetches: asks for ranges with bounded credit, puts what arrives where it belongs and compares
// each byte with the source. It outlives sessions: what a lost session leaves open is asked again in the next one.
#pragma once

#include <optional>
#include <vector>

#include "crypto/join_proof.hpp"
#include "sim/chatter.hpp"
#include "sim/range_set.hpp"
#include "sim/scenario.hpp"
#include "sim/session_user.hpp"
#include "sim/trace.hpp"

namespace peernet::sim {

struct SharedWorld {
  Judge& judge;
  Trace& trace;
  const Content& content;
  const AppProfile& app;
};

class Requester final : public SessionUser {
 public:
  Requester(SharedWorld world, const NodeId& self, std::uint64_t seed);

  /// The next session is ours to use; the previous one, if any, has ended.
  void attach(transport::Session& session) override;
  bool complete() const { return ranges_done_ == ranges_.size(); }
  bool idle() const { return active_.empty(); }
  bool session_ended() const { return session_ == nullptr; }
  std::optional<transport::CloseReason> last_close() const { return last_close_; }
  std::uint64_t outstanding_bytes() const { return outstanding_; }
  std::uint64_t sessions_established() const { return sessions_established_; }
  std::uint64_t requests_ended() const { return ended_; }
  std::uint64_t bytes_received() const { return bytes_received_; }
  Chatter& chatter() { return chatter_; }

  /// The source believes that these bytes have arrived: false if that cannot be.
  bool may_be_acknowledged(RequestId request, transport::DataRange range) const;

  void on_established(const NodeId& peer, const wire::Parameters& parameters) override;
  void on_frame(const wire::Frame& frame) override;
  MutableByteSpan data_target(RequestId request, transport::DataRange range) override;
  void on_data(RequestId request, transport::DataRange range) override;
  void on_data_lost(RequestId, transport::DataRange) override;
  void on_data_acked(RequestId, transport::DataRange) override;
  void on_closed(const transport::CloseReason& reason) override;
  void turn(transport::Session& session, Instant now) override;
  Instant wake_at() const override;
  bool wants_to_send() const override { return false; }
  transport::SealedTrain seal(transport::Session&, Instant, MutableByteSpan) override { return {}; }

 private:
  struct Range {
    std::uint32_t chunk = 0;
    std::uint32_t offset = 0;  ///< within the chunk
    std::uint32_t length = 0;
    RangeSet got;  ///< offsets within the chunk
  };
  struct Active {
    RequestId id;
    std::size_t range = 0;
    bool cancelling = false;
  };
  enum class Join : std::uint8_t { kNot, kAsked, kDone };

  std::uint64_t position(const Range& range, std::uint64_t offset) const {
    return std::uint64_t{range.chunk} * world_.app.chunk_bytes + offset;
  }
  Active* find(RequestId id);
  const Active* find(RequestId id) const;
  void ask(transport::Session& session);
  void end(RequestId id, bool done);
  void ask_to_join(transport::Session& session);
  void probe_silence(transport::Session& session, Instant now);

  SharedWorld world_;
  NodeId self_;
  NodeId peer_{};
  Rng rng_;
  Chatter chatter_;
  std::vector<Range> ranges_;
  std::vector<std::size_t> waiting_;  ///< ranges to ask for, next one last
  std::vector<Active> active_;
  std::vector<std::byte> assembled_;
  std::vector<std::byte> aside_;  ///< for packets of which only a part is new: marked bytes are never overwritten
  struct Target {
    RequestId request;
    transport::DataRange range;
    bool aside = false;
    std::uint32_t room = 0;  ///< for packets that go on behind it, 0 if aside
  };
  std::optional<Target> target_;
  transport::Session* session_ = nullptr;  ///< the endpoint's; set from attach to on_closed
  std::optional<transport::CloseReason> last_close_;
  std::uint64_t outstanding_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t sessions_established_ = 0;
  std::size_t ranges_done_ = 0;
  unsigned cancels_left_ = 20;  ///< or a long range on a slow path would never be whole
  std::uint32_t next_id_ = 1;
  Join join_ = Join::kNot;
  bool heard_ = false;   ///< since the last turn
  Instant heard_at_;     ///< the turn in which something was heard last
  Duration patience_{};  ///< silence after which a PING goes out; doubles
};

/// Both sides of the pair know the same content under the same swarm key.
ContentId pair_content_id();
crypto::MaybeSwarmKey pair_swarm_key();

}  // namespace peernet::sim
