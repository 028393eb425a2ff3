// <sys/stat.h> of glibc 2.36 has a struct statx without the DIOALIGN fields, so this file takes the kernel's and calls
// by number.
#include "storage/posix_direct.hpp"

#include <linux/fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace peernet::storage {

DirectAlignment direct_alignment(int fd) {
  struct statx info{};
  if (::syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) != 0) return {};
  if ((info.stx_mask & STATX_DIOALIGN) == 0) return {};
  return {info.stx_dio_mem_align, info.stx_dio_offset_align};
}

}  // namespace peernet::storage
