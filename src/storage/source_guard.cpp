#include "storage/source_guard.hpp"

namespace peernet::storage {

SourceState compare(const SourceStamp& before, const SourceStamp& now) {
  if (before.device != now.device || before.inode != now.inode || before.size != now.size ||
      before.mtime_ns != now.mtime_ns)
    return SourceState::kChanged;
  return before.ctime_ns == now.ctime_ns ? SourceState::kSame : SourceState::kTouched;
}

}  // namespace peernet::storage
