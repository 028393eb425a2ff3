// Somebody on the path who sees everything, keeps some of it, and sends what he likes from where he likes. He holds no
// secret: what he can make is what anyone could.
#pragma once

#include <optional>
#include <vector>

#include "base/rng.hpp"
#include "crypto/initial_keys.hpp"
#include "sim/datagram.hpp"
#include "sim/scenario.hpp"

namespace peernet::sim {

class Attacker {
 public:
  Attacker(const AttackProfile& profile, std::uint64_t seed, bool ipv6);

  /// Every datagram that an endpoint sends passes here. May return a copy to be sent at once from another address,
  /// quicker than the original travels.
  std::optional<Datagram> observe(const Datagram& datagram);

  /// Time to the next attack; nothing if he is idle.
  std::optional<Duration> next_in();
  /// One attack, towards one of the two ends whose addresses are given (as they are reachable now).
  Datagram strike(const std::array<Address, 2>& ends);
  /// From now on what he repeats comes from where it came from: he who overtakes every packet from an address of his
  /// own keeps a path moving for ever, as he could drop everything.
  void stop_moving_paths() { moves_paths_ = false; }
  /// Which end the last strike was meant for.
  std::size_t target() const { return target_; }

  /// Those that he sends from, and sees the answers to.
  std::vector<Address> addresses() const;

 private:
  static constexpr std::uint64_t kOwnAddresses = 8;
  enum class Kind : std::uint8_t { kGarbage, kEmpty, kForged, kReplayed, kTampered, kFlood };

  Kind draw_kind();
  const Datagram* recorded();
  std::vector<std::byte> random_bytes(std::size_t most);
  std::vector<std::byte> forged();
  std::vector<std::byte> first_packet();
  void tamper(std::vector<std::byte>& bytes);
  Address own_address(std::uint64_t number) const;
  Address any_own_address() { return own_address(rng_.below(kOwnAddresses)); }

  AttackProfile profile_;
  Rng rng_;
  bool ipv6_;
  std::vector<Datagram> records_;                ///< at most kRecords, replaced at random
  std::array<std::vector<Datagram>, 2> recent_;  ///< the last few towards each end
  crypto::InitialProtection protection_;
  std::size_t target_ = kServer;
  bool moves_paths_ = true;
};

}  // namespace peernet::sim
