// `peernet-tracker ctl`: asks a running tracker through its socket and shows the answer as a table.
#pragma once

#include <expected>
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
/// The table for people out of the JSON of /api/...; nothing if that is not what was expected.
std::optional<std::string> table_of(CtlVerb verb, std::string_view json);
std::string_view ctl_help();

}  // namespace peernet::tracker::server
