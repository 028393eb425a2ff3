#include "options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "../bench/mode_parser.hpp"
#include "wire/tracker_spec.hpp"

namespace peernet::tracker_load {
namespace {

using bench::in_quotes;
using bench::ModeParser;

constexpr std::uint64_t kManyPeers = 100'000'000;

std::optional<double> to_number(std::string_view word) {
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string to_mix(const std::string& text, Mix& mix) {
  const std::size_t first = text.find(':');
  const std::size_t second = text.find(':', first == std::string::npos ? first : first + 1);
  if (second != std::string::npos) {
    const auto connect = to_number(text.substr(0, first));
    const auto announce = to_number(text.substr(first + 1, second - first - 1));
    const auto scrape = to_number(text.substr(second + 1));
    if (connect && announce && scrape && *connect >= 0 && *announce >= 0 && *scrape >= 0 &&
        *connect + *announce + *scrape > 0) {
      mix = {*connect, *announce, *scrape};
      return {};
    }
  }
  return fmt::format("--mix wants three weights such as 50:50:1, not {}", in_quotes(text));
}

std::string to_work(const std::string& text, NodeWork& work) {
  if (text == "announce") work = NodeWork::kAnnounce;
  if (text == "heartbeat") work = NodeWork::kHeartbeat;
  if (text == "query") work = NodeWork::kQuery;
  if (text == "announce" || text == "heartbeat" || text == "query") return {};
  return fmt::format("--mode wants announce, heartbeat or query, not {}", in_quotes(text));
}

void add_common(ModeParser& parser, Options& o) {
  parser.text("--target", o.target);
  parser.text("--src-base", o.source_base);
  parser.number("--src-step", o.source_step, 1, 65'536);
  parser.number("--seed", o.seed, 0, 1'000'000'000'000'000);
  parser.number("--swarms", o.swarms, 1, kManyPeers);
  parser.decimal("--seeders", o.seeders, 0, 1);
  parser.number("--window", o.window, 1, 65535);
  parser.number("--batch", o.batch, 1, 64);
  parser.decimal("--duration", o.seconds, 0, 86'400);
  parser.decimal("--warmup", o.warmup_seconds, 0, 86'400);
  parser.number("--timeout-ms", o.timeout_ms, 1, 60'000);
  parser.number("--pid", o.pid, 1, INT32_MAX);
  parser.flag("--verify", o.verify);
  parser.flag("--json", o.json);
  parser.flag("--print-hashes", [&o] { o.job = Job::kPrintHashes; });
}

void add_clients(ModeParser& parser, Options& o) {
  parser.number("--peers", o.peers, 1, kManyPeers);
  parser.decimal("--zipf", o.zipf, 0, 10);
  parser.flag("--populate", o.populate);
  parser.word("--mix", [&o](const std::string& text) { return to_mix(text, o.mix); });
  parser.decimal("--rate", o.rate, 0, 1e8);
  parser.decimal("--churn", o.churn, 0, 1);
  parser.decimal("--complete", o.complete, 0, 1);
  parser.number("--numwant", o.numwant, 0, 1000);
  parser.number("--scrape-hashes", o.scrape_hashes, 1, wire::kMaxScrapeHashes);
  parser.number("--check-every", o.check_every, 0, 1'000'000'000);
  parser.number("--sources", o.sources, 1, 4096);
  parser.number("--threads", o.threads, 1, 256);
  parser.number("--gso", o.gso, 1, 64);
}

void add_others(ModeParser& parser, Options& o) {
  parser.number("--nodes", o.nodes, 1, 10'000'000);
  parser.number("--contents-per-node", o.contents_per_node, 1, 10'000);
  parser.word("--mode", [&o](const std::string& text) { return to_work(text, o.node_work); });
  parser.flag("--hostile", [&o] { o.job = Job::kHostile; });
  parser.number("--hostile-count", o.hostile_count, 16, 1'000'000);
  parser.word("--null", [&o](const std::string& text) -> std::string {
    const auto port = to_number(text);
    if (!port || *port < 0 || *port > 65535 || std::floor(*port) != *port)
      return fmt::format("--null wants a port from 0 (any) to 65535, not {}", in_quotes(text));
    o.job = Job::kNullTracker;
    o.null_port = static_cast<std::uint16_t>(*port);
    return {};
  });
}

std::string contradiction(const Options& o) {
  if (o.job == Job::kLoad && o.peers < o.swarms)
    return fmt::format("--peers {} is less than --swarms {}: every swarm has a peer", o.peers, o.swarms);
  if (o.job == Job::kLoad && o.sources < o.threads)
    return fmt::format("--sources {} is less than --threads {}: each thread has a socket", o.sources, o.threads);
  if (o.job == Job::kNodes && o.contents_per_node > o.swarms)
    return fmt::format("--contents-per-node {} is more than --swarms {}", o.contents_per_node, o.swarms);
  return {};
}

}  // namespace

std::expected<Options, std::string> parse_options(std::span<const std::string> words) {
  Options out;
  ModeParser parser("tracker-load");
  add_common(parser, out);
  add_clients(parser, out);
  add_others(parser, out);
  const auto parsed = parser.parse(words);
  if (!parsed) return std::unexpected(parsed.error());
  if (!*parsed) out.job = Job::kPrintHelp;
  if (out.nodes > 0 && out.job == Job::kLoad) out.job = Job::kNodes;
  if (const std::string wrong = contradiction(out); !wrong.empty())
    return std::unexpected(wrong + ". Try \"peernet-bench tracker-load --help\".");
  return out;
}

}  // namespace peernet::tracker_load
