// What the transport costs per file byte on both sides, AEAD included: seal a train, open it into its target,
// acknowledge. Subtract bench_crypto's AEAD figures to see what headers, books and callbacks cost.
#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <vector>

#include "base/check.hpp"
#include "crypto/handshake.hpp"
#include "crypto/identity.hpp"
#include "transport/ack_tracker.hpp"
#include "transport/loss_recovery.hpp"
#include "transport/session.hpp"

namespace peernet::transport {
namespace {

class User final : public SessionHandler {
 public:
  void on_established(const NodeId&, const wire::Parameters&) override {}
  void on_frame(const wire::Frame&) override {}
  MutableByteSpan data_target(RequestId, DataRange range) override {
    return MutableByteSpan(chunk).subspan(range.offset);
  }
  void on_data(RequestId, DataRange) override {}
  void on_data_lost(RequestId, DataRange) override {}
  void on_data_acked(RequestId, DataRange) override {}
  void on_closed(const CloseReason&) override {}
  std::vector<std::byte> chunk = std::vector<std::byte>(1 << 20);
};

struct Line {
  explicit Line(std::uint32_t mtu) {
    ByteArray<32> seed{};
    const auto make = [&](int n) {
      seed[0] = static_cast<std::byte>(n);
      return std::move(crypto::make_tls_handshake_factory(crypto::Identity::from_seed(seed)).value());
    };
    initiator_factory = make(1);
    responder_factory = make(2);
    SessionConfig c;
    c.max_datagram = mtu;
    c.parameters.ciphers = wire::kCipherAes128Gcm;
    c.parameters.max_datagram = wire::kMaxDatagram;
    c.max_window = 4U << 20;
    c.initiator_id = 5;
    c.first_receiver_id = SessionId(9);
    c.local_id = SessionId(1);
    c.remote = Address::v4(10, 0, 0, 2, 1);
    a = std::make_unique<Session>(c, initiator_factory->start_initiator(), now);
    c.role = Role::kResponder;
    c.local_id = SessionId(2);
    c.remote_id = SessionId(1);
    c.remote = Address::v4(10, 0, 0, 1, 1);
    b = std::make_unique<Session>(c, responder_factory->start_responder(), now);
    for (int i = 0; i != 200; ++i) pass();
    PN_CHECK(a->established() && b->established());
    a->set_window_hint(4U << 20);
    b->set_window_hint(4U << 20);
  }

  /// Control datagrams both ways; 50 us pass.
  void pass() {
    now += 50us;
    move(*a, *b, b_user, 1);
    move(*b, *a, a_user, 2);
    if (a->next_deadline() <= now) a->on_timeout(now, a_user);
    if (b->next_deadline() <= now) b->on_timeout(now, b_user);
  }
  void move(Session& from, Session& to, User& user, std::uint8_t host) {
    while (const std::optional<Transmit> t = from.poll_transmit(now, out))
      to.on_datagram(now,
                     {.bytes = MutableByteSpan(out).first(t->bytes),
                      .segment_size = 0,
                      .from = Address::v4(10, 0, 0, host, 1),
                      .ecn = t->ecn},
                     user);
  }

  std::unique_ptr<crypto::HandshakeFactory> initiator_factory;
  std::unique_ptr<crypto::HandshakeFactory> responder_factory;
  Instant now = Instant::from_ns(1'000'000'000);
  std::unique_ptr<Session> a;
  std::unique_ptr<Session> b;
  User a_user;
  User b_user;
  std::vector<std::byte> out = std::vector<std::byte>(65536);
};

void seal_open_acknowledge(benchmark::State& state) {
  Line line(static_cast<std::uint32_t>(state.range(0)));
  const std::vector<std::byte> file(1 << 20, std::byte{7});
  std::vector<std::byte> train(65536);
  std::size_t offset = 0;
  std::int64_t bytes = 0;
  std::int64_t packets = 0;
  for (auto _ : state) {
    const SealedTrain sealed = line.a->seal_data(line.now,
                                                 {.request = RequestId(1),
                                                  .offset = static_cast<std::uint32_t>(offset),
                                                  .file_bytes = ByteSpan(file).subspan(offset),
                                                  .last = false},
                                                 train);
    if (sealed.consumed == 0) {
      line.pass();
      continue;
    }
    line.b->on_datagram(line.now,
                        {.bytes = MutableByteSpan(train).first(sealed.train_bytes),
                         .segment_size = sealed.segment_size,
                         .from = Address::v4(10, 0, 0, 1, 1),
                         .ecn = sealed.ecn},
                        line.b_user);
    offset = (offset + sealed.consumed) % file.size();
    bytes += static_cast<std::int64_t>(sealed.consumed);
    packets += sealed.packets;
  }
  PN_CHECK(line.a->stats().packets_lost == 0);
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(packets);
  state.counters["window"] = static_cast<double>(line.a->stats().congestion_window);
  state.counters["acks"] = static_cast<double>(line.b->stats().acks_sent);
}
BENCHMARK(seal_open_acknowledge)->Arg(1500)->Arg(9000)->Arg(65535);

// The sender's half alone up to the window, the receiver's and the acknowledgements untimed.
void seal_trains(benchmark::State& state) {
  Line line(static_cast<std::uint32_t>(state.range(0)));
  const std::vector<std::byte> file(65536, std::byte{7});
  std::vector<std::byte> train(65536);
  std::int64_t bytes = 0;
  std::int64_t packets = 0;
  for (auto _ : state) {
    const SealedTrain sealed =
        line.a->seal_data(line.now, {.request = RequestId(1), .offset = 0, .file_bytes = file, .last = false}, train);
    bytes += static_cast<std::int64_t>(sealed.consumed);
    packets += sealed.packets;
    state.PauseTiming();
    if (sealed.consumed == 0)
      line.pass();
    else
      line.b->on_datagram(line.now,
                          {.bytes = MutableByteSpan(train).first(sealed.train_bytes),
                           .segment_size = sealed.segment_size,
                           .from = Address::v4(10, 0, 0, 1, 1),
                           .ecn = sealed.ecn},
                          line.b_user);
    state.ResumeTiming();
  }
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(packets);
}
BENCHMARK(seal_trains)->Arg(1500)->Arg(9000);

// The sender's books: each packet recorded, acknowledged 512 at a time in so many ranges, looked at for losses and
// forgotten; items are packets.
void record_and_acknowledge(benchmark::State& state) {
  struct Nobody final : RecoveryListener {
    void on_packet_acked(std::uint64_t, const SentPacket&, bool) override {}
    void on_packet_lost(std::uint64_t, const SentPacket&) override {}
  } nobody;
  constexpr std::uint64_t kPackets = 512;
  const auto ranges = static_cast<std::uint64_t>(state.range(0));
  LossRecovery recovery(1U << 17);
  RttEstimator rtt(1ms);
  Instant now = Instant::from_ns(1'000'000'000);
  std::vector<wire::PacketRange> acked(ranges);
  for (auto _ : state) {
    const std::uint64_t first = recovery.next_number();
    for (std::uint64_t i = 0; i < kPackets; ++i)
      recovery.on_sent({.sent_at = now,
                        .request = 1,
                        .offset = static_cast<std::uint32_t>(i * 1432),
                        .payload = 1432,
                        .bytes = 1472,
                        .flags = SentPacket::kData | SentPacket::kAckEliciting});
    now += 1ms;
    // Newest first; the last packet of each range but the newest is missing, and comes to be lost.
    const std::uint64_t each = kPackets / ranges;
    for (std::uint64_t r = 0; r < ranges; ++r) {
      const std::uint64_t low = first + kPackets - (r + 1) * each;
      acked[r] = {PacketNumber(low), PacketNumber(low + each - (r == 0 ? 1 : 2))};
    }
    benchmark::DoNotOptimize(recovery.on_ack(now, acked, nobody));
    rtt.on_sample(1ms, 0ns, 25ms);
    benchmark::DoNotOptimize(recovery.detect_lost(now, rtt, nobody));
    recovery.forget_old(now, 3ms);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPackets));
}
BENCHMARK(record_and_acknowledge)->ArgName("ranges")->Arg(1)->Arg(16);

// The receiver's books of what arrived; every so many packets one is missing (0: none). Items are packets.
void track_arrivals(benchmark::State& state) {
  const auto every = static_cast<std::uint64_t>(state.range(0));
  AckTracker tracker;
  Instant now = Instant::from_ns(1'000'000'000);
  std::uint64_t pn = 0;
  for (auto _ : state) {
    ++pn;
    if (every != 0 && pn % every == 0) continue;
    tracker.on_packet(now, {.pn = pn, .bytes = 1472, .ack_eliciting = true, .ack_now = false, .ecn = 2}, 1ms);
    if (pn % 44 != 0) continue;
    now += 50us;
    if (!tracker.due(now)) continue;
    tracker.on_ack_sent();
    if (pn > 4096) tracker.on_ack_acknowledged(pn - 4096);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(track_arrivals)->ArgName("missing")->Arg(0)->Arg(100);

}  // namespace
}  // namespace peernet::transport

BENCHMARK_MAIN();
