// Publishing: hashes a file with all cores into a manifest and its tables. Also answers "is this file that content?"
// (verify, already complete).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "content/entries.hpp"
#include "content/manifest.hpp"
#include "content/table.hpp"
#include "peernet/error.hpp"
#include "storage/posix_fd.hpp"
#include "storage/source_guard.hpp"

namespace peernet::storage {

struct HashOptions {
  unsigned threads = 0;           ///< 0: as many as cores, at most 16
  std::uint32_t chunk_bytes = 0;  ///< 0: content::choose_chunk_bytes
  /// Called on the calling thread, at most about 10 times a second: bytes hashed so far, bytes in all.
  std::function<void(std::uint64_t, std::uint64_t)> on_progress;
  const std::atomic<bool>* cancel = nullptr;  ///< set: the call ends with kInterrupted
};

/// A file that is ready to be served. The tables are complete; the descriptor is open for reading.
struct SharedFile {
  Fd fd;
  content::Entry entry;
  content::ManifestCore core;
  ByteArray<content::kManifestBytes> core_bytes{};
  ContentId id{};
  content::PageTable entries, xxh3, sha256;
  SourceStamp stamp;  ///< of the file as it was hashed
};

/// kUsage: not a regular file or a name that cannot be shared; kLocalIo; kIntegrity: it changed while it was hashed.
Result<SharedFile> hash_file(const std::string& path, const HashOptions& options);

/// Are the bytes of the open file those of the core (size and both hash roots; name, mode and times do not matter)?
Result<bool> file_matches(int fd, const content::ManifestCore& core, const HashOptions& options);

}  // namespace peernet::storage
