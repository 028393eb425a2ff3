// The answers of the API as aligned tables.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/printable.hpp"
#include "cli/units.hpp"
#include "tracker/server/ctl.hpp"

namespace peernet::tracker::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned kBarColumns = 32;
constexpr unsigned kBits = 128;

// Rows of cells; columns are as wide as their widest cell, and aligned right where they hold numbers.
class Table {
 public:
  explicit Table(std::string right) : right_(std::move(right)) {}

  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  std::string text() const {
    std::vector<std::size_t> widths(right_.size());
    for (const auto& cells : rows_)
      for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
    std::string out;
    for (const auto& cells : rows_) {
      std::string line;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        if (i != 0) line += "  ";
        line +=
            right_[i] == 'r' ? fmt::format("{:>{}}", cells[i], widths[i]) : fmt::format("{:<{}}", cells[i], widths[i]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + '\n';
    }
    return out;
  }

 private:
  std::string right_;  // a letter a column: l or r
  std::vector<std::vector<std::string>> rows_;
};

std::uint64_t number(const Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_number_unsigned() ? at->get<std::uint64_t>() : 0;
}

std::string text(const Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? cli::printable(at->get_ref<const std::string&>()) : "";
}

bool flag(const Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_boolean() && at->get<bool>();
}

bool bit(const std::string& hex, unsigned i) {
  if (i / 4 >= hex.size()) return false;
  const char c = hex[i / 4];
  const int digit = c >= 'a' ? c - 'a' + 10 : c - '0';
  return (digit >> (3 - i % 4) & 1) != 0;
}

struct Owned {
  std::string bar;
  std::string percent;
};

// '#': all of a column's chunks are there, '+': some, '.': none.
Owned owned_of(const Json& peer) {
  if (flag(peer, "complete")) return {std::string(kBarColumns, '#'), "100%"};
  const std::string hex = text(peer, "owned");
  if (hex.empty()) return {std::string(kBarColumns, '?'), "?"};  // a legacy peer does not tell
  const std::uint64_t chunks = number(peer, "chunks");
  const unsigned bits = chunks == 0 ? kBits : static_cast<unsigned>(std::min<std::uint64_t>(chunks, kBits));
  Owned out;
  unsigned all = 0;
  for (unsigned i = 0; i < bits; ++i) all += bit(hex, i) ? 1u : 0u;
  for (unsigned column = 0; column < kBarColumns; ++column) {
    const unsigned first = column * bits / kBarColumns;
    const unsigned end = std::max(first + 1, (column + 1) * bits / kBarColumns);
    unsigned here = 0;
    for (unsigned i = first; i < end; ++i) here += bit(hex, i) ? 1u : 0u;
    out.bar += here == end - first ? '#' : here != 0 ? '+' : '.';
  }
  out.percent = fmt::format("{}%", all * 100 / bits);
  return out;
}

std::optional<std::string> swarms_table(const Json& json) {
  const auto list = json.find("swarms");
  if (list == json.end() || !list->is_array()) return std::nullopt;
  Table table("lrrrrr");
  table.row({"KEY", "COMPLETE", "PARTIAL", "SEEDERS", "LEECHERS", "COMPLETED"});
  for (const Json& swarm : *list)
    table.row({text(swarm, "key"), std::to_string(number(swarm, "nodes_complete")),
               std::to_string(number(swarm, "nodes_partial")), std::to_string(number(swarm, "legacy_seeders")),
               std::to_string(number(swarm, "legacy_leechers")), std::to_string(number(swarm, "completed"))});
  std::string out = table.text();
  if (flag(json, "truncated")) out += fmt::format("... and more: {} swarms in all\n", number(json, "total"));
  return out;
}

std::optional<std::string> peers_table(const Json& json) {
  const auto list = json.find("peers");
  if (list == json.end() || !list->is_array()) return std::nullopt;
  Table table("lllrrrl");
  table.row({"ADDRESS", "KIND", "OWNED", "", "AGE", "RATE", "NODE"});
  for (const Json& peer : *list) {
    const Owned owned = owned_of(peer);
    const bool node = text(peer, "kind") == "node";
    table.row({text(peer, "address"), text(peer, "kind"), owned.bar, owned.percent,
               cli::format_duration(static_cast<double>(number(peer, "age_ms")) / 1000),
               node ? cli::format_rate(static_cast<double>(number(peer, "rate_kib")) * 1024) : "-",
               node ? text(peer, "node") : "-"});
  }
  const std::uint64_t total = number(json, "total");
  std::string out =
      fmt::format("swarm {}, {} peer{}\n", text(json, "key"), total, total == 1 ? "" : "s") + table.text();
  if (flag(json, "truncated")) out += "... and more\n";
  return out;
}

void add_numbers(Table& table, const Json& json, const std::string& prefix) {
  for (const auto& [name, value] : json.items()) {
    if (value.is_object()) {
      add_numbers(table, value, name + " ");
    } else if (value.is_string()) {
      table.row({prefix + cli::printable(name), cli::printable(value.get_ref<const std::string&>())});
    } else {
      table.row({prefix + cli::printable(name), value.is_null() ? "-" : value.dump()});
    }
  }
}

}  // namespace

std::optional<std::string> table_of(CtlVerb verb, std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  if (verb == CtlVerb::kSwarms) return swarms_table(parsed);
  if (verb == CtlVerb::kPeers) return peers_table(parsed);
  Table table("lr");
  add_numbers(table, parsed, "");
  return table.text();
}

}  // namespace peernet::tracker::server
