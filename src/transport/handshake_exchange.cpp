#include "transport/handshake_exchange.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace peernet::transport {

HandshakeExchange::HandshakeExchange(Role role, const wire::Parameters& parameters,
                                     std::unique_ptr<crypto::Handshake> tls, Duration initial_rtt)
    : role_(role),
      parameters_(parameters),
      tls_(std::move(tls)),
      retransmit_(std::max(3 * initial_rtt, kMinRetransmit)) {
  PN_CHECK(tls_ != nullptr);
  if (role_ != Role::kInitiator) return;
  append_block(parameters_);
  append_tls();
}

void HandshakeExchange::fail(wire::DropReason reason) {
  state_ = State::kFailed;
  failure_ = reason;
}

void HandshakeExchange::append_block(const wire::Parameters& parameters) {
  std::array<std::byte, 2 + wire::kMaxParameterBlock> block;
  ByteWriter w(block);
  PN_CHECK(wire::encode(parameters, w));
  out_.insert(out_.end(), w.written().begin(), w.written().end());
  own_block_size_ = out_.size();
}

void HandshakeExchange::append_tls() {
  const ByteSpan output = tls_->output();
  PN_CHECK(output.size() >= tls_copied_ && out_.size() + output.size() - tls_copied_ <= wire::kMaxHandshakeStream);
  const ByteSpan more = output.subspan(tls_copied_);
  out_.insert(out_.end(), more.begin(), more.end());
  tls_copied_ = output.size();
}

std::uint32_t HandshakeExchange::contiguous() const {
  return received_.empty() || received_.lowest().first != 0 ? 0 : received_.lowest().end;
}

/// False if these bytes brought nothing new.
bool HandshakeExchange::store(const wire::HandshakeBody& body) {
  const std::uint32_t end = body.offset + static_cast<std::uint32_t>(body.bytes.size());
  if (received_.contains(Range<std::uint32_t>{body.offset, end})) return false;
  if (!received_.insert({body.offset, end})) return false;  // too many gaps: as good as lost
  if (in_.size() < end) in_.resize(end);
  std::memcpy(in_.data() + body.offset, body.bytes.data(), body.bytes.size());
  return true;
}

void HandshakeExchange::on_acked(Instant now, std::uint32_t acked) {
  if (acked <= peer_acked_ || acked > out_.size()) return;  // old, or of bytes that do not exist
  peer_acked_ = acked;
  cursor_ = std::max(cursor_, peer_acked_);
  copies_ = 0;
  timeouts_ = 0;
  if (flight_sent_ && acked == out_.size()) {
    rtt_sample_ = now - *flight_sent_;
    flight_sent_.reset();
    retransmit_ = std::clamp(3 * *rtt_sample_, kMinRetransmit, kMaxRetransmit);
  }
}

void HandshakeExchange::on_body(Instant now, const wire::HandshakeBody& body) {
  if (state_ == State::kFailed) return;
  heard_ = true;
  on_acked(now, body.acked);
  if (body.bytes.empty()) return;
  ack_owed_ = true;
  if (!store(body)) {
    // A repetition: the peer may have missed what we said. It goes again as often as the peer asks, never more.
    if (peer_acked_ < out_.size()) {
      cursor_ = peer_acked_;
      flight_sent_.reset();
    }
    return;
  }
  if (state_ == State::kRunning) read_stream();
}

void HandshakeExchange::read_stream() {
  const ByteSpan stream = ByteSpan(in_).first(contiguous());
  if (peer_block_size_ == 0) {
    const wire::Decoded<std::optional<ByteSpan>> block = wire::parameter_block(stream);
    if (!block) return fail(block.error());
    if (!*block) return;
    const wire::Decoded<wire::Parameters> parameters = wire::decode_parameters(**block);
    if (!parameters) return fail(parameters.error());
    peer_parameters_ = *parameters;
    if (role_ == Role::kInitiator) {
      if (!wire::answers(parameters_, peer_parameters_)) return fail(wire::DropReason::kBadParameters);
      cipher_ = peer_parameters_.ciphers;
    } else {
      cipher_ = wire::choose_cipher(peer_parameters_.ciphers, parameters_.ciphers);
      if (cipher_ == 0) return fail(wire::DropReason::kBadParameters);
      wire::Parameters answer = parameters_;
      answer.ciphers = cipher_;
      append_block(answer);
    }
    peer_block_size_ = 2 + (*block)->size();
    fed_ = static_cast<std::uint32_t>(peer_block_size_);
  }
  if (stream.size() > fed_) {
    const Result<void> fed = tls_->on_stream(stream.subspan(fed_));
    fed_ = static_cast<std::uint32_t>(stream.size());
    if (!fed) return fail(wire::DropReason::kHandshakeFailed);
    append_tls();
  }
  if (tls_->finished()) state_ = State::kFinished;
}

bool HandshakeExchange::wants_to_send() const {
  return state_ != State::kFailed && (cursor_ < out_.size() || ack_owed_);
}

wire::HandshakeBody HandshakeExchange::next_body(Instant now, std::size_t room) {
  const std::size_t n = std::min(room, out_.size() - cursor_);
  const wire::HandshakeBody body{cursor_, contiguous(), ByteSpan(out_).subspan(cursor_, n)};
  if (n != 0) {
    last_sent_ = now;
    if (timeouts_ == 0 && !flight_sent_ && cursor_ == peer_acked_) flight_sent_ = now;
  }
  cursor_ += static_cast<std::uint32_t>(n);
  ack_owed_ = false;
  if (cursor_ == out_.size() && copies_ != 0 && n != 0) {
    --copies_;
    cursor_ = peer_acked_;
  }
  return body;
}

Instant HandshakeExchange::deadline() const {
  if (state_ == State::kFailed || peer_acked_ == out_.size() || cursor_ != out_.size()) return Instant::never();
  const Duration wait = retransmit_ * (std::int64_t{1} << std::min(timeouts_, 6U));
  return last_sent_ + std::min(wait, kMaxRetransmit);
}

void HandshakeExchange::on_timeout(Instant now) {
  if (now < deadline()) return;
  ++timeouts_;
  copies_ = 1;
  cursor_ = peer_acked_;
  flight_sent_.reset();
}

void HandshakeExchange::restart() {
  cursor_ = 0;
  peer_acked_ = 0;
  copies_ = 0;
  timeouts_ = 0;
  flight_sent_.reset();
}

}  // namespace peernet::transport
