// The application that serves: one object per session. It keeps no sent bytes: what was lost is read again.
#pragma once

#include <deque>
#include <set>
#include <vector>

#include "sim/requester.hpp"

namespace peernet::sim {

class Source final : public SessionUser {
 public:
  Source(SharedWorld world, const NodeId& self, const Requester& requester, std::uint64_t seed);

  void attach(transport::Session& session) override { session_ = &session; }
  bool idle() const { return jobs_.empty(); }
  /// From now on acknowledgements may be invented.
  void distrust() { distrusted_ = true; }
  bool was_established() const { return established_; }
  bool ended() const { return ended_; }
  std::uint64_t bytes_sealed_twice() const { return sealed_twice_; }
  Chatter& chatter() { return chatter_; }

  void on_established(const NodeId& peer, const wire::Parameters& parameters) override;
  void on_frame(const wire::Frame& frame) override;
  MutableByteSpan data_target(RequestId, transport::DataRange) override;
  void on_data(RequestId, transport::DataRange) override;
  void on_data_lost(RequestId request, transport::DataRange range) override;
  void on_data_acked(RequestId request, transport::DataRange range) override;
  void on_closed(const transport::CloseReason& reason) override;
  void turn(transport::Session& session, Instant now) override;
  Instant wake_at() const override { return Instant::never(); }
  bool wants_to_send() const override;
  transport::SealedTrain seal(transport::Session& session, Instant now, MutableByteSpan train) override;

 private:
  struct Job {
    RequestId id;
    std::uint32_t chunk = 0;
    std::uint32_t begin = 0;  ///< within the chunk
    std::uint32_t end = 0;
    std::uint32_t next = 0;  ///< first byte never sealed
    RangeSet lost;           ///< sealed, considered lost, not sealed again yet
    RangeSet acked;

    bool wants() const { return next < end || !lost.empty(); }
    bool done() const { return acked.total() == end - begin; }
  };

  Job* find(RequestId id);
  void on_request(const wire::RequestFrame& request);
  void on_join(const wire::JoinFrame& join);
  void answer(const wire::Frame& frame);
  void finish(RequestId id);

  SharedWorld world_;
  NodeId self_;
  NodeId peer_{};
  const Requester& requester_;  ///< the other end, to check acknowledgements against the truth; outlives this
  Rng rng_;
  Chatter chatter_;
  transport::Session* session_ = nullptr;  ///< the endpoint's; set from attach to on_closed
  std::vector<Job> jobs_;
  std::size_t turn_of_ = 0;
  std::deque<wire::Frame> unsent_;  ///< answers the session had no room for
  std::set<std::uint32_t> seen_;    ///< ids that need no second service: REQUEST may arrive twice, or after its CANCEL
  std::uint64_t sealed_twice_ = 0;
  bool joined_ = false;
  bool established_ = false;
  bool ended_ = false;
  bool distrusted_ = false;
};

}  // namespace peernet::sim
