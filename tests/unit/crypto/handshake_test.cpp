#include "crypto/handshake.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "sim/standin_handshake.hpp"
#include "unit/crypto/handshake_pair.hpp"
#include "unit/crypto/raw_tls.hpp"
#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

class TlsHandshakes : public ::testing::Test {
 protected:
  static std::unique_ptr<HandshakeFactory> factory(std::uint64_t seed) {
    SeededRandom random(seed);
    return std::move(*make_tls_handshake_factory(Identity::generate(random)));
  }
  std::unique_ptr<HandshakeFactory> a_ = factory(1);
  std::unique_ptr<HandshakeFactory> b_ = factory(2);
};

TEST_F(TlsHandshakes, FinishWithTheSameSecretsAndEachOthersIdentity) {
  HandshakePair pair(a_->start_initiator(), b_->start_responder());
  ASSERT_TRUE(pair.run());
  EXPECT_EQ(pair.initiator->peer_id(), b_->local_id());
  EXPECT_EQ(pair.responder->peer_id(), a_->local_id());
  EXPECT_NE(a_->local_id(), b_->local_id());
  expect_agreement(pair, from_text("both blocks"));
}

TEST_F(TlsHandshakes, HaveTheThreeFlightsThatTheStandInCopies) {
  HandshakePair pair(a_->start_initiator(), b_->start_responder());
  const std::size_t first = pair.initiator->output().size();
  ASSERT_TRUE(pair.run());
  EXPECT_EQ(pair.flights, 3);
  EXPECT_NEAR(static_cast<double>(first), static_cast<double>(sim::kFirstFlightBytes), 40);
  EXPECT_NEAR(static_cast<double>(pair.responder->output().size()), static_cast<double>(sim::kSecondFlightBytes), 40);
  EXPECT_NEAR(static_cast<double>(pair.initiator->output().size() - first), static_cast<double>(sim::kThirdFlightBytes),
              40);
}

TEST_F(TlsHandshakes, WorkInPiecesOfAnySize) {
  for (const std::size_t piece : {1u, 2u, 7u, 100u, 5000u}) {
    HandshakePair pair(a_->start_initiator(), b_->start_responder());
    pair.piece = piece;
    ASSERT_TRUE(pair.run()) << piece;
    expect_agreement(pair, {});
  }
}

TEST_F(TlsHandshakes, TheSessionOfTwoRunsIsNeverTheSame) {
  HandshakePair one(a_->start_initiator(), b_->start_responder());
  HandshakePair two(a_->start_initiator(), b_->start_responder());
  ASSERT_TRUE(one.run());
  ASSERT_TRUE(two.run());
  EXPECT_NE(one.initiator->export_secrets({}).binding, two.initiator->export_secrets({}).binding);
}

TEST_F(TlsHandshakes, StartOnSeveralThreadsFromOneFactory) {
  std::vector<std::thread> threads;
  std::atomic<int> finished{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        HandshakePair pair(a_->start_initiator(), b_->start_responder());
        if (pair.run() && pair.initiator->peer_id() == b_->local_id()) ++finished;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(finished, 40);
}

TEST_F(TlsHandshakes, GiveNoSecretsBeforeTheyAreFinished) {
  HandshakePair pair(a_->start_initiator(), b_->start_responder());
  ASSERT_TRUE(pair.responder->on_stream(pair.initiator->output()).has_value());
  // The responder has said its Finished and OpenSSL's exporter would answer; the initiator is not proven yet.
  EXPECT_FALSE(pair.responder->finished());
  EXPECT_DEATH(pair.responder->export_secrets({}), "finished_");
  EXPECT_DEATH(static_cast<void>(pair.responder->peer_id()), "finished_");
  EXPECT_DEATH(pair.initiator->export_secrets({}), "finished_");
}

TEST_F(TlsHandshakes, ATruncatedStreamNeverFinishes) {
  const std::unique_ptr<Handshake> initiator = a_->start_initiator();
  const ByteSpan hello = initiator->output();
  for (std::size_t n = 0; n < hello.size(); n += 9) {
    const std::unique_ptr<Handshake> responder = b_->start_responder();
    EXPECT_TRUE(responder->on_stream(hello.first(n)).has_value());
    EXPECT_FALSE(responder->finished());
    EXPECT_TRUE(responder->output().empty());
  }
  HandshakePair pair(a_->start_initiator(), b_->start_responder());
  ASSERT_TRUE(pair.responder->on_stream(pair.initiator->output()).has_value());
  const Bytes flight(pair.responder->output().begin(), pair.responder->output().end());
  EXPECT_TRUE(pair.initiator->on_stream(ByteSpan(flight).first(flight.size() - 1)).has_value());
  EXPECT_FALSE(pair.initiator->finished());
  EXPECT_TRUE(pair.initiator->on_stream(ByteSpan(flight).last(1)).has_value());
  EXPECT_TRUE(pair.initiator->finished());
}

TEST_F(TlsHandshakes, RefuseGarbageForGood) {
  Rng rng(6);
  for (int i = 0; i < 200; ++i) {
    const std::unique_ptr<Handshake> side = i % 2 == 0 ? b_->start_responder() : a_->start_initiator();
    const Result<void> result = side->on_stream(random_bytes(rng, 100 + rng.below(400)));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kRefused);
    EXPECT_FALSE(side->finished());
    EXPECT_FALSE(side->on_stream(random_bytes(rng, 1)).has_value());
  }
}

TEST_F(TlsHandshakes, TakeAtMost16KiB) {
  // One record after another that says nothing: TLS 1.3 forbids empty handshake records, so grow a ClientHello that
  // never ends.
  const std::unique_ptr<Handshake> responder = b_->start_responder();
  Bytes record = from_hex("16030140000100ffff");  // a handshake record of 16384 bytes, a ClientHello of 65535
  record.resize(kMaxHandshakeStream);
  EXPECT_FALSE(responder->on_stream(record).has_value() && responder->on_stream(Bytes(1)).has_value());
  const std::unique_ptr<Handshake> other = b_->start_responder();
  EXPECT_FALSE(other->on_stream(Bytes(kMaxHandshakeStream + 1)).has_value());
}

TEST_F(TlsHandshakes, BytesAfterTheEndAreRefused) {
  HandshakePair pair(a_->start_initiator(), b_->start_responder());
  ASSERT_TRUE(pair.run());
  EXPECT_TRUE(pair.initiator->on_stream({}).has_value());
  EXPECT_FALSE(pair.initiator->on_stream(from_hex("17")).has_value());

  HandshakePair other(a_->start_initiator(), b_->start_responder());
  ASSERT_TRUE(other.responder->on_stream(other.initiator->output()).has_value());
  const std::size_t first = other.initiator->output().size();
  ASSERT_TRUE(other.initiator->on_stream(other.responder->output()).has_value());
  Bytes last(other.initiator->output().begin() + static_cast<std::ptrdiff_t>(first), other.initiator->output().end());
  last.push_back(std::byte{0x17});
  EXPECT_FALSE(other.responder->on_stream(last).has_value());
  EXPECT_FALSE(other.responder->finished());
}

// Some bytes of a record header are free in TLS (the first record's minor version): a flip there may pass, but then it
// has changed nothing that the two sides believe.
TEST_F(TlsHandshakes, AFlippedBitIsRefusedOrChangesNothing) {
  Rng rng(7);
  int tried = 0;
  int refused = 0;
  for (int flight = 0; flight < 3; ++flight) {
    for (std::size_t at = 0; at < 640; at += 5) {
      HandshakePair pair(a_->start_initiator(), b_->start_responder());
      pair.corrupt = [&](int number, MutableByteSpan bytes) {
        if (number != flight || at >= bytes.size()) return;
        bytes[at] ^= static_cast<std::byte>(1u << rng.below(8));
        ++tried;
      };
      if (!pair.run()) {
        ++refused;
        continue;
      }
      ASSERT_EQ(pair.initiator->peer_id(), b_->local_id());
      ASSERT_EQ(pair.responder->peer_id(), a_->local_id());
      expect_agreement(pair, {});
    }
  }
  EXPECT_GT(tried, 200);
  EXPECT_GT(refused, tried - 10);
}

TEST_F(TlsHandshakes, APlainOpensslClientThatDoesEverythingRightIsAccepted) {
  // The control for the refusals below: without it they could all fail for another reason.
  RawTls client(RawTls::Side::kClient, RawTls::Options{});
  const std::unique_ptr<Handshake> responder = b_->start_responder();
  EXPECT_TRUE(client.run_against(*responder));
  EXPECT_EQ(responder->peer_id(), client.id());
  RawTls server(RawTls::Side::kServer, RawTls::Options{});
  const std::unique_ptr<Handshake> initiator = a_->start_initiator();
  EXPECT_TRUE(server.run_against(*initiator));
  EXPECT_EQ(initiator->peer_id(), server.id());
}

TEST_F(TlsHandshakes, SecretsAreTheExportersBytesInTheDocumentedOrder) {
  RawTls client(RawTls::Side::kClient, RawTls::Options{});
  const std::unique_ptr<Handshake> responder = b_->start_responder();
  ASSERT_TRUE(client.run_against(*responder));
  const Bytes context = from_text("version, ids, blocks");
  const SessionSecrets secrets = responder->export_secrets(context);
  EXPECT_EQ(to_hex(client.exported(context)),
            to_hex(secrets.initiator_to_responder) + to_hex(secrets.responder_to_initiator) + to_hex(secrets.binding));
}

TEST_F(TlsHandshakes, EveryOtherKindOfPeerIsRefused) {
  using Change = void (*)(RawTls::Options&);
  const struct {
    const char* name;
    Change change;
  } cases[] = {
      {"TLS 1.2 only", [](RawTls::Options& o) { o.max_version = TLS1_2_VERSION; }},
      {"another ALPN", [](RawTls::Options& o) { o.alpn = std::string("\x02h2", 3); }},
      {"no ALPN", [](RawTls::Options& o) { o.alpn.clear(); }},
      {"no certificate", [](RawTls::Options& o) { o.certificate = RawTls::Certificate::kNone; }},
      {"a P-256 certificate", [](RawTls::Options& o) { o.certificate = RawTls::Certificate::kP256; }},
      {"a certificate signed by another key",
       [](RawTls::Options& o) { o.certificate = RawTls::Certificate::kForeign; }},
      {"a chain of two", [](RawTls::Options& o) { o.certificate = RawTls::Certificate::kChain; }},
      {"only P-256 key exchange", [](RawTls::Options& o) { o.groups = "P-256"; }},
      {"only AES-256", [](RawTls::Options& o) { o.ciphersuites = "TLS_AES_256_GCM_SHA384"; }},
  };
  for (const auto& c : cases) {
    RawTls::Options options;
    c.change(options);
    RawTls client(RawTls::Side::kClient, options);
    const std::unique_ptr<Handshake> responder = b_->start_responder();
    EXPECT_FALSE(client.run_against(*responder)) << "client with " << c.name;
    EXPECT_FALSE(responder->finished()) << "client with " << c.name;
    if (options.certificate == RawTls::Certificate::kNone) continue;  // a server without one cannot even be set up
    RawTls server(RawTls::Side::kServer, options);
    const std::unique_ptr<Handshake> initiator = a_->start_initiator();
    EXPECT_FALSE(server.run_against(*initiator)) << "server with " << c.name;
    EXPECT_FALSE(initiator->finished()) << "server with " << c.name;
  }
}

TEST_F(TlsHandshakes, AServersTicketsAreRefused) {
  RawTls::Options options;
  options.tickets = 2;
  RawTls server(RawTls::Side::kServer, options);
  const std::unique_ptr<Handshake> initiator = a_->start_initiator();
  EXPECT_FALSE(server.run_against(*initiator) && initiator->finished());
}

}  // namespace
}  // namespace peernet::crypto
