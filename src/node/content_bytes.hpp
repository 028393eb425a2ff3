// Where the bytes of a served content are read: one file, a folder, or the part file of a get that is under way.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/types.hpp"
#include "content/manifest.hpp"
#include "io/io.hpp"
#include "storage/share_hasher.hpp"

namespace peernet::node {

/// One shard's way to read a content, on that shard's thread. Destroyed when no read of it is in flight.
class PieceReader {
 public:
  struct Done {
    io::OpToken token;
    std::int64_t result = 0;
  };

  virtual ~PieceReader() = default;
  /// Bytes of a chunk from `offset` on (offsets are those of the wire: without gaps). False: not now, try again after
  /// a read has ended. The end comes as the driver's on_file with this token, or from take(): bytes read, fewer than
  /// asked for or -ESTALE if it is not what was hashed any more, another -errno if it could not be read.
  virtual bool read(io::OpToken token, ChunkIndex chunk, std::uint32_t offset, MutableByteSpan into) = 0;
  /// Reads that ended elsewhere than in the driver, which was woken for it.
  virtual std::optional<Done> take() { return std::nullopt; }
};

/// Shared by all shards that serve it.
class ContentBytes {
 public:
  virtual ~ContentBytes() = default;
  /// kKernel: no more files.
  virtual Result<std::unique_ptr<PieceReader>> open(io::Driver& driver) = 0;
  /// No longer what was hashed? Looked at about once a second; must not wait for the disk.
  virtual bool changed() const = 0;
};

/// A file that was hashed to be shared.
class SharedFileBytes final : public ContentBytes {
 public:
  explicit SharedFileBytes(storage::SharedFile hashed) : file(std::move(hashed)) {}
  Result<std::unique_ptr<PieceReader>> open(io::Driver& driver) override;
  bool changed() const override;

  storage::SharedFile file;
};

/// The chunks of a file that others write and close: reads through the driver.
Result<std::unique_ptr<PieceReader>> make_file_reader(io::Driver& driver, int fd, std::uint32_t chunk_bytes);

}  // namespace peernet::node
