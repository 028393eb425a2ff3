// What a tracker may be told, and what it counts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/time.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::tracker {

/// Times. Fixed for the life of a core.
struct Times {
  Duration beat = std::chrono::seconds(30);       ///< how often nodes say that they live; 3 silent beats: dead
  Duration interval = std::chrono::seconds(1800);  ///< how often legacy clients announce; 1.5 intervals: dead
};

/// Bounds on memory. May be changed while running; what is over a new limit stays until it expires.
struct Limits {
  std::uint32_t contents = 4'000'000;           ///< swarms, at least 1
  std::uint32_t peers_per_content = 4'000'000;  ///< legacy peers and nodes together, at least 1
  std::uint32_t legacy_per_content = 4'000'000;  ///< of these, legacy peers at most
  /// Peers of one IPv4 address or one IPv6 /64, over all contents; loopback is exempt. 0: no limit.
  std::uint32_t peers_per_address = 65'536;
};

/// What happened, by name. The refusals of wire::TrackerRefusal are counted beside these.
enum class Event : std::uint8_t {
  kDatagrams,
  kReplies,
  kConnects,
  kExtendedConnects,
  kAnnounces,
  kScrapes,
  kNodeAnnounces,
  kHeartbeats,
  kHeartbeatContents,
  kQueries,
  kGoodbyes,         ///< contents that nodes or legacy clients left by saying so
  kExpired,          ///< peers that fell silent
  kTooManyContents,  ///< announces refused by each limit
  kTooManyPeers,
  kTooManyPeersOfAddress,
  kCount
};
/// "announces", as counters are called.
std::string_view name_of(Event event);

/// Counters of one thread that answers: written by it alone, read by any (relaxed: each number stands for itself).
struct Counters {
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Event::kCount)> events{};
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(wire::TrackerRefusal::kCount)> refusals{};

  void count(Event event, std::uint64_t n = 1) { bump(events[static_cast<std::size_t>(event)], n); }
  void count(wire::TrackerRefusal refusal) { bump(refusals[static_cast<std::size_t>(refusal)], 1); }

 private:
  static void bump(std::atomic<std::uint64_t>& counter, std::uint64_t n) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
};

}  // namespace peernet::tracker
