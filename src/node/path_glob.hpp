// Patterns that select files of a folder (`--files GLOB`), as in gitignore(5) but for its "!" and "#":
//   *      any bytes but '/'          ?      one character but '/'          [a-z] [!a-z]   one of, none of
//   **     as a whole component: any number of folders          \x     x itself
// A pattern without '/' (or with none but the last) is compared with the last component of a path, at any depth; any
// other, a leading '/' taken away, with the whole path. A folder that matches selects all that is below it; a pattern
// with a trailing '/' matches folders only. Pure; time is bounded by pattern times path.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "peernet/error.hpp"

namespace peernet::node {

inline constexpr std::size_t kMaxGlobBytes = 4096;

class PathGlob {
 public:
  /// kUsage: empty, longer than kMaxGlobBytes, or a [ without its ].
  static Result<PathGlob> parse(std::string_view pattern);

  /// Is this path of the folder selected, itself or by a folder above it?
  bool selects(std::string_view path, bool is_folder) const;

 private:
  bool matches(std::string_view path) const;

  std::vector<std::string> components_;
  bool anywhere_ = false;  // compared with the last component only
  bool folders_only_ = false;
};

}  // namespace peernet::node
