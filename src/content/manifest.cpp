#include "content/manifest.hpp"

#include <algorithm>
#include <bit>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "crypto/hash.hpp"

namespace peernet::content {
namespace {

constexpr std::uint32_t kMagic = 0x504e6d66;  // "PNmf"
constexpr std::uint16_t kVersion = 1;
constexpr std::uint32_t kMinEntryTableBytes = 14 + 29;  // a page header and one record with a one-letter name
constexpr std::uint64_t kGrowAbove = 1 << 18;           // chunks; 12 MiB of hashes

std::unexpected<Error> bad(const char* what) {
  return std::unexpected(Error{ErrorCode::kIntegrity, 0, what});
}

Result<void> check_kind(const ManifestCore& core) {
  if (core.entry_count == 0) return bad("manifest without entries");
  if (core.entry_table_bytes < kMinEntryTableBytes || core.entry_table_bytes > kMaxEntryTableBytes)
    return bad("manifest with an entry table of impossible size");
  if (core.kind == ContentKind::kFile) {
    if (core.entry_count != 1) return bad("manifest of a file with several entries");
    if (core.entry_table_bytes > kPageBytes) return bad("manifest of a file with an entry table of several pages");
    if (core.payload_bytes != core.total_bytes) return bad("manifest of a file with gaps");
    return {};
  }
  if (core.payload_bytes > core.total_bytes || (core.payload_bytes == 0) != (core.total_bytes == 0))
    return bad("manifest whose payload does not fit its address space");
  // A record is 28 bytes and at least one byte of name; the bound keeps a hostile count from sizing anything.
  if (core.entry_count > core.entry_table_bytes / 29) return bad("manifest with more entries than its table can hold");
  return {};
}

}  // namespace

std::uint32_t ManifestCore::chunk_span(ChunkIndex chunk) const {
  PN_CHECK(chunk.value() < chunk_count);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(chunk_bytes, total_bytes - chunk_start(chunk)));
}

std::uint32_t choose_chunk_bytes(std::uint64_t total_bytes) {
  std::uint32_t chunk = kDefaultChunkBytes;
  while (chunk < kMaxChunkBytes && total_bytes / chunk >= kGrowAbove) chunk *= 2;
  return chunk;
}

bool fits_chunk_count(std::uint64_t total_bytes, std::uint32_t chunk_bytes) {
  return total_bytes <= std::uint64_t{kMaxChunkCount} * chunk_bytes;
}

std::uint32_t chunk_count_for(std::uint64_t total_bytes, std::uint32_t chunk_bytes) {
  PN_CHECK(fits_chunk_count(total_bytes, chunk_bytes));
  return static_cast<std::uint32_t>((total_bytes + chunk_bytes - 1) / chunk_bytes);
}

Result<void> check_manifest(const ManifestCore& core) {
  if (!std::has_single_bit(core.chunk_bytes) || core.chunk_bytes < kMinChunkBytes || core.chunk_bytes > kMaxChunkBytes)
    return bad("manifest with an impossible chunk size");
  if (!fits_chunk_count(core.total_bytes, core.chunk_bytes)) return bad("manifest with too many chunks");
  if (core.chunk_count != chunk_count_for(core.total_bytes, core.chunk_bytes))
    return bad("manifest whose chunk count does not fit its size");
  if (core.chunk_count == 0 && (core.xxh3_root != Hash256{} || core.sha256_root != Hash256{}))
    return bad("manifest of nothing with hash tables");
  return check_kind(core);
}

ByteArray<kManifestBytes> encode_manifest(const ManifestCore& core) {
  PN_CHECK(check_manifest(core).has_value());
  ByteArray<kManifestBytes> out{};
  ByteWriter w(out);
  w.u32(kMagic);
  w.u16(kVersion);
  w.u8(static_cast<std::uint8_t>(core.kind));
  w.u8(static_cast<std::uint8_t>(std::countr_zero(core.chunk_bytes)));
  w.u64(core.total_bytes);
  w.u64(core.payload_bytes);
  w.u32(core.chunk_count);
  w.u32(core.entry_count);
  w.u32(core.entry_table_bytes);
  w.bytes(core.entry_root);
  w.bytes(core.xxh3_root);
  w.bytes(core.sha256_root);
  PN_CHECK(!w.failed() && w.remaining() == 0);
  return out;
}

Result<ManifestCore> decode_manifest(ByteSpan bytes) {
  if (bytes.size() != kManifestBytes) return bad("manifest of a wrong length");
  ByteReader r(bytes);
  if (r.u32() != kMagic) return bad("manifest without its magic number");
  if (r.u16() != kVersion) return bad("manifest of an unknown version");
  const std::uint8_t kind = r.u8();
  if (kind > static_cast<std::uint8_t>(ContentKind::kTree)) return bad("manifest of an unknown kind");
  const std::uint8_t chunk_log2 = r.u8();
  if (chunk_log2 > 31) return bad("manifest with an impossible chunk size");
  ManifestCore core;
  core.kind = static_cast<ContentKind>(kind);
  core.chunk_bytes = std::uint32_t{1} << chunk_log2;
  core.total_bytes = r.u64();
  core.payload_bytes = r.u64();
  core.chunk_count = r.u32();
  core.entry_count = r.u32();
  core.entry_table_bytes = r.u32();
  core.entry_root = r.array<32>();
  core.xxh3_root = r.array<32>();
  core.sha256_root = r.array<32>();
  PN_CHECK(r.finished());
  if (const Result<void> ok = check_manifest(core); !ok) return std::unexpected(ok.error());
  return core;
}

ContentId content_id_of(ByteSpan core_bytes) {
  return crypto::sha256(core_bytes);
}

ContentId content_id_of(const ManifestCore& core) {
  return content_id_of(ByteSpan(encode_manifest(core)));
}

}  // namespace peernet::content
