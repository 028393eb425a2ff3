// What the service may be told, from three sources: the configuration file, then the environment, then the command
// line; what comes later wins. Nothing is opened here but the file.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "tracker/server/failure.hpp"
#include "tracker/settings.hpp"

namespace peernet::tracker::server {

inline constexpr std::uint16_t kDefaultPort = 6969;
inline constexpr unsigned kMaxWorkers = 64;
inline constexpr unsigned kMaxDefaultWorkers = 8;

struct ServerOptions {
  std::vector<Address> listen;  ///< empty: [::]:6969
  std::optional<Address> admin;
  std::string state;     ///< folder of snapshot, lock and admin socket; empty: none
  unsigned workers = 0;  ///< 0: one per core, at most kMaxDefaultWorkers
  Duration snapshot_every = std::chrono::minutes(5);
  Times times;
  Limits limits;
};

/// One setting as one source gives it.
struct Given {
  std::string key;                  ///< "max-contents"
  std::vector<std::string> values;  ///< several only for "listen"
  std::string where;  ///< "--max-contents", "PEERNET_TRACKER_MAX_CONTENTS", "tracker.toml:3: max-contents"
};

/// Command, words and environment of a process, kept for SIGHUP.
struct CommandLine {
  bool help = false;
  bool version = false;
  std::string config;  ///< path, or empty
  std::vector<Given> flags;
  std::vector<Given> environment;
};

using Lookup = std::function<const char*(const char* name)>;  ///< std::getenv

/// The words behind the program's name. Complaints are sentences.
std::expected<CommandLine, std::string> read_command_line(std::span<const std::string> words,
                                                          const Lookup& environment);

/// A sentence for each variable ("NAME=value", up to a null pointer) that looks like a setting and is none.
std::vector<std::string> unknown_variables(const char* const* environment);

/// The text of a TOML file; `name` is how complaints call it.
std::expected<std::vector<Given>, std::string> read_config_text(std::string_view text, std::string_view name);

/// Puts the sources together, reading the file if there is one.
std::expected<ServerOptions, std::string> load_options(const CommandLine& line);

/// Applies settings in their order.
std::expected<void, std::string> apply_settings(std::span<const Given> settings, ServerOptions& options);

/// Kinds of values, for the sources that know types.
enum class ValueKind : std::uint8_t { kAddresses, kAddress, kText, kWhole, kSeconds };
/// Nothing if there is no such key.
std::optional<ValueKind> kind_of(std::string_view key);
/// The keys, in the order of the help.
std::span<const std::string> all_keys();
/// `; did you mean "listen"?`, or nothing.
std::string suggestion(std::string_view word);

/// What --help prints.
std::string_view server_help();

}  // namespace peernet::tracker::server
