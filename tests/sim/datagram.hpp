// A datagram on the simulated network.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"

namespace peernet::sim {

/// Who made the bytes. The endpoints never see this; the checks do.
enum class Origin : std::uint8_t {
  kGenuine,   ///< exactly what an endpoint sent, on its first trip
  kRepeated,  ///< exactly what an endpoint sent, again (duplicated by the network or replayed by the attacker)
  kTampered,  ///< made from what an endpoint sent, at least one byte differs
  kForged,    ///< made by the attacker
};

struct Datagram {
  std::vector<std::byte> bytes;
  Address from;
  Address to;
  Address meant_for;     ///< where its sender sent it; the attacker may carry it elsewhere
  std::uint8_t ecn = 0;  ///< the two ECN bits as in io::Received
  Origin origin = Origin::kGenuine;
  bool lie = false;               ///< sealed with the right keys by a peer that lies
  std::uint32_t incarnation = 0;  ///< the client's how-manieth session was current when it was sent
  std::uint32_t receives = 0;  ///< bit i: its sender had by then received something that was sent to address number i
};

/// Bytes of the IP packet around it.
inline std::uint32_t ip_bytes(const Datagram& d) {
  return static_cast<std::uint32_t>(d.bytes.size()) + d.to.header_bytes();
}

}  // namespace peernet::sim
