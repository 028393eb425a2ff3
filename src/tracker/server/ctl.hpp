// `peernet-tracker ctl`: asks a running tracker through its socket and shows the answer as a table.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tracker/server/failure.hpp"
#include "tracker/server/options.hpp"

namespace peernet::tracker::server {

enum class CtlVerb : std::uint8_t { kSwarms, kPeers, kStats };

struct CtlRequest {
  bool help = false;
  CtlVerb verb = CtlVerb::kStats;
  std::string key;     ///< of peers
  std::string socket;  ///< path
  bool json = false;
};

/// The words behind "ctl".
std::expected<CtlRequest, std::string> read_ctl_words(std::span<const std::string> words, const Lookup& environment);
/// What to print.
Outcome<std::string> ask(const CtlRequest& request);
/// Puts the pages of /api/swarms together. A tracker changes between two pages: a swarm that comes twice counts once.
class PageJoiner {
 public:
  explicit PageJoiner(std::string first);
  ~PageJoiner();
  PageJoiner(const PageJoiner&) = delete;
  PageJoiner& operator=(const PageJoiner&) = delete;

  /// What to ask for as "after"; empty: that was the last page.
  const std::string& next() const { return next_; }
  /// False: it is no page, or brings nothing on.
  bool add(std::string_view page);
  /// The text of all; of a single page its own.
  std::string take();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string next_;
};

/// The table for people out of the JSON of /api/...; nothing if that is not what was expected.
std::optional<std::string> table_of(CtlVerb verb, std::string_view json);
std::string_view ctl_help();

}  // namespace peernet::tracker::server
