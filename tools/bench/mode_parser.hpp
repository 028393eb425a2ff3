// The words behind a mode's name.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "outcome.hpp"

namespace peernet::bench {

/// The options of a mode. Names are given as "--size"; every complaint is one sentence that names the fix.
class ModeParser {
 public:
  explicit ModeParser(std::string mode);
  ~ModeParser();

  void flag(const char* name, bool& into);
  void flag(const char* name, std::function<void()> given);
  void text(const char* name, std::string& into);
  /// A whole number; 1e6 is one.
  template <std::integral T>
  void number(const char* name, T& into, std::uint64_t low, std::uint64_t high) {
    whole(name, [&into](std::uint64_t value) { into = static_cast<T>(value); }, low, high);
  }
  void decimal(const char* name, double& into, double low, double high);
  void bytes(const char* name, std::uint64_t& into);  ///< 200M, 4GiB
  /// "1..5" or "1,2,5": rising, from `low` to `high`.
  void counts(const char* name, std::vector<unsigned>& into, unsigned low, unsigned high);
  /// "a,b": each one of `known`.
  void names(const char* name, std::vector<std::string>& into, std::vector<std::string> known);
  /// Words that are no options, `least` to `most` of them; `what` says what they are ("BASE.json NEW.json").
  void positionals(std::vector<std::string>& into, const char* what, std::size_t least, std::size_t most);
  /// Any other kind of value: `convert` returns what is wrong with a word ("--links wants ...", without a full stop),
  /// or nothing.
  void word(const char* name, std::function<std::string(const std::string&)> convert);

  /// True: go on. False: --help was asked for (the caller prints it).
  Outcome<bool> parse(std::span<const std::string> words);

 private:
  struct Parts;
  void whole(const char* name, std::function<void(std::uint64_t)> take, std::uint64_t low, std::uint64_t high);

  std::unique_ptr<Parts> parts_;
};

/// A word as shown in a complaint: quoted, shortened, printable.
std::string in_quotes(const std::string& word);

}  // namespace peernet::bench
