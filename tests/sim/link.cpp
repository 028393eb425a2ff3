#include "sim/link.hpp"

#include <algorithm>

namespace peernet::sim {

namespace {

constexpr std::uint8_t kEcnCe = 3;

std::uint64_t up_to(Rng& rng, Duration most) {
  return most <= Duration::zero() ? 0 : rng.below(static_cast<std::uint64_t>(most.count()) + 1);
}

Duration drawn(Rng& rng, Duration most) {
  return Duration(static_cast<std::int64_t>(up_to(rng, most)));
}

}  // namespace

const char* name_of(Fate fate) {
  static constexpr std::array<const char*, kFates> kNames{"delivered",  "cut",        "too_long",   "lost",
                                                          "burst_lost", "queue_full", "duplicated", "reordered",
                                                          "corrupted",  "truncated",  "marked"};
  return kNames[static_cast<std::size_t>(fate)];
}

bool Link::in_burst_loss() {
  if (profile_.burst.enter <= 0) return false;
  bad_state_ = bad_state_ ? !rng_.chance(profile_.burst.leave) : rng_.chance(profile_.burst.enter);
  return bad_state_ && rng_.chance(profile_.burst.loss);
}

bool Link::swallowed(Instant now, const Datagram& datagram) {
  if (cut_) {
    note(Fate::kCut);
    return true;
  }
  if (ip_bytes(datagram) > profile_.mtu) {
    note(Fate::kTooLong);
    return true;
  }
  if (forced_losses_ > 0) {
    --forced_losses_;
    note(Fate::kLost);
    return true;
  }
  if (in_burst_loss()) {
    note(Fate::kBurstLost);
    return true;
  }
  if (rng_.chance(profile_.loss)) {
    note(Fate::kLost);
    return true;
  }
  const std::int64_t backlog_ns = std::max<std::int64_t>(0, (busy_until_ - now).count());
  const double queued = static_cast<double>(backlog_ns) * 1e-9 * static_cast<double>(profile_.rate);
  if (queued + ip_bytes(datagram) > static_cast<double>(profile_.queue_bytes)) {
    note(Fate::kQueueFull);
    return true;
  }
  return false;
}

void Link::damage(Datagram& datagram) {
  if (profile_.corrupt > 0 && !datagram.bytes.empty() && rng_.chance(profile_.corrupt)) {
    const std::uint64_t flips = 1 + rng_.below(8);
    const std::vector<std::byte> before = datagram.bytes;
    for (std::uint64_t i = 0; i < flips; ++i)
      datagram.bytes[rng_.below(datagram.bytes.size())] ^= std::byte{1} << rng_.below(8);
    if (before != datagram.bytes) datagram.origin = Origin::kTampered;
    note(Fate::kCorrupted);
  }
  if (profile_.truncate > 0 && !datagram.bytes.empty() && rng_.chance(profile_.truncate)) {
    datagram.bytes.resize(rng_.below(datagram.bytes.size()));
    datagram.origin = Origin::kTampered;
    note(Fate::kTruncated);
  }
}

Instant Link::departure(Instant now, std::uint32_t bytes) {
  carried_ += bytes;
  const double ns = static_cast<double>(bytes) * 1e9 / static_cast<double>(profile_.rate);
  busy_until_ = std::max(busy_until_, now) + Duration(static_cast<std::int64_t>(ns));
  return busy_until_;
}

void Link::transmit(Instant now, Datagram datagram, std::vector<Arrival>& out) {
  if (swallowed(now, datagram)) return;
  if (profile_.clear_ecn) datagram.ecn = 0;
  const std::int64_t backlog_ns = std::max<std::int64_t>(0, (busy_until_ - now).count());
  const double queued = static_cast<double>(backlog_ns) * 1e-9 * static_cast<double>(profile_.rate);
  if (datagram.ecn != 0 && (profile_.mark_all || queued > static_cast<double>(profile_.mark_bytes))) {
    datagram.ecn = kEcnCe;
    note(Fate::kMarked);
  }
  longest_delivered_ = std::max(longest_delivered_, ip_bytes(datagram));
  Instant at = departure(now, ip_bytes(datagram)) + profile_.delay + drawn(rng_, profile_.jitter);
  if (!profile_.jitter_reorders) at = std::max(at, last_arrival_);
  last_arrival_ = std::max(at, last_arrival_);
  if (profile_.reorder > 0 && rng_.chance(profile_.reorder)) {
    at += drawn(rng_, profile_.reorder_by);
    note(Fate::kReordered);
  }
  if (profile_.duplicate > 0 && rng_.chance(profile_.duplicate)) {
    Datagram copy = datagram;
    if (copy.origin == Origin::kGenuine) copy.origin = Origin::kRepeated;
    damage(copy);
    out.push_back({at + drawn(rng_, profile_.delay * 2), std::move(copy)});
    note(Fate::kDuplicated);
  }
  damage(datagram);
  note(Fate::kDelivered);
  out.push_back({at, std::move(datagram)});
}

}  // namespace peernet::sim
