// CLI11 takes the words apart; every sentence a user reads is ours.
#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

#include "cli/printable.hpp"
#include "cli/units.hpp"

namespace peernet::cli {
namespace {

constexpr std::uint32_t kMinDatagram = 1280;
constexpr std::uint32_t kMaxDatagram = 65535;
constexpr unsigned kMaxShards = 8;
constexpr double kInfoTimeoutSeconds = 10;  // of status, too
constexpr std::uint32_t kMinPeers = 2;
constexpr std::uint32_t kMaxPeers = 32768;
constexpr double kShortestBeat = 0.1;
constexpr double kLongestBeat = 3600;
constexpr double kShortestProgress = 0.001, kLongestProgress = 3600;  // seconds

const std::array<std::string, 6> kCommands{"share", "get", "info", "verify", "status", "keygen"};

std::string in_quotes(std::string_view text) {
  return "\"" + printable(shortened(text, 60)) + "\"";
}

// The words as CLI11 leaves them; conversion to values comes after, so that its messages can be ours.
struct Words {
  std::vector<std::string> positional;
  std::vector<std::string> advertise, trackers, files;
  std::string listen, io, offload, direct, aead, shards, max_datagram, limit_up, limit_down, identity, state;
  std::string output, timeout, sync, verify, trust, progress, link_file, against, join, beat, seed_after, max_peers,
      progress_every;
  bool is_public = false, once = false, overwrite = false, sequential = false, offline = false, json = false,
       quiet = false, verbose = false, help = false;
};

void text(CLI::App& app, const char* name, std::string& into) {
  app.add_option(name, into);
}

void add_engine_options(CLI::App& app, Words& w) {
  text(app, "--listen", w.listen);
  text(app, "--io", w.io);
  text(app, "--offload", w.offload);
  text(app, "--direct", w.direct);
  text(app, "--aead", w.aead);
  text(app, "--shards", w.shards);
  text(app, "--max-datagram", w.max_datagram);
  text(app, "--limit-up", w.limit_up);
  text(app, "--limit-down", w.limit_down);
  text(app, "--max-peers", w.max_peers);
  text(app, "--identity", w.identity);
  text(app, "--state", w.state);
}

void add_options(CLI::App& app, std::string_view command, Words& w) {
  app.set_help_flag();
  app.add_flag("-h,--help", w.help);
  app.allow_extras();
  app.option_defaults()->take_last();
  if (command != "keygen") {
    app.add_flag("-q,--quiet", w.quiet);
    app.add_flag("-v,--verbose", w.verbose);
    if (command != "status") text(app, "--progress", w.progress);
    add_engine_options(app, w);
  }
  if (command == "share") {
    app.add_flag("--public", w.is_public);
    app.add_flag("--once", w.once);
    text(app, "--link-file", w.link_file);
    app.add_option("--advertise", w.advertise)->take_all()->allow_extra_args(false);
    app.add_option("--tracker", w.trackers)->take_all()->allow_extra_args(false);
    text(app, "--join", w.join);
    text(app, "--beat", w.beat);
  }
  if (command == "get" || command == "keygen") text(app, "-o,--output", w.output);
  if (command == "get") {
    app.add_flag("--overwrite", w.overwrite);
    app.add_flag("--sequential", w.sequential);
    text(app, "--sync", w.sync);
    text(app, "--verify", w.verify);
    text(app, "--trust", w.trust);
    text(app, "--seed-after", w.seed_after);
    text(app, "--progress-every", w.progress_every);
  }
  if (command == "get" || command == "info") app.add_option("--files", w.files)->take_all()->allow_extra_args(false);
  if (command == "status") app.add_flag("--json", w.json);
  if (command == "get" || command == "info" || command == "verify" || command == "status")
    text(app, "--timeout", w.timeout);
  if (command == "info") app.add_flag("--offline", w.offline);
  if (command == "verify") text(app, "--against", w.against);
}

// The option names of an app, for suggestions.
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// What CLI11 did not recognise: positional words, or options that do not exist.
std::optional<std::string> take_positional(const CLI::App& app, Words& w) {
  bool only_words = false;  // behind "--"
  for (const std::string& word : app.remaining()) {
    if (word == "--" && !only_words) {
      only_words = true;
    } else if (only_words || word.size() < 2 || word[0] != '-') {
      w.positional.push_back(word);
    } else {
      const std::string name = word.substr(0, word.find('='));
      const auto names = option_names(app);  // closest() answers with one of them
      const std::string_view meant = closest(name, names);
      return fmt::format("there is no option {}{}", in_quotes(name),
                         meant.empty() ? "" : fmt::format("; did you mean {}?", meant));
    }
  }
  return std::nullopt;
}

template <class T>
struct Choice {
  std::string_view word;
  T value;
};

// Converts words to values and keeps the first complaint.
class Converter {
 public:
  template <class T, std::size_t N>
  void choose(const char* option, const std::string& word, const Choice<T> (&choices)[N], T& into) {
    if (word.empty()) return;
    std::string all;
    for (std::size_t i = 0; i < N; ++i) {
      if (choices[i].word == word) {
        into = choices[i].value;
        return;
      }
      all += i == 0 ? "" : i + 1 == N ? " or " : ", ";
      all += choices[i].word;
    }
    complain("{} wants {}, not {}", option, all, in_quotes(word));
  }

  void number(const char* option, const std::string& word, std::uint64_t low, std::uint64_t high, auto& into) {
    if (word.empty()) return;
    const bool digits = word.size() <= 9 && word.find_first_not_of("0123456789") == std::string::npos;
    const std::uint64_t value = digits ? std::strtoull(word.c_str(), nullptr, 10) : high + 1;
    if (value < low || value > high)
      return complain("{} wants a number from {} to {}, not {}", option, low, high, in_quotes(word));
    into = static_cast<std::remove_reference_t<decltype(into)>>(value);
  }

  void rate(const char* option, const std::string& word, std::uint64_t& into) {
    if (word.empty()) return;
    const auto value = parse_rate(word);
    if (!value)
      return complain("{} wants bytes per second such as 100M, 10MiB or 1.5G, not {}", option, in_quotes(word));
    into = *value;
  }

  void seconds(const char* option, const std::string& word, double& into) {
    if (word.empty()) return;
    const auto value = parse_seconds(word);
    if (!value)
      return complain("{} wants seconds such as 60 or 0.5 (0: wait for ever), not {}", option, in_quotes(word));
    into = *value;
  }

  template <class... Args>
  void complain(fmt::format_string<Args...> format, Args&&... args) {
    if (complaint_.empty()) complaint_ = fmt::format(format, std::forward<Args>(args)...);
  }

  const std::string& complaint() const { return complaint_; }

 private:
  std::string complaint_;
};

void convert_engine(Converter& to, const Words& w, Invocation& out) {
  NodeConfig& node = out.node;
  if (!w.listen.empty()) node.listen = w.listen;
  to.choose<IoEngine>("--io", w.io,
                      {{"auto", IoEngine::kAuto}, {"uring", IoEngine::kUring}, {"epoll", IoEngine::kEpoll}}, node.io);
  to.choose<Offload>("--offload", w.offload, {{"auto", Offload::kAuto}, {"off", Offload::kOff}}, node.offload);
  to.choose<DirectWrites>("--direct", w.direct,
                          {{"auto", DirectWrites::kAuto}, {"on", DirectWrites::kOn}, {"off", DirectWrites::kOff}},
                          node.direct);
  to.choose<AeadChoice>(
      "--aead", w.aead,
      {{"auto", AeadChoice::kAuto}, {"ipsec-mb", AeadChoice::kIpsecMb}, {"openssl", AeadChoice::kOpenssl}}, node.aead);
  to.number("--shards", w.shards, 1, kMaxShards, node.shards);
  to.number("--max-datagram", w.max_datagram, kMinDatagram, kMaxDatagram, node.max_datagram);
  to.rate("--limit-up", w.limit_up, node.limit_up);
  to.rate("--limit-down", w.limit_down, node.limit_down);
  to.number("--max-peers", w.max_peers, kMinPeers, kMaxPeers, node.max_peers);
  node.state_dir = w.state;
  out.identity_file = w.identity;
}

void convert_common(Converter& to, const Words& w, Invocation& out) {
  to.choose<ProgressMode>("--progress", w.progress,
                          {{"auto", ProgressMode::kAuto},
                           {"plain", ProgressMode::kPlain},
                           {"json", ProgressMode::kJson},
                           {"none", ProgressMode::kNone}},
                          out.progress);
  to.seconds("--timeout", w.timeout, out.get.timeout_seconds);
  out.quiet = w.quiet;
  out.verbose = w.verbose;
  if (w.quiet && w.verbose) to.complain("-q and -v contradict each other: give one of them");
}

// The one positional word of a command.
void one_word(Converter& to, const Words& w, const char* what, const char* example, std::string& into) {
  if (w.positional.empty()) return to.complain("{} is missing: {}", what, example);
  if (w.positional.size() > 1)
    return to.complain("one {} is enough, {} is too much (a name with spaces wants quotes)", what,
                       in_quotes(w.positional[1]));
  into = w.positional[0];
  if (into.empty()) to.complain("{} is empty: {}", what, example);
}

void convert_share(Converter& to, const Words& w, Invocation& out) {
  ShareOptions& share = out.share;
  one_word(to, w, "PATH", "peernet share PATH", share.path);
  share.is_public = w.is_public;
  share.advertise = w.advertise;
  out.once = w.once;
  out.link_file = w.link_file;
  out.join_word = w.join;
  for (const std::string& word : w.trackers) {
    if (word == "none") {
      share.embed_tracker = false;
    } else if (std::string address = tracker_address(word); address.empty()) {
      to.complain("--tracker wants udp://HOST:PORT, HOST:PORT or none, not {}", in_quotes(word));
    } else if (std::ranges::find(share.trackers, address) == share.trackers.end()) {
      share.trackers.push_back(std::move(address));
    }
  }
  if (!share.embed_tracker && !share.trackers.empty())
    to.complain("--tracker none and another --tracker contradict each other");
  if (share.trackers.size() > kMaxTrackers)
    to.complain("{} trackers are enough, {} are too many", kMaxTrackers, share.trackers.size());
  if (!w.beat.empty()) {
    const auto beat = parse_seconds(w.beat);
    if (!beat || *beat < kShortestBeat || *beat > kLongestBeat)
      return to.complain("--beat wants seconds from 0.1 to 3600, not {}", in_quotes(w.beat));
    if (!w.trackers.empty())
      to.complain("--beat and --tracker do not fit together: it is the beat of the tracker that a share is itself");
    out.node.tracker_beat_seconds = *beat;
  }
  if (w.join.empty()) return;
  if (w.is_public) to.complain("--join and --public do not fit together: the link says whether its swarm has a key");
  if (!w.advertise.empty())
    to.complain(
        "--join and --advertise do not fit together: others learn this node's address from the link's trackers");
  if (!w.trackers.empty())
    to.complain("--join and --tracker do not fit together: this source is announced to the link's trackers");
  if (!w.beat.empty()) to.complain("--join and --beat do not fit together: the link's trackers have their own");
}

// Also of info, which lists those files only.
void convert_files(Converter& to, const Words& w, Invocation& out) {
  if (std::ranges::any_of(w.files, &std::string::empty))
    to.complain("--files wants a pattern such as \"*.jpg\" or \"docs/**\"");
  out.get.files = w.files;
}

bool looks_like_link(std::string_view word) {
  return word == "-" || word.starts_with('@') || word.starts_with("peernet:");
}

void convert_get(Converter& to, const Words& w, Invocation& out) {
  GetOptions& get = out.get;
  one_word(to, w, "LINK", "peernet get LINK, @FILE or - (standard input)", out.link_word);
  get.output = w.output;
  get.overwrite = w.overwrite;
  get.sequential = w.sequential;
  convert_files(to, w, out);
  if (w.seed_after == "forever") {
    get.seed_after_seconds = -1;
  } else if (!w.seed_after.empty()) {
    const auto seconds = parse_seconds(w.seed_after);
    if (!seconds) return to.complain("--seed-after wants seconds, or forever, not {}", in_quotes(w.seed_after));
    get.seed_after_seconds = *seconds;
  }
  if (!w.progress_every.empty()) {
    const auto seconds = parse_seconds(w.progress_every);
    if (!seconds || *seconds < kShortestProgress || *seconds > kLongestProgress)
      return to.complain("--progress-every wants seconds from 0.001 to 3600, not {}", in_quotes(w.progress_every));
    if (out.progress != ProgressMode::kJson) return to.complain("--progress-every wants --progress json beside it");
    out.progress_every = *seconds;
  }
  out.to_stdout = w.output == "-";
  if (out.to_stdout && w.overwrite)
    to.complain("--overwrite and -o - do not fit together: there is nothing to replace on standard output");
  if (out.to_stdout && !w.seed_after.empty())
    to.complain("--seed-after and -o - do not fit together: what went to standard output cannot be served");
  if (out.to_stdout && !w.files.empty())
    to.complain("--files and -o - do not fit together: only a single file can go to standard output");
  to.choose<SyncMode>("--sync", w.sync, {{"file", SyncMode::kFile}, {"none", SyncMode::kNone}}, get.sync);
  to.choose<Verify>("--verify", w.verify, {{"xxh3", Verify::kXxh3}, {"sha256", Verify::kSha256}}, get.verify);
  to.choose<bool>("--trust", w.trust, {{"members", true}}, get.trust_members);
  if (get.trust_members && get.verify == Verify::kSha256)
    to.complain("--trust members and --verify sha256 contradict each other: give one of them");
}

void convert(Converter& to, std::string_view command, const Words& w, Invocation& out) {
  if (command != "keygen") {
    convert_engine(to, w, out);
    convert_common(to, w, out);
  }
  if (command == "share") {
    out.command = Command::kShare;
    convert_share(to, w, out);
  } else if (command == "get") {
    out.command = Command::kGet;
    convert_get(to, w, out);
  } else if (command == "info") {
    out.command = Command::kInfo;
    out.offline = w.offline;
    out.get.metadata_only = true;
    if (w.timeout.empty()) out.get.timeout_seconds = kInfoTimeoutSeconds;
    std::string word;
    one_word(to, w, "LINK or PATH", "peernet info LINK, or peernet info PATH", word);
    convert_files(to, w, out);
    if (!w.files.empty() && w.offline)
      to.complain("--files and --offline do not fit together: the link itself does not name the files");
    (looks_like_link(word) ? out.link_word : out.path) = word;
  } else if (command == "verify") {
    out.command = Command::kVerify;
    one_word(to, w, "PATH", "peernet verify PATH --against LINK", out.path);
    if (w.against.empty()) to.complain("--against LINK is missing: peernet verify PATH --against LINK");
    out.link_word = w.against;
  } else if (command == "status") {
    out.command = Command::kStatus;
    out.json = w.json;
    if (w.timeout.empty()) out.get.timeout_seconds = kInfoTimeoutSeconds;
    one_word(to, w, "LINK", "peernet status LINK, @FILE or - (standard input)", out.link_word);
  } else {
    out.command = Command::kKeygen;
    out.key_file = w.output;
    if (!w.positional.empty())
      to.complain("keygen takes no words, {} is too much: peernet keygen -o FILE", in_quotes(w.positional[0]));
    if (w.output.empty()) to.complain("-o FILE is missing: peernet keygen -o FILE");
  }
}

// "--io: 1 required TEXT missing" and its relatives.
std::string sentence_of(const CLI::ParseError& error) {
  const std::string text = error.what();
  const std::string option = text.substr(0, text.find_first_of(": "));
  if (option.starts_with('-')) return fmt::format("{} wants a value behind it", option);
  return "these options do not fit together: " + printable(text);
}

std::unexpected<std::string> complaint(const std::string& sentence, std::string_view command) {
  const char* end = sentence.ends_with('?') || sentence.ends_with('.') ? "" : ".";
  const std::string try_this = command.empty() ? "peernet --help" : fmt::format("peernet {} --help", command);
  return std::unexpected(fmt::format("{}{} Try \"{}\".", sentence, end, try_this));
}

std::expected<Invocation, std::string> parse_command(const std::string& command, std::span<const std::string> words) {
  CLI::App app;
  Words w;
  add_options(app, command, w);
  // CLI11 wants them last word first, and eats the "--" that separates words from options.
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return complaint(sentence_of(error), command);
  }
  Invocation out;
  if (w.help) {
    out.text = help_text(command);
    return out;
  }
  if (const auto unknown = take_positional(app, w)) return complaint(*unknown, command);
  Converter to;
  convert(to, command, w, out);
  if (!to.complaint().empty()) return complaint(to.complaint(), command);
  return out;
}

Invocation printed(std::string text) {
  Invocation out;
  out.text = std::move(text);
  return out;
}

}  // namespace

std::expected<Invocation, std::string> parse_arguments(std::span<const std::string> words) {
  if (words.empty()) return complaint("a command is missing: peernet share PATH, or peernet get LINK", "");
  const std::string& first = words[0];
  if (first == "--version" || first == "-V") return printed("peernet " PEERNET_VERSION "\n");
  if (first == "--help" || first == "-h") return printed(help_text(""));
  if (first == "help") {
    if (words.size() > 1 && std::ranges::find(kCommands, words[1]) != kCommands.end())
      return printed(help_text(words[1]));
    return printed(help_text(""));
  }
  if (std::ranges::find(kCommands, first) != kCommands.end()) return parse_command(first, words.subspan(1));
  if (first.starts_with("peernet:")) return complaint("a link alone says not what to do with it: peernet get LINK", "");
  if (first.starts_with('-'))
    return complaint(fmt::format("options come behind the command (peernet get {} ...)", in_quotes(first)), "");
  const std::string_view meant = closest(first, kCommands);
  if (!meant.empty())
    return complaint(fmt::format("there is no command {}; did you mean {}?", in_quotes(first), meant), "");
  return complaint(
      fmt::format("there is no command {}: it is share, get, info, verify, status or keygen", in_quotes(first)), "");
}

}  // namespace peernet::cli
