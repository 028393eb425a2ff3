#include "storage/tree_reader.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace peernet::storage {
namespace {

constexpr std::size_t kMaxOpen = 32;

/// The name leads elsewhere or nowhere: in a folder that was hashed, that is a change.
bool is_gone(std::int64_t fault) {
  return fault == -ENOENT || fault == -ELOOP || fault == -ENOTDIR || fault == -EXDEV || fault == -ENXIO;
}

}  // namespace

TreeReader::TreeReader(int root, const content::TreeListing& listing, std::span<const std::uint64_t> inodes)
    : listing_(listing), inodes_(inodes), files_(root, listing, kMaxOpen) {}

std::int64_t TreeReader::read(ChunkIndex chunk, std::uint32_t offset, MutableByteSpan into) {
  std::size_t done = 0;
  content::Layout::Cursor cursor = listing_.layout().segments(chunk);
  while (done < into.size()) {
    const std::optional<content::Segment> segment = cursor.next();
    if (!segment) return -EINVAL;  // beyond the chunk's bytes
    const std::size_t at = offset + done;
    if (segment->chunk_offset + segment->length <= at) continue;
    const std::size_t skip = at - segment->chunk_offset;
    const std::size_t length = std::min(segment->length - skip, into.size() - done);
    const std::int64_t fault = read_segment(segment->file, segment->file_offset + skip, into.subspan(done, length));
    if (fault < 0) {
      failed_ = segment->file;
      return !inodes_.empty() && is_gone(fault) ? -ESTALE : fault;
    }
    done += length;
  }
  return static_cast<std::int64_t>(done);
}

std::int64_t TreeReader::read_segment(std::uint32_t entry, std::uint64_t offset, MutableByteSpan into) {
  // A file of one chunk may be replaced while it is received; only larger ones stay the same file, and only they are
  // worth a descriptor.
  const bool keep = listing_[entry].size > listing_.layout().chunk_bytes();
  const int fd = keep ? files_.kept(entry, O_RDONLY, 0) : files_.open(entry, O_RDONLY, 0);
  if (fd < 0) return fd;
  const Fd own(keep ? -1 : fd);
  const std::int64_t n = pread_full(fd, into, offset);
  if (n < 0) return n;
  return static_cast<std::size_t>(n) != into.size() || is_stale(fd, entry) ? -ESTALE : 0;
}

bool TreeReader::is_stale(int fd, std::uint32_t entry) const {
  if (inodes_.empty()) return false;
  const content::TreeListing::Item& item = listing_[entry];
  struct stat info{};
  return ::fstat(fd, &info) != 0 || info.st_ino != inodes_[entry] ||
         static_cast<std::uint64_t>(info.st_size) != item.size || info.st_mtim.tv_sec != item.mtime_s ||
         static_cast<std::uint32_t>(info.st_mtim.tv_nsec) != item.mtime_ns;
}

}  // namespace peernet::storage
