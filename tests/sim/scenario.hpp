// Everything that happens to a pair, drawn from the seed before it starts: the path, the hosts, the attacker, the
// application, and a schedule of single events. Two acts: hurt (safety is checked), then heal (completion is demanded).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "sim/link.hpp"

namespace peernet::sim {

inline constexpr std::size_t kClient = 0;  ///< initiator of the session and requester
inline constexpr std::size_t kServer = 1;

/// How a host runs its node.
struct HostProfile {
  Duration lateness = 50us;              ///< a wake-up is late by up to this
  Duration batch_window = 100us;         ///< after a wake-up the node sleeps at least this long while only data comes
  std::uint64_t socket_bytes = 4 << 20;  ///< receive buffer, charged as Linux charges it
  double gro = 1.0;                      ///< chance that neighbours in a batch are coalesced
  std::int64_t drift_ppm = 0;
};

/// Datagrams per second of each kind of attack, towards each endpoint.
struct AttackProfile {
  double garbage = 0;   ///< random bytes, any length
  double empty = 0;     ///< zero-length
  double forged = 0;    ///< a right header, the rest guessed
  double replayed = 0;  ///< something recorded, exactly as it was
  double tampered = 0;  ///< something recorded, changed or cut
  double spoofed = 0;   ///< something recorded, exactly as it was, from another address
  double flood = 0;     ///< first handshake packets of sessions that never go on

  double total() const { return garbage + empty + forged + replayed + tampered + spoofed + flood; }
};

enum class EventKind : std::uint8_t {
  kCutUp,    ///< client to server
  kCutDown,  ///< server to client
  kCutBoth,
  kMtu,    ///< value: new MTU of the path
  kDelay,  ///< value: new one-way delay in ns
  kRate,   ///< value: new rate
  kRebindPort,
  kRebindAddress,
  kStallClient,  ///< the process gets no CPU for the duration
  kStallServer,
  kJumpClient,  ///< the monotonic clock jumps forward by the duration
  kJumpServer,
  kCloseClient,  ///< the application has had enough of this session
  kCloseServer,
  kLie,            ///< value: the Lie that the client tells
  kRestartClient,  ///< the process dies and comes back without its sessions; nobody is told
  kRestartServer,
};
inline constexpr std::size_t kEventKinds = 17;
const char* name_of(EventKind kind);

struct TimedEvent {
  Instant at;
  EventKind kind{};
  Duration lasts = Duration::zero();  ///< after which it is undone, where that means something
  std::uint64_t value = 0;
};

/// What the application does on top of the transport.
struct AppProfile {
  std::uint64_t content_bytes = 1 << 20;
  std::uint32_t range_bytes = 256 << 10;  ///< length of a REQUEST
  std::uint32_t chunk_bytes = 1 << 20;
  std::uint32_t max_requests = 8;
  std::uint64_t max_outstanding = 4 << 20;
  double reject = 0;        ///< chance that the server rejects a request
  double cancel = 0;        ///< chance that the client cancels a request on its way
  bool interleave = false;  ///< the server serves its requests in turns, not one after the other
  double chatter = 0;       ///< chance per turn of a control frame that has nothing to do with the transfer
};

struct Scenario {
  std::uint64_t seed = 0;
  std::string name = "seed";
  bool real_tls = false;
  bool ipv6 = false;
  bool aes_256 = false;
  bool mtu_is_told = false;      ///< a datagram too long for the path is refused at once (EMSGSIZE)
  std::uint8_t epoch_shift = 8;  ///< packets per key epoch = 2^shift: a transfer of a megabyte rolls keys a few times
  bool demand_retry = false;     ///< the server answers new sessions with RETRY
  std::uint32_t interface_mtu = 1500;  ///< of both hosts, bytes of IP packet
  std::array<LinkProfile, 2> hurt;     ///< by direction: [kClient] leaves the client
  std::array<LinkProfile, 2> heal;
  std::array<HostProfile, 2> hosts;
  AttackProfile attack;
  bool attack_after_heal = false;
  std::vector<TimedEvent> events;
  AppProfile app;
  Duration hurt_for = Duration::zero();
  Duration finish_within = 60s;  ///< after healing
  bool may_reconnect = true;     ///< a session that ends early is followed by a new one
};

/// The scenario of a seed.
Scenario draw_scenario(std::uint64_t seed);

/// A quiet path of 100 Mbit/s and 20 ms, to build a case on.
Scenario calm_scenario(std::uint64_t seed);

}  // namespace peernet::sim
