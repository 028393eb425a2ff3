#include "sim/standin_handshake.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "crypto/hash.hpp"

// Every flight: its own number (u8), 32 random bytes, node id, filling from the random bytes, and at its end the hash
// of all that was said before it and of itself.
namespace peernet::sim {
namespace {

using crypto::Handshake;
using crypto::SessionSecrets;

constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kIdAt = 1 + 32;
constexpr Error kFailed{ErrorCode::kRefused, 0, "the stand-in handshake failed"};

constexpr std::size_t flight_bytes(int flight) {
  return flight == 1 ? kFirstFlightBytes : flight == 2 ? kSecondFlightBytes : kThirdFlightBytes;
}

class StandinHandshake final : public Handshake {
 public:
  StandinHandshake(const NodeId& id, std::uint64_t seed, bool initiator) : id_(id), rng_(seed), initiator_(initiator) {
    if (initiator) say(1);
  }

  Result<void> on_stream(ByteSpan bytes) override {
    if (failed_) return std::unexpected(kFailed);
    if (bytes.empty()) return {};
    if (finished_) return fail();
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    while (!finished_ && pending_.size() >= flight_bytes(heard_)) {
      if (!hear()) return fail();
    }
    if (finished_ && !pending_.empty()) return fail();
    return {};
  }

  ByteSpan output() const override { return output_; }
  bool finished() const override { return finished_; }
  NodeId peer_id() const override {
    PN_CHECK(finished_);
    return peer_id_;
  }

  SessionSecrets export_secrets(ByteSpan context) const override {
    PN_CHECK(finished_);
    return {derived("i2r", context), derived("r2i", context), derived("bin", context)};
  }

 private:
  void say(int flight) {
    std::vector<std::byte> bytes(flight_bytes(flight));
    ByteWriter w(MutableByteSpan(bytes).first(bytes.size() - kMacBytes));
    w.u8(static_cast<std::uint8_t>(flight));
    for (int i = 0; i < 4; ++i) w.u64(rng_.next());
    w.bytes(id_);
    while (w.remaining() >= 8) w.u64(rng_.next());
    w.zeros(w.remaining());
    const Hash256 mac = mac_of(ByteSpan(bytes).first(bytes.size() - kMacBytes));
    std::memcpy(bytes.data() + bytes.size() - kMacBytes, mac.data(), kMacBytes);
    transcript_.update(bytes);
    output_.insert(output_.end(), bytes.begin(), bytes.end());
  }

  /// Takes the flight that is due from pending_.
  bool hear() {
    const std::size_t size = flight_bytes(heard_);
    const ByteSpan flight = ByteSpan(pending_).first(size);
    const Hash256 mac = mac_of(flight.first(size - kMacBytes));
    if (std::to_integer<int>(flight[0]) != heard_ || !crypto::equal_constant_time(mac, flight.last(kMacBytes)))
      return false;
    if (heard_ == 3 && std::memcmp(peer_id_.data(), flight.data() + kIdAt, peer_id_.size()) != 0) return false;
    std::memcpy(peer_id_.data(), flight.data() + kIdAt, peer_id_.size());
    transcript_.update(flight);
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(size));
    if (initiator_) {
      say(3);
      finished_ = true;
    } else if (heard_ == 1) {
      say(2);
      heard_ = 3;
    } else {
      finished_ = true;
    }
    return true;
  }

  Hash256 mac_of(ByteSpan flight) const {
    crypto::Sha256 hash = transcript_;
    hash.update(flight);
    return hash.finish();
  }

  Hash256 derived(const char (&what)[4], ByteSpan context) const {
    crypto::Sha256 hash = transcript_;
    hash.update(crypto::label(what));
    hash.update(context);
    return hash.finish();
  }

  std::unexpected<Error> fail() {
    failed_ = true;
    finished_ = false;
    return std::unexpected(kFailed);
  }

  NodeId id_;
  Rng rng_;
  bool initiator_;
  int heard_ = initiator_ ? 2 : 1;  ///< the flight that is due next
  crypto::Sha256 transcript_;
  std::vector<std::byte> pending_;
  std::vector<std::byte> output_;
  NodeId peer_id_{};
  bool finished_ = false;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Handshake> StandinHandshakeFactory::start_initiator() {
  return std::make_unique<StandinHandshake>(id_, rng_.next(), true);
}
std::unique_ptr<Handshake> StandinHandshakeFactory::start_responder() {
  return std::make_unique<StandinHandshake>(id_, rng_.next(), false);
}

}  // namespace peernet::sim
