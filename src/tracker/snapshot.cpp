#include "tracker/snapshot.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"

namespace peernet::tracker {
namespace {

constexpr char kMagic[] = "PNTRKSNP";
constexpr std::size_t kMagicSize = sizeof kMagic - 1;
constexpr std::size_t kHeaderSize = kMagicSize + 4 + 4 + 8;
constexpr std::size_t kChecksumSize = sizeof(Hash128);
constexpr std::size_t kTrailerSize = 1 + 8 + kChecksumSize;
constexpr std::size_t kLongestRecord = 1 + 16 + 2 + 4 + 1 + 4 + 4 + wire::kNodeTagSize + wire::kOwnershipBytes;

enum Record : std::uint8_t {
  kSwarm = 'S',
  kLegacyV4 = '4',
  kLegacyV6 = '6',
  kNodeV4 = 'n',
  kNodeV6 = 'N',
  kEnd = 'E',
};
constexpr std::uint8_t kSeeder = 0x01;  // flag of a legacy peer
constexpr std::uint8_t kNodeFlags = wire::kContentComplete | wire::kContentServed | wire::kReachesV4 | wire::kReachesV6;

void write_address(ByteWriter& out, const Address& address) {
  const ByteSpan ip(address.ip);
  out.bytes(address.is_v4() ? ip.subspan(12) : ip);
  out.u16(address.port);
}

Address read_address(ByteReader& in, bool v4) {
  Address out;
  if (v4) {
    const auto ip = in.array<4>();
    out = Address::v4(std::to_integer<std::uint8_t>(ip[0]), std::to_integer<std::uint8_t>(ip[1]),
                      std::to_integer<std::uint8_t>(ip[2]), std::to_integer<std::uint8_t>(ip[3]), 0);
  } else {
    out.ip = in.array<16>();
  }
  out.port = in.u16();
  return out;
}

// Reads a peer behind its record byte; false if its values contradict themselves.
bool read_peer(ByteReader& in, std::uint8_t record, PeerSummary& out) {
  out = {};
  const bool v4 = record == kLegacyV4 || record == kNodeV4;
  out.legacy = record == kLegacyV4 || record == kLegacyV6;
  wire::ListedNode& node = out.node;
  node.address = read_address(in, v4);
  node.age_ms = in.u32();
  const std::uint8_t flags = in.u8();
  if (node.address.port == 0 || node.address.is_v4() != v4) return false;
  if (out.legacy) {
    out.seeder = flags == kSeeder;
    return flags <= kSeeder;
  }
  node.flags = flags;
  node.rate_kib = in.u32();
  node.chunks = in.u32();
  node.node = in.array<wire::kNodeTagSize>();
  if ((flags & wire::kContentComplete) != 0) {
    node.owned.fill(std::byte{0xff});
  } else {
    node.owned = in.array<wire::kOwnershipBytes>();
  }
  return (flags & ~kNodeFlags) == 0;
}

// Walks the records between header and trailer; visitor may be null. False: malformed.
bool walk(ByteSpan records, std::uint64_t peers, const SnapshotVisitor* visitor) {
  ByteReader in(records);
  bool in_swarm = false;
  SwarmId swarm{};
  std::uint64_t seen = 0;
  while (in.remaining() != 0) {
    const std::uint8_t record = in.u8();
    if (record == kSwarm) {
      swarm = in.array<sizeof(SwarmId)>();
      const std::uint32_t completed = in.u32();
      if (in.failed()) return false;
      in_swarm = true;
      if (visitor != nullptr) visitor->swarm(swarm, completed);
      continue;
    }
    if (!in_swarm || (record != kLegacyV4 && record != kLegacyV6 && record != kNodeV4 && record != kNodeV6))
      return false;
    PeerSummary peer;
    if (!read_peer(in, record, peer) || in.failed()) return false;
    ++seen;
    if (visitor != nullptr) visitor->peer(swarm, peer);
  }
  return seen == peers;
}

}  // namespace

SnapshotEncoder::SnapshotEncoder(std::uint64_t second) {
  std::array<std::byte, kHeaderSize> header;
  ByteWriter out(header);
  out.bytes(as_bytes(kMagic, kMagicSize));
  out.u32(kSnapshotVersion);
  out.u32(0);
  out.u64(second);
  append(out.written());
}

void SnapshotEncoder::append(ByteSpan bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

void SnapshotEncoder::add(const SwarmSummary& swarm, const PeerSummary& peer) {
  std::array<std::byte, kLongestRecord> record;
  if (swarm_ != swarm.swarm) {
    ByteWriter out(record);
    out.u8(kSwarm);
    out.bytes(swarm.swarm);
    out.u32(swarm.completed);
    append(out.written());
    swarm_ = swarm.swarm;
  }
  const wire::ListedNode& node = peer.node;
  const bool v4 = node.address.is_v4();
  ByteWriter out(record);
  out.u8(peer.legacy ? (v4 ? kLegacyV4 : kLegacyV6) : (v4 ? kNodeV4 : kNodeV6));
  write_address(out, node.address);
  out.u32(node.age_ms);
  if (peer.legacy) {
    out.u8(peer.seeder ? kSeeder : 0);
  } else {
    out.u8(node.flags & kNodeFlags);
    out.u32(node.rate_kib);
    out.u32(node.chunks);
    out.bytes(node.node);
    if ((node.flags & wire::kContentComplete) == 0) out.bytes(node.owned);
  }
  append(out.written());
  ++peers_;
}

void SnapshotEncoder::finish() {
  std::array<std::byte, 1 + 8> end;
  ByteWriter out(end);
  out.u8(kEnd);
  out.u64(peers_);
  append(out.written());
  checksum_.update(buffer_);
  append(checksum_.finish());
}

void SnapshotEncoder::clear() {
  checksum_.update(buffer_);
  buffer_.clear();
}

std::string_view text_of(SnapshotFault fault) {
  switch (fault) {
    case SnapshotFault::kForeign:
      return "it is not a snapshot of this program";
    case SnapshotFault::kOtherVersion:
      return "another version of this program made it";
    case SnapshotFault::kTooShort:
      return "it is cut off";
    case SnapshotFault::kChecksum:
      return "its checksum is wrong, it was cut off or changed";
    case SnapshotFault::kMalformed:
      return "what it says contradicts itself";
  }
  return "";
}

std::expected<SnapshotContents, SnapshotFault> read_snapshot(ByteSpan file, const SnapshotVisitor& visitor) {
  ByteReader in(file);
  const ByteSpan magic = in.bytes(std::min(kMagicSize, file.size()));
  if (!std::equal(magic.begin(), magic.end(), as_bytes(kMagic, kMagicSize).begin()))
    return std::unexpected(SnapshotFault::kForeign);
  const std::uint32_t version = in.u32();
  static_cast<void>(in.u32());
  SnapshotContents out;
  out.second = in.u64();
  if (in.failed() || in.remaining() < kTrailerSize) return std::unexpected(SnapshotFault::kTooShort);
  if (version != kSnapshotVersion) return std::unexpected(SnapshotFault::kOtherVersion);

  const Hash128 checksum = crypto::xxh3_128(file.first(file.size() - kChecksumSize));
  const ByteSpan records = in.bytes(in.remaining() - kTrailerSize);
  const std::uint8_t end = in.u8();
  out.peers = in.u64();
  if (in.array<kChecksumSize>() != checksum) return std::unexpected(SnapshotFault::kChecksum);
  if (end != kEnd || !walk(records, out.peers, nullptr)) return std::unexpected(SnapshotFault::kMalformed);
  walk(records, out.peers, &visitor);
  return out;
}

}  // namespace peernet::tracker
