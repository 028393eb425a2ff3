// What `peernet-bench tracker-load` is asked to do.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>

namespace peernet::tracker_load {

enum class Job : std::uint8_t { kLoad, kNodes, kHostile, kPrintHashes, kNullTracker, kPrintHelp };

/// What nodes of the extension do in the measured time.
enum class NodeWork : std::uint8_t { kAnnounce, kHeartbeat, kQuery };

/// Weights of what stock clients send in the measured time.
struct Mix {
  double connect = 0;
  double announce = 100;
  double scrape = 1;
};

struct Options {
  Job job = Job::kLoad;
  std::string target = "127.0.0.1:6969";
  std::string source_base;        ///< empty: see Sources
  std::uint32_t source_step = 1;  ///< between source addresses; 256: each in a /24 of its own
  std::uint64_t seed = 1;
  std::uint32_t swarms = 1000;
  std::uint32_t peers = 100'000;
  double zipf = 1.0;     ///< exponent of swarm sizes, 0: all equal
  double seeders = 0.5;  ///< share of peers that start complete
  std::uint32_t sources = 16;
  std::uint32_t threads = 1;
  std::uint32_t window = 128;  ///< requests under way per thread
  std::uint32_t batch = 16;    ///< datagrams per sendmmsg
  std::uint32_t gso = 1;       ///< equal requests per datagram train
  double rate = 0;             ///< requests per second, 0: as fast as the window allows
  Mix mix;
  std::uint32_t numwant = 30;
  std::uint32_t scrape_hashes = 10;
  double churn = 0.05;
  double complete = 0.01;
  double warmup_seconds = 0.5;
  double seconds = 5;
  std::uint32_t timeout_ms = 1000;
  std::uint32_t check_every = 1;  ///< 0: neither lists nor counts are checked
  std::uint32_t hostile_count = 2000;
  std::uint32_t nodes = 0;  ///< above 0: Job::kNodes
  std::uint32_t contents_per_node = 32;
  NodeWork node_work = NodeWork::kHeartbeat;
  std::uint16_t null_port = 0;
  int pid = 0;  ///< the tracker's, 0: not known
  bool populate = false;
  bool verify = false;
  bool json = false;
};

/// The words behind "tracker-load". The error is one sentence that names the fix.
std::expected<Options, std::string> parse_options(std::span<const std::string> words);

extern const char* const kHelp;

}  // namespace peernet::tracker_load
