// Everything that a hostile publisher or source can say about a content: the core, entry pages, table pages with
// proofs.
#include <algorithm>

#include "content/entries.hpp"
#include "content/manifest.hpp"
#include "content/table.hpp"
#include "fuzz/fuzz.hpp"

using namespace peernet;
using namespace peernet::content;

namespace {

void check_core(ByteSpan bytes) {
  const Result<ManifestCore> core = decode_manifest(bytes);
  if (!core) return;
  PN_CHECK(std::ranges::equal(encode_manifest(*core), bytes));
  PN_CHECK(core->chunk_count <= kMaxChunkCount);
  if (core->chunk_count != 0) {
    const ChunkIndex last{core->chunk_count - 1};
    PN_CHECK(core->chunk_start(last) + core->chunk_span(last) == core->total_bytes);
  }
  for (const TableId id : {TableId::kEntries, TableId::kXxh3, TableId::kSha256}) {
    const TableShape shape = table_shape(*core, id);
    PN_CHECK(shape.pages == 0 || shape.reply_bytes(shape.pages - 1) <= kMaxPageReplyBytes);
  }
}

void check_entry_page(ByteSpan bytes) {
  const Result<EntryPage> page = decode_entry_page(bytes);
  if (!page) return;
  PN_CHECK(!page->entries.empty());
  for (const Entry& entry : page->entries) PN_CHECK(valid_entry_path(entry.path) && (entry.mode & ~0777U) == 0);
  const Result<std::vector<std::byte>> encoded = encode_entries(page->entries);
  if (!encoded || encoded->size() > kPageBytes) return;  // sizes that overflow only when placed one after the other
  const Result<EntryPage> again = decode_entry_page(*encoded);
  PN_CHECK(again.has_value() && again->entries == page->entries);
}

/// A page of a table whose root is known: accepted only if it is the genuine one.
void check_table_page(fuzz::Input& input) {
  ManifestCore core;
  core.chunk_bytes = kMinChunkBytes;
  core.chunk_count = 1 + input.u16() % 4000;
  core.total_bytes = core.payload_bytes = std::uint64_t{core.chunk_count} * kMinChunkBytes;
  const TableId id = (input.u8() & 1U) != 0 ? TableId::kXxh3 : TableId::kSha256;
  const TableShape shape = table_shape(core, id);
  std::vector<std::byte> bytes(shape.bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 256);
  const PageTable genuine = PageTable::build(shape, bytes);
  const std::uint32_t page = input.u8() % shape.pages;
  std::vector<std::byte> reply(shape.reply_bytes(page));
  PN_CHECK(genuine.write_reply(page, reply) == reply.size());
  const std::vector<std::byte> before = reply;
  const std::uint32_t where = input.u32();
  const std::vector<std::byte> change = input.rest();
  for (std::size_t i = 0; i < change.size(); ++i) reply[(where + i) % reply.size()] = change[i];
  PageTable sink(genuine.shape());
  const PageVerdict verdict = sink.accept_page(page, reply);
  PN_CHECK((verdict == PageVerdict::kAccepted) == (reply == before));
  PN_CHECK(sink.has_page(page) == (reply == before));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.u8() % 3) {
    case 0:
      check_core(input.rest());
      break;
    case 1:
      check_entry_page(input.rest());
      break;
    default:
      check_table_page(input);
  }
  return 0;
}
