#include "node/local_content.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "node/fetch.hpp"
#include "node/tree_bytes.hpp"
#include "node/tree_plan.hpp"

namespace peernet::node {
namespace {

constexpr Error kOtherKind{ErrorCode::kIntegrity, 0,
                           "this is not the content of the link: one is a file, the other a folder"};
constexpr Error kOtherSize{ErrorCode::kIntegrity, 0, "this is not the content of the link: its size differs"};
constexpr Error kOtherBytes{ErrorCode::kIntegrity, 0, "this is not the content of the link: its contents differ"};
constexpr Error kOtherNames{ErrorCode::kIntegrity, 0, "this is not the content of the link: its files differ"};

content::PathResult<void> same_bytes(const content::ManifestCore& ours, const content::ManifestCore& theirs) {
  if (ours.kind != theirs.kind) return content::path_error(kOtherKind, {});
  if (ours.total_bytes != theirs.total_bytes) return content::path_error(kOtherSize, {});
  if (ours.xxh3_root != theirs.xxh3_root || ours.sha256_root != theirs.sha256_root)
    return content::path_error(kOtherBytes, {});
  return {};
}

// Names, kinds, sizes and where links lead; modes and times may differ. The first that differs.
content::PathResult<void> same_names(const content::TreeListing& ours, const content::TreeListing& theirs) {
  const std::uint32_t common = std::min(ours.count(), theirs.count());
  std::string mine, other;
  for (std::uint32_t entry = 1; entry < common; ++entry) {
    ours.relative_path(entry, mine);
    theirs.relative_path(entry, other);
    if (mine != other) return content::path_error(kOtherNames, std::min(mine, other));  // the other lacks it
    const auto &a = ours[entry], &b = theirs[entry];
    if (a.kind != b.kind || a.size != b.size || ours.target(entry) != theirs.target(entry))
      return content::path_error(kOtherNames, mine);
  }
  if (ours.count() != theirs.count()) {
    const content::TreeListing& more = ours.count() > theirs.count() ? ours : theirs;
    return content::path_error(kOtherNames, more.relative_path(common));
  }
  return {};
}

// What a served folder points at.
struct ServedTree {
  storage::SharedTree tree;
  std::optional<SwarmManifest> theirs;  // under whose manifest it is served, if not its own
  ByteArray<content::kManifestBytes> core_bytes{};
};

std::shared_ptr<SharedContent> serve_file(storage::SharedFile&& hashed) {
  const auto bytes = std::make_shared<SharedFileBytes>(std::move(hashed));
  const storage::SharedFile& file = bytes->file;
  auto content = std::make_shared<SharedContent>();
  content->id = file.id;
  content->name = file.entry.path;
  content->manifest = {.core = &file.core,
                       .core_bytes = file.core_bytes,
                       .entries = &file.entries,
                       .xxh3 = &file.xxh3,
                       .sha256 = &file.sha256};
  content->bytes = bytes;
  content->owner = bytes;
  return content;
}

std::shared_ptr<SharedContent> serve_tree(const std::shared_ptr<ServedTree>& owner) {
  const storage::SharedTree& tree = owner->tree;
  auto content = std::make_shared<SharedContent>();
  content->id = tree.id;
  content->name = tree.name;
  content->manifest = {.core = &tree.core,
                       .core_bytes = tree.core_bytes,
                       .entries = &tree.entries,
                       .xxh3 = &tree.xxh3,
                       .sha256 = &tree.sha256,
                       .layout = &tree.listing.layout()};  // sizes, hence places, are the same in both listings
  content->bytes = std::make_shared<TreeBytes>(TreeBytes::Options{
      .root = tree.root.get(), .listing = &tree.listing, .inodes = tree.inodes, .selected = nullptr, .owner = owner});
  content->owner = owner;
  return content;
}

}  // namespace

Result<void> check_shareable(const std::string& path) {
  struct stat info{};
  constexpr const char* kDoing = "cannot open what is to be shared";
  if (::stat(path.c_str(), &info) != 0) return std::unexpected(from_errno(errno, kDoing));
  const bool folder = S_ISDIR(info.st_mode);
  if (!folder && !S_ISREG(info.st_mode))
    return std::unexpected(Error{ErrorCode::kUsage, 0, "only regular files and folders can be shared"});
  if (::access(path.c_str(), folder ? R_OK | X_OK : R_OK) != 0) return std::unexpected(from_errno(errno, kDoing));
  return {};
}

content::PathResult<LocalContent> LocalContent::hash(const std::string& path, const storage::HashOptions& options) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    auto tree = storage::hash_tree(path, options);
    if (!tree) return std::unexpected(std::move(tree.error()));
    return LocalContent(std::move(*tree));
  }
  auto file = storage::hash_file(path, options);
  if (!file) return content::path_error(file.error(), {});
  return LocalContent(std::move(*file));
}

const content::ManifestCore& LocalContent::core() const {
  return std::visit([](const auto& hashed) -> const content::ManifestCore& { return hashed.core; }, hashed_);
}

content::PathResult<void> LocalContent::compare(const SwarmManifest& theirs) const {
  if (core().kind != theirs.core.kind) return content::path_error(kOtherKind, {});
  if (const auto* tree = std::get_if<storage::SharedTree>(&hashed_)) {
    if (auto same = same_names(tree->listing, theirs.tree->listing); !same) return same;
  }
  return same_bytes(core(), theirs.core);
}

ContentInfo LocalContent::describe() const {
  if (const auto* tree = std::get_if<storage::SharedTree>(&hashed_))
    return describe_tree(tree->core, tree->id, tree->listing, nullptr);
  const storage::SharedFile& file = std::get<storage::SharedFile>(hashed_);
  return describe_file(file.core, file.id, file.entry.path);
}

std::shared_ptr<SharedContent> LocalContent::share() && {
  if (auto* tree = std::get_if<storage::SharedTree>(&hashed_))
    return serve_tree(std::make_shared<ServedTree>(std::move(*tree), std::nullopt));
  return serve_file(std::move(std::get<storage::SharedFile>(hashed_)));
}

// Name, mode and time are the publisher's, or the content id would be another.
std::shared_ptr<SharedContent> LocalContent::share_as(SwarmManifest&& theirs) && {
  const auto core_bytes = content::encode_manifest(theirs.core);
  const ContentId id = content::content_id_of(core_bytes);
  if (auto* tree = std::get_if<storage::SharedTree>(&hashed_)) {
    auto owner = std::make_shared<ServedTree>(std::move(*tree), std::move(theirs), core_bytes);
    auto content = serve_tree(owner);
    content->id = id;
    content->name = owner->theirs->tree->listing.name(0);
    content->manifest.core = &owner->theirs->core;
    content->manifest.core_bytes = owner->core_bytes;
    content->manifest.entries = &owner->theirs->entries;
    return content;
  }
  storage::SharedFile& file = std::get<storage::SharedFile>(hashed_);
  file.id = id;
  file.core = theirs.core;
  file.core_bytes = core_bytes;
  file.entry = std::move(theirs.entry);
  file.entries = std::move(theirs.entries);
  return serve_file(std::move(file));
}

bool folder_holds(const std::string& path, const content::ManifestCore& core, const content::TreeListing& listing,
                  const storage::HashOptions& options) {
  storage::HashOptions hashing = options;
  hashing.chunk_bytes = core.chunk_bytes;
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return false;
  const auto tree = storage::hash_tree(path, hashing);
  return tree && same_names(tree->listing, listing) && same_bytes(tree->core, core);
}

}  // namespace peernet::node
