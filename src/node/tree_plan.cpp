#include "node/tree_plan.hpp"

#include <algorithm>

#include "node/path_glob.hpp"

namespace peernet::node {
namespace {

constexpr std::size_t kNamesShown = 3;

// "there are a, b, c and 12 others": what a user sees of a pattern that selects nothing.
std::string some_names(const content::TreeListing& listing) {
  std::string out;
  std::size_t shown = 0, left = 0;
  for (std::uint32_t entry = 1; entry < listing.count(); ++entry) {
    if (listing[entry].kind == content::EntryKind::kDirectory) continue;
    if (shown == kNamesShown) {
      ++left;
      continue;
    }
    if (shown++ > 0) out += ", ";
    out += listing.relative_path(entry);
  }
  if (left > 0) out += " and " + std::to_string(left) + " more";
  return out.empty() ? "it is empty" : "there are " + out;
}

content::PathResult<std::vector<bool>> pick(const content::TreeListing& listing,
                                            std::span<const std::string> patterns) {
  std::vector<bool> picked;
  if (patterns.empty()) return picked;
  picked.resize(listing.count());
  std::string path;
  for (const std::string& pattern : patterns) {
    const auto glob = PathGlob::parse(pattern);
    if (!glob) return content::path_error(glob.error(), pattern);
    bool any = false;
    for (std::uint32_t entry = 1; entry < listing.count(); ++entry) {
      listing.relative_path(entry, path);
      if (!glob->selects(path, listing[entry].kind == content::EntryKind::kDirectory)) continue;
      picked[entry] = any = true;
    }
    if (!any)
      return content::path_error({ErrorCode::kUsage, 0, "a pattern of --files selects nothing in this folder"},
                                 pattern + ": " + some_names(listing));
  }
  return picked;
}

}  // namespace

content::PathResult<std::shared_ptr<const TreePlan>> TreePlan::make(const content::ManifestCore& core,
                                                                    const content::PageTable& entries,
                                                                    std::span<const std::string> patterns) {
  auto listing = content::decode_tree(core, entries);
  if (!listing) return std::unexpected(std::move(listing.error()));
  auto plan = std::make_shared<TreePlan>();
  plan->listing = std::move(*listing);
  auto picked = pick(plan->listing, patterns);
  if (!picked) return std::unexpected(std::move(picked.error()));
  plan->selection = content::select_entries(plan->listing, core.chunk_count, std::move(*picked));
  return plan;
}

std::uint64_t TreePlan::wanted_bytes() const {
  if (selection.wanted.full()) return layout().payload_bytes();
  std::uint64_t sum = 0;
  for (auto at = selection.wanted.next_set(ChunkIndex(0)); at; at = selection.wanted.next_set(*at + 1))
    sum += layout().chunk_payload(*at);
  return sum;
}

ContentInfo describe_file(const content::ManifestCore& core, const ContentId& id, const std::string& name) {
  ContentInfo info;
  info.content_id.assign(reinterpret_cast<const char*>(id.data()), id.size());
  info.name = name;
  info.bytes = core.payload_bytes;
  info.chunk_bytes = core.chunk_bytes;
  info.chunks = core.chunk_count;
  info.entries = {{.kind = ContentEntry::Kind::kFile, .path = name, .target = {}, .bytes = core.payload_bytes}};
  return info;
}

ContentInfo describe_tree(const content::ManifestCore& core, const ContentId& id, const content::TreeListing& listing,
                          const content::TreeSelection* selection) {
  ContentInfo info;
  info.content_id.assign(reinterpret_cast<const char*>(id.data()), id.size());
  info.name = listing.name(0);
  info.folder = true;
  info.bytes = core.payload_bytes;
  info.chunk_bytes = core.chunk_bytes;
  info.chunks = core.chunk_count;
  info.entries.reserve(listing.count());
  for (std::uint32_t entry = 1; entry < listing.count(); ++entry) {
    if (selection != nullptr && !selection->entries[entry]) continue;
    ContentEntry out;
    out.kind = listing[entry].kind == content::EntryKind::kDirectory ? ContentEntry::Kind::kFolder
               : listing[entry].kind == content::EntryKind::kSymlink ? ContentEntry::Kind::kSymlink
                                                                     : ContentEntry::Kind::kFile;
    out.path = listing.relative_path(entry);
    out.target = listing.target(entry);
    out.bytes = listing[entry].size;
    info.entries.push_back(std::move(out));
  }
  return info;
}

}  // namespace peernet::node
