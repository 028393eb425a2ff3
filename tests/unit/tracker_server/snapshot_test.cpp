// A snapshot is read back as it was written; anything else is refused before a single peer of it is believed.
#include "tracker/snapshot.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/bytes.hpp"

namespace peernet::tracker {
namespace {

struct Seen {
  SwarmId swarm{};
  std::uint32_t completed = 0;
  PeerSummary peer;
};

SwarmSummary swarm(std::uint8_t name, std::uint32_t completed) {
  SwarmSummary out;
  out.swarm.fill(std::byte{name});
  out.completed = completed;
  return out;
}

PeerSummary legacy(const Address& address, bool seeder, std::uint32_t age_ms) {
  PeerSummary out;
  out.legacy = true;
  out.seeder = seeder;
  out.node.address = address;
  out.node.age_ms = age_ms;
  return out;
}

PeerSummary node(const Address& address, std::uint8_t flags) {
  PeerSummary out;
  out.node = {.flags = flags, .address = address, .age_ms = 1234, .rate_kib = 99, .chunks = 77};
  out.node.node.fill(std::byte{0xab});
  out.node.owned.fill(std::byte{(flags & wire::kContentComplete) != 0 ? std::uint8_t{0xff} : std::uint8_t{0x5a}});
  return out;
}

Address v6(std::uint8_t last, std::uint16_t port) {
  Address out;
  out.ip[0] = std::byte{0x20};
  out.ip[15] = std::byte{last};
  out.port = port;
  return out;
}

std::vector<Seen> samples() {
  const Address a = Address::v4(1, 2, 3, 4, 5);
  return {{swarm(1, 7).swarm, 7, legacy(a, true, 0)},
          {swarm(1, 7).swarm, 7, legacy(v6(9, 65535), false, UINT32_MAX)},
          {swarm(2, 0).swarm, 0, node(a, wire::kContentServed)},
          {swarm(2, 0).swarm, 0, node(v6(1, 1), wire::kContentComplete | wire::kContentServed)},
          {swarm(1, 7).swarm, 7, node(v6(2, 2), wire::kReachesV4 | wire::kReachesV6)}};
}

std::vector<std::byte> encoded(const std::vector<Seen>& all, std::size_t write_every = 1000) {
  SnapshotEncoder encoder(1'700'000'000);
  std::vector<std::byte> out;
  const auto write = [&] {
    out.insert(out.end(), encoder.gathered().begin(), encoder.gathered().end());
    encoder.clear();
  };
  std::size_t n = 0;
  for (const Seen& seen : all) {
    encoder.add({.swarm = seen.swarm, .completed = seen.completed}, seen.peer);
    if (++n % write_every == 0) write();
  }
  encoder.finish();
  write();
  return out;
}

std::expected<SnapshotContents, SnapshotFault> decode(ByteSpan bytes, std::vector<Seen>& out) {
  std::uint32_t completed = 0;
  return read_snapshot(bytes,
                       {[&](const SwarmId&, std::uint32_t n) { completed = n; },
                        [&](const SwarmId& id, const PeerSummary& peer) { out.push_back({id, completed, peer}); }});
}

void refuse(ByteSpan bytes) {
  std::vector<Seen> seen;
  EXPECT_FALSE(decode(bytes, seen).has_value());
  EXPECT_TRUE(seen.empty());
}

// The checksum of a file that was changed on purpose.
void seal(std::vector<std::byte>& bytes) {
  const Hash128 sum = crypto::xxh3_128(ByteSpan(bytes).first(bytes.size() - sizeof(Hash128)));
  std::copy(sum.begin(), sum.end(), bytes.end() - static_cast<std::ptrdiff_t>(sum.size()));
}

TEST(Snapshot, IsReadBackAsItWasWritten) {
  const auto all = samples();
  for (const std::size_t write_every : {1u, 2u, 1000u}) {
    std::vector<Seen> seen;
    const auto contents = decode(encoded(all, write_every), seen);
    ASSERT_TRUE(contents);
    EXPECT_EQ(contents->second, 1'700'000'000u);
    EXPECT_EQ(contents->peers, all.size());
    ASSERT_EQ(seen.size(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      SCOPED_TRACE(i);
      EXPECT_EQ(seen[i].swarm, all[i].swarm);
      EXPECT_EQ(seen[i].completed, all[i].completed);
      const PeerSummary &a = seen[i].peer, &b = all[i].peer;
      EXPECT_EQ(a.legacy, b.legacy);
      EXPECT_EQ(a.seeder, b.seeder);
      EXPECT_EQ(a.node.flags, b.node.flags);
      EXPECT_EQ(a.node.address, b.node.address);
      EXPECT_EQ(a.node.age_ms, b.node.age_ms);
      EXPECT_EQ(a.node.rate_kib, b.node.rate_kib);
      EXPECT_EQ(a.node.chunks, b.node.chunks);
      EXPECT_EQ(a.node.node, b.node.node);
      EXPECT_EQ(a.node.owned, b.node.owned);
    }
  }
}

TEST(Snapshot, OfNothingIsASnapshot) {
  std::vector<Seen> seen;
  EXPECT_TRUE(decode(encoded({}), seen));
}

TEST(Snapshot, CutOffAnywhereIsRefused) {
  const auto good = encoded(samples());
  for (std::size_t size = 0; size < good.size(); ++size) refuse(ByteSpan(good).first(size));
  auto longer = good;
  longer.push_back(std::byte{0});
  refuse(longer);
}

TEST(Snapshot, WithAnyBitFlippedIsRefused) {
  const auto good = encoded(samples());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    // Only the reserved word is free, and the checksum covers that too.
    refuse(bad);
  }
}

TEST(Snapshot, UnderAGoodChecksumNoByteMakesItCrashOrContradictItself) {
  const auto good = encoded(samples());
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    auto bad = good;
    const std::size_t changes = 1 + random() % 4;
    for (std::size_t i = 0; i < changes; ++i)
      bad[random() % bad.size()] = std::byte{static_cast<std::uint8_t>(random())};
    if (random() % 4 == 0) bad.resize(random() % bad.size());
    if (bad.size() < sizeof(Hash128)) continue;
    seal(bad);
    std::vector<Seen> seen;
    const auto contents = decode(bad, seen);
    ASSERT_EQ(seen.size(), contents ? contents->peers : 0);
    for (const Seen& one : seen) ASSERT_NE(one.peer.node.address.port, 0);
  }
}

TEST(Snapshot, TheFaultIsNamed) {
  std::vector<Seen> seen;
  const auto good = encoded(samples());
  auto changed = good;
  changed[0] = std::byte{'X'};
  EXPECT_EQ(decode(changed, seen).error(), SnapshotFault::kForeign);
  changed = good;
  changed[11] = std::byte{2};
  seal(changed);
  EXPECT_EQ(decode(changed, seen).error(), SnapshotFault::kOtherVersion);
  EXPECT_EQ(decode(ByteSpan(good).first(30), seen).error(), SnapshotFault::kTooShort);
  EXPECT_EQ(decode(ByteSpan(good).first(good.size() - 1), seen).error(), SnapshotFault::kChecksum);
  changed = good;
  changed[changed.size() - sizeof(Hash128) - 1] ^= std::byte{1};  // the number of peers
  seal(changed);
  EXPECT_EQ(decode(changed, seen).error(), SnapshotFault::kMalformed);
  for (const SnapshotFault fault : {SnapshotFault::kForeign, SnapshotFault::kOtherVersion, SnapshotFault::kTooShort,
                                    SnapshotFault::kChecksum, SnapshotFault::kMalformed})
    EXPECT_FALSE(text_of(fault).empty());
}

}  // namespace
}  // namespace peernet::tracker
