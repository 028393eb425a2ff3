#include "tracker/server/options.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "cli/arguments.hpp"
#include "cli/files.hpp"
#include "cli/printable.hpp"
#include "cli/units.hpp"
#include "io/address_text.hpp"

namespace peernet::tracker::server {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
constexpr std::uint32_t kMaxCount = 4'000'000'000;

std::string in_quotes(std::string_view text) {
  return "\"" + cli::printable(cli::shortened(text, 60)) + "\"";
}

struct Key {
  ValueKind kind;
  double low = 0;  // of numbers
  double high = 0;
  void (*set)(ServerOptions&, double) = nullptr;
};

Duration seconds(double value) {
  return Duration(static_cast<std::int64_t>(value * 1e9));
}

const std::array<std::string, 10> kNames{"listen",
                                         "admin",
                                         "state",
                                         "workers",
                                         "beat",
                                         "interval",
                                         "max-contents",
                                         "max-peers-per-content",
                                         "max-peers-per-address",
                                         "snapshot"};
const std::array<Key, kNames.size()> kKeys{{
    {ValueKind::kAddresses},
    {ValueKind::kAddress},
    {ValueKind::kText},
    {ValueKind::kWhole, 1, kMaxWorkers, [](ServerOptions& o, double v) { o.workers = static_cast<unsigned>(v); }},
    {ValueKind::kSeconds, 0.1, 3600, [](ServerOptions& o, double v) { o.times.beat = seconds(v); }},
    {ValueKind::kWhole, 1, 86400, [](ServerOptions& o, double v) { o.times.interval = seconds(v); }},
    {ValueKind::kWhole, 1, kMaxCount,
     [](ServerOptions& o, double v) { o.limits.contents = static_cast<std::uint32_t>(v); }},
    {ValueKind::kWhole, 1, kMaxCount,
     [](ServerOptions& o, double v) { o.limits.peers_per_content = static_cast<std::uint32_t>(v); }},
    {ValueKind::kWhole, 0, kMaxCount,
     [](ServerOptions& o, double v) { o.limits.peers_per_address = static_cast<std::uint32_t>(v); }},
    {ValueKind::kSeconds, 1, 86400, [](ServerOptions& o, double v) { o.snapshot_every = seconds(v); }},
}};

const Key* find_key(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return &kKeys[i];
  return nullptr;
}

std::optional<double> whole(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > kMaxCount) return std::nullopt;
  return static_cast<double>(value);
}

// "PORT" and ":PORT" mean this host alone where an administrator talks, and every address where peers do.
std::optional<Address> address_of(std::string_view text, std::string_view host) {
  if (!text.empty() && text.find_first_not_of("0123456789", text[0] == ':' ? 1 : 0) == std::string_view::npos)
    return io::parse_address(fmt::format("{}:{}", host, text.substr(text[0] == ':' ? 1 : 0)));
  return io::parse_address(text);
}

std::expected<void, std::string> apply_one(const Given& given, ServerOptions& out) {
  const Key* key = find_key(given.key);
  if (key == nullptr) return std::unexpected(fmt::format("{} is no setting{}", given.where, suggestion(given.key)));
  const std::string empty;
  const std::string& value = given.values.empty() ? empty : given.values.front();
  switch (key->kind) {
    case ValueKind::kAddresses:
      out.listen.clear();
      for (const std::string& text : given.values) {
        const auto address = address_of(text, "[::]");
        if (!address)
          return std::unexpected(fmt::format("{} wants ADDR:PORT such as 0.0.0.0:6969 or [::]:6969, not {}",
                                             given.where, in_quotes(text)));
        out.listen.push_back(*address);
      }
      if (out.listen.empty()) return std::unexpected(fmt::format("{} wants at least one ADDR:PORT", given.where));
      return {};
    case ValueKind::kAddress:
      out.admin = address_of(value, "127.0.0.1");
      if (out.admin) return {};
      return std::unexpected(
          fmt::format("{} wants ADDR:PORT such as 127.0.0.1:6970, not {}", given.where, in_quotes(value)));
    case ValueKind::kText:
      if (value.empty()) return std::unexpected(fmt::format("{} wants the name of a folder", given.where));
      out.state = value;
      return {};
    case ValueKind::kWhole:
    case ValueKind::kSeconds: {
      const bool is_whole = key->kind == ValueKind::kWhole;
      const auto number = is_whole ? whole(value) : cli::parse_seconds(value);
      if (!number || *number < key->low || *number > key->high)
        return std::unexpected(fmt::format("{} wants {} from {} to {}, not {}", given.where,
                                           is_whole ? "a whole number" : "seconds", key->low, key->high,
                                           in_quotes(value)));
      key->set(out, *number);
      return {};
    }
  }
  return {};
}

}  // namespace

std::optional<ValueKind> kind_of(std::string_view key) {
  const Key* found = find_key(key);
  return found == nullptr ? std::nullopt : std::optional(found->kind);
}

std::span<const std::string> all_keys() {
  return kNames;
}

std::string suggestion(std::string_view word) {
  const std::string_view meant = cli::closest(word, kNames);
  return meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant);
}

std::expected<void, std::string> apply_settings(std::span<const Given> settings, ServerOptions& options) {
  for (const Given& given : settings)
    if (auto done = apply_one(given, options); !done) return done;
  return {};
}

std::expected<ServerOptions, std::string> load_options(const CommandLine& line) {
  ServerOptions options;
  if (!line.config.empty()) {
    const auto file = cli::read_small_file(line.config, kMaxConfigBytes);
    if (!file)
      return std::unexpected(
          fmt::format("the configuration file {} cannot be read: {}", cli::printable(line.config),
                      file.error().os_error != 0 ? reason_of(file.error().os_error) : describe(file.error())));
    const auto settings = read_config_text(file->text, cli::printable(line.config));
    if (!settings) return std::unexpected(settings.error());
    if (const auto done = apply_settings(*settings, options); !done) return std::unexpected(done.error());
  }
  for (const std::vector<Given>* settings : {&line.environment, &line.flags})
    if (const auto done = apply_settings(*settings, options); !done) return std::unexpected(done.error());
  return options;
}

}  // namespace peernet::tracker::server
