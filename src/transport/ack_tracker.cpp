#include "transport/ack_tracker.hpp"

#include <algorithm>

namespace peernet::transport {

std::size_t AckTracker::depth_of(std::uint64_t pn) const {
  const std::span<const Range<std::uint64_t>> ranges = received_.ranges();
  std::size_t depth = 1;
  while (depth < ranges.size() && ranges[ranges.size() - depth].first > pn) ++depth;
  return depth;
}

void AckTracker::on_packet(Instant now, const ArrivedPacket& packet, Duration rtt) {
  const bool first_ever = received_.empty();
  const std::size_t ranges_before = received_.size();
  received_.insert({packet.pn, packet.pn + 1});
  // A new range pushes the unreported ones one step down.
  if (received_.size() > ranges_before && unreported_ != 0) ++unreported_;
  unreported_ = std::min(std::max(unreported_, depth_of(packet.pn)), received_.size());

  switch (packet.ecn) {
    case 1:
      ++ect1_;
      break;
    case 2:
      ++ect0_;
      break;
    case 3:
      ++ce_;
      break;
    default:
      break;
  }
  const bool in_order = first_ever || packet.pn == largest_ + 1;
  if (first_ever || packet.pn > largest_) {
    largest_ = packet.pn;
    largest_at_ = now;
  }
  if (!packet.ack_eliciting) return;
  if (!pending_) {
    pending_ = true;
    deadline_ = now + std::min(rtt / 4, kMaxDelay);
  }
  bytes_since_ack_ += packet.bytes;
  if (packet.ack_now || !in_order || packet.ecn == 3 || bytes_since_ack_ >= window_hint_ / 4) at_once_ = true;
}

void AckTracker::on_ack_sent() {
  pending_ = false;
  at_once_ = false;
  deadline_ = Instant::never();
  bytes_since_ack_ = 0;
  unreported_ = 0;
}

void AckTracker::on_ack_acknowledged(std::uint64_t largest) {
  // The range that holds the largest number stays: an ACK needs one.
  if (!received_.empty()) received_.subtract({0, std::min(largest, received_.highest().first)});
}

}  // namespace peernet::transport
