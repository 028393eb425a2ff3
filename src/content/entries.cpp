#include "content/entries.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "content/layout.hpp"

namespace peernet::content {
namespace {

constexpr std::size_t kPageHeaderBytes = 14;   // first index u32, first address u64, count u16
constexpr std::size_t kRecordBytes = 28;       // without the name
constexpr std::size_t kTargetLengthBytes = 2;  // of a link, before its target
constexpr std::uint64_t kMaxTotal = std::uint64_t{kMaxChunkCount} * kMaxChunkBytes;

std::unexpected<Error> bad(const char* what) {
  return std::unexpected(Error{ErrorCode::kIntegrity, 0, what});
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

bool valid_entry(const Entry& entry) {
  const bool link = entry.kind == EntryKind::kSymlink;
  return valid_entry_path(entry.path) && (entry.mode & ~0777U) == 0 && entry.mtime_ns < 1'000'000'000 &&
         (entry.kind == EntryKind::kFile || entry.size == 0) && entry.size <= kMaxTotal &&
         (link ? link_stays_inside(entry.path, entry.target) : entry.target.empty());
}

std::size_t record_bytes(const Entry& entry, std::size_t prefix) {
  const std::size_t target = entry.kind == EntryKind::kSymlink ? kTargetLengthBytes + entry.target.size() : 0;
  return kRecordBytes + entry.path.size() - prefix + target;
}

/// Writes pages of records; a record that does not fit starts the next page.
class PageWriter {
 public:
  void add(const Entry& entry, std::uint32_t index, std::uint64_t address) {
    std::size_t prefix = count_ == 0 ? 0 : common_prefix(previous_, entry.path);
    if (count_ != 0 && (count_ == UINT16_MAX || page_.size() + record_bytes(entry, prefix) > kPageBytes)) {
      close();
      page_.resize(kPageBytes);
      flush();
    }
    if (count_ == 0) {
      first_index_ = index;
      first_address_ = address;
      page_.resize(kPageHeaderBytes);
      prefix = 0;
    }
    const std::size_t at = page_.size();
    page_.resize(at + record_bytes(entry, prefix));
    ByteWriter w(MutableByteSpan(page_).subspan(at));
    w.u8(static_cast<std::uint8_t>(entry.kind));
    w.u8(0);
    w.u16(entry.mode);
    w.u64(static_cast<std::uint64_t>(entry.mtime_s));
    w.u32(entry.mtime_ns);
    w.u64(entry.size);
    w.u16(static_cast<std::uint16_t>(prefix));
    w.u16(static_cast<std::uint16_t>(entry.path.size() - prefix));
    w.bytes(as_bytes(entry.path.data() + prefix, entry.path.size() - prefix));
    if (entry.kind == EntryKind::kSymlink) {
      w.u16(static_cast<std::uint16_t>(entry.target.size()));
      w.bytes(as_bytes(entry.target.data(), entry.target.size()));
    }
    PN_CHECK(!w.failed());
    previous_ = entry.path;
    ++count_;
  }
  std::vector<std::byte> take() {
    if (count_ != 0) {
      close();
      flush();
    }
    return std::move(out_);
  }
  std::size_t bytes() const { return out_.size() + page_.size(); }

 private:
  void close() {
    ByteWriter w(MutableByteSpan(page_).first(kPageHeaderBytes));
    w.u32(first_index_);
    w.u64(first_address_);
    w.u16(count_);
  }
  void flush() {
    out_.insert(out_.end(), page_.begin(), page_.end());
    page_.clear();
    count_ = 0;
  }

  std::vector<std::byte> out_, page_;
  std::string previous_;
  std::uint32_t first_index_ = 0;
  std::uint64_t first_address_ = 0;
  std::uint16_t count_ = 0;
};

Result<Entry> decode_record(ByteReader& r, const std::string* previous) {
  Entry entry;
  const std::uint8_t kind = r.u8();
  if (kind > static_cast<std::uint8_t>(EntryKind::kSymlink)) return bad("entry of an unknown kind");
  entry.kind = static_cast<EntryKind>(kind);
  if (r.u8() != 0) return bad("entry with reserved bits set");
  entry.mode = r.u16();
  entry.mtime_s = static_cast<std::int64_t>(r.u64());
  entry.mtime_ns = r.u32();
  entry.size = r.u64();
  const std::size_t prefix = r.u16();
  const std::size_t rest = r.u16();
  const ByteSpan suffix = r.bytes(rest);
  const bool link = entry.kind == EntryKind::kSymlink;
  const ByteSpan target = r.bytes(link ? r.u16() : 0U);
  if (r.failed()) return bad("entry that leaves its page");
  if (prefix > (previous == nullptr ? 0 : previous->size())) return bad("entry with an impossible name prefix");
  if (prefix + rest > kMaxPathBytes) return bad("entry with a name that is too long");
  if (previous != nullptr) entry.path.assign(*previous, 0, prefix);
  entry.path.append(reinterpret_cast<const char*>(suffix.data()), suffix.size());
  entry.target.assign(reinterpret_cast<const char*>(target.data()), target.size());
  if (link && !link_stays_inside(entry.path, entry.target)) return bad("symbolic link that leaves the folder");
  if (!valid_entry(entry)) return bad("entry with a forbidden name, mode, time or size");
  if (previous != nullptr && entry.path <= *previous) return bad("entries out of order");
  return entry;
}

}  // namespace

NameFault check_name(std::string_view name) {
  if (name.empty()) return NameFault::kEmpty;
  if (name.size() > kMaxNameBytes) return NameFault::kTooLong;
  if (name == "." || name == "..") return NameFault::kDots;
  for (const char c : name) {
    const auto u = static_cast<unsigned char>(c);
    if (u == '/') return NameFault::kSlash;
    if (u < 0x20 || u == 0x7f) return NameFault::kControl;
  }
  return NameFault::kNone;
}

const char* describe(NameFault fault) {
  switch (fault) {
    case NameFault::kNone:
      return "the name is fine";
    case NameFault::kEmpty:
      return "the name is empty";
    case NameFault::kTooLong:
      return "the name is longer than 255 bytes";
    case NameFault::kDots:
      return "the name is \".\" or \"..\"";
    case NameFault::kSlash:
      return "the name contains a slash";
    case NameFault::kControl:
      return "the name contains a control character";
  }
  return "";
}

bool valid_entry_path(std::string_view path) {
  if (path.size() > kMaxPathBytes) return false;
  while (true) {
    const std::size_t slash = path.find('/');
    if (check_name(path.substr(0, slash)) != NameFault::kNone) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool link_stays_inside(std::string_view path, std::string_view target) {
  if (target.empty() || target.size() > kMaxPathBytes || target.front() == '/') return false;
  // Folders the link may climb: those between the content's folder and the link.
  auto room = static_cast<std::ptrdiff_t>(std::ranges::count(path, '/')) - 1;
  bool named = false;
  while (true) {
    const std::size_t slash = target.find('/');
    const std::string_view part = target.substr(0, slash);
    if (part == "..") {
      if (named || --room < 0) return false;
    } else if (!part.empty() && part != ".") {
      if (check_name(part) != NameFault::kNone) return false;
      named = true;
    }
    if (slash == std::string_view::npos) return room >= 0;
    target.remove_prefix(slash + 1);
  }
}

Result<std::vector<std::byte>> encode_entries(const std::vector<Entry>& entries) {
  PageWriter writer;
  std::uint64_t address = 0, end = 0, previous_size = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    if (!valid_entry(entry))
      return std::unexpected(Error{ErrorCode::kUsage, 0, "share a file with such a name or size"});
    if (i != 0 && entry.path <= entries[i - 1].path)
      return std::unexpected(Error{ErrorCode::kUsage, 0, "share entries that are not sorted or not unique"});
    address = Layout::place(end, previous_size, entry.size);
    writer.add(entry, static_cast<std::uint32_t>(i), address);
    if (entry.size != 0) {
      end = address + entry.size;
      previous_size = entry.size;
    }
    if (end > kMaxTotal || writer.bytes() > kMaxEntryTableBytes)
      return std::unexpected(Error{ErrorCode::kUsage, 0, "share so much in one content"});
  }
  return writer.take();
}

Result<EntryPage> decode_entry_page(ByteSpan page) {
  ByteReader r(page);
  EntryPage out;
  out.first_index = r.u32();
  out.first_address = r.u64();
  const std::size_t count = r.u16();
  if (r.failed() || count == 0) return bad("entry page without entries");
  if (count > r.remaining() / (kRecordBytes + 1) || out.first_address > kMaxTotal)
    return bad("entry page with an impossible count or address");
  out.entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Result<Entry> entry = decode_record(r, i == 0 ? nullptr : &out.entries.back().path);
    if (!entry) return std::unexpected(entry.error());
    out.entries.push_back(std::move(*entry));
  }
  for (const std::byte b : r.rest())
    if (b != std::byte{0}) return bad("entry page with bytes after its entries");
  return out;
}

Result<Entry> decode_single_entry(const ManifestCore& core, ByteSpan page) {
  Result<EntryPage> decoded = decode_entry_page(page);
  if (!decoded) return std::unexpected(decoded.error());
  if (core.kind != ContentKind::kFile || decoded->entries.size() != 1 || decoded->first_index != 0 ||
      decoded->first_address != 0)
    return bad("entry table that is not a single file's");
  Entry& entry = decoded->entries.front();
  if (entry.kind != EntryKind::kFile || entry.size != core.total_bytes || check_name(entry.path) != NameFault::kNone)
    return bad("entry that does not fit its manifest");
  return std::move(entry);
}

}  // namespace peernet::content
