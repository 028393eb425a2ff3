#include "transport/acceptor.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "crypto/retry_token.hpp"

namespace peernet::transport {
namespace {

std::uint64_t seconds_of(Instant now) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(now.ns(), 0)) / 1'000'000'000;
}

}  // namespace

Acceptor::Acceptor(const AcceptorOptions& options, crypto::AeadBackend backend)
    : options_(options), protection_(backend), budget_(options.burst) {}

bool Acceptor::take_budget(Instant now) {
  const double seconds = std::chrono::duration<double>(std::max<Duration>(now - refilled_, 0ns)).count();
  budget_ = std::min(budget_ + seconds * options_.handshakes_per_second, static_cast<double>(options_.burst));
  refilled_ = std::max(refilled_, now);
  if (budget_ < 1) return false;
  budget_ -= 1;
  return true;
}

/// The sealed part opens and is the beginning of a stream: cheap (some microseconds) against what accepting costs.
bool Acceptor::authentic(const wire::HandshakeHeader& header, ByteSpan packet) {
  const std::size_t clear = wire::clear_size(header);
  const ByteSpan sealed = packet.subspan(clear);
  const MutableByteSpan body = MutableByteSpan(scratch_).first(sealed.size() - wire::kTagSize);
  protection_.rekey(header.initiator_id);
  if (!protection_.open(crypto::InitialProtection::From::kInitiator, header.packet.number, packet.first(clear), sealed,
                        body))
    return false;
  const wire::Decoded<wire::HandshakeBody> parsed = wire::decode_handshake_body(body);
  return parsed && parsed->offset == 0 && parsed->acked == 0 && !parsed->bytes.empty();
}

SendRetry Acceptor::make_retry(const Knock& knock, const wire::HandshakeHeader& header) {
  const crypto::RetryToken token = crypto::make_retry_token(
      options_.token_secret, {.from = knock.from, .initiator_id = header.initiator_id, .now_s = seconds_of(knock.now)});
  const wire::Retry retry{
      .packet = {.type = wire::PacketType::kRetry, .flags = 0, .receiver = header.sender, .number = PacketNumber(0)},
      .version = wire::kVersion,
      .initiator_id = header.initiator_id,
      .token = token};
  SendRetry out;
  ByteWriter w(out.bytes);
  PN_CHECK(wire::encode(retry, w));
  const ByteArray<wire::kTagSize> tag = protection_.retry_tag(w.written());
  w.bytes(tag);
  out.size = w.position();
  return out;
}

Verdict Acceptor::on_packet(const Knock& knock) {
  const wire::Decoded<wire::PacketHeader> header = wire::decode_header(knock.packet);
  if (!header) return Refuse{header.error()};
  if (header->type != wire::PacketType::kHandshake) return Refuse{wire::DropReason::kUnknownSession};
  if (knock.packet.size() < wire::kMinDatagram) return Refuse{wire::DropReason::kInitialTooSmall};
  if (knock.packet.size() > scratch_.size()) return Refuse{wire::DropReason::kTooLong};
  const wire::Decoded<wire::HandshakeHeader> h = wire::decode_handshake(*header, knock.packet);
  if (!h) return Refuse{h.error()};

  bool validated = false;
  if (!h->token.empty()) {
    switch (crypto::check_retry_token(
        options_.token_secret, {.from = knock.from, .initiator_id = h->initiator_id, .now_s = seconds_of(knock.now)},
        h->token)) {
      case crypto::RetryTokenCheck::kValid:
        validated = true;
        break;
      case crypto::RetryTokenCheck::kForged:
        return Refuse{wire::DropReason::kTokenInvalid};
      case crypto::RetryTokenCheck::kExpired:
        return Refuse{wire::DropReason::kTokenExpired};
    }
  }
  if (knock.half_open >= options_.max_half_open) return Refuse{wire::DropReason::kHalfOpenLimit};
  if (!validated && knock.half_open >= options_.retry_above) return make_retry(knock, *h);
  if (!authentic(*h, knock.packet)) return Refuse{wire::DropReason::kBadTag};
  if (!take_budget(knock.now)) return Refuse{wire::DropReason::kHandshakeBudget};
  return Accept{.initiator_id = h->initiator_id,
                .initiator_session = h->sender,
                .first_receiver_id = header->receiver,
                .address_validated = validated};
}

}  // namespace peernet::transport
