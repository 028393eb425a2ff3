// Several threads at one core: for ThreadSanitizer, and the sums must come out right.
#include <atomic>
#include <thread>

#include "base/rng.hpp"
#include "tracker_client.hpp"

namespace peernet::tracker {
namespace {

/// What one thread says; a Tracker of its own would be another core.
class Voice {
 public:
  Voice(TrackerCore& core, std::uint32_t number) : core_(core), rng_(number + 1), number_(number) {}

  void speak(int times) {
    for (int i = 0; i < times; ++i) {
      now_ += std::chrono::milliseconds(rng_.below(3));
      const Address from = v4(number_ << 16 | static_cast<std::uint32_t>(rng_.below(200)) << 8, 9);
      const auto swarm = static_cast<std::uint32_t>(rng_.below(40));
      wire::NodeAnnounce node = node_announce(swarm_number(swarm), 1, rng_.chance(0.5));
      if (rng_.chance(0.2)) node.flags |= wire::kContentLeft;
      switch (rng_.below(5)) {
        case 0:
          plain(from, wire::AnnounceRequest{.swarm = swarm_number(swarm),
                                            .left = rng_.below(2),
                                            .event = static_cast<wire::AnnounceEvent>(rng_.below(4)),
                                            .port = 9});
          break;
        case 1:
        case 2:
          extended(from, node);
          break;
        case 3: {
          std::vector<SwarmId> swarms;
          for (std::uint32_t k = 0; k < 32; ++k)
            swarms.push_back(swarm_number(static_cast<std::uint32_t>(rng_.below(40))));
          extended(from, heartbeat_of(node, swarms));
          break;
        }
        default:
          extended(from, wire::Query{swarm_number(swarm), 0});
      }
    }
  }
  void sweep() {
    now_ += 8s;
    core_.sweep(now_, counters_);
  }

 private:
  std::uint64_t connect(const Address& from, bool is_extended) {
    const std::size_t size = wire::encode_connect(request_, {.extended = is_extended});
    core_.answer(now_, from, ByteSpan(request_).first(size), out_, counters_);
    ByteReader r(ByteSpan(out_).subspan(8));
    return r.u64();
  }
  void plain(const Address& from, const wire::AnnounceRequest& announce) {
    const wire::TrackerHeader header{.connection_id = connect(from, false)};
    const std::size_t size = wire::encode(request_, header, announce, {});
    EXPECT_GT(core_.answer(now_, from, ByteSpan(request_).first(size), out_, counters_), 0u);
  }
  template <class Request>
  void extended(const Address& from, const Request& request) {
    const wire::TrackerHeader header{.connection_id = connect(from, true)};
    const std::size_t size = wire::encode(request_, header, request);
    EXPECT_GT(core_.answer(now_, from, ByteSpan(request_).first(size), out_, counters_), 0u);
  }

  TrackerCore& core_;
  Counters counters_;
  Rng rng_;
  std::uint32_t number_;
  Instant now_ = at(1000s);
  ByteArray<wire::kMaxTrackerRequest> request_{};
  ByteArray<wire::kMaxTrackerReply> out_{};
};

TEST(TrackerThreads, AnswerVisitAndSweepAtOnce) {
  TrackerCore core(core_options());
  std::atomic<int> speaking{3};
  std::vector<std::thread> threads;
  for (std::uint32_t number = 0; number < 3; ++number) {
    threads.emplace_back([&core, &speaking, number] {
      Voice(core, number).speak(2000);
      --speaking;
    });
  }
  threads.emplace_back([&] {
    Voice sweeper(core, 9);
    for (std::uint32_t limit = 1000; speaking > 0; ++limit) {
      sweeper.sweep();
      core.set_limits({.contents = limit});
      VisitCursor cursor;
      while (!cursor.done) core.visit_peers(at(1000s), cursor, [](const SwarmSummary&, const PeerSummary&) {});
      EXPECT_LE(core.totals().contents, 40u);
      EXPECT_GE(core.next_sweep(), at(0s));
      PeerSummary peer;
      peer.node.address = v4(77, 7);
      core.restore(at(1000s), swarm_number(3), peer);
    }
  });
  for (std::thread& thread : threads) thread.join();
  core.check_invariants();
}

}  // namespace
}  // namespace peernet::tracker
