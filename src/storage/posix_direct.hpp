// What the file system says about O_DIRECT on a file.
#pragma once

#include <cstdint>

namespace peernet::storage {

struct DirectAlignment {
  std::uint32_t memory = 0;
  std::uint32_t offset = 0;  ///< 0: no direct I/O here
};

/// statx(STATX_DIOALIGN), Linux 6.1. Where the kernel or file system does not answer: nothing offered (tmpfs, old
/// kernels).
DirectAlignment direct_alignment(int fd);

}  // namespace peernet::storage
