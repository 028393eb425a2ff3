// Settings from a TOML file, each with the line it stands on.
#include <fmt/format.h>
#include <toml++/toml.h>

#include "cli/printable.hpp"
#include "tracker/server/options.hpp"

namespace peernet::tracker::server {
namespace {

const char* wanted(ValueKind kind) {
  switch (kind) {
    case ValueKind::kAddresses:
      return "\"ADDR:PORT\" or a list of them";
    case ValueKind::kAddress:
      return "\"ADDR:PORT\"";
    case ValueKind::kText:
      return "a text in quotes";
    case ValueKind::kWhole:
      return "a whole number";
    case ValueKind::kSeconds:
      return "seconds as a number";
  }
  return "";
}

// The texts that options.cpp judges; nothing if the type is wrong.
std::optional<std::vector<std::string>> values_of(const toml::node& node, ValueKind kind) {
  const bool number = kind == ValueKind::kWhole || kind == ValueKind::kSeconds;
  if (const auto* text = node.as_string(); text != nullptr && !number) return std::vector<std::string>{text->get()};
  if (const auto* whole = node.as_integer(); whole != nullptr && number)
    return std::vector<std::string>{std::to_string(whole->get())};
  if (const auto* real = node.as_floating_point(); real != nullptr && kind == ValueKind::kSeconds)
    return std::vector<std::string>{fmt::format("{}", real->get())};
  const auto* list = node.as_array();
  if (list == nullptr || kind != ValueKind::kAddresses) return std::nullopt;
  std::vector<std::string> out;
  for (const toml::node& item : *list) {
    const auto* text = item.as_string();
    if (text == nullptr) return std::nullopt;
    out.push_back(text->get());
  }
  return out;
}

}  // namespace

std::expected<std::vector<Given>, std::string> read_config_text(std::string_view text, std::string_view name) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return std::unexpected(fmt::format("{}:{}: this is not TOML: {}", name, error.source().begin.line,
                                       cli::printable(error.description())));
  }
  std::vector<Given> out;
  for (const auto& [key, node] : table) {
    const std::string key_text(key.str());
    std::string where = fmt::format("{}:{}: {}", name, key.source().begin.line, cli::printable(key_text));
    const auto kind = kind_of(key_text);
    if (!kind) return std::unexpected(fmt::format("{} is no setting of the tracker{}", where, suggestion(key_text)));
    auto values = values_of(node, *kind);
    if (!values) return std::unexpected(fmt::format("{} wants {}", where, wanted(*kind)));
    out.push_back({key_text, std::move(*values), std::move(where)});
  }
  return out;
}

}  // namespace peernet::tracker::server
