// The TLS stream of a handshake: raw bytes in either role, and genuine flights with bytes changed on their way. Raw
// bytes never finish a handshake; a pair that finishes in spite of changes agrees on everything. (TLS draws its own
// randomness, so an input that finds something may have to be run more than once.)
#include <algorithm>

#include "crypto/handshake.hpp"
#include "fuzz/fuzz.hpp"

using namespace peernet;
using namespace peernet::crypto;

namespace {

HandshakeFactory& factory(std::uint8_t seed) {
  const auto make = [](std::uint8_t with) {
    ByteArray<32> bytes;
    bytes.fill(std::byte{with});
    Result<std::unique_ptr<HandshakeFactory>> made = make_tls_handshake_factory(Identity::from_seed(bytes));
    PN_CHECK(made.has_value());
    return std::move(*made);
  };
  static const std::unique_ptr<HandshakeFactory> one = make(1);
  static const std::unique_ptr<HandshakeFactory> two = make(2);
  return seed == 1 ? *one : *two;
}

void raw(bool initiator, ByteSpan bytes, std::size_t piece) {
  const std::unique_ptr<Handshake> side = initiator ? factory(1).start_initiator() : factory(2).start_responder();
  bool refused = false;
  while (!bytes.empty()) {
    const std::size_t n = std::min(piece, bytes.size());
    const bool taken = side->on_stream(bytes.first(n)).has_value();
    PN_CHECK(!(refused && taken));  // an error is final
    refused = !taken;
    bytes = bytes.subspan(n);
  }
  PN_CHECK(!side->finished());
  PN_CHECK(side->output().size() <= kMaxHandshakeStream);
}

/// The next flight of `from`, changed by (position, value) pairs taken from `changes`.
bool pass(Handshake& from, std::size_t& sent, Handshake& to, ByteReader& changes) {
  const ByteSpan output = from.output().subspan(sent);
  std::vector<std::byte> flight(output.begin(), output.end());
  sent += flight.size();
  for (std::uint8_t n = changes.u8() % 4; n > 0 && !flight.empty(); --n) {
    const std::uint16_t at = changes.u16();
    flight[at % flight.size()] ^= static_cast<std::byte>(changes.u8());
  }
  return to.on_stream(flight).has_value();
}

void changed(ByteReader& changes) {
  const std::unique_ptr<Handshake> initiator = factory(1).start_initiator();
  const std::unique_ptr<Handshake> responder = factory(2).start_responder();
  std::size_t from_initiator = 0;
  std::size_t from_responder = 0;
  if (!pass(*initiator, from_initiator, *responder, changes)) return;
  if (!pass(*responder, from_responder, *initiator, changes)) return;
  if (!pass(*initiator, from_initiator, *responder, changes)) return;
  if (!initiator->finished() || !responder->finished()) return;
  PN_CHECK(initiator->peer_id() == factory(2).local_id() && responder->peer_id() == factory(1).local_id());
  const SessionSecrets a = initiator->export_secrets({});
  const SessionSecrets b = responder->export_secrets({});
  PN_CHECK(a.initiator_to_responder == b.initiator_to_responder && a.binding == b.binding &&
           a.responder_to_initiator == b.responder_to_initiator);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t mode = input.u8();
  const std::size_t piece = 1 + std::size_t{input.u16()};
  const std::vector<std::byte> rest = input.rest();
  if (mode % 3 != 2) {
    raw(mode % 3 == 1, rest, piece);
  } else {
    ByteReader changes(rest);
    changed(changes);
  }
  return 0;
}
