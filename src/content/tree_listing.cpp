#include "content/tree_listing.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.hpp"
#include "crypto/siphash.hpp"

namespace peernet::content {
namespace {

/// Names and link targets together: prefixes that pages share must not blow a table up into many times its size.
constexpr std::size_t kMaxNames = kMaxEntryTableBytes;

// ASCII only, as every file system that ignores case agrees on; other letters fold differently from one to the next.
char fold(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_folded(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, fold, fold);
}

std::uint64_t hash_of(const Hash128& seed, std::uint32_t parent, std::string_view name) {
  ByteArray<4 + kMaxNameBytes> key;
  std::memcpy(key.data(), &parent, 4);
  for (std::size_t i = 0; i < name.size(); ++i) key[4 + i] = static_cast<std::byte>(fold(name[i]));
  return crypto::siphash24(seed, ByteSpan(key).first(4 + name.size()));
}

const char* fault_of_page(const EntryPage& page, std::size_t index, std::uint64_t address) {
  if (page.first_index != index) return "entry page that does not follow the one before";
  if (page.first_address != address) return "entry page with a wrong address";
  return nullptr;
}

}  // namespace

std::string_view TreeListing::name(std::uint32_t entry) const {
  return {names_.data() + items_[entry].name_at, items_[entry].name_length};
}

std::string_view TreeListing::target(std::uint32_t entry) const {
  const Item& item = items_[entry];
  return {names_.data() + item.name_at + item.name_length, item.target_length};
}

void TreeListing::relative_path(std::uint32_t entry, std::string& out) const {
  std::size_t length = 0;
  for (std::uint32_t i = entry; i != 0; i = items_[i].parent) length += items_[i].name_length + 1U;
  out.resize(length == 0 ? 0 : length - 1);
  for (std::uint32_t i = entry; i != 0; i = items_[i].parent) {
    --length;  // the slash behind the name, or the end
    const std::string_view part = name(i);
    if (length < out.size()) out[length] = '/';
    length -= part.size();
    std::memcpy(out.data() + length, part.data(), part.size());
  }
}

std::string TreeListing::relative_path(std::uint32_t entry) const {
  std::string out;
  relative_path(entry, out);
  return out;
}

std::optional<std::uint32_t> TreeListing::find(std::uint32_t parent, std::string_view name) const {
  if (name.size() > kMaxNameBytes || buckets_.empty()) return std::nullopt;
  const std::size_t mask = buckets_.size() - 1;
  for (std::size_t at = hash_of(seed_, parent, name) & mask; buckets_[at] != 0; at = (at + 1) & mask) {
    const std::uint32_t entry = buckets_[at] - 1;
    if (entry != 0 && items_[entry].parent == parent && this->name(entry) == name) return entry;
  }
  return std::nullopt;
}

/// Takes the table page by page.
class TreeDecoder {
 public:
  explicit TreeDecoder(const ManifestCore& core) : core_(core) {
    // The publisher cannot know the seed before the entries are fixed: no table of chosen collisions.
    std::memcpy(out_.seed_.data(), core.entry_root.data(), out_.seed_.size());
    out_.items_.reserve(core.entry_count);
    out_.buckets_.resize(std::bit_ceil(std::size_t{core.entry_count} + core.entry_count / 2 + 1));
  }

  PathResult<void> take_page(ByteSpan bytes) {
    Result<EntryPage> page = decode_entry_page(bytes);
    if (!page) return path_error(page.error(), "");
    const std::uint64_t address = Layout::place(end_, previous_size_, page->entries.front().size);
    if (const char* fault = fault_of_page(*page, out_.items_.size(), address); fault != nullptr) return bad(fault, "");
    for (const Entry& entry : page->entries) {
      if (PathResult<void> ok = take(entry); !ok) return ok;
    }
    last_path_ = std::move(page->entries.back().path);
    first_of_page_ = true;
    return {};
  }

  PathResult<TreeListing> finish() {
    if (out_.items_.size() != core_.entry_count) return bad("entry table with a wrong number of entries", "");
    if (end_ != core_.total_bytes || payload_ != core_.payload_bytes)
      return bad("entry table whose sizes are not the manifest's", "");
    std::vector<std::uint64_t> sizes;
    sizes.reserve(out_.items_.size());
    for (const TreeListing::Item& item : out_.items_) sizes.push_back(item.size);
    std::optional<Layout> layout = Layout::make(sizes, core_.chunk_bytes);
    PN_CHECK(layout.has_value() && layout->total_bytes() == core_.total_bytes);
    out_.layout_ = std::move(*layout);
    out_.names_.shrink_to_fit();
    return std::move(out_);
  }

 private:
  static std::unexpected<PathError> bad(const char* what, std::string path) {
    return path_error(Error{ErrorCode::kIntegrity, 0, what}, std::move(path));
  }

  PathResult<void> take(const Entry& entry) {
    const auto index = static_cast<std::uint32_t>(out_.items_.size());
    if (index == core_.entry_count) return bad("entry table with a wrong number of entries", entry.path);
    // Within a page the order was checked when it was decoded.
    if (first_of_page_ && index != 0 && entry.path <= last_path_) return bad("entries out of order", entry.path);
    first_of_page_ = false;
    const std::size_t slash = entry.path.rfind('/');
    std::uint32_t parent = 0;
    if (slash == std::string::npos) {
      if (index != 0) return bad("entry outside the content's folder", entry.path);
      if (entry.kind != EntryKind::kDirectory) return bad("first entry that is not the content's folder", entry.path);
      root_ = entry.path;
      above_.push_back({.end = root_.size(), .entry = 0});
      directory_ = root_;
    } else {
      const std::optional<std::uint32_t> found = directory_of(std::string_view(entry.path).substr(0, slash));
      if (!found) return bad("entry that stands in no folder of the content", entry.path);
      parent = *found;
    }
    if (entry.size != 0) {
      const std::uint64_t address = Layout::place(end_, previous_size_, entry.size);
      if (address > core_.total_bytes || entry.size > core_.total_bytes - address)
        return bad("entry beyond the manifest's size", entry.path);
      end_ = address + entry.size;
      payload_ += entry.size;
      previous_size_ = entry.size;
    }
    return add(entry, parent, std::string_view(entry.path).substr(slash == std::string::npos ? 0 : slash + 1));
  }

  PathResult<void> add(const Entry& entry, std::uint32_t parent, std::string_view name) {
    const auto index = static_cast<std::uint32_t>(out_.items_.size());
    if (out_.names_.size() + name.size() + entry.target.size() > kMaxNames)
      return bad("entry table with names out of all proportion", entry.path);
    TreeListing::Item item;
    item.size = entry.size;
    item.mtime_s = entry.mtime_s;
    item.mtime_ns = entry.mtime_ns;
    item.parent = parent;
    item.name_at = static_cast<std::uint32_t>(out_.names_.size());
    item.name_length = static_cast<std::uint8_t>(name.size());
    item.target_length = static_cast<std::uint16_t>(entry.target.size());
    item.mode = entry.mode;
    item.kind = entry.kind;
    out_.names_.insert(out_.names_.end(), name.begin(), name.end());
    out_.names_.insert(out_.names_.end(), entry.target.begin(), entry.target.end());
    out_.items_.push_back(item);
    if (index == 0) return {};  // nothing stands beside the content's folder

    const std::size_t mask = out_.buckets_.size() - 1;
    std::size_t at = hash_of(out_.seed_, parent, name) & mask;
    for (; out_.buckets_[at] != 0; at = (at + 1) & mask) {
      const std::uint32_t other = out_.buckets_[at] - 1;
      if (out_.items_[other].parent == parent && same_folded(out_.name(other), name))
        return bad("entry whose name differs from another one's only in upper and lower case", entry.path);
    }
    out_.buckets_[at] = index + 1;
    return {};
  }

  /// The directory with this path, which must have been an entry. Keeps those above the last one.
  std::optional<std::uint32_t> directory_of(std::string_view path) {
    if (path == directory_) return above_.empty() ? std::nullopt : std::optional(above_.back().entry);
    const auto common = static_cast<std::size_t>(std::ranges::mismatch(path, directory_).in1 - path.begin());
    const auto covers = [&](const Above& dir) {
      return dir.end <= common && (dir.end == path.size() || path[dir.end] == '/');
    };
    while (!above_.empty() && !covers(above_.back())) above_.pop_back();
    if (above_.empty()) return std::nullopt;  // not below the content's folder: there is no other
    directory_.assign(path);
    while (above_.back().end < path.size()) {
      const std::size_t begin = above_.back().end + 1;
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const std::optional<std::uint32_t> next = out_.find(above_.back().entry, path.substr(begin, end - begin));
      if (!next || out_.items_[*next].kind != EntryKind::kDirectory) return std::nullopt;
      above_.push_back({.end = end, .entry = *next});
    }
    return above_.back().entry;
  }

  struct Above {
    std::size_t end;  // of its path
    std::uint32_t entry;
  };

  const ManifestCore& core_;
  TreeListing out_;
  std::string root_, directory_, last_path_;
  std::vector<Above> above_;  // directory_ and all above it, outermost first
  std::uint64_t end_ = 0, previous_size_ = 0, payload_ = 0;
  bool first_of_page_ = true;
};

PathResult<TreeListing> decode_tree(const ManifestCore& core, const PageTable& entries) {
  if (core.kind != ContentKind::kTree)
    return path_error({ErrorCode::kIntegrity, 0, "manifest that is no folder's"}, "");
  PN_CHECK(entries.complete() && entries.root() == core.entry_root);
  TreeDecoder decoder(core);
  for (std::uint32_t page = 0; page < entries.shape().pages; ++page) {
    if (PathResult<void> ok = decoder.take_page(entries.page(page)); !ok) return std::unexpected(ok.error());
  }
  return decoder.finish();
}

}  // namespace peernet::content
