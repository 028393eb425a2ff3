// Notices that a shared file is no longer the one that was hashed, so that its source withdraws instead of sending
// wrong bytes.
#pragma once

#include <cstdint>

#include "peernet/error.hpp"

namespace peernet::storage {

/// Identity and times of a file at one moment.
struct SourceStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  friend bool operator==(const SourceStamp&, const SourceStamp&) = default;
};

enum class SourceState : std::uint8_t {
  kSame,
  kTouched,  ///< only ctime moved (chmod, rename, link, or a writer that set mtime back): hash again before trusting it
  kChanged,  ///< size or mtime moved, or another file: withdraw
};

/// Pure comparison.
SourceState compare(const SourceStamp& before, const SourceStamp& now);

/// System call (fstat on an open file; microseconds, does not wait for the disk).
Result<SourceStamp> stamp_of(int fd);

}  // namespace peernet::storage
