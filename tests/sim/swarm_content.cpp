#include "sim/swarm_content.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "content/merkle.hpp"
#include "crypto/hash.hpp"

namespace peernet::sim {

namespace {

constexpr std::size_t kStripe = 64;                // XXH3 takes 64 bytes a round, eight words
constexpr std::uint32_t kShortestForgeable = 512;  // XXH3 has other ways for up to 240 bytes
// The low halves of the first words of XXH3's secret (xxhash.h, XXH3_kSecret) for rounds 0 and 1.
constexpr ByteArray<4> kSecret0{std::byte{0xb8}, std::byte{0xfe}, std::byte{0x6c}, std::byte{0x39}};
constexpr ByteArray<4> kSecret1{std::byte{0x7c}, std::byte{0x01}, std::byte{0x81}, std::byte{0x2c}};

std::vector<std::byte> random_bytes(std::uint64_t seed, std::uint64_t size) {
  Rng rng(seed);
  std::vector<std::byte> out(size + 8);
  for (std::uint64_t at = 0; at < size; at += 8) {
    const std::uint64_t word = rng.next();
    std::memcpy(out.data() + at, &word, 8);
  }
  out.resize(size);
  return out;
}

void add_to_high_half(std::vector<std::byte>& bytes, std::size_t word, std::uint32_t what) {
  std::uint32_t high = 0;
  std::memcpy(&high, bytes.data() + word + 4, 4);
  high += what;
  std::memcpy(bytes.data() + word + 4, &high, 4);
}

}  // namespace

SwarmContent::SwarmContent(std::uint64_t seed, std::uint64_t bytes, std::uint32_t chunk_bytes, bool is_private)
    : bytes_(random_bytes(seed, bytes)) {
  core_.chunk_bytes = chunk_bytes;
  core_.total_bytes = core_.payload_bytes = bytes;
  core_.chunk_count = content::chunk_count_for(bytes, chunk_bytes);
  core_.entry_count = 1;
  std::vector<std::byte> xxh3, sha256;
  for (std::uint32_t c = 0; c < core_.chunk_count; ++c) {
    const std::uint32_t length = core_.chunk_span(ChunkIndex(c));
    std::byte* at = bytes_.data() + core_.chunk_start(ChunkIndex(c));
    if (length >= kShortestForgeable) {
      std::ranges::copy(kSecret0, at);
      std::ranges::copy(kSecret1, at + kStripe);
    }
    const Hash128 fast = crypto::xxh3_128({at, length});
    const Hash256 strong = content::chunk_sha256({at, length}, content::chunk_tree_height(core_));
    xxh3.insert(xxh3.end(), fast.begin(), fast.end());
    sha256.insert(sha256.end(), strong.begin(), strong.end());
  }
  xxh3_ = content::PageTable::build(content::table_shape(core_, content::TableId::kXxh3), xxh3);
  sha256_ = content::PageTable::build(content::table_shape(core_, content::TableId::kSha256), sha256);
  core_.xxh3_root = xxh3_.root();
  core_.sha256_root = sha256_.root();
  content::Entry entry;
  entry.size = bytes;
  entry.path = "simulated";
  const auto entries = content::encode_entries({entry});
  PN_CHECK(entries.has_value());
  core_.entry_table_bytes = static_cast<std::uint32_t>(entries->size());
  entries_ = content::PageTable::build(content::table_shape(core_, content::TableId::kEntries), *entries);
  core_.entry_root = entries_.root();
  core_bytes_ = content::encode_manifest(core_);
  id_ = content::content_id_of(core_bytes_);
  if (is_private) {
    key_.emplace();
    Rng rng(seed ^ 0x6b6579);
    for (auto& b : *key_) b = static_cast<std::byte>(rng.next());
  }
  swarm_ = crypto::swarm_id(key_, id_);
}

std::vector<std::byte> SwarmContent::forged(ChunkIndex chunk) const {
  const ByteSpan right = this->chunk(chunk);
  std::vector<std::byte> out(right.begin(), right.end());
  if (out.size() < kShortestForgeable) return out;
  add_to_high_half(out, 0, 1);
  add_to_high_half(out, kStripe, UINT32_MAX);  // minus one: the sum is what it was
  PN_CHECK(crypto::xxh3_128(out) == crypto::xxh3_128(right) && !std::ranges::equal(out, right));
  return out;
}

std::shared_ptr<node::SharedContent> SwarmContent::shared(std::shared_ptr<node::ContentBytes> bytes) const {
  auto out = std::make_shared<node::SharedContent>();
  out->id = id_;
  out->key = key_;
  out->swarm = swarm_;
  out->name = "simulated";
  out->transfer = std::make_shared<node::TransferState>();
  out->manifest = {.core = &core_, .core_bytes = core_bytes_, .entries = &entries_, .xxh3 = &xxh3_, .sha256 = &sha256_};
  out->bytes = std::move(bytes);
  out->spread = std::make_unique<swarm::Spread>(core_.chunk_count);
  return out;
}

peernet::Link SwarmContent::link(const NodeId& publisher) const {
  peernet::Link out;
  out.content_id = id_;
  out.swarm_key = key_;
  out.publisher_id = publisher;
  out.name = "simulated";
  return out;
}

}  // namespace peernet::sim
