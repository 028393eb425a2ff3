// What the service can tell about itself in numbers, at one moment, and as Prometheus text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "tracker/settings.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker::server {

struct Figures {
  std::array<std::uint64_t, static_cast<std::size_t>(Event::kCount)> events{};
  std::array<std::uint64_t, static_cast<std::size_t>(wire::TrackerRefusal::kCount)> refusals{};
  std::uint64_t dropped_replies = 0;  ///< the kernel had no room for
  std::uint64_t kernel_drops = 0;     ///< datagrams that found a full receive buffer
  Totals totals;
  unsigned workers = 0;
  std::uint32_t epoch = 0;
  double uptime_s = 0;
  std::optional<double> snapshot_age_s;  ///< nothing: there is none
  std::uint64_t resident_bytes = 0;

  void add(const Counters& counters);
};

/// Memory of this process that is in RAM, bytes; 0 if /proc does not say.
std::uint64_t resident_bytes();

/// Prometheus text format 0.0.4.
std::string metrics_text(const Figures& figures);

}  // namespace peernet::tracker::server
