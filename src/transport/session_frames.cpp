// Frames of an opened CONTROL packet, and the ways a session ends.
#include <algorithm>

#include "transport/session_parts.hpp"

namespace peernet::transport {

/// Returns whether the packet wants an acknowledgement.
bool Session::Parts::on_frames(Instant now, ByteSpan body) {
  wire::FrameReader reader(body);
  wire::Frame frame;
  while (true) {
    switch (reader.next(frame)) {
      case wire::FrameStatus::kFrame:
        on_frame(now, frame);
        if (state != SessionState::kEstablished) return false;  // it closed the session: the rest is void
        break;
      case wire::FrameStatus::kEnd:
        return reader.ack_eliciting();
      case wire::FrameStatus::kMalformed:
        breach(now, wire::DropReason::kMalformedFrame, "malformed frame");
        return false;
      case wire::FrameStatus::kUnknownType:
        breach(now, wire::DropReason::kUnknownFrame, "unknown frame type");
        return false;
    }
  }
}

void Session::Parts::on_frame(Instant now, const wire::Frame& frame) {
  switch (wire::type_of(frame)) {
    case wire::FrameType::kPadding:
    case wire::FrameType::kPong:
      return;
    case wire::FrameType::kAck:
      return on_ack(now, std::get<wire::AckFrame>(frame));
    case wire::FrameType::kHandshakeDone:
      if (config.role == Role::kResponder) breach(now, wire::DropReason::kFrameNotAllowed, "HANDSHAKE_DONE");
      return;
    case wire::FrameType::kPing:
      // With a full store the PONG is left out: who floods with PINGs gets no memory of ours.
      push_frame(wire::PongFrame{std::get<wire::PingFrame>(frame).value}, FrameStore::For::kOwner);
      return;
    case wire::FrameType::kPathChallenge:
      push_frame(wire::PathResponseFrame{std::get<wire::PathChallengeFrame>(frame).value}, FrameStore::For::kOwner);
      ack_now_next = true;
      return;
    case wire::FrameType::kPathResponse:
      path.on_response(std::get<wire::PathResponseFrame>(frame).value);
      return;
    case wire::FrameType::kClose: {
      const wire::CloseFrame& close = std::get<wire::CloseFrame>(frame);
      return finish(now, CloseCause::kPeer, close.code, close.text);
    }
    default:
      return handler->on_frame(frame);
  }
}

bool Session::Parts::push_frame(const wire::Frame& frame, FrameStore::For whom) {
  ByteArray<FrameStore::kLargeBytes> bytes;
  ByteWriter w(bytes);
  return wire::encode(frame, w) && frames.push(w.written(), whom);
}

void Session::Parts::breach(Instant now, wire::DropReason reason, std::string_view text) {
  drop(reason);
  finish(now, CloseCause::kBreach, wire::CloseCode::kProtocol, text);
}

void Session::Parts::finish(Instant now, CloseCause cause, wire::CloseCode code, std::string_view text) {
  if (state == SessionState::kClosed || state == SessionState::kClosing) return;
  end_run();
  flush_ranges();
  // Who has keys says goodbye; a peer that is gone, or has said it already, is not talked to.
  const bool tell = keys && (cause == CloseCause::kLocal || cause == CloseCause::kBreach);
  state = tell ? SessionState::kClosing : SessionState::kClosed;
  CloseReason reason{.cause = cause, .code = code, .text = {}};
  for (const char c : text.substr(0, std::min(text.size(), wire::kMaxCloseText))) reason.text.push_back(c);
  if (tell) {
    close_owed = true;
    close_code = code;
    close_text = reason.text;
    closing_until = now + 3 * rtt.probe_timeout(peer_ack_delay());
  }
  exchange.reset();
  initial.reset();
  handler->on_closed(reason);
}

}  // namespace peernet::transport
