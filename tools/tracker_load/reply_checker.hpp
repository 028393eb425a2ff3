// Judges replies by the model: every length, count and listed peer.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "model.hpp"
#include "request_table.hpp"
#include "sources.hpp"
#include "stats.hpp"

namespace peernet::tracker_load {

/// A peer in a scrape or an announce reply, summed up.
struct SwarmCounts {
  std::uint32_t seeders = 0;
  std::uint32_t leechers = 0;
};

/// Outcome of asking for every swarm at the end.
struct Verified {
  std::uint64_t swarms = 0;
  std::uint64_t exact = 0;
  std::uint64_t within_unsure = 0;  ///< right for one way in which the lost requests may have ended
  std::uint64_t wrong = 0;
  std::string first_wrong;

  void merge(const Verified& other);
};

class ReplyChecker {
 public:
  ReplyChecker(const Options& options, const Model& model, const Sources& sources)
      : options_(options), model_(model), sources_(sources) {}

  // The whole datagram. False if it cannot be a reply to the request.
  bool check_announce(const Request& request, ByteSpan reply, Stats& stats);
  bool check_scrape(const Request& request, ByteSpan reply, bool verify, Stats& stats);
  const Verified& verified() const { return verified_; }
  void reset() { verified_ = {}; }

 private:
  void check_list(const Request& request, ByteSpan peers, Stats& stats) const;
  void check_listed(const Request& request, std::uint32_t peer, Stats& stats) const;
  void compare(std::uint32_t swarm, SwarmCounts counts);

  const Options& options_;
  const Model& model_;
  const Sources& sources_;
  std::uint32_t replies_ = 0;
  Verified verified_;
};

}  // namespace peernet::tracker_load
