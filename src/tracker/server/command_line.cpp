// Settings from the command line and from the environment.
#include <fmt/format.h>

#include <algorithm>

#include "cli/arguments.hpp"
#include "cli/printable.hpp"
#include "tracker/server/options.hpp"

namespace peernet::tracker::server {
namespace {

constexpr std::string_view kHelp = R"(usage: peernet-tracker [OPTIONS]
       peernet-tracker ctl [--state DIR | --socket PATH] swarms|peers KEY|stats [--json]

A tracker for PeerNet nodes and for every BitTorrent client that speaks UDP (BEP 15). Prints "listening udp://ADDR:PORT"
for each socket once it serves. SIGHUP reads the limits from the configuration file again; SIGTERM says goodbye to the
nodes, saves what is known and ends.

      --listen ADDR:PORT   where to serve; may be repeated (default [::]:6969: every address, IPv4 too)
      --admin ADDR:PORT    status page, /metrics and /healthz over HTTP (PORT alone: only this host)
      --state DIR          where the snapshot, the lock and the admin socket live (made if missing)
      --config FILE.toml   the same settings as keys: listen = ["0.0.0.0:6969"], max-contents = 1000
      --workers N          threads that answer (default: one per core, at most 8)
      --beat SECONDS       how often nodes say that they live; three silent beats: gone (default 30)
      --interval SECONDS   how often other clients announce; one and a half: gone (default 1800)
      --max-contents N     swarms (default 4000000)
      --max-peers-per-content N
                           peers of one swarm (default 4000000)
      --max-peers-per-address N
                           peers of one IPv4 address or IPv6 /64, 0: any number (default 65536; loopback is exempt)
      --snapshot SECONDS   how often the snapshot is written (default 300)
      --version
  -h, --help               this text

Each setting may also come from the environment (PEERNET_TRACKER_MAX_CONTENTS=1000; several --listen with commas between
them). The command line wins over the environment, the environment over the file. `peernet-tracker ctl --help` tells how
to ask a running tracker what it knows.

Exit status: 0 ended as asked, 2 usage, 7 a port, folder or permission is not to be had, 10 another tracker holds DIR,
12 the kernel or its limits; 130 and 143 when a second signal cut the end short.
)";

constexpr std::string_view kPrefix = "PEERNET_TRACKER_";

// "max-contents" -> "PEERNET_TRACKER_MAX_CONTENTS".
std::string variable_of(std::string_view key) {
  std::string name(kPrefix);
  for (const char c : key) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

void read_environment(const Lookup& lookup, CommandLine& line) {
  for (const std::string& key : all_keys()) {
    const std::string variable = variable_of(key);
    const char* value = lookup(variable.c_str());
    if (value == nullptr || *value == '\0') continue;
    const bool list = kind_of(key) == ValueKind::kAddresses;
    line.environment.push_back({key, list ? split_list(value) : std::vector<std::string>{value}, variable});
  }
  if (const char* config = lookup("PEERNET_TRACKER_CONFIG"); config != nullptr) line.config = config;
}

std::string no_such_option(std::string_view word) {
  std::vector<std::string> known{"--config", "--help", "--version"};
  for (const std::string& key : all_keys()) known.push_back("--" + key);
  const std::string_view meant = cli::closest(word, known);
  return fmt::format("there is no option \"{}\"{}", cli::printable(cli::shortened(word, 60)),
                     meant.empty() ? "." : fmt::format("; did you mean {}?", meant));
}

// A repeated --listen adds a socket; of any other option the last one counts.
void add_flag(std::vector<Given>& flags, const std::string& key, const std::string& value) {
  const auto earlier = std::find_if(flags.begin(), flags.end(), [&](const Given& given) { return given.key == key; });
  if (earlier == flags.end()) {
    flags.push_back({key, {value}, "--" + key});
  } else if (kind_of(key) == ValueKind::kAddresses) {
    earlier->values.push_back(value);
  } else {
    earlier->values = {value};
  }
}

}  // namespace

std::string_view server_help() {
  return kHelp;
}

std::vector<std::string> unknown_variables(const char* const* environment) {
  std::vector<std::string> known{variable_of("config")};
  for (const std::string& key : all_keys()) known.push_back(variable_of(key));
  std::vector<std::string> out;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry(*environment);
    const std::string_view name = entry.substr(0, entry.find('='));
    if (!name.starts_with(kPrefix) || std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string_view meant = cli::closest(name, known);
    out.push_back(fmt::format("The variable {} is no setting and is ignored{}",
                              cli::printable(cli::shortened(name, 80)),
                              meant.empty() ? "." : fmt::format("; did you mean {}?", meant)));
  }
  return out;
}

std::expected<CommandLine, std::string> read_command_line(std::span<const std::string> words,
                                                          const Lookup& environment) {
  CommandLine line;
  read_environment(environment, line);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "-h" || word == "--help") {
      line.help = true;
      continue;
    }
    if (word == "--version") {
      line.version = true;
      continue;
    }
    if (!word.starts_with("--"))
      return std::unexpected(
          fmt::format("\"{}\" is no option, and the only command is ctl.", cli::printable(cli::shortened(word, 60))));
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const std::string key = name.substr(2);
    if (key != "config" && !kind_of(key)) return std::unexpected(no_such_option(name));
    if (equals == std::string::npos && i + 1 == words.size())
      return std::unexpected(fmt::format("{} wants a value behind it.", name));
    const std::string value = equals != std::string::npos ? word.substr(equals + 1) : words[++i];
    if (key == "config") {
      if (value.empty()) return std::unexpected(std::string("--config wants the name of a file."));
      line.config = value;
    } else {
      add_flag(line.flags, key, value);
    }
  }
  return line;
}

}  // namespace peernet::tracker::server
