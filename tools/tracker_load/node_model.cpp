#include "node_model.hpp"

#include <algorithm>

namespace peernet::tracker_load {
namespace {

constexpr std::uint32_t kChunks = 1000;
constexpr std::uint32_t kRateKib = 10'000;

}  // namespace

wire::NodeTag NodeModel::tag_of(std::uint32_t node) const {
  wire::NodeTag tag;
  ByteWriter writer(tag);
  writer.u64(mix64(seed_ ^ node));
  writer.u64(node);
  return tag;
}

std::optional<std::uint32_t> NodeModel::node_of(const wire::NodeTag& tag) const {
  ByteReader reader(ByteSpan(tag).last(8));
  const std::uint64_t node = reader.u64();
  if (node >= nodes_ || tag != tag_of(static_cast<std::uint32_t>(node))) return std::nullopt;
  return static_cast<std::uint32_t>(node);
}

wire::OwnershipBits NodeModel::owned_by(std::uint32_t node) const {
  if (complete(node)) return wire::all_owned();
  wire::OwnershipBits bits;
  ByteWriter writer(bits);
  writer.u64(mix64(node));
  writer.u64(mix64(node) << 1);  // its last bit is zero: never everything
  return bits;
}

std::uint8_t NodeModel::flags_of(std::uint32_t node) const {
  return static_cast<std::uint8_t>(wire::kContentServed | (complete(node) ? wire::kContentComplete : 0));
}

bool NodeModel::is_as_announced(std::uint32_t node, const Address& address, std::uint8_t flags,
                                const wire::OwnershipBits& owned) const {
  return address.is_v4() && ByteReader(ByteSpan(address.ip).last(4)).u32() == address_of(node) &&
         (flags & (wire::kContentServed | wire::kContentComplete)) == flags_of(node) && owned == owned_by(node);
}

std::size_t NodeModel::write_announce(std::uint32_t node, std::uint32_t entry, std::uint32_t numwant,
                                      const wire::TrackerHeader& header, MutableByteSpan out) const {
  return wire::encode(out, header,
                      wire::NodeAnnounce{.swarm = swarm_id(seed_, swarm_of(node, entry)),
                                         .node = tag_of(node),
                                         .flags = static_cast<std::uint8_t>(flags_of(node) | wire::kReachesV4),
                                         .numwant = static_cast<std::uint8_t>(std::min(numwant, wire::kMaxNodePeers)),
                                         .chunks = kChunks,
                                         .rate_kib = kRateKib,
                                         .owned = owned_by(node)});
}

std::size_t NodeModel::write_heartbeat(std::uint32_t node, std::uint32_t entry, std::uint32_t count,
                                       const wire::TrackerHeader& header, MutableByteSpan out) const {
  wire::Heartbeat beat;
  beat.node = tag_of(node);
  beat.rate_kib = kRateKib;
  const wire::OwnershipBits owned = owned_by(node);
  for (std::uint32_t i = 0; i < count; ++i)
    beat.entries.push_back({swarm_id(seed_, swarm_of(node, entry + i)), flags_of(node), owned});
  return wire::encode(out, header, beat);
}

}  // namespace peernet::tracker_load
