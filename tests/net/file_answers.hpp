// Answers to requests out of a hashed file: honest ones, or with other bytes in the chunks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/share_hasher.hpp"
#include "wire/frames.hpp"

namespace peernet::testing_net {

inline std::vector<std::byte> part_of(ByteSpan bytes, const wire::RequestFrame& r) {
  const auto piece = bytes.subspan(r.offset, r.length);
  return {piece.begin(), piece.end()};
}

using Answers = std::function<std::vector<std::byte>(const wire::RequestFrame&)>;

/// Tables and core as they are in `file`, which must outlive the answers; chunks from `chunks`.
inline Answers answers(const storage::SharedFile& file, std::shared_ptr<const std::string> chunks) {
  using content::TableId;
  return [&file, bytes = std::move(chunks)](const wire::RequestFrame& r) -> std::vector<std::byte> {
    const auto page = [&](const content::PageTable& table) {
      std::vector<std::byte> reply(content::kMaxPageReplyBytes);
      reply.resize(table.write_reply(r.index, reply));
      return part_of(reply, r);
    };
    switch (static_cast<TableId>(r.table)) {
      case TableId::kManifest:
        return part_of(file.core_bytes, r);
      case TableId::kEntries:
        return page(file.entries);
      case TableId::kXxh3:
        return page(file.xxh3);
      case TableId::kSha256:
        return page(file.sha256);
      case TableId::kChunks:
        break;
    }
    const std::uint64_t start = file.core.chunk_start(ChunkIndex(r.index));
    return part_of(as_bytes(bytes->data(), bytes->size()).subspan(start), r);
  };
}

inline Answers answers(const storage::SharedFile& file, std::string chunks) {
  return answers(file, std::make_shared<const std::string>(std::move(chunks)));
}

}  // namespace peernet::testing_net
