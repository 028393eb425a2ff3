// A source that does as a test tells it: real sessions and real sockets, but its answers to JOIN and REQUEST are the
// test's.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "crypto/identity.hpp"
#include "crypto/join_proof.hpp"
#include "io/clock.hpp"
#include "io/system_random.hpp"
#include "transport/session.hpp"

namespace peernet::testing_net {

class ScriptedSource {
 public:
  struct Behaviour {
    /// The key used for proofs (an impostor has none that is right).
    crypto::MaybeSwarmKey key;
    ContentId content{};
    /// The bytes of a request's range; empty: never answer. Called on the source's thread.
    std::function<std::vector<std::byte>(const wire::RequestFrame&)> answer;
    /// Answers go out a train of at most so many bytes at a time, one in each interval (0: as fast as it goes).
    std::size_t trickle_bytes = 0;
    Duration trickle_every{0};
  };

  explicit ScriptedSource(Behaviour behaviour) : behaviour_(std::move(behaviour)), identity_(make_identity()) {
    handshakes_ = std::move(*crypto::make_tls_handshake_factory(identity_));
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    PN_CHECK(::bind(socket_, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
    socklen_t length = sizeof any;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&any), &length);
    port_ = ntohs(any.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~ScriptedSource() {
    thread_.request_stop();
    thread_.join();
    ::close(socket_);
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  const NodeId& id() const { return identity_.id(); }
  int requests() const { return requests_; }
  int joins() const { return joins_; }

 private:
  struct Answer {
    RequestId request;
    std::uint32_t offset = 0;
    std::vector<std::byte> bytes;
    std::size_t sent = 0;
  };

  class User final : public transport::SessionHandler {
   public:
    User(ScriptedSource& source, const transport::SessionConfig& config, Instant now)
        : session(config, source.handshakes_->start_responder(), now), source_(source) {}

    void on_established(const NodeId&, const wire::Parameters&) override {}
    MutableByteSpan data_target(RequestId, transport::DataRange) override { return {}; }
    void on_data(RequestId, transport::DataRange) override {}
    void on_data_lost(RequestId, transport::DataRange) override {}
    void on_data_acked(RequestId, transport::DataRange) override {}
    void on_closed(const transport::CloseReason&) override {}
    void on_frame(const wire::Frame& frame) override {
      if (const auto* join = std::get_if<wire::JoinFrame>(&frame)) {
        ++source_.joins_;
        wire::JoinResFrame response;
        response.slot = join->slot;
        response.status = wire::JoinStatus::kOk;
        crypto::JoinClaim claim;
        claim.role = crypto::JoinRole::kJoinResponse;
        claim.binding = session.binding();
        claim.prover = source_.id();
        claim.verifier = session.peer();
        claim.content = source_.behaviour_.content;
        response.mac = crypto::join_proof(source_.behaviour_.key, claim);
        session.send(response);
        wire::HaveFrame have;
        have.slot = join->slot;
        have.complete = true;
        session.send(have);
      } else if (const auto* request = std::get_if<wire::RequestFrame>(&frame)) {
        ++source_.requests_;
        if (auto bytes = source_.behaviour_.answer(*request); !bytes.empty())
          answers.push_back({request->request, request->offset, std::move(bytes), 0});
      }
    }

    transport::Session session;
    std::vector<Answer> answers;
    Instant trickle_at;

   private:
    ScriptedSource& source_;
  };

  static crypto::Identity make_identity() {
    io::SystemRandom random;
    return crypto::Identity::generate(random);
  }

  void run(const std::stop_token& stop) {
    std::vector<std::byte> buffer(65536);
    while (!stop.stop_requested()) {
      pollfd poll_fd{socket_, POLLIN, 0};
      ::poll(&poll_fd, 1, 2);
      while (true) {
        sockaddr_in from{};
        socklen_t length = sizeof from;
        const ssize_t n = ::recvfrom(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &length);
        if (n <= 0) break;
        receive(MutableByteSpan(buffer).first(static_cast<std::size_t>(n)), from);
      }
      for (auto& [id, user] : users_) serve(*user);
    }
  }

  void receive(MutableByteSpan bytes, const sockaddr_in& from) {
    const auto header = wire::decode_header(bytes);
    if (!header) return;
    std::uint32_t ip = ntohl(from.sin_addr.s_addr);
    const Address address =
        Address::v4(static_cast<std::uint8_t>(ip >> 24), static_cast<std::uint8_t>(ip >> 16),
                    static_cast<std::uint8_t>(ip >> 8), static_cast<std::uint8_t>(ip), ntohs(from.sin_port));
    User* user = nullptr;
    for (auto& [id, u] : users_)
      if (id == header->receiver.value() || first_ids_[id] == header->receiver.value()) user = u.get();
    if (user == nullptr) {
      if (header->type != wire::PacketType::kHandshake) return;
      const auto first = wire::decode_handshake(*header, bytes);
      if (!first) return;
      transport::SessionConfig config;
      config.role = transport::Role::kResponder;
      config.local_id = SessionId(next_id_++);
      config.first_receiver_id = header->receiver;
      config.initiator_id = first->initiator_id;
      config.remote_id = first->sender;
      config.remote = address;
      config.parameters.ciphers = wire::kCiphersKnown;
      config.parameters.max_datagram = 65507;
      config.max_datagram = 1500;
      config.mtu_search = false;
      first_ids_[config.local_id.value()] = header->receiver.value();
      user = (users_[config.local_id.value()] = std::make_unique<User>(*this, config, io::monotonic_now())).get();
    }
    transport::Datagram datagram;
    datagram.bytes = bytes;
    datagram.from = address;
    user->session.on_datagram(io::monotonic_now(), datagram, *user);
  }

  void serve(User& user) {
    const Instant now = io::monotonic_now();
    if (user.session.next_deadline() <= now) user.session.on_timeout(now, user);
    std::vector<std::byte> out(65536);
    while (const auto transmit = user.session.poll_transmit(now, out))
      send(ByteSpan(out).first(transmit->bytes), transmit->to);
    if (behaviour_.trickle_bytes != 0) {
      if (now < user.trickle_at || user.answers.empty()) return;
      user.trickle_at = now + behaviour_.trickle_every;
    }
    while (!user.answers.empty()) {
      Answer& answer = user.answers.front();
      transport::DataToSeal data;
      data.request = answer.request;
      data.offset = answer.offset + static_cast<std::uint32_t>(answer.sent);
      data.file_bytes = ByteSpan(answer.bytes).subspan(answer.sent);
      if (behaviour_.trickle_bytes != 0)
        data.file_bytes = data.file_bytes.first(std::min(behaviour_.trickle_bytes, data.file_bytes.size()));
      data.last = user.answers.size() == 1;
      const auto train = user.session.seal_data(now, data, out);
      if (train.consumed == 0) break;
      for (std::size_t at = 0; at < train.train_bytes; at += train.segment_size)
        send(ByteSpan(out).subspan(at, std::min(train.segment_size, train.train_bytes - at)), train.to);
      answer.sent += train.consumed;
      if (answer.sent == answer.bytes.size()) user.answers.erase(user.answers.begin());
      if (behaviour_.trickle_bytes != 0) return;
    }
  }

  void send(ByteSpan bytes, const Address& to) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, to.ip.data() + 12, 4);
    address.sin_port = htons(to.port);
    ::sendto(socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }

  Behaviour behaviour_;
  crypto::Identity identity_;
  std::unique_ptr<crypto::HandshakeFactory> handshakes_;
  int socket_ = -1;
  std::uint16_t port_ = 0;
  std::uint32_t next_id_ = 0x100;
  std::map<std::uint32_t, std::unique_ptr<User>> users_;
  std::map<std::uint32_t, std::uint32_t> first_ids_;
  std::atomic<int> requests_{0};
  std::atomic<int> joins_{0};
  std::jthread thread_;
};

}  // namespace peernet::testing_net
