// CLI11 takes the words apart; every sentence a user reads is ours.
#include "options.hpp"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <cmath>
#include <deque>
#include <functional>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/printable.hpp"
#include "wire/tracker_spec.hpp"

namespace peernet::tracker_load {
namespace {

constexpr double kManyPeers = 100e6;

std::string in_quotes(std::string_view text) {
  return "\"" + cli::printable(cli::shortened(text, 60)) + "\"";
}

std::optional<double> to_number(std::string_view word) {
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// The options of the command as CLI11 sees them: words, which are converted after it has taken them apart.
class Parser {
 public:
  explicit Parser(Options& out) : out_(out) {
    app_.set_help_flag();
    app_.allow_extras();
    app_.option_defaults()->take_last();
    app_.add_flag("-h,--help", help_);
  }

  template <class T>
  void number(const char* name, T& into, double low, double high) {
    word(name, [=, &into](const std::string& text) -> std::string {
      const auto value = to_number(text);
      const bool whole = std::is_floating_point_v<T> || (value && std::floor(*value) == *value);
      if (!value || !whole || *value < low || *value > high)
        return fmt::format("{} wants a number from {} to {}, not {}", name, low, high, in_quotes(text));
      into = static_cast<T>(*value);
      return {};
    });
  }
  void text(const char* name, std::string& into) {
    word(name, [&into](const std::string& text) {
      into = text;
      return std::string();
    });
  }
  void word(const char* name, std::function<std::string(const std::string&)> convert) {
    given_.push_back({std::string(), std::move(convert)});
    given_.back().option = app_.add_option(name, given_.back().word);
  }
  void flag(const char* name, bool& into) { app_.add_flag(name, into); }
  void job(const char* name, Job job) {
    app_.add_flag_callback(name, [this, job] { out_.job = job; });
  }

  /// Empty, or what is wrong.
  std::string parse(std::span<const std::string> words) {
    try {
      app_.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 wants them last word first
    } catch (const CLI::ParseError& error) {
      const std::string text = error.what();
      return text.starts_with('-') ? text.substr(0, text.find_first_of(": ")) + " wants a value behind it"
                                   : "these options do not fit together: " + cli::printable(text);
    }
    if (help_) out_.job = Job::kPrintHelp;
    if (help_) return {};
    if (!app_.remaining().empty()) return unknown(app_.remaining().front());
    for (const Given& given : given_) {
      if (given.option->count() == 0) continue;
      if (std::string wrong = given.convert(given.word); !wrong.empty()) return wrong;
    }
    return {};
  }

 private:
  struct Given {
    std::string word;
    std::function<std::string(const std::string&)> convert;
    CLI::Option* option = nullptr;
  };

  std::string unknown(const std::string& word) const {
    if (!word.starts_with('-')) return fmt::format("only options are expected, not {}", in_quotes(word));
    std::vector<std::string> names;
    for (const CLI::Option* option : app_.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    const std::string_view meant = cli::closest(word, names);
    return fmt::format("there is no option {}{}", in_quotes(word),
                       meant.empty() ? "" : fmt::format("; did you mean {}?", meant));
  }

  Options& out_;
  CLI::App app_;
  bool help_ = false;
  std::deque<Given> given_;  // CLI11 keeps references to the words
};

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

void add_common(Parser& parser, Options& o) {
  parser.text("--target", o.target);
  parser.text("--src-base", o.source_base);
  parser.number("--src-step", o.source_step, 1, 65'536);
  parser.number("--seed", o.seed, 0, 1e15);
  parser.number("--swarms", o.swarms, 1, kManyPeers);
  parser.number("--seeders", o.seeders, 0, 1);
  parser.number("--window", o.window, 1, 65535);
  parser.number("--batch", o.batch, 1, 64);
  parser.number("--duration", o.seconds, 0, 86'400);
  parser.number("--warmup", o.warmup_seconds, 0, 86'400);
  parser.number("--timeout-ms", o.timeout_ms, 1, 60'000);
  parser.number("--pid", o.pid, 1, INT32_MAX);
  parser.flag("--verify", o.verify);
  parser.flag("--json", o.json);
  parser.job("--print-hashes", Job::kPrintHashes);
}

void add_clients(Parser& parser, Options& o) {
  parser.number("--peers", o.peers, 1, kManyPeers);
  parser.number("--zipf", o.zipf, 0, 10);
  parser.flag("--populate", o.populate);
  parser.word("--mix", [&o](const std::string& text) { return to_mix(text, o.mix); });
  parser.number("--rate", o.rate, 0, 1e8);
  parser.number("--churn", o.churn, 0, 1);
  parser.number("--complete", o.complete, 0, 1);
  parser.number("--numwant", o.numwant, 0, 1000);
  parser.number("--scrape-hashes", o.scrape_hashes, 1, wire::kMaxScrapeHashes);
  parser.number("--check-every", o.check_every, 0, 1e9);
  parser.number("--sources", o.sources, 1, 4096);
  parser.number("--threads", o.threads, 1, 256);
  parser.number("--gso", o.gso, 1, 64);
}

void add_others(Parser& parser, Options& o) {
  parser.number("--nodes", o.nodes, 1, 10e6);
  parser.number("--contents-per-node", o.contents_per_node, 1, 10'000);
  parser.word("--mode", [&o](const std::string& text) { return to_work(text, o.node_work); });
  parser.job("--hostile", Job::kHostile);
  parser.number("--hostile-count", o.hostile_count, 16, 1e6);
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
  Parser parser(out);
  add_common(parser, out);
  add_clients(parser, out);
  add_others(parser, out);
  std::string wrong = parser.parse(words);
  if (wrong.empty() && out.nodes > 0 && out.job == Job::kLoad) out.job = Job::kNodes;
  if (wrong.empty()) wrong = contradiction(out);
  if (!wrong.empty())
    return std::unexpected(wrong + (wrong.ends_with('?') ? "" : ".") + " Try \"peernet-bench tracker --help\".");
  return out;
}

}  // namespace peernet::tracker_load
