// The simulator trusts the stand-in to behave as TLS does where transport can see it.
#include "sim/standin_handshake.hpp"

#include "unit/crypto/handshake_pair.hpp"
#include "unit/crypto/testing.hpp"

namespace peernet::sim {
namespace {

using crypto::Bytes;
using crypto::HandshakePair;

NodeId id_of(std::uint8_t value) {
  NodeId id;
  id.fill(std::byte{value});
  return id;
}

struct Factories {
  explicit Factories(std::uint64_t seed) : a(id_of(1), seed), b(id_of(2), seed + 1000) {}
  HandshakePair pair() { return {a.start_initiator(), b.start_responder()}; }
  StandinHandshakeFactory a;
  StandinHandshakeFactory b;
};

TEST(StandinHandshake, HasTheFlightsOfTlsAndAgreesOnSecretsAndIds) {
  Factories f(1);
  HandshakePair pair = f.pair();
  std::vector<std::size_t> sizes;
  pair.corrupt = [&](int, MutableByteSpan flight) { sizes.push_back(flight.size()); };
  ASSERT_TRUE(pair.run());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{kFirstFlightBytes, kSecondFlightBytes, kThirdFlightBytes}));
  EXPECT_EQ(pair.initiator->peer_id(), id_of(2));
  EXPECT_EQ(pair.responder->peer_id(), id_of(1));
  crypto::expect_agreement(pair, {});
}

TEST(StandinHandshake, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const auto run = [](std::uint64_t seed) {
    Factories f(seed);
    HandshakePair first = f.pair();
    HandshakePair second = f.pair();
    EXPECT_TRUE(first.run() && second.run());
    EXPECT_NE(first.initiator->export_secrets({}).binding, second.initiator->export_secrets({}).binding);
    return second.initiator->export_secrets({}).binding;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(StandinHandshake, WorksInPiecesAndGivesNothingBeforeItIsFinished) {
  Factories f(2);
  for (const std::size_t piece : {1u, 13u, 300u}) {
    HandshakePair pair = f.pair();
    pair.piece = piece;
    ASSERT_TRUE(pair.run());
  }
  HandshakePair pair = f.pair();
  ASSERT_TRUE(pair.responder->on_stream(pair.initiator->output()).has_value());
  EXPECT_FALSE(pair.responder->finished());
  EXPECT_DEATH(pair.responder->export_secrets({}), "finished_");
}

TEST(StandinHandshake, NoticesEveryFlippedByteAndEveryByteTooMany) {
  Factories f(3);
  const std::size_t sizes[] = {kFirstFlightBytes, kSecondFlightBytes, kThirdFlightBytes};
  for (int flight = 0; flight < 3; ++flight) {
    for (std::size_t at = 0; at < sizes[flight]; ++at) {
      HandshakePair pair = f.pair();
      pair.corrupt = [&](int number, MutableByteSpan bytes) {
        if (number == flight) bytes[at] ^= std::byte{4};
      };
      ASSERT_FALSE(pair.run()) << flight << " " << at;
    }
  }
  HandshakePair pair = f.pair();
  ASSERT_TRUE(pair.run());
  EXPECT_FALSE(pair.responder->on_stream(Bytes(1)).has_value());
  EXPECT_FALSE(pair.responder->finished());
}

}  // namespace
}  // namespace peernet::sim
