#include "node/path_glob.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace peernet::node {
namespace {

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// Length of the UTF-8 character at the start; bytes that are none count alone.
std::size_t character_length(std::string_view text) {
  std::size_t n = 1;
  if (static_cast<unsigned char>(text[0]) >= 0xc0)
    while (n < text.size() && n < 4 && continues(text[n])) ++n;
  return n;
}

// Where the class that begins at pattern[at] == '[' ends (behind its ']'); nothing if it does not.
std::optional<std::size_t> end_of_class(std::string_view pattern, std::size_t at) {
  std::size_t i = at + 1;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;  // the first one stands for itself
  for (; i < pattern.size(); ++i) {
    if (pattern[i] == '\\')
      ++i;
    else if (pattern[i] == ']')
      return i + 1;
  }
  return std::nullopt;
}

// `inside`: between the brackets. Only ASCII characters can be named.
bool class_has(std::string_view inside, std::string_view character) {
  const bool negated = !inside.empty() && (inside[0] == '!' || inside[0] == '^');
  if (negated) inside.remove_prefix(1);
  bool found = false;
  const auto take = [&] {
    if (inside[0] == '\\' && inside.size() > 1) inside.remove_prefix(1);
    const char c = inside[0];
    inside.remove_prefix(1);
    return c;
  };
  while (!inside.empty() && !found) {
    const char low = take();
    char high = low;
    if (inside.size() >= 2 && inside[0] == '-') {
      inside.remove_prefix(1);
      high = take();
    }
    found = character.size() == 1 && low <= character[0] && character[0] <= high;
  }
  return found != negated;
}

// One element of a pattern but '*': how much of the pattern and of the text it takes, if they agree.
std::optional<std::pair<std::size_t, std::size_t>> step(std::string_view pattern, std::string_view text) {
  if (pattern.empty() || text.empty()) return std::nullopt;
  const std::size_t length = character_length(text);
  switch (pattern[0]) {
    case '?':
      return std::pair{std::size_t{1}, length};
    case '[': {
      const std::size_t end = *end_of_class(pattern, 0);
      if (!class_has(pattern.substr(1, end - 2), text.substr(0, length))) return std::nullopt;
      return std::pair{end, length};
    }
    case '\\':
      if (pattern.size() > 1 && pattern[1] == text[0]) return std::pair{std::size_t{2}, std::size_t{1}};
      return std::nullopt;
    default:
      if (pattern[0] == text[0]) return std::pair{std::size_t{1}, std::size_t{1}};
      return std::nullopt;
  }
}

// One component. Only the last '*' needs to be tried again: an earlier one could gain nothing by taking more.
bool component_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::optional<std::size_t> star, taken;  // behind the last '*', and what it has taken so far ends there
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      taken = t;
    } else if (const auto both = step(pattern.substr(p), text.substr(t))) {
      p += both->first;
      t += both->second;
    } else if (star) {
      p = *star;
      t = *taken += character_length(text.substr(*taken));
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::string_view first_component(std::string_view path) {
  return path.substr(0, path.find('/'));
}

std::string_view without_first(std::string_view path) {
  const std::size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
}

}  // namespace

Result<PathGlob> PathGlob::parse(std::string_view pattern) {
  const auto usage = [](const char* what) { return std::unexpected(Error{ErrorCode::kUsage, 0, what}); };
  if (pattern.size() > kMaxGlobBytes) return usage("a pattern of --files is longer than 4096 bytes");
  PathGlob out;
  while (pattern.ends_with('/')) {
    out.folders_only_ = true;
    pattern.remove_suffix(1);
  }
  out.anywhere_ = !pattern.contains('/');
  while (pattern.starts_with("./")) pattern.remove_prefix(2);
  while (pattern.starts_with('/')) pattern.remove_prefix(1);
  for (; !pattern.empty(); pattern = without_first(pattern)) {
    const std::string_view component = first_component(pattern);
    if (component.empty()) continue;  // a double slash
    for (std::size_t i = 0; i < component.size(); ++i) {
      if (component[i] == '\\')
        ++i;
      else if (component[i] == '[') {
        const auto end = end_of_class(component, i);
        if (!end) return usage("a pattern of --files has a [ without its ]; \\[ stands for [ itself");
        i = *end - 1;
      }
    }
    out.components_.emplace_back(component);
  }
  if (out.components_.empty()) return usage("a pattern of --files is empty");
  return out;
}

// Again only the last "**" needs to be tried again.
bool PathGlob::matches(std::string_view path) const {
  std::size_t c = 0;
  std::string_view rest = path;
  std::optional<std::size_t> stars;
  std::string_view taken;
  while (!rest.empty()) {
    if (c < components_.size() && components_[c] == "**") {
      stars = ++c;
      taken = rest;
      if (c == components_.size()) return true;
    } else if (c < components_.size() && component_matches(components_[c], first_component(rest))) {
      ++c;
      rest = without_first(rest);
    } else if (stars) {
      c = *stars;
      rest = taken = without_first(taken);
    } else {
      return false;
    }
  }
  return c == components_.size();
}

bool PathGlob::selects(std::string_view path, bool is_folder) const {
  for (bool folder = is_folder;; folder = true) {
    if (folder || !folders_only_) {
      const std::size_t slash = path.rfind('/');
      const std::string_view last = slash == std::string_view::npos ? path : path.substr(slash + 1);
      if (anywhere_ ? matches(last) : matches(path)) return true;
    }
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return false;
    path = path.substr(0, slash);
  }
}

}  // namespace peernet::node
