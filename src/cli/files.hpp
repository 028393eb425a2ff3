// The small files of the command line: links, keys. What they hold is secret, so they are 0600 and never half written.
#pragma once

#include <string>
#include <string_view>

#include "peernet/error.hpp"

namespace peernet::cli {

/// Writes under a temporary name and renames: a reader sees the old file or the whole new one. Mode 0600.
Result<void> replace_private_file(const std::string& path, std::string_view text);

/// Mode 0600; kTargetExists if there is something under that name already.
Result<void> create_private_file(const std::string& path, std::string_view text);

/// At most `limit` bytes of a file, or of standard input for "-"; more is a usage error.
struct SmallFile {
  std::string text;
  bool others_may_read = false;  ///< its mode lets group or others read it
};
Result<SmallFile> read_small_file(const std::string& path, std::size_t limit);

}  // namespace peernet::cli
