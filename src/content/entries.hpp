// The entry table: names, kinds, sizes, modes and modification times. Records never cross a page and a page is readable
// alone (it starts with the index and address of its first entry; names share prefixes within the page only), so a tree
// of any size can be walked page by page. A single file is one entry whose path has no slash. In a tree the first entry
// is the folder itself and all others stand below it ("photos", "photos/a.jpg"); tree_listing.hpp checks the whole
// table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "content/manifest.hpp"

namespace peernet::content {

enum class EntryKind : std::uint8_t { kFile = 0, kDirectory = 1, kSymlink = 2 };

struct Entry {
  EntryKind kind = EntryKind::kFile;
  std::uint16_t mode = 0644;   ///< permission bits only (0777)
  std::int64_t mtime_s = 0;    ///< seconds since 1970, may be negative
  std::uint32_t mtime_ns = 0;  ///< below 10^9
  std::uint64_t size = 0;      ///< 0 for a directory or link
  std::string path;            ///< relative, components joined by '/', checked by valid_entry_path
  std::string target;          ///< of a symbolic link only, checked by link_stays_inside

  friend bool operator==(const Entry&, const Entry&) = default;
};

inline constexpr std::size_t kMaxNameBytes = 255;   ///< one component
inline constexpr std::size_t kMaxPathBytes = 4095;  ///< PATH_MAX without its NUL

enum class NameFault : std::uint8_t { kNone, kEmpty, kTooLong, kDots, kSlash, kControl };
/// May this be one component of a path on any host? Refuses "", ".", "..", '/', NUL, control characters (below 0x20,
/// 0x7f) and over 255 bytes.
NameFault check_name(std::string_view name);
const char* describe(NameFault fault);
/// Every component passes check_name, no leading, trailing or double slash, at most 4095 bytes.
bool valid_entry_path(std::string_view path);
/// Does a symbolic link at `path`, whose first component is the content's folder, lead nowhere but into that folder?
/// Its target is relative, at most 4095 bytes, without control characters, and has ".." only at its front, no more of
/// them than there are folders above the link inside the content. (A ".." behind a name could follow another link
/// first, and two links that are harmless alone could lead out together.)
bool link_stays_inside(std::string_view path, std::string_view target);

/// Encodes entries (sorted by path bytes, unique, valid) into the table's bytes. kUsage when an entry or the order is
/// not valid, or the table too large.
Result<std::vector<std::byte>> encode_entries(const std::vector<Entry>& entries);

/// One page, already verified against its root: still strict, because the publisher may be hostile.
struct EntryPage {
  std::uint32_t first_index = 0;
  std::uint64_t first_address = 0;
  std::vector<Entry> entries;
};
Result<EntryPage> decode_entry_page(ByteSpan page);

/// The only entry of a single-file content; checks it against the core (one entry, a file, size, plain name).
Result<Entry> decode_single_entry(const ManifestCore& core, ByteSpan page);

}  // namespace peernet::content
