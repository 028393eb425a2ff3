#include "hostile_cases.hpp"

#include <algorithm>

#include "packets.hpp"

namespace peernet::tracker_load {
namespace {

constexpr std::size_t kOnePacket = 1472;
constexpr std::uint16_t kPort = 3000;

using Event = wire::AnnounceEvent;

std::size_t put_random(HostileSender& s, MutableByteSpan out) {
  for (std::byte& b : out) b = static_cast<std::byte>(s.rng.next());
  return out.size();
}

void put_u32(MutableByteSpan out, std::size_t at, std::uint32_t value) {
  ByteWriter(out.subspan(at)).u32(value);
}
void put_u64(MutableByteSpan out, std::size_t at, std::uint64_t value) {
  ByteWriter(out.subspan(at)).u64(value);
}

// Offsets in an announce (BEP 15).
constexpr std::size_t kDownloadedAt = 56;
constexpr std::size_t kLeftAt = 64;
constexpr std::size_t kUploadedAt = 72;
constexpr std::size_t kEventAt = 80;
constexpr std::size_t kIpAt = 84;
constexpr std::size_t kNumwantAt = 92;
constexpr std::size_t kPortAt = 96;

// A good announce, to be spoilt.
std::size_t announce(const HostileSender& s, MutableByteSpan out, std::uint32_t i, std::uint64_t connection_id,
                     std::uint16_t port = kPort) {
  return write_announce(out, {.connection_id = connection_id,
                              .transaction = 0x10000 + i,
                              .client = i,
                              .swarm = swarm_id(s.seed, 0),
                              .event = Event::kStarted,
                              .numwant = 30,
                              .port = port});
}

std::size_t header(MutableByteSpan out, std::uint64_t connection_id, wire::TrackerAction action, std::uint32_t i) {
  return write_header(out, connection_id, static_cast<std::uint32_t>(action), i);
}

void add_connects(HostileSender& s, std::vector<HostileCase>& to) {
  to.push_back({"connect", "16 bytes for 16: the base line", Proof::kNone, Served::kMaybe, 16, 0,
                [](MutableByteSpan b, std::uint32_t i) { return write_connect(b, i); }});
  to.push_back({"connect_bad_magic", "silence or an error, never a connection id", Proof::kNone, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  write_connect(b, i);
                  put_u64(b, 0, s.rng.next());
                  return std::size_t{16};
                }});
  to.push_back(
      {"connect_truncated", "silence", Proof::kNone, Served::kNever, 0, 0, [&s](MutableByteSpan b, std::uint32_t i) {
         write_connect(b, i);
         return static_cast<std::size_t>(s.rng.below(16));
       }});
  to.push_back({"extended_connect", "a reply that is not longer", Proof::kNone, Served::kMaybe,
                wire::kExtendedConnectSize, 0,
                [](MutableByteSpan b, std::uint32_t i) { return wire::encode_connect(b, {i, true}); }});
  to.push_back({"extended_connect_unpadded", "a reply that is not longer", Proof::kNone, Served::kMaybe, 20, 0,
                [](MutableByteSpan b, std::uint32_t i) {
                  wire::encode_connect(b, {i, true});
                  return std::size_t{20};
                }});
}

void add_wrong_ids(HostileSender& s, std::vector<HostileCase>& to) {
  to.push_back({"announce_wrong_id", "silence or a short error", Proof::kNone, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) { return announce(s, b, i, s.rng.next() | 1); }});
  to.push_back({"announce_zero_id", "silence or a short error", Proof::kNone, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) { return announce(s, b, i, 0); }});
  to.push_back({"announce_magic_as_id", "silence or a short error", Proof::kNone, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) { return announce(s, b, i, wire::kTrackerMagic); }});
  to.push_back({"short_wrong_id", "silence: an error would be longer than the request", Proof::kNone, Served::kNever, 0,
                0, [&s](MutableByteSpan b, std::uint32_t i) {
                  return header(b, s.rng.next() | 1,
                                i % 2 ? wire::TrackerAction::kScrape : wire::TrackerAction::kAnnounce, i);
                }});
  to.push_back({"scrape_wrong_id", "silence or a short error", Proof::kNone, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = header(b, s.rng.next() | 1, wire::TrackerAction::kScrape, i);
                  put_hash(b, size, swarm_id(s.seed, 0));
                  return size + wire::kInfoHashSize;
                }});
  if (s.has_other_address)
    to.push_back({"announce_id_of_other_address", "silence or a short error: the id is tied to the address",
                  Proof::kNone, Served::kNever, 0, 0,
                  [&s](MutableByteSpan b, std::uint32_t i) { return announce(s, b, i, s.id_of_other_address); }});
  to.push_back({"heartbeat_wrong_id", "silence or a short error", Proof::kNone, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = header(b, s.rng.next() | 1, wire::TrackerAction::kHeartbeat, i);
                  return size + put_random(s, b.subspan(size, 700));
                }});
}

void add_garbage(HostileSender& s, std::vector<HostileCase>& to) {
  to.push_back({"random_bytes", "silence or errors", Proof::kNone, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t) { return put_random(s, b.first(s.rng.below(1400))); }});
  to.push_back({"empty", "silence", Proof::kNone, Served::kNever, 0, 0,
                [](MutableByteSpan, std::uint32_t) { return std::size_t{0}; }});
  to.push_back(
      {"big_random", "silence or errors", Proof::kNone, Served::kNever, 0, 200,
       [&s](MutableByteSpan b, std::uint32_t) { return put_random(s, b.first(20'000 + s.rng.below(45'000))); }});
  to.push_back({"announce_truncated", "silence or an error", Proof::kProven, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  announce(s, b, i, s.connection_id);
                  return static_cast<std::size_t>(16 + s.rng.below(82));
                }});
  to.push_back({"unknown_action", "silence or an error", Proof::kProven, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  write_header(b, s.connection_id, static_cast<std::uint32_t>(100 + s.rng.below(1U << 30)), i);
                  return wire::kAnnounceRequestSize;
                }});
  to.push_back({"extension_under_plain_id", "silence or an error", Proof::kProven, Served::kNever, 0, 0,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = write_header(b, s.connection_id, 64 + i % 8, i);
                  return size + put_random(s, b.subspan(size, s.rng.below(1200)));
                }});
}

void add_scrapes(HostileSender& s, std::vector<HostileCase>& to) {
  const auto scrape = [&s](MutableByteSpan b, std::uint32_t i) {
    return header(b, s.connection_id, wire::TrackerAction::kScrape, i);
  };
  to.push_back({"scrape_no_hash", "silence, an error or an empty scrape", Proof::kProven, Served::kMaybe, kOnePacket, 0,
                scrape});
  to.push_back({"scrape_partial_hash", "whole hashes only", Proof::kProven, Served::kMaybe, kOnePacket, 0,
                [&s, scrape](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = scrape(b, i);
                  return size + put_random(s, b.subspan(size, s.rng.below(40)));
                }});
  to.push_back({"scrape_74", "8 + 12 * 74 bytes", Proof::kProven, Served::kMaybe, 896, 200,
                [&s, scrape](MutableByteSpan b, std::uint32_t i) {
                  std::size_t size = scrape(b, i);
                  for (std::uint32_t k = 0; k < 74; ++k, size += wire::kInfoHashSize)
                    put_hash(b, size, swarm_id(s.seed, k));
                  return size;
                }});
  to.push_back({"scrape_3000", "silence or a bounded reply", Proof::kProven, Served::kMaybe, kOnePacket, 100,
                [&s, scrape](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = scrape(b, i);
                  return size + put_random(s, b.subspan(size, 3000 * wire::kInfoHashSize));
                }});
}

void add_odd_numbers(HostileSender& s, std::vector<HostileCase>& to) {
  to.push_back({"fill_swarm_1000", "replies: a swarm for what follows", Proof::kProven, Served::kMaybe, kOnePacket,
                1000, [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = announce(s, b, i, s.connection_id, static_cast<std::uint16_t>(10'000 + i));
                  put_u32(b, kNumwantAt, 0);
                  return size;
                }});
  to.push_back({"numwant_huge", "a list that fits one packet", Proof::kProven, Served::kMaybe, kOnePacket, 400,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  static constexpr std::uint32_t kWanted[] = {0x7fffffff, 0xffffffff, 0x80000000, 1U << 20, 5000, 201};
                  const std::size_t size = announce(s, b, i, s.connection_id);
                  put_u32(b, kNumwantAt, kWanted[i % std::size(kWanted)]);
                  return size;
                }});
  to.push_back({"event_out_of_range", "served or refused", Proof::kProven, Served::kMaybe, kOnePacket, 0,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = announce(s, b, i, s.connection_id);
                  put_u32(b, kEventAt, static_cast<std::uint32_t>(4 + s.rng.below(1U << 30)));
                  return size;
                }});
  to.push_back({"negative_numbers", "served or refused", Proof::kProven, Served::kMaybe, kOnePacket, 0,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = announce(s, b, i, s.connection_id);
                  for (const std::size_t at : {kDownloadedAt, kLeftAt}) put_u64(b, at, ~std::uint64_t{0});
                  put_u64(b, kUploadedAt, std::uint64_t{1} << 63);
                  return size;
                }});
  to.push_back({"port_zero", "served or refused, never handed out", Proof::kProven, Served::kMaybe, kOnePacket, 200,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = announce(s, b, i, s.connection_id);
                  ByteWriter(b.subspan(kPortAt)).u16(0);
                  return size;
                }});
  to.push_back({"ip_field_forged", "ignored: the source address counts", Proof::kProven, Served::kMaybe, kOnePacket,
                200, [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = announce(s, b, i, s.connection_id, kForgedIpPort);
                  put_u32(b, kIpAt, kForgedIp);
                  return size;
                }});
}

void add_odd_sizes(HostileSender& s, std::vector<HostileCase>& to) {
  to.push_back({"announce_with_options", "served: BEP 41 options behind byte 98", Proof::kProven, Served::kMaybe,
                kOnePacket, 0, [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = announce(s, b, i, s.connection_id);
                  ByteWriter writer(b.subspan(size));
                  writer.u8(static_cast<std::uint8_t>(wire::UrlOption::kUrlData));
                  writer.u8(9);
                  writer.bytes(as_bytes("/announce", 9));
                  writer.u8(static_cast<std::uint8_t>(wire::UrlOption::kEnd));
                  return size + writer.position();
                }});
  to.push_back({"announce_padded_60000", "served or silence", Proof::kProven, Served::kMaybe, kOnePacket, 100,
                [&s](MutableByteSpan b, std::uint32_t i) {
                  announce(s, b, i, s.connection_id);
                  return std::size_t{60'000};
                }});
  to.push_back({"many_hashes", "served or refused: 50,000 new swarms", Proof::kProven, Served::kMaybe, kOnePacket,
                50'000, [&s](MutableByteSpan b, std::uint32_t i) {
                  const std::size_t size = announce(s, b, i, s.connection_id);
                  put_random(s, b.subspan(wire::kRequestHeaderSize, wire::kInfoHashSize));
                  return size;
                }});
}

}  // namespace

std::vector<HostileCase> hostile_cases(HostileSender& sender) {
  std::vector<HostileCase> out;
  add_connects(sender, out);
  add_wrong_ids(sender, out);
  add_garbage(sender, out);
  add_scrapes(sender, out);
  add_odd_numbers(sender, out);
  add_odd_sizes(sender, out);
  return out;
}

}  // namespace peernet::tracker_load
