// The manifest core: the fixed-size description of a content whose SHA-256 is the content id. It holds sizes, counts
// and the roots of three tables (entries, XXH3-128 per chunk, SHA-256 per chunk) whose pages travel and are verified
// one by one (table.hpp). It does not depend on who publishes: equal name, mode, mtime and bytes give the equal id.
#pragma once

#include <cstdint>

#include "base/types.hpp"
#include "peernet/error.hpp"

namespace peernet::content {

inline constexpr std::uint32_t kLeafBytes = 16384;  ///< BEP 52 block: what one SHA-256 leaf covers
inline constexpr std::uint32_t kPageBytes = 16384;  ///< a table page; the last page of a table may be shorter
inline constexpr std::uint32_t kMinChunkBytes = 16384;
inline constexpr std::uint32_t kMaxChunkBytes = 16 << 20;
inline constexpr std::uint32_t kDefaultChunkBytes = 1 << 20;
inline constexpr std::uint32_t kMaxChunkCount = 1 << 24;  ///< 256 TiB of the largest chunks
inline constexpr std::uint32_t kMaxEntryTableBytes = 1U << 30;
inline constexpr std::size_t kManifestBytes = 132;

enum class ContentKind : std::uint8_t { kFile = 0, kTree = 1 };

/// Table ids as they stand in REQUEST frames.
enum class TableId : std::uint8_t { kChunks = 0, kManifest = 1, kEntries = 2, kXxh3 = 3, kSha256 = 4 };

struct ManifestCore {
  ContentKind kind = ContentKind::kFile;
  std::uint32_t chunk_bytes = kDefaultChunkBytes;  ///< a power of two, 16 KiB to 16 MiB
  std::uint64_t total_bytes = 0;                   ///< size of the address space (layout.hpp); a single file's size
  std::uint64_t payload_bytes = 0;                 ///< sum of the file sizes: total_bytes without the virtual gaps
  std::uint32_t chunk_count = 0;                   ///< ceil(total_bytes / chunk_bytes)
  std::uint32_t entry_count = 0;                   ///< files and directories; 1 for a single file
  std::uint32_t entry_table_bytes = 0;
  Hash256 entry_root{};
  Hash256 xxh3_root{};    ///< zero if there are no chunks
  Hash256 sha256_root{};  ///< BEP 52 "pieces root" for a single file; zero if there are no chunks

  friend bool operator==(const ManifestCore&, const ManifestCore&) = default;

  /// Bytes of the address space that the chunk covers: chunk_bytes, less for the last. For a single file that is the
  /// chunk's length on the wire and on disk; in a tree Layout::chunk_payload says how much of it is not gap.
  std::uint32_t chunk_span(ChunkIndex chunk) const;
  std::uint64_t chunk_start(ChunkIndex chunk) const { return std::uint64_t{chunk.value()} * chunk_bytes; }
};

/// The chunk size for a content: 1 MiB up to 256 GiB, then doubled as far as 16 MiB so that the hash tables stay at 12
/// MiB.
std::uint32_t choose_chunk_bytes(std::uint64_t total_bytes);
/// ceil(total / chunk); total must be at most kMaxChunkCount chunks (check with fits_chunk_count).
std::uint32_t chunk_count_for(std::uint64_t total_bytes, std::uint32_t chunk_bytes);
bool fits_chunk_count(std::uint64_t total_bytes, std::uint32_t chunk_bytes);

/// Every rule a core must obey, whoever wrote it; kIntegrity names the broken one.
Result<void> check_manifest(const ManifestCore& core);

/// The core must pass check_manifest.
ByteArray<kManifestBytes> encode_manifest(const ManifestCore& core);
/// Strict: exact length, magic, version, reserved bits, check_manifest. Does not compare with a content id: do that
/// first.
Result<ManifestCore> decode_manifest(ByteSpan bytes);

ContentId content_id_of(ByteSpan core_bytes);
ContentId content_id_of(const ManifestCore& core);

}  // namespace peernet::content
