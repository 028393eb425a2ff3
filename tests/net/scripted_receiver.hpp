// A receiver that does as a test tells it: a real session over a real socket, and whatever frames the test wants.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "crypto/identity.hpp"
#include "crypto/join_proof.hpp"
#include "io/clock.hpp"
#include "io/system_random.hpp"
#include "peernet/link.hpp"
#include "transport/session.hpp"

namespace peernet::testing_net {

class ScriptedReceiver final : private transport::SessionHandler {
 public:
  static constexpr std::uint16_t kSlot = 2;

  struct Behaviour {
    Link link;
    std::uint16_t port = 0;  // of the source, on 127.0.0.1
    /// Called again and again once the content is joined, on the receiver's thread.
    std::function<void(transport::Session&)> act;
    /// Hears and says nothing any more after act() was called this often; 0: never.
    int deaf_after = 0;
  };

  explicit ScriptedReceiver(Behaviour behaviour) : behaviour_(std::move(behaviour)) {
    io::SystemRandom random;
    identity_ = std::make_unique<crypto::Identity>(crypto::Identity::generate(random));
    handshakes_ = std::move(*crypto::make_tls_handshake_factory(*identity_));
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(behaviour_.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    PN_CHECK(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    transport::SessionConfig config;
    config.role = transport::Role::kInitiator;
    const auto draw = random.array<16>();
    ByteReader reader(draw);
    config.local_id = SessionId(reader.u32());
    config.first_receiver_id = SessionId(reader.u32());
    config.initiator_id = reader.u64();
    config.remote = Address::v4(127, 0, 0, 1, behaviour_.port);
    config.parameters.ciphers = wire::kCiphersKnown;
    config.parameters.max_datagram = 65507;
    config.max_datagram = 1500;
    config.mtu_search = false;
    session_ = std::make_unique<transport::Session>(config, handshakes_->start_initiator(), io::monotonic_now());
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~ScriptedReceiver() override {
    thread_.request_stop();
    thread_.join();
    ::close(socket_);
  }

  bool joined() const { return joined_; }
  bool closed() const { return closed_; }
  bool deaf() const { return deaf_; }
  wire::CloseCode close_code() const { return code_; }
  int rejected(wire::RejectReason reason) const { return rejected_[static_cast<std::size_t>(reason)]; }

 private:
  void on_established(const NodeId&, const wire::Parameters&) override {
    crypto::JoinClaim claim;
    claim.role = crypto::JoinRole::kJoin;
    claim.binding = session_->binding();
    claim.prover = identity_->id();
    claim.verifier = session_->peer();
    claim.content = behaviour_.link.content_id;
    wire::JoinFrame join;
    join.slot = ContentSlot(kSlot);
    join.swarm = crypto::swarm_id(behaviour_.link.swarm_key, claim.content);
    join.mac = crypto::join_proof(behaviour_.link.swarm_key, claim);
    session_->send(join);
  }
  void on_frame(const wire::Frame& frame) override {
    if (const auto* joined = std::get_if<wire::JoinResFrame>(&frame)) joined_ = joined->status == wire::JoinStatus::kOk;
    if (const auto* reject = std::get_if<wire::RejectFrame>(&frame))
      ++rejected_[static_cast<std::size_t>(reject->reason)];
  }
  MutableByteSpan data_target(RequestId, transport::DataRange) override { return {}; }
  void on_data(RequestId, transport::DataRange) override {}
  void on_data_lost(RequestId, transport::DataRange) override {}
  void on_data_acked(RequestId, transport::DataRange) override {}
  void on_closed(const transport::CloseReason& reason) override {
    code_ = reason.code;
    closed_ = true;
  }

  void run(const std::stop_token& stop) {
    std::vector<std::byte> buffer(65536);
    int acts = 0;
    while (!stop.stop_requested() && !closed_) {
      const Instant now = io::monotonic_now();
      if (session_->next_deadline() <= now) session_->on_timeout(now, *this);
      if (joined_) {
        behaviour_.act(*session_);
        ++acts;
      }
      while (const auto transmit = session_->poll_transmit(now, buffer))
        ::send(socket_, buffer.data(), transmit->bytes, 0);
      if (behaviour_.deaf_after > 0 && acts >= behaviour_.deaf_after) {
        deaf_ = true;
        return;
      }
      pollfd poll_fd{socket_, POLLIN, 0};
      ::poll(&poll_fd, 1, 2);
      while (true) {
        const ssize_t n = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n <= 0) break;
        transport::Datagram datagram;
        datagram.bytes = MutableByteSpan(buffer).first(static_cast<std::size_t>(n));
        datagram.from = Address::v4(127, 0, 0, 1, behaviour_.port);
        session_->on_datagram(io::monotonic_now(), datagram, *this);
      }
    }
  }

  Behaviour behaviour_;
  std::unique_ptr<crypto::Identity> identity_;
  std::unique_ptr<crypto::HandshakeFactory> handshakes_;
  int socket_ = -1;
  std::unique_ptr<transport::Session> session_;
  std::atomic<bool> joined_{false};
  std::atomic<bool> closed_{false};
  std::atomic<bool> deaf_{false};
  std::atomic<wire::CloseCode> code_{wire::CloseCode::kNone};
  std::array<std::atomic<int>, 16> rejected_{};
  std::jthread thread_;
};

}  // namespace peernet::testing_net
