// Where packets go: the peer's address, whether it has proved to be there, and how much may be sent before it has.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/time.hpp"
#include "transport/mutants.hpp"
#include "wire/spec.hpp"

namespace peernet::transport {

/// States: validated -> moved (a packet with the highest number came from another address) -> validated (the challenge
/// was answered) | back to the last validated address (it was not, in time).
class Path {
 public:
  Path(const Address& remote, bool validated) : remote_(remote), validated_(validated) {}

  const Address& remote() const { return remote_; }
  bool validated() const { return validated_; }
  std::optional<std::uint64_t> challenge() const { return challenge_; }
  Instant deadline() const { return deadline_; }
  bool has_fallback() const { return fallback_.has_value(); }

  /// Authentic or not, bytes from the current address raise what may be sent to it.
  void on_received(const Address& from, std::uint64_t bytes) {
    if (!validated_ && from == remote_) received_ += bytes;
  }
  void on_sent(std::uint64_t bytes) {
    if (!validated_) sent_ += bytes;
  }
  /// Bytes that may still be sent (RFC 9000 8.1); unlimited once validated.
  std::uint64_t allowance() const {
    if (validated_ || mutant(Mutant::kIgnoreAmplificationLimit)) return UINT64_MAX;
    const std::uint64_t limit = wire::kAmplificationFactor * received_;
    return limit > sent_ ? limit - sent_ : 0;
  }
  void validate() {
    validated_ = true;
    challenge_.reset();
    fallback_.reset();
    deadline_ = Instant::never();
  }

  struct Move {
    Address to;
    std::uint64_t bytes = 0;      ///< of the packet that moved it
    std::uint64_t challenge = 0;  ///< random
    Instant deadline;             ///< until when it must be answered
  };
  /// True if the host changed: window, round trip and MTU are to be learned anew. A changed port alone keeps them (a
  /// NAT has forgotten a binding; the way is the same). Coming back to the fallback address needs no new proof.
  bool move(const Move& m) {
    const bool other_host = !m.to.same_host(remote_);
    if (fallback_ && m.to == *fallback_) {
      remote_ = m.to;
      validate();
      return other_host;
    }
    if (validated_) fallback_ = remote_;
    remote_ = m.to;
    validated_ = false;
    received_ = m.bytes;
    sent_ = 0;
    challenge_ = m.challenge;
    deadline_ = m.deadline;
    return other_host;
  }
  /// The right answer, from wherever: only the holder of the new address has seen the challenge.
  bool on_response(std::uint64_t value) {
    if (!challenge_ || *challenge_ != value) return false;
    validate();
    return true;
  }
  /// The deadline has passed: back to the last validated address. False if there is none.
  bool fall_back() {
    deadline_ = Instant::never();
    challenge_.reset();
    if (!fallback_) return false;
    remote_ = *fallback_;
    validate();
    return true;
  }

 private:
  Address remote_;
  bool validated_;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  std::optional<std::uint64_t> challenge_;
  std::optional<Address> fallback_;
  Instant deadline_ = Instant::never();
};

}  // namespace peernet::transport
