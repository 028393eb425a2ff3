// Out, file bytes: what the window, the pacer and the path allow, and sealing it into a contiguous train.
#include <algorithm>

#include "transport/session_parts.hpp"

namespace peernet::transport {
namespace {

constexpr std::uint32_t kMaxSegments = 128;  ///< of one GSO send (FACTS)
// A shaper (tbf, many NICs) takes a train whole only if it fits 64 KiB with the headers of every packet; a longer one
// is cut in the middle of the path, and each packet then costs what a train does.
constexpr std::uint32_t kTrainOnTheLine = 65536;
constexpr std::uint32_t kPacketHeaders = 14 + 40 + 8;  // Ethernet, IPv6, UDP
constexpr std::uint64_t kDataReserve = 64;             ///< packet numbers and records left to control packets
constexpr std::uint64_t kMostBlockedPackets = 32;      ///< a window with room for so many is never called used up
constexpr std::uint64_t kAcksPerSlowStartRound = 16;   ///< HyStart++ wants 8 samples a round (RFC 9406 4.3)

}  // namespace

Pacer::Path Session::Parts::pacing() const {
  return {.window = congestion->window(),
          .smoothed_rtt = rtt.smoothed(),
          .datagram_bytes = mtu.current(),
          .slow_start = congestion->in_slow_start()};
}

/// Little room in a large window is treated as none: trains stay long, and each ACK frees a good part of the window.
bool Session::Parts::window_blocked(std::uint64_t in_flight) const {
  if (in_flight == 0 || mutant(Mutant::kExceedWindow)) return false;
  const std::uint64_t window = congestion->window();
  const std::uint64_t room = window > in_flight ? (window - in_flight) / mtu.current() : 0;
  return room < std::clamp<std::uint64_t>(window / mtu.current() / 8, 1, kMostBlockedPackets);
}

DataBudget Session::Parts::data_budget(Instant now) const {
  DataBudget budget;
  const std::uint32_t datagram = mtu.current();
  budget.payload_per_packet = datagram - static_cast<std::uint32_t>(wire::kDataOverhead);
  budget.packets_per_train = std::clamp(kTrainOnTheLine / (datagram + kPacketHeaders), 1u, kMaxSegments);
  if (state != SessionState::kEstablished || !confirmed || !numbers_left(kDataReserve)) return budget;
  if (window_blocked(recovery.bytes_in_flight())) return budget;

  std::uint64_t bytes = std::min(mutant(Mutant::kExceedWindow) ? UINT64_MAX : window_room(), path.allowance());
  if (bytes < datagram) return budget;
  const std::uint64_t paced = pacer.allowed(now, pacing());
  if (paced == 0) {
    budget.retry_at = pacer.next(now, pacing());
    return budget;
  }
  bytes = std::min(bytes, std::max<std::uint64_t>(paced, datagram));
  const std::uint64_t numbers = std::min<std::uint64_t>(epoch_room(), recovery.room()) - kDataReserve;
  budget.packets = static_cast<std::uint32_t>(std::min<std::uint64_t>({bytes / datagram, numbers, UINT32_MAX}));
  return budget;
}

/// Now and then a number is never sent: whoever acknowledges it lies (RFC 9000 21.4). Rarely enough to cost nothing.
void Session::Parts::maybe_skip_number(Instant now) {
  if (recovery.next_number() < skip_at || !numbers_left(kDataReserve)) return;
  recovery.skip_number(now);
  skip_at = recovery.next_number() + 512 + secret.below(4096);
}

SealedTrain Session::Parts::seal_data(Instant now, const DataToSeal& data, MutableByteSpan train) {
  SealedTrain out;
  if (data.file_bytes.empty() || data.file_bytes.size() > UINT32_MAX - data.offset) return out;
  const DataBudget budget = data_budget(now);
  if (budget.packets == 0) return out;
  maybe_skip_number(now);

  const std::size_t payload = budget.payload_per_packet;
  const std::size_t datagram = payload + wire::kDataOverhead;
  const std::size_t wanted = (data.file_bytes.size() + payload - 1) / payload;
  // One packet less than the budget where a skipped number has just taken its place.
  const std::size_t room = recovery.room() > kDataReserve ? recovery.room() - kDataReserve : 0;
  const std::size_t packets =
      std::min<std::size_t>({wanted, budget.packets, budget.packets_per_train, train.size() / datagram, room});
  if (packets == 0) return out;
  const bool marked = ecn.mark();
  const bool slow_start = congestion->in_slow_start();
  const std::size_t ack_every =
      static_cast<std::size_t>(std::max<std::uint64_t>(congestion->window() / datagram / kAcksPerSlowStartRound, 2));

  for (std::size_t i = 0; i != packets; ++i) {
    const ByteSpan chunk =
        data.file_bytes.subspan(out.consumed, std::min(payload, data.file_bytes.size() - out.consumed));
    const std::size_t size = chunk.size() + wire::kDataOverhead;
    const bool last = i + 1 == packets;
    const bool burst_ends = last && ((data.last && out.consumed + chunk.size() == data.file_bytes.size()) ||
                                     window_blocked(recovery.bytes_in_flight() + size));
    const bool ack_now = burst_ends || (slow_start && (last || (i + 1) % ack_every == 0));
    const MutableByteSpan packet = train.subspan(out.train_bytes, size);
    const PacketNumber number(recovery.next_number());
    const std::uint32_t offset = data.offset + static_cast<std::uint32_t>(out.consumed);
    wire::encode(wire::DataHeader{.packet = {.type = wire::PacketType::kData,
                                             .flags = ack_now ? wire::kFlagAckNow : std::uint8_t{0},
                                             .receiver = remote_id,
                                             .number = number},
                                  .request = data.request,
                                  .offset = offset},
                 packet.first<wire::kDataHeaderSize>());
    keys->sealer.seal(number, packet.first(wire::kDataHeaderSize), chunk, packet.subspan(wire::kDataHeaderSize));
    SentPacket sent;
    sent.sent_at = now;
    sent.request = data.request.value();
    sent.offset = offset;
    sent.payload = static_cast<std::uint16_t>(chunk.size());
    sent.bytes = static_cast<std::uint16_t>(size);
    sent.flags = SentPacket::kData | SentPacket::kAckEliciting | (marked ? SentPacket::kEctMarked : std::uint8_t{0});
    record(sent);
    out.consumed += chunk.size();
    out.train_bytes += size;
  }
  acks_only_sent = 0;
  pacer.on_sent(now, pacing(), out.train_bytes);
  stats.data_bytes_sent += out.consumed;
  out.segment_size = std::min(datagram, out.train_bytes);
  out.packets = static_cast<std::uint32_t>(packets);
  out.to = path.remote();
  out.ecn = marked ? 2 : 0;
  const bool blocked = window_blocked(recovery.bytes_in_flight());
  if (blocked) limited_until = recovery.next_number();
  app_limited = !blocked && data.last && out.consumed == data.file_bytes.size();
  return out;
}

}  // namespace peernet::transport
