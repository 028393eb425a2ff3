// Two sessions back to back over a small virtual network: a fixed delay each way, and a rule that may drop, change or
// delay any datagram. The big simulator is tests/sim; this one is for single promises.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/rng.hpp"
#include "crypto/handshake.hpp"
#include "crypto/identity.hpp"
#include "transport/session.hpp"

namespace peernet::transport::test {

inline crypto::HandshakeFactory& factory(bool initiator) {
  const auto make = [](std::uint8_t seed) {
    ByteArray<32> bytes{};
    bytes[0] = std::byte{seed};
    return std::move(crypto::make_tls_handshake_factory(crypto::Identity::from_seed(bytes)).value());
  };
  static const std::unique_ptr<crypto::HandshakeFactory> first = make(1);
  static const std::unique_ptr<crypto::HandshakeFactory> second = make(2);
  return initiator ? *first : *second;
}

/// File bytes are a function of request and offset.
inline std::byte file_byte(std::uint32_t request, std::uint32_t offset) {
  return static_cast<std::byte>((offset * 2654435761U >> 24) ^ request);
}

/// One side: records what it is told, serves and receives one stream of file bytes per request.
class User : public SessionHandler {
 public:
  void on_established(const NodeId& peer, const wire::Parameters&) override {
    ++established;
    peer_id = peer;
  }
  void on_frame(const wire::Frame& frame) override {
    frames.push_back(wire::type_of(frame));
    if (const auto* request = std::get_if<wire::RequestFrame>(&frame)) requests[request->request.value()]++;
  }
  MutableByteSpan data_target(RequestId request, DataRange range) override {
    ++targets;
    if (refuse_targets) return {};
    std::vector<std::byte>& buffer = incoming[request.value()];
    if (std::uint64_t{range.offset} + range.length > buffer.size()) return {};
    const std::vector<bool>& have = marked[request.value()];
    std::uint32_t end = range.offset;
    while (end != buffer.size() && !have[end]) ++end;
    if (end < range.offset + range.length) return {};
    return MutableByteSpan(buffer).subspan(range.offset, end - range.offset);
  }
  void on_data(RequestId request, DataRange range) override {
    ++deliveries;
    for (std::uint32_t i = 0; i != range.length; ++i) twice += marked[request.value()][range.offset + i] ? 1 : 0;
    for (std::uint32_t i = 0; i != range.length; ++i) marked[request.value()][range.offset + i] = true;
    received += range.length;
  }
  void on_data_lost(RequestId request, DataRange range) override {
    lost_bytes += range.length;
    to_send.push_front({request, range});
  }
  void on_data_acked(RequestId, DataRange range) override { acked_bytes += range.length; }
  void on_closed(const CloseReason& why) override {
    ++closed;
    reason = why;
  }

  void expect(std::uint32_t request, std::size_t bytes) {
    incoming[request].resize(bytes);
    marked[request].assign(bytes, false);
  }
  bool complete(std::uint32_t request) const {
    const std::vector<std::byte>& buffer = incoming.at(request);
    for (std::uint32_t i = 0; i != buffer.size(); ++i)
      if (!marked.at(request)[i] || buffer[i] != file_byte(request, i)) return false;
    return true;
  }

  int targets = 0;     ///< asked for
  int deliveries = 0;  ///< on_data()
  int twice = 0;       ///< bytes that were delivered again
  int established = 0;
  int closed = 0;
  NodeId peer_id{};
  CloseReason reason;
  std::vector<wire::FrameType> frames;
  std::map<std::uint32_t, int> requests;
  std::map<std::uint32_t, std::vector<std::byte>> incoming;
  std::map<std::uint32_t, std::vector<bool>> marked;
  struct Piece {
    RequestId request;
    DataRange range;
  };
  std::deque<Piece> to_send;
  bool refuse_targets = false;
  std::uint64_t received = 0;
  std::uint64_t lost_bytes = 0;
  std::uint64_t acked_bytes = 0;
};

struct Flying {
  bool to_responder = false;
  std::vector<std::byte> bytes;
  std::size_t segment = 0;
  std::uint8_t ecn = 0;
  Address from;
};

class Pair {
 public:
  static SessionConfig default_config(Role role) {
    SessionConfig c;
    c.role = role;
    c.initiator_id = 0x1122334455667788;
    c.first_receiver_id = SessionId(0xabcdef01);
    c.local_id = SessionId(role == Role::kInitiator ? 0x1000 : 0x2000);
    c.remote_id = SessionId(0x1000);
    c.remote = Address::v4(10, 0, 0, role == Role::kInitiator ? 2 : 1, 4000);
    c.parameters.ciphers = wire::kCiphersKnown;
    c.parameters.max_datagram = 65507;
    c.aead_backend = crypto::AeadBackend::kOpenssl;
    c.secret[0] = role == Role::kInitiator ? std::byte{7} : std::byte{8};
    return c;
  }
  struct Options {
    std::function<void(SessionConfig&)> adjust = [](SessionConfig&) {};
    Duration delay = 10ms;
  };

  explicit Pair(const Options& options) : delay(options.delay) {
    SessionConfig a = default_config(Role::kInitiator);
    SessionConfig b = default_config(Role::kResponder);
    options.adjust(a);
    options.adjust(b);
    initiator = std::make_unique<Session>(a, factory(true).start_initiator(), now);
    responder = std::make_unique<Session>(b, factory(false).start_responder(), now);
  }
  Pair() : Pair(Options{}) {}

  /// May drop (false) or change a datagram on its way. Trains pass segment by segment.
  std::function<bool(Flying&)> rule = [](Flying&) { return true; };
  /// Called after each step; for invariants of a test.
  std::function<void()> watch = [] {};

  void run(Duration time) {
    const Instant end = now + time;
    while (now < end && step(end)) {
    }
    now = std::max(now, end);
  }
  /// Runs until the condition holds; false if `limit` passes first.
  bool run_until(const std::function<bool()>& condition, Duration limit = 60s) {
    const Instant end = now + limit;
    while (!condition()) {
      if (!step(end) || now >= end) return condition();
    }
    return true;
  }
  bool connect() {
    return run_until([this] { return initiator->established() && responder->established(); }, 20s);
  }
  /// Bytes of one request from one side to the other.
  void transfer(User& from, User& to, std::uint32_t request, std::uint32_t bytes) {
    to.expect(request, bytes);
    from.to_send.push_back({RequestId(request), {0, bytes}});
  }
  /// Hands bytes to a side at once.
  void inject(bool to_responder, std::vector<std::byte> bytes, const Address& from) {
    (to_responder ? responder : initiator)
        ->on_datagram(now, {.bytes = bytes, .segment_size = 0, .from = from, .ecn = 0},
                      to_responder ? responder_user : initiator_user);
  }

  Instant now = Instant::from_ns(1'000'000'000);
  Duration delay;
  std::unique_ptr<Session> initiator;
  std::unique_ptr<Session> responder;
  User initiator_user;
  User responder_user;
  Address initiator_address = Address::v4(10, 0, 0, 1, 4000);
  Address responder_address = Address::v4(10, 0, 0, 2, 4000);
  std::multimap<Instant, Flying> network;
  std::uint64_t steps = 0;

 private:
  void post(bool to_responder, ByteSpan bytes, std::size_t segment, std::uint8_t ecn) {
    while (!bytes.empty()) {
      const std::size_t n = std::min(segment, bytes.size());
      Flying f{to_responder,
               {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)},
               n,
               ecn,
               to_responder ? initiator_address : responder_address};
      bytes = bytes.subspan(n);
      if (rule(f)) network.emplace(now + delay, std::move(f));
    }
  }

  Instant pump(Session& session, User& user, bool to_responder) {
    std::vector<std::byte> out(65536);
    while (const std::optional<Transmit> t = session.poll_transmit(now, out))
      post(to_responder, ByteSpan(out).first(t->bytes), t->bytes, t->ecn);
    while (!user.to_send.empty()) {
      User::Piece& piece = user.to_send.front();
      std::vector<std::byte> file(std::min<std::size_t>(piece.range.length, 128 * 1024));
      for (std::uint32_t i = 0; i != file.size(); ++i)
        file[i] = file_byte(piece.request.value(), piece.range.offset + i);
      const SealedTrain train =
          session.seal_data(now,
                            {.request = piece.request,
                             .offset = piece.range.offset,
                             .file_bytes = file,
                             .last = user.to_send.size() == 1 && file.size() == piece.range.length},
                            MutableByteSpan(out));
      if (train.consumed == 0) return session.data_budget(now).retry_at;
      post(to_responder, ByteSpan(out).first(train.train_bytes), train.segment_size, train.ecn);
      piece.range.offset += static_cast<std::uint32_t>(train.consumed);
      piece.range.length -= static_cast<std::uint32_t>(train.consumed);
      if (piece.range.length == 0) user.to_send.pop_front();
    }
    return Instant::never();
  }

  bool step(Instant end) {
    ++steps;
    const Instant a = pump(*initiator, initiator_user, true);
    const Instant b = pump(*responder, responder_user, false);
    initiator->check_invariants();
    responder->check_invariants();
    watch();
    Instant next = std::min({a, b, initiator->next_deadline(), responder->next_deadline(), end});
    if (!network.empty()) next = std::min(next, network.begin()->first);
    if (next >= end) {
      now = end;
      return false;
    }
    now = std::max(now, next);
    if (!network.empty() && network.begin()->first <= now) {
      Flying f = std::move(network.begin()->second);
      network.erase(network.begin());
      inject(f.to_responder, std::move(f.bytes), f.from);
    }
    if (initiator->next_deadline() <= now) initiator->on_timeout(now, initiator_user);
    if (responder->next_deadline() <= now) responder->on_timeout(now, responder_user);
    return true;
  }
};

}  // namespace peernet::transport::test
