// Two handshakes of any kind, their streams joined.
#pragma once

#include <functional>
#include <memory>

#include "crypto/handshake.hpp"
#include "unit/crypto/testing.hpp"

namespace peernet::crypto {

struct HandshakePair {
  HandshakePair(std::unique_ptr<Handshake> i, std::unique_ptr<Handshake> r)
      : initiator(std::move(i)), responder(std::move(r)) {}

  std::unique_ptr<Handshake> initiator;
  std::unique_ptr<Handshake> responder;
  std::size_t piece = SIZE_MAX;                              ///< bytes handed over at a time
  std::function<void(int flight, MutableByteSpan)> corrupt;  ///< may change a flight on its way
  int flights = 0;

  /// True if both finish.
  bool run() {
    std::size_t from_initiator = 0;
    std::size_t from_responder = 0;
    for (bool moved = true; moved;) {
      moved = false;
      if (!pass(*initiator, from_initiator, *responder, moved)) return false;
      if (!pass(*responder, from_responder, *initiator, moved)) return false;
    }
    return initiator->finished() && responder->finished();
  }

 private:
  bool pass(Handshake& from, std::size_t& offset, Handshake& to, bool& moved) {
    const ByteSpan output = from.output();
    if (output.size() == offset) return true;
    Bytes flight(output.begin() + static_cast<std::ptrdiff_t>(offset), output.end());
    offset = output.size();
    if (corrupt) corrupt(flights, flight);
    ++flights;
    moved = true;
    for (ByteSpan rest = flight; !rest.empty();) {
      const std::size_t n = std::min(piece, rest.size());
      if (!to.on_stream(rest.first(n)).has_value()) return false;
      rest = rest.subspan(n);
    }
    return true;
  }
};

/// Both sides have the same three secrets, all different, and another context gives other ones.
inline void expect_agreement(const HandshakePair& pair, ByteSpan context) {
  const SessionSecrets a = pair.initiator->export_secrets(context);
  const SessionSecrets b = pair.responder->export_secrets(context);
  EXPECT_EQ(a.initiator_to_responder, b.initiator_to_responder);
  EXPECT_EQ(a.responder_to_initiator, b.responder_to_initiator);
  EXPECT_EQ(a.binding, b.binding);
  EXPECT_NE(a.initiator_to_responder, a.responder_to_initiator);
  EXPECT_NE(a.initiator_to_responder, a.binding);
  EXPECT_NE(a.responder_to_initiator, a.binding);
  EXPECT_NE(a.binding, Hash256{});
  const SessionSecrets other = pair.initiator->export_secrets(from_text("another context"));
  EXPECT_NE(a.initiator_to_responder, other.initiator_to_responder);
  EXPECT_NE(a.responder_to_initiator, other.responder_to_initiator);
  EXPECT_NE(a.binding, other.binding);
}

}  // namespace peernet::crypto
