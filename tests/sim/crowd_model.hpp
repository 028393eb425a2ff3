// A crowd too large for whole nodes: what decides about chunks is real (Download, HaveLog, HaveTeller, Spread,
// UploadQueue, FairQueue), the network is links that carry pieces in order and lose nothing. No handshakes, no tables,
// no disks: each receiver begins with the hashes, knows the publisher, and some others, as a tracker would name them.
#pragma once

#include <cstdint>
#include <memory>

#include "base/time.hpp"

namespace peernet::sim {

struct CrowdPlan {
  std::uint64_t seed = 1;
  std::uint32_t receivers = 100;
  std::uint32_t chunks = 256;
  std::uint32_t chunk_bytes = 16384;
  std::uint64_t rate = 1'250'000;   ///< of every link, each way, bytes per second
  Duration delay = Duration(10ms);  ///< from host to host
  std::uint32_t neighbours = 30;    ///< on average, beside the publisher
};

struct CrowdReport {
  bool finished = false;
  double first_seconds = 0, half_seconds = 0, last_seconds = 0;  ///< when receivers were done
  double publisher_copies = 0;                                   ///< of the content, sent by the publisher
  double receiver_copies = 0;                                    ///< by each receiver, on average
  std::uint64_t received_bytes = 0;
  std::uint64_t duplicate_bytes = 0;
  std::uint64_t events = 0;
  std::uint64_t trace = 0;

  double ideal_seconds = 0;  ///< content / rate: what one receiver with a link of its own would need
};

CrowdReport play_crowd(const CrowdPlan& plan);

}  // namespace peernet::sim
