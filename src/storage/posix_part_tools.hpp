// What part files and part folders share: the lock, the umask, the room on the disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

struct stat;

namespace peernet::storage {

bool same_file(const struct stat& a, const struct stat& b);
/// Takes the exclusive lock of an open file or folder, waiting a moment for it. False, with errno: EWOULDBLOCK, it is
/// held; otherwise there are no locks here.
bool lock_part(int fd);
/// The process's umask, without changing it.
mode_t current_umask();
bool on_tmpfs(int fd);
/// Free bytes for this user; nothing if the file system does not say.
std::optional<std::uint64_t> free_bytes(int fd);

}  // namespace peernet::storage
