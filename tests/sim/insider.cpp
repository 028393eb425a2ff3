#include "sim/insider.hpp"

#include "wire/frames.hpp"
#include "wire/packet.hpp"

namespace peernet::sim {

namespace {

class SpyingHandshake final : public crypto::Handshake {
 public:
  using Secrets = std::shared_ptr<std::optional<crypto::SessionSecrets>>;
  SpyingHandshake(std::unique_ptr<crypto::Handshake> real, Secrets secrets)
      : real_(std::move(real)), secrets_(std::move(secrets)) {}

  Result<void> on_stream(ByteSpan bytes) override { return real_->on_stream(bytes); }
  ByteSpan output() const override { return real_->output(); }
  bool finished() const override { return real_->finished(); }
  NodeId peer_id() const override { return real_->peer_id(); }
  crypto::SessionSecrets export_secrets(ByteSpan context) const override {
    *secrets_ = real_->export_secrets(context);
    return **secrets_;
  }

 private:
  std::unique_ptr<crypto::Handshake> real_;
  Secrets secrets_;
};

std::vector<std::byte> body_of(const LyingPacket& packet) {
  std::vector<std::byte> body(64);
  ByteWriter w(body);
  wire::AckFrame ack;
  switch (packet.lie) {
    case Lie::kAckOfSkipped:
      ack.ranges.push_back({PacketNumber(0), packet.newest_of_victim});
      PN_CHECK(wire::encode(ack, w));
      break;
    case Lie::kAckOfFuture:
      ack.ranges.push_back({packet.newest_of_victim + 1000, packet.newest_of_victim + 1000});
      PN_CHECK(wire::encode(ack, w));
      break;
    case Lie::kMalformedFrame:
      w.u8(static_cast<std::uint8_t>(wire::FrameType::kPing));
      w.u16(8);
      w.u32(0);
      break;
    case Lie::kUnknownFrame:
      w.u8(0x0e);
      w.u16(0);
      break;
    case Lie::kHandshakeDone:
      PN_CHECK(wire::encode(wire::Frame(wire::HandshakeDoneFrame{}), w));
      break;
  }
  body.resize(w.position());
  return body;
}

}  // namespace

std::unique_ptr<crypto::Handshake> SpyingFactory::start_initiator() {
  secrets_->reset();
  return std::make_unique<SpyingHandshake>(real_->start_initiator(), secrets_);
}

std::unique_ptr<crypto::Handshake> SpyingFactory::start_responder() {
  secrets_->reset();
  return std::make_unique<SpyingHandshake>(real_->start_responder(), secrets_);
}

std::vector<std::byte> make_lie(const LyingPacket& packet) {
  const std::vector<std::byte> body = body_of(packet);
  std::vector<std::byte> bytes(body.size() + wire::kControlOverhead);
  const auto header = MutableByteSpan(bytes).first<wire::kHeaderSize>();
  wire::encode(wire::PacketHeader{wire::PacketType::kControl, 0, packet.victim, packet.number}, header);
  crypto::PacketSealer sealer(packet.keys, packet.secret);
  sealer.seal(packet.number, header, body, MutableByteSpan(bytes).subspan(wire::kHeaderSize));
  return bytes;
}

}  // namespace peernet::sim
