#include "sim/attacker.hpp"

#include <algorithm>
#include <cmath>

#include "wire/packet.hpp"
#include "wire/parameters.hpp"

namespace peernet::sim {

namespace {
constexpr std::size_t kRecords = 64;
constexpr std::size_t kRecent = 4;
}  // namespace

Attacker::Attacker(const AttackProfile& profile, std::uint64_t seed, bool ipv6)
    : profile_(profile), rng_(seed), ipv6_(ipv6), protection_(crypto::AeadBackend::kAuto) {}

Address Attacker::own_address(std::uint64_t number) const {
  const auto host = static_cast<std::uint8_t>(number);
  Address address = Address::v4(203, 0, 113, host, static_cast<std::uint16_t>(6000 + host));
  if (ipv6_) address.ip[0] = std::byte{0x20};
  return address;
}

std::vector<Address> Attacker::addresses() const {
  std::vector<Address> out;
  for (std::uint64_t i = 0; i < kOwnAddresses; ++i) out.push_back(own_address(i));
  return out;
}

std::optional<Datagram> Attacker::observe(const Datagram& datagram) {
  if (profile_.total() <= 0) return std::nullopt;
  if (records_.size() < kRecords)
    records_.push_back(datagram);
  else if (rng_.below(8) == 0)
    records_[rng_.below(kRecords)] = datagram;
  auto& recent = recent_[datagram.to.port == 4000 ? kServer : kClient];
  if (recent.size() >= kRecent) recent.erase(recent.begin());
  recent.push_back(datagram);
  // spoofed is a rate per second; turned into a share of a few hundred datagrams per second it stays a rare event.
  if (profile_.spoofed <= 0 || !rng_.chance(profile_.spoofed / 2000)) return std::nullopt;
  Datagram copy = datagram;
  copy.origin = Origin::kRepeated;
  copy.from = any_own_address();
  return copy;
}

std::optional<Duration> Attacker::next_in() {
  const double rate = profile_.total() - profile_.spoofed;
  if (rate <= 0) return std::nullopt;
  const double seconds = -std::log(1 - rng_.unit()) / rate;
  return Duration(1 + static_cast<std::int64_t>(std::min(seconds, 10.0) * 1e9));
}

Attacker::Kind Attacker::draw_kind() {
  const std::array<double, 6> weights{profile_.garbage,  profile_.empty,    profile_.forged,
                                      profile_.replayed, profile_.tampered, profile_.flood};
  double at = rng_.unit() * (profile_.total() - profile_.spoofed);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (at < weights[i]) return static_cast<Kind>(i);
    at -= weights[i];
  }
  return Kind::kGarbage;
}

const Datagram* Attacker::recorded() {
  if (records_.empty()) return nullptr;
  const auto& recent = recent_[rng_.below(2)];
  if (!recent.empty() && rng_.chance(0.5)) return &recent[rng_.below(recent.size())];
  return &records_[rng_.below(records_.size())];
}

std::vector<std::byte> Attacker::random_bytes(std::size_t most) {
  std::vector<std::byte> bytes(1 + rng_.below(most));
  for (auto& b : bytes) b = static_cast<std::byte>(rng_.next() >> 56);
  return bytes;
}

std::vector<std::byte> Attacker::forged() {
  const Datagram* model = recorded();
  std::vector<std::byte> bytes = random_bytes(1400);
  if (model == nullptr || model->bytes.size() < wire::kHeaderSize) return bytes;
  // A right header, of a packet that comes next or soon: type, receiver id and number are there for everyone to see.
  const std::size_t keep =
      rng_.chance(0.5) ? wire::kHeaderSize : std::min<std::size_t>(model->bytes.size(), wire::kHandshakeClearSize);
  if (bytes.size() < keep) bytes.resize(keep + 16);
  std::copy_n(model->bytes.begin(), keep, bytes.begin());
  if (rng_.chance(0.3)) bytes[0] = static_cast<std::byte>(0x51 + rng_.below(4));
  const auto header = wire::decode_header(model->bytes);
  if (!header) return bytes;
  const std::uint64_t ahead = rng_.chance(0.5) ? rng_.below(8) : rng_.chance(0.5) ? 256 : rng_.next() >> rng_.below(63);
  ByteWriter w(MutableByteSpan(bytes).subspan(8, 8));
  w.u64(header->number.value() + ahead);
  return bytes;
}

std::vector<std::byte> Attacker::first_packet() {
  wire::HandshakeHeader header;
  header.packet.type = wire::PacketType::kHandshake;
  header.packet.receiver = SessionId(static_cast<std::uint32_t>(rng_.next()));
  header.initiator_id = rng_.next();
  header.sender = SessionId(static_cast<std::uint32_t>(rng_.next()));
  std::array<std::byte, 300> stream{};
  for (auto& b : stream) b = static_cast<std::byte>(rng_.next() >> 56);
  if (rng_.chance(0.7)) {  // a good parameter block, then nothing: half open until the time is up
    wire::Parameters parameters;
    parameters.ciphers = wire::kCiphersKnown;
    ByteWriter w(stream);
    (void)wire::encode(parameters, w);
  }
  wire::HandshakeBody body;
  body.bytes = ByteSpan(stream).first(rng_.chance(0.5) ? 34 : stream.size());
  std::vector<std::byte> plain(wire::kMinDatagram - wire::kTagSize - wire::clear_size(header));
  ByteWriter inner(plain);
  (void)wire::encode(body, inner);
  std::vector<std::byte> bytes(wire::kMinDatagram);
  ByteWriter outer(bytes);
  (void)wire::encode(header, outer);
  const std::size_t clear = outer.position();
  protection_.rekey(header.initiator_id);
  protection_.seal(crypto::InitialProtection::From::kInitiator, header.packet.number, ByteSpan(bytes).first(clear),
                   plain, MutableByteSpan(bytes).subspan(clear));
  return bytes;
}

void Attacker::tamper(std::vector<std::byte>& bytes) {
  if (bytes.empty()) return;
  if (rng_.chance(0.3)) {
    bytes.resize(rng_.below(bytes.size()));
    return;
  }
  const std::size_t within =
      rng_.chance(0.4) ? std::min<std::size_t>(bytes.size(), wire::kDataHeaderSize) : bytes.size();
  bytes[rng_.below(within)] ^= std::byte{1} << rng_.below(8);
}

Datagram Attacker::strike(const std::array<Address, 2>& ends) {
  Datagram d;
  d.origin = Origin::kForged;
  target_ = rng_.below(2);
  const Kind kind = draw_kind();
  if (kind == Kind::kFlood) target_ = kServer;
  d.to = ends[target_];
  d.from = rng_.chance(0.5) ? ends[1 - target_] : any_own_address();
  switch (kind) {
    case Kind::kGarbage:
      d.bytes = random_bytes(1472);
      break;
    case Kind::kEmpty:
      break;
    case Kind::kForged:
      d.bytes = forged();
      break;
    case Kind::kFlood:
      d.bytes = first_packet();
      d.from = any_own_address();
      break;
    case Kind::kReplayed:
    case Kind::kTampered: {
      const Datagram* model = recorded();
      if (model == nullptr) break;
      d = *model;
      target_ = d.to.port == 4000 ? kServer : kClient;
      d.to = ends[target_];
      if (kind == Kind::kTampered) tamper(d.bytes);
      d.origin = d.bytes == model->bytes ? Origin::kRepeated : Origin::kTampered;
      // Every other replay comes from an address of his own.
      if (moves_paths_ && rng_.chance(0.5)) d.from = any_own_address();
      break;
    }
  }
  return d;
}

}  // namespace peernet::sim
