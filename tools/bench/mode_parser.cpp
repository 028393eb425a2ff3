// CLI11 takes the words apart; every sentence a user reads is ours.
#include "mode_parser.hpp"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <optional>
#include <utility>

#include "cli/arguments.hpp"
#include "cli/printable.hpp"
#include "cli/units.hpp"

namespace peernet::bench {
namespace {

template <class T>
std::optional<T> to_number(std::string_view word) {
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// "1..5", "1,2,5", "3".
std::optional<std::vector<unsigned>> to_counts(const std::string& text) {
  std::vector<unsigned> out;
  if (const auto dots = text.find(".."); dots != std::string::npos) {
    const auto from = to_number<unsigned>(std::string_view(text).substr(0, dots));
    const auto to = to_number<unsigned>(std::string_view(text).substr(dots + 2));
    if (!from || !to || *from > *to || *to - *from > 1000) return std::nullopt;
    for (unsigned count = *from; count <= *to; ++count) out.push_back(count);
    return out;
  }
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const auto count = to_number<unsigned>(std::string_view(text).substr(at, comma - at));
    if (!count || (!out.empty() && *count <= out.back())) return std::nullopt;
    out.push_back(*count);
    at = comma + 1;
  }
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace

std::string in_quotes(const std::string& word) {
  return "\"" + cli::printable(cli::shortened(word, 60)) + "\"";
}

struct ModeParser::Parts {
  struct Given {
    std::string word;
    std::function<std::string(const std::string&)> convert;
    CLI::Option* option = nullptr;
  };

  std::string unknown(const std::string& word) const {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    const std::string_view meant = cli::closest(word, names);
    return fmt::format("there is no option {}{}", in_quotes(word),
                       meant.empty() ? "" : fmt::format("; did you mean {}?", meant));
  }
  // Empty, or what is wrong.
  std::string take(std::span<const std::string> words);
  std::string take_rest();

  std::string mode;
  CLI::App app;
  bool help = false;
  std::deque<Given> given;  // CLI11 keeps references to the words
  std::vector<std::string>* rest = nullptr;
  std::string rest_name;
  std::size_t least = 0, most = 0;
};

std::string ModeParser::Parts::take_rest() {
  std::vector<std::string> found;
  for (const std::string& word : app.remaining()) {
    if (word.starts_with('-') && word.size() > 1) return unknown(word);
    if (most == 0) return fmt::format("only options are expected, not {}", in_quotes(word));
    found.push_back(word);
  }
  if (found.size() < least || found.size() > most) return "it wants " + rest_name;
  if (rest != nullptr) *rest = std::move(found);
  return {};
}

std::string ModeParser::Parts::take(std::span<const std::string> words) {
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 wants them last word first
  } catch (const CLI::ParseError& error) {
    const std::string text = error.what();
    return text.starts_with('-') ? text.substr(0, text.find_first_of(": ")) + " wants a value behind it"
                                 : "these options do not fit together: " + cli::printable(text);
  }
  if (help) return {};
  if (std::string wrong = take_rest(); !wrong.empty()) return wrong;
  for (const Given& one : given) {
    if (one.option->count() == 0) continue;
    if (std::string wrong = one.convert(one.word); !wrong.empty()) return wrong;
  }
  return {};
}

ModeParser::ModeParser(std::string mode) : parts_(std::make_unique<Parts>()) {
  parts_->mode = std::move(mode);
  parts_->app.set_help_flag();
  parts_->app.allow_extras();
  parts_->app.option_defaults()->take_last();
  parts_->app.add_flag("-h,--help", parts_->help);
}

ModeParser::~ModeParser() = default;

void ModeParser::word(const char* name, std::function<std::string(const std::string&)> convert) {
  parts_->given.push_back({std::string(), std::move(convert)});
  parts_->given.back().option = parts_->app.add_option(name, parts_->given.back().word);
}

void ModeParser::flag(const char* name, bool& into) {
  parts_->app.add_flag(name, into);
}

void ModeParser::flag(const char* name, std::function<void()> given) {
  parts_->app.add_flag_callback(name, std::move(given));
}

void ModeParser::text(const char* name, std::string& into) {
  word(name, [=, &into](const std::string& text) -> std::string {
    into = text;
    return text.empty() ? fmt::format("{} wants a value that is not empty", name) : std::string();
  });
}

void ModeParser::whole(const char* name, std::function<void(std::uint64_t)> take, std::uint64_t low,
                       std::uint64_t high) {
  word(name, [=, take = std::move(take)](const std::string& text) -> std::string {
    const auto value = to_number<double>(text);
    if (!value || std::floor(*value) != *value || *value < static_cast<double>(low) ||
        *value > static_cast<double>(high))
      return fmt::format("{} wants a whole number from {} to {}, not {}", name, low, high, in_quotes(text));
    take(static_cast<std::uint64_t>(*value));
    return {};
  });
}

void ModeParser::decimal(const char* name, double& into, double low, double high) {
  word(name, [=, &into](const std::string& text) -> std::string {
    const auto value = to_number<double>(text);
    if (!value || !std::isfinite(*value) || *value < low || *value > high)
      return fmt::format("{} wants a number from {} to {}, not {}", name, low, high, in_quotes(text));
    into = *value;
    return {};
  });
}

void ModeParser::bytes(const char* name, std::uint64_t& into) {
  word(name, [=, &into](const std::string& text) -> std::string {
    const auto value = cli::parse_bytes(text);
    if (!value) return fmt::format("{} wants a size such as 200M or 4GiB, not {}", name, in_quotes(text));
    into = *value;
    return {};
  });
}

void ModeParser::counts(const char* name, std::vector<unsigned>& into, unsigned low, unsigned high) {
  word(name, [=, &into](const std::string& text) -> std::string {
    auto counts = to_counts(text);
    if (!counts || counts->front() < low || counts->back() > high)
      return fmt::format("{} wants numbers from {} to {}, such as {}..{} or {},{}, not {}", name, low, high, low, high,
                         low, high, in_quotes(text));
    into = std::move(*counts);
    return {};
  });
}

void ModeParser::names(const char* name, std::vector<std::string>& into, std::vector<std::string> known) {
  word(name, [=, &into, known = std::move(known)](const std::string& text) -> std::string {
    std::vector<std::string> chosen;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t comma = std::min(text.find(',', at), text.size());
      chosen.push_back(text.substr(at, comma - at));
      if (std::ranges::find(known, chosen.back()) == known.end()) {
        const std::string_view meant = cli::closest(chosen.back(), known);
        return fmt::format("{} does not know {}; {}", name, in_quotes(chosen.back()),
                           meant.empty() ? "there are " + joined(known) : fmt::format("did you mean {}?", meant));
      }
      at = comma + 1;
    }
    into = std::move(chosen);
    return {};
  });
}

void ModeParser::positionals(std::vector<std::string>& into, const char* what, std::size_t least, std::size_t most) {
  parts_->rest = &into;
  parts_->rest_name = what;
  parts_->least = least;
  parts_->most = most;
}

Outcome<bool> ModeParser::parse(std::span<const std::string> words) {
  const std::string wrong = parts_->take(words);
  if (wrong.empty()) return !parts_->help;
  return std::unexpected(
      fmt::format("{}{} Try \"peernet-bench {} --help\".", wrong, wrong.ends_with('?') ? "" : ".", parts_->mode));
}

}  // namespace peernet::bench
