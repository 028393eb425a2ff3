// docs/protocol.md is checked here: its vectors are computed from the inputs it names, its tables are compared with
// spec.hpp. A vector that no test computes, or that the document lacks, fails.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "content/entries.hpp"
#include "content/manifest.hpp"
#include "content/table.hpp"
#include "content/tree_chunks.hpp"
#include "content/tree_listing.hpp"
#include "crypto/hash.hpp"
#include "crypto/initial_keys.hpp"
#include "crypto/join_proof.hpp"
#include "crypto/packet_keys.hpp"
#include "document.hpp"
#include "peernet/link.hpp"
#include "wire/frames.hpp"
#include "wire/packet.hpp"
#include "wire/parameters.hpp"

namespace peernet::wire {
namespace {

constexpr std::uint64_t kInitiatorId = 0x8394c8f03e515708;
constexpr SessionId kInitiatorSession{0x01020304};
constexpr SessionId kResponderSession{0xa1b2c3d4};
constexpr SessionId kFirstReceiver{0x0badcafe};

using Buffer = std::vector<std::byte>;

std::string document() {
  return read_document(PEERNET_PROTOCOL_DOCUMENT);
}

ByteSpan text(std::string_view s) {
  return text_bytes(s);
}

class Vectors {
 public:
  std::map<std::string, std::string> all;

  void add(const std::string& name, ByteSpan bytes) { all[name] = hex(bytes); }
  void add(const std::string& name, const Frame& frame) {
    Buffer out(encoded_size(frame));
    ByteWriter w(out);
    EXPECT_TRUE(encode(frame, w)) << name;
    add("frame " + name, ByteSpan(out));
  }
};

void add_packets(Vectors& v) {
  using From = crypto::InitialProtection::From;
  const crypto::InitialKeys keys = crypto::derive_initial_keys(kInitiatorId);
  v.add("initial salt", crypto::initial_salt());
  v.add("initiator key", keys.initiator.key);
  v.add("initiator iv", keys.initiator.iv);
  v.add("responder key", keys.responder.key);
  v.add("responder iv", keys.responder.iv);
  v.add("retry key", crypto::retry_key().key);
  v.add("retry iv", crypto::retry_key().iv);

  crypto::InitialProtection protection(crypto::AeadBackend::kOpenssl);
  protection.rekey(kInitiatorId);
  const HandshakeHeader h{{PacketType::kHandshake, 0, kFirstReceiver, PacketNumber(2)},
                          kVersion,
                          kInitiatorId,
                          kInitiatorSession,
                          text("token")};
  Buffer packet(kMaxDatagram);
  ByteWriter w(packet);
  EXPECT_TRUE(encode(h, w) && encode(HandshakeBody{7, 5, text("hello")}, w));
  w.zeros(3);
  const std::size_t clear = clear_size(h);
  protection.seal(From::kInitiator, h.packet.number, ByteSpan(packet).first(clear),
                  ByteSpan(packet).subspan(clear, w.position() - clear), MutableByteSpan(packet).subspan(clear));
  v.add("handshake packet", ByteSpan(packet).first(w.position() + kTagSize));

  ByteWriter r(packet);
  EXPECT_TRUE(encode(
      Retry{{PacketType::kRetry, 0, kInitiatorSession, PacketNumber(0)}, kVersion, kInitiatorId, text("opaque")}, r));
  r.bytes(protection.retry_tag(ByteSpan(packet).first(r.position())));
  v.add("retry packet", r.written());
}

void add_session(Vectors& v) {
  Hash256 secret;
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::byte>(i);
  for (const auto cipher : {crypto::Cipher::kAes128Gcm, crypto::Cipher::kAes256Gcm}) {
    const std::string prefix = cipher == crypto::Cipher::kAes128Gcm ? "aes128 " : "aes256 ";
    crypto::PacketSealer sealer({.cipher = cipher, .backend = crypto::AeadBackend::kOpenssl}, secret);
    const auto data = [&](const std::string& name, std::uint64_t number) {
      Buffer packet(kDataOverhead + 7);
      const DataHeader h{
          {PacketType::kData, kFlagAckNow, kResponderSession, PacketNumber(number)}, RequestId(0x01000002), 0x00010000};
      encode(h, std::span<std::byte, kDataHeaderSize>(packet.data(), kDataHeaderSize));
      sealer.seal(h.packet.number, ByteSpan(packet).first(kDataHeaderSize), text("content"),
                  MutableByteSpan(packet).subspan(kDataHeaderSize));
      v.add(prefix + name, ByteSpan(packet));
    };
    data("data packet 0", 0);
    Buffer body(11);
    ByteWriter w(body);
    EXPECT_TRUE(encode(Frame{PingFrame{0x0102030405060708}}, w));
    Buffer packet(kControlOverhead + body.size());
    const PacketHeader h{PacketType::kControl, 0, kResponderSession, PacketNumber(1)};
    encode(h, std::span<std::byte, kHeaderSize>(packet.data(), kHeaderSize));
    sealer.seal(h.number, ByteSpan(packet).first(kHeaderSize), body, MutableByteSpan(packet).subspan(kHeaderSize));
    v.add(prefix + "control packet 1 with a ping", ByteSpan(packet));
    data("data packet 2^22 (epoch 1)", std::uint64_t{1} << kKeyEpochShift);
  }
  Hash256 next;
  crypto::hkdf_expand(secret, crypto::label("pn1 next"), next);
  v.add("secret of epoch 1", next);

  Parameters p;
  p.features = 0;
  p.instance_id = 0x1122334455667788;
  p.shard_count = 2;
  p.ciphers = kCipherAes128Gcm | kCipherAes256Gcm;
  p.max_datagram = 1472;
  p.max_requests = 64;
  Buffer block(34);
  ByteWriter w(block);
  EXPECT_TRUE(encode(p, w));
  v.add("parameter block with its length", ByteSpan(block));
}

void add_frames(Vectors& v) {
  const ContentSlot slot(3);
  const RequestId request(0x01000002);
  AckFrame ack{{}, 1000, 5, 0, 1};
  ack.ranges.push_back({PacketNumber(8), PacketNumber(10)});
  ack.ranges.push_back({PacketNumber(5), PacketNumber(6)});
  HaveFrame have{slot, false, {}};
  have.ranges.push_back({ChunkIndex(0), 10});
  have.ranges.push_back({ChunkIndex(100), 1});
  PexFrame pex;
  pex.peers.push_back(Address::v4(192, 0, 2, 1, 4711));
  Address six;
  six.ip[0] = std::byte{0x20};
  six.ip[1] = std::byte{0x01};
  six.ip[15] = std::byte{1};
  six.port = 443;
  pex.peers.push_back(six);
  const ByteArray<2> bitmap{std::byte{0x80}, std::byte{0x01}};
  const Hash256 leaf = filled<32>(0x1e);

  v.add("padding", PaddingFrame{2});
  v.add("ack", ack);
  v.add("handshake_done", HandshakeDoneFrame{});
  v.add("ping", PingFrame{0x0102030405060708});
  v.add("pong", PongFrame{0x0102030405060708});
  v.add("path_challenge", PathChallengeFrame{0x1112131415161718});
  v.add("path_response", PathResponseFrame{0x1112131415161718});
  v.add("close", CloseFrame{CloseCode::kProtocol, "bad frame"});
  v.add("join", JoinFrame{slot, filled<20>(0x5a), filled<32>(0x3c)});
  v.add("join_res", JoinResFrame{slot, JoinStatus::kOk, filled<32>(0x3c)});
  v.add("have", have);
  v.add("have_map", HaveMapFrame{slot, 1, bitmap});
  v.add("request", RequestFrame{slot, request, Table::kChunks, 17, 0, 1 << 20, 5000});
  v.add("cancel", CancelFrame{request});
  v.add("cancelled", CancelledFrame{request});
  v.add("reject", RejectFrame{request, RejectReason::kBusy});
  v.add("hash_req", HashReqFrame{slot, ChunkIndex(17)});
  v.add("hashes", HashesFrame{slot, ChunkIndex(17), 32, leaf});
  v.add("pex", pex);
  v.add("limits", LimitsFrame{64, 1 << 26});
  v.add("leave", LeaveFrame{slot, LeaveReason::kGoodbye});
}

/// A file "hello.txt" with the 6 bytes "hello\n", mode 0644, modified at 1700000000.5.
void add_content(Vectors& v) {
  content::Entry entry;
  entry.path = "hello.txt";
  entry.size = 6;
  entry.mtime_s = 1'700'000'000;
  entry.mtime_ns = 500'000'000;
  const auto entries = content::encode_entries({entry});
  ASSERT_TRUE(entries.has_value());
  content::ManifestCore core;
  core.total_bytes = core.payload_bytes = 6;
  core.chunk_count = core.entry_count = 1;
  core.entry_table_bytes = static_cast<std::uint32_t>(entries->size());
  const Hash128 xxh3 = crypto::xxh3_128(text("hello\n"));
  const Hash256 sha = content::chunk_sha256(text("hello\n"), content::chunk_tree_height(core));
  core.entry_root = content::PageTable::build(table_shape(core, content::TableId::kEntries), *entries).root();
  core.xxh3_root = content::PageTable::build(table_shape(core, content::TableId::kXxh3), xxh3).root();
  core.sha256_root = content::PageTable::build(table_shape(core, content::TableId::kSha256), sha).root();
  v.add("entry page", ByteSpan(*entries));
  v.add("xxh3 page", xxh3);
  v.add("manifest core", content::encode_manifest(core));
  const ContentId id = content::content_id_of(core);
  v.add("content id", id);

  const SwarmKey key = filled<32>(0x6b);
  v.add("swarm id", crypto::swarm_id(key, id));
  v.add("swarm id, public", crypto::swarm_id(std::nullopt, id));
  crypto::JoinClaim claim{crypto::JoinRole::kJoin, filled<32>(0xb1), filled<32>(0xa1), filled<32>(0xa2), id};
  v.add("mac of join", crypto::join_proof(key, claim));
  claim.role = crypto::JoinRole::kJoinResponse;
  std::swap(claim.prover, claim.verifier);
  v.add("mac of join_res", crypto::join_proof(key, claim));
  v.all["link"] = format_link({.content_id = id,
                               .swarm_key = key,
                               .publisher_id = filled<32>(0xa1),
                               .trackers = {"tracker.example:6969"},
                               .peers = {"[2001:db8::1]:4711"},
                               .name = "hello.txt"});
}

/// A folder "photos" (0755, modified at 1700000000) with the file "a.txt" of the 6 bytes "hello\n", "b.bin" of 16384
/// bytes 0x61, both 0644, and the link "latest" to "a.txt" (0777), all modified at 1700000000.5.
void add_tree(Vectors& v) {
  const auto entry = [](const char* path, content::EntryKind kind, std::uint16_t mode, std::uint64_t size) {
    content::Entry out{.kind = kind, .mode = mode, .mtime_s = 1'700'000'000, .mtime_ns = 500'000'000, .size = size};
    out.path = path;
    return out;
  };
  std::vector<content::Entry> list{entry("photos", content::EntryKind::kDirectory, 0755, 0),
                                   entry("photos/a.txt", content::EntryKind::kFile, 0644, 6),
                                   entry("photos/b.bin", content::EntryKind::kFile, 0644, 16384),
                                   entry("photos/latest", content::EntryKind::kSymlink, 0777, 0)};
  list[0].mtime_ns = 0;
  list[3].target = "a.txt";
  const auto entries = content::encode_entries(list);
  ASSERT_TRUE(entries.has_value());
  content::ManifestCore core;
  core.kind = content::ContentKind::kTree;
  core.total_bytes = 2 * 16384;
  core.payload_bytes = 6 + 16384;
  core.chunk_count = 1;
  core.entry_count = 4;
  core.entry_table_bytes = static_cast<std::uint32_t>(entries->size());
  const auto table = content::PageTable::build(table_shape(core, content::TableId::kEntries), *entries);
  core.entry_root = table.root();
  const auto listing = content::decode_tree(core, table);
  ASSERT_TRUE(listing.has_value());
  std::string bytes = "hello\n";
  bytes.resize(6 + 16384, 'a');
  const Hash128 xxh3 = crypto::xxh3_128(text(bytes));
  const Hash256 sha =
      content::tree_chunk_sha256(listing->layout(), ChunkIndex{0}, text(bytes), content::chunk_tree_height(core));
  core.xxh3_root = content::PageTable::build(table_shape(core, content::TableId::kXxh3), xxh3).root();
  core.sha256_root = content::PageTable::build(table_shape(core, content::TableId::kSha256), sha).root();
  v.add("tree entry page", ByteSpan(*entries));
  v.add("tree xxh3 page", xxh3);
  v.add("tree sha256 page", sha);
  v.add("tree manifest core", content::encode_manifest(core));
  v.add("tree content id", content::content_id_of(core));
}

TEST(ProtocolDocument, EveryVectorIsRight) {
  Vectors v;
  add_packets(v);
  add_session(v);
  add_frames(v);
  add_content(v);
  add_tree(v);
  expect_documented(v.all, document(), "docs/protocol.md");
  EXPECT_GT(v.all.size(), 40u);
}

TEST(ProtocolDocument, FramesDecodeFromTheirVectors) {
  std::size_t frames = 0;
  for (const auto& [name, value] : vectors_of(document())) {
    if (!name.starts_with("frame ")) continue;
    const Buffer bytes = from_hex(value);
    FrameReader reader(bytes);
    Frame frame;
    if (name == "frame padding") {
      EXPECT_EQ(reader.next(frame), FrameStatus::kEnd);
    } else {
      ASSERT_EQ(reader.next(frame), FrameStatus::kFrame) << name;
      EXPECT_EQ("frame " + std::string(name_of(type_of(frame))), name);
      EXPECT_EQ(reader.next(frame), FrameStatus::kEnd);
    }
    ++frames;
  }
  EXPECT_EQ(frames, std::variant_size_v<Frame>);
}

TEST(ProtocolDocument, TheTablesOfTypesAreThoseOfTheCode) {
  const std::string text = document();
  const std::regex row(R"(\n\| 0x([0-9a-f]{2}) \| ([a-z_]+) \|)");
  std::map<unsigned, std::string> rows;
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it)
    rows[static_cast<unsigned>(std::stoul((*it)[1], nullptr, 16))] = (*it)[2];
  std::map<unsigned, std::string> expected{{0x51, "handshake"}, {0x52, "retry"}, {0x53, "data"}, {0x54, "control"}};
  for (unsigned type = 0; type < 256; ++type) {
    const std::string name = name_of(static_cast<FrameType>(type));
    if (name != "unknown") expected[type] = name;
  }
  EXPECT_EQ(rows, expected);
  const std::regex size_row(R"(\| (0x5[1-4]) \| [a-z]+ \|[^|]*\|[^|]*\| (\d+) \|)");
  std::size_t sizes = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), size_row), end; it != end; ++it, ++sizes) {
    const auto type = static_cast<PacketType>(std::stoul((*it)[1], nullptr, 16));
    EXPECT_EQ(min_packet_size(type), std::stoul((*it)[2])) << (*it)[1];
  }
  EXPECT_EQ(sizes, 4u);
}

TEST(ProtocolDocument, TheNumbersOfTheTextAreThoseOfTheCode) {
  const std::string text = document();
  const auto says = [&](const std::string& words) { return text.find(words) != std::string::npos; };
  EXPECT_TRUE(says("token length u16 (at most " + std::to_string(kMaxTokenSize) + ")"));
  EXPECT_TRUE(says("acked never pass " + std::to_string(kMaxHandshakeStream)));
  EXPECT_TRUE(says("length, " + std::to_string(kParametersSize) + " to " + std::to_string(kMaxParameterBlock)));
  EXPECT_TRUE(says("number / 2^" + std::to_string(kKeyEpochShift)));
  EXPECT_TRUE(says("window of " + std::to_string(kReplayWindow)));
  EXPECT_TRUE(says("at most " + std::to_string(kMaxAckDelayMs)));
  EXPECT_TRUE(says("count u8 (1 to " + std::to_string(kMaxAckRanges) + ")"));
  EXPECT_TRUE(says("text (at most " + std::to_string(kMaxCloseText) + " bytes)"));
  EXPECT_TRUE(says("bitmap (1 to " + std::to_string(kHaveMapBytes) + " bytes)"));
  EXPECT_TRUE(says("1 to " + std::to_string(kMaxHashesPerFrame) + " leaf hashes"));
  EXPECT_TRUE(says("0 to " + std::to_string(kMaxPexPeers) + " times family"));
  EXPECT_TRUE(says("page u32 (at most " + std::to_string(UINT32_MAX / kHaveMapChunks) + ")"));
  EXPECT_TRUE(says("core (table 1, index 0), " + std::to_string(content::kManifestBytes) + " bytes"));
}

/// The two rooms may not include each other; what both must agree on is compared here.
TEST(ProtocolDocument, WireAndCryptoAgree) {
  EXPECT_EQ(kKeyEpochShift, crypto::kEpochShift);
  EXPECT_EQ(kOldEpochWindow, crypto::kPreviousEpochGrace);
  EXPECT_EQ(kTagSize, crypto::kAeadTagBytes);
  EXPECT_EQ(kCipherAes128Gcm, static_cast<std::uint8_t>(crypto::Cipher::kAes128Gcm));
  EXPECT_EQ(kCipherAes256Gcm, static_cast<std::uint8_t>(crypto::Cipher::kAes256Gcm));
  EXPECT_EQ(static_cast<int>(Table::kSha256Layer), static_cast<int>(content::TableId::kSha256));
  EXPECT_EQ(static_cast<int>(Table::kXxh3), static_cast<int>(content::TableId::kXxh3));
  EXPECT_EQ(static_cast<int>(Table::kEntries), static_cast<int>(content::TableId::kEntries));
  EXPECT_EQ(static_cast<int>(Table::kManifestCore), static_cast<int>(content::TableId::kManifest));
}

}  // namespace
}  // namespace peernet::wire
