// A download over a small model of a network in virtual time: each source serves its requests in order over a link of
// its own, whose packets then share one queue into the receiver.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <vector>

#include "swarm/download.hpp"

namespace peernet::swarm {
namespace {

constexpr std::uint32_t kChunk = 1 << 20;
constexpr Duration kStep = 1ms;

struct Link {
  double rate = 6.25e6;  // bytes per second
  Duration rtt = 1ms;
  Duration measured_above = 0ns;  // the least round trip that was seen is so much longer
  Instant dead_from = Instant::never();
};

class Model {
 public:
  Model(std::vector<Link> links, std::uint32_t chunks, double receiver_rate, std::uint64_t seed = 1)
      : links_(std::move(links)), receiver_rate_(receiver_rate), download_(options(seed)), sources_(links_.size()) {
    download_.begin_chunks({.count = chunks, .bytes = kChunk, .last_bytes = kChunk, .assemblies = 24});
    download_.set_verifiable(ChunkIndex(0), chunks);
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const SourceIndex s = *download_.add_source(now_);
      download_.on_have_all(s);
      set_round_trip(i, 0ns);
    }
  }

  // Until complete or the time is over.
  bool run(Duration limit) {
    const Instant end = now_ + limit;
    while (!download_.complete() && now_ < end) step();
    return download_.complete();
  }

  double seconds() const { return static_cast<double>(now_.ns()) * 1e-9; }
  std::uint64_t bytes_of(std::size_t i) const { return sources_[i].bytes; }
  const Download& download() const { return download_; }

 private:
  struct Request {
    RequestPlan plan;
    std::uint32_t sent = 0;
    Instant arrives;  // at the source
  };
  struct Packet {
    Instant arrives;  // at the receiver's queue
    SourceIndex source;
    RequestId id;
    std::uint32_t offset;
    std::uint32_t length;
  };
  struct Sender {
    std::deque<Request> queue;
    std::deque<Packet> path;
    double credit = 0;
    std::uint64_t bytes = 0;
  };

  static DownloadOptions options(std::uint64_t seed) {
    DownloadOptions o;
    o.seed = seed;
    return o;
  }

  void step() {
    now_ += kStep;
    constexpr double kSeconds = 1e-3;
    for (std::size_t i = 0; i < sources_.size(); ++i) send(i, links_[i].rate * kSeconds);
    receive(receiver_rate_ * kSeconds);
    download_.on_timeout(now_);
    while (const auto plan = download_.next_request(now_)) {
      const std::size_t i = plan->source.value();
      sources_[i].queue.push_back({.plan = *plan, .arrives = now_ + links_[i].rtt / 2});
    }
    while (const auto cancel = download_.next_cancel())
      cancels_.emplace_back(now_ + links_[cancel->first.value()].rtt, *cancel);
    std::erase_if(cancels_, [this](const auto& c) {
      if (now_ < c.first || now_ >= links_[c.second.first.value()].dead_from) return false;
      std::erase_if(sources_[c.second.first.value()].queue,
                    [&](const Request& r) { return r.plan.id == c.second.second; });
      download_.on_request_gone(c.second.first, c.second.second);
      return true;
    });
    if (now_.ns() / 1'000'000 % 16 == 0) download_.check_invariants();
  }

  void send(std::size_t i, double credit) {
    Sender& sender = sources_[i];
    sender.credit = std::min(sender.credit + credit, 65536.0);
    if (now_ >= links_[i].dead_from) return sender.path.clear();
    while (!sender.queue.empty() && sender.queue.front().arrives <= now_) {
      Request& request = sender.queue.front();
      const std::uint32_t length = std::min<std::uint32_t>(1400, request.plan.length - request.sent);
      if (sender.credit < length) return;
      sender.credit -= length;
      sender.path.push_back(
          {now_ + links_[i].rtt / 2, request.plan.source, request.plan.id, request.plan.offset + request.sent, length});
      request.sent += length;
      if (request.sent == request.plan.length) sender.queue.pop_front();
    }
    sender.credit = std::min(sender.credit, 2800.0);
  }

  void receive(double credit) {
    receiver_credit_ = std::min(receiver_credit_ + credit, 1e6);
    for (std::size_t n = 0; n < sources_.size(); ++n) {
      auto& path = sources_[(n + turn_) % sources_.size()].path;
      while (!path.empty() && path.front().arrives <= now_) {
        queue_.push_back(path.front());
        path.pop_front();
      }
    }
    ++turn_;
    while (!queue_.empty() && receiver_credit_ >= queue_.front().length) {
      const Packet packet = queue_.front();
      queue_.pop_front();
      receiver_credit_ -= packet.length;
      deliver(packet);
    }
    if (queue_.empty()) receiver_credit_ = 0;
    const auto waiting =
        Duration(static_cast<std::int64_t>(static_cast<double>(queue_.size()) * 1400 / receiver_rate_ * 1e9));
    for (std::size_t i = 0; i < links_.size(); ++i) set_round_trip(i, waiting);
  }

  void set_round_trip(std::size_t i, Duration waiting) {
    const Duration least = links_[i].rtt + links_[i].measured_above;
    download_.set_round_trip(SourceIndex(static_cast<std::uint16_t>(i)), least + waiting, least);
  }

  void deliver(const Packet& packet) {
    const auto target = download_.target(packet.source, packet.id, packet.offset, packet.length);
    if (!target) return download_.on_unwanted(packet.source, packet.length);
    Range<std::uint32_t> rest{packet.offset, packet.offset + packet.length};
    while (true) {
      const auto piece = download_.missing(target->assembly, rest);
      if (piece.empty()) return;
      rest.first = piece.end;
      sources_[packet.source.value()].bytes += piece.size();
      const auto whole = download_.on_data(now_, packet.source, packet.id, piece.first, piece.size());
      if (!whole) continue;
      download_.on_verified(*whole);
      download_.on_written(*whole);
      return;
    }
  }

  std::vector<Link> links_;
  double receiver_rate_;
  double receiver_credit_ = 0;
  std::size_t turn_ = 0;
  Download download_;
  std::vector<Sender> sources_;
  std::deque<Packet> queue_;
  std::vector<std::pair<Instant, std::pair<SourceIndex, RequestId>>> cancels_;
  Instant now_;
};

constexpr double kUnshaped = 1e9;
const std::vector<Link> kFourPaths{{.rtt = 1ms}, {.rtt = 5ms}, {.rtt = 50ms}, {.rtt = 200ms}};

TEST(DownloadModel, SourcesTogetherGiveTheSumOfTheirRatesAndHardlyAnythingTwice) {
  for (std::size_t n = 1; n <= 5; ++n) {
    Model model(std::vector<Link>(n, {.rate = 50e6}), 200, kUnshaped);
    ASSERT_TRUE(model.run(30s)) << n;
    EXPECT_LT(model.download().duplicate_bytes(), 2'000'000u) << n;
    EXPECT_LT(model.seconds(), 1.1 * 200 * kChunk / (50e6 * static_cast<double>(n))) << n;
  }
}

TEST(DownloadModel, UnshapedReceiverUsesEachOfFourPathsAtItsFullRate) {
  Model model(kFourPaths, 200, kUnshaped);
  ASSERT_TRUE(model.run(60s));
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_GT(static_cast<double>(model.bytes_of(i)), 0.85 * 6.25e6 * model.seconds()) << i;
  EXPECT_LT(model.download().duplicate_bytes(), 2'000'000u);
}

TEST(DownloadModel, AReceiverThatIsTheBottleneckTakesMostFromTheNearestSource) {
  Model model(kFourPaths, 200, 6.25e6);
  ASSERT_TRUE(model.run(120s));
  EXPECT_GT(static_cast<double>(model.bytes_of(0)), 0.6 * 200 * kChunk);
  EXPECT_LT(model.seconds(), 1.1 * 200 * kChunk / 6.25e6);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_GT(model.bytes_of(i), 0u) << "never tried";
}

TEST(DownloadModel, ABusyHostsRoundTripsStillTellTheNearestSource) {
  std::vector<Link> links = kFourPaths;
  links[0].measured_above = links[1].measured_above = 1200us;
  links[2].measured_above = 14ms;  // its session began when the queue was full
  links[3].measured_above = 30ms;
  Model model(links, 200, 6.25e6);
  ASSERT_TRUE(model.run(120s));
  EXPECT_GT(static_cast<double>(model.bytes_of(0)), 0.75 * 200 * kChunk);
}

TEST(DownloadModel, FartherSourcesGiveAllTheyCanOnceTheNearestIsGone) {
  std::vector<Link> links = kFourPaths;
  links[0].dead_from = Instant::from_ns(8'000'000'000);
  Model model(links, 200, 6.25e6);
  ASSERT_TRUE(model.run(120s));
  EXPECT_LT(model.seconds(), 1.15 * 200 * kChunk / 6.25e6);
}

TEST(DownloadModel, ADeadSourceCostsAtMostTwoSeconds) {
  std::vector<Link> links(3, {.rate = 25e6});
  links[1].dead_from = Instant::from_ns(500'000'000);
  Model model(links, 200, kUnshaped);
  ASSERT_TRUE(model.run(60s));
  EXPECT_LT(model.seconds(), 200 * kChunk / 50e6 + 2);
}

TEST(DownloadModel, ASlowSourceNeverHoldsTheLastChunkHostage) {
  Model model({{.rate = 25e6}, {.rate = 20e3}}, 50, kUnshaped);
  ASSERT_TRUE(model.run(60s));
  EXPECT_LT(model.seconds(), 1.2 * 50 * kChunk / 25e6);
}

}  // namespace
}  // namespace peernet::swarm
