// Far sources beside near ones. Windows alone cannot tell two cases apart: each source limited by its own link (then
// all are wanted) and all limited by this host's (then a far source only takes the place of a near one). In the second
// case windows of twice the round trip even favour the far: with a common queue of q each source's rate is window /
// (RTT + q), so that rates shift to those with RTT + 20 ms > q, the far ones, whose windows then grow.
//
// What tells them apart is whether the near lose when the far are asked. Each source's best flow of late is remembered,
// and a clearly farther source uses its window only as long as the nearer ones, asked for enough, still bring what they
// can: when these miss more than a seventh of it, and a third of what the farther ones bring, the far share is
// halved; else it grows again. The flows that are compared come from times with enough outstanding only. A source that
// is new here is given a moment in which clearly farther ones hold back, so that its best flow is seen at all; a source
// with a share of 0 is still asked now and then (explore).
#include <algorithm>

#include "base/check.hpp"
#include "swarm/download.hpp"

namespace peernet::swarm {

namespace {

constexpr Duration kTick = 50ms;
constexpr Duration kLongTick = 400ms;  // after such a pause flows are measured anew
constexpr double kFlowGain = 0.35;
constexpr double kBestForgotten = 1.5;  // seconds until the best flow has come near the present one
constexpr double kBestForgottenLate = 60;
constexpr double kExplained = 0.5;
constexpr int kSettledTicks = 4;
constexpr Duration kSettle = 400ms;
constexpr Duration kSettleAgain = 10s;
constexpr double kMissed = 0.15;
constexpr double kMissedOfGain = 0.3;
constexpr double kLeastShare = 0.02;
constexpr double kFirstShare = 0.2;
constexpr double kGrowth = 1.5;
constexpr double kGrowthAfterCut = 1.05;

// The least round trips that were seen hold the wakings of busy hosts and, where this host's link is full, what was
// queued when the session began: 1.8 and 2.2 ms were measured on a path of 1, beside 5.3 and 6.2 on one of 5.
bool clearly_nearer(const SourceScore& a, const SourceScore& b) {
  return a.min_rtt() + a.min_rtt() / 4 + 2ms < b.min_rtt();
}

}  // namespace

void Download::tick(Instant now) {
  const Duration span = now - tick_at_ + kTick;
  tick_at_ = now + kTick;
  const bool pause = span > kLongTick;
  const double passed = static_cast<double>(span.count()) * 1e-9;
  for (Source& s : sources_) {
    if (!s.used) continue;
    const std::uint64_t delivered = s.score.delivered();
    if (s.flow_mark == 0 && delivered > 0 && s.flow == 0 && (now >= settle_again_at_ || s.settle_until == Instant())) {
      if (now >= settle_again_at_) {
        s.settle_until = now + kSettle;
        settle_again_at_ = now + kSettleAgain;
      } else if (now + kSettleAgain < settle_again_at_ + 1s) {  // came with the one that began it
        s.settle_until = now + kSettle;
      }
    }
    const double flow = static_cast<double>(delivered - s.flow_mark) / passed;
    s.flow_mark = delivered;
    const bool low = s.score.take_low() || s.score.suspended(now) || pause;
    s.flow = s.busy_ticks == 0 ? flow : s.flow + (flow - s.flow) * kFlowGain;
    s.busy_ticks = low ? 0 : s.busy_ticks + 1;
    ++s.ticks;
    s.full_ticks += low ? 0u : 1u;
    if (s.busy_ticks < kSettledTicks) continue;
    // What farther sources take explains what is missing: then the best flow stays in mind, or it would follow the
    // present one down, little by little.
    double farther = 0;
    for (const Source& other : sources_)
      if (other.used && clearly_nearer(s.score, other.score)) farther += other.flow;
    const bool explained = farther > kExplained * (s.best_flow - s.flow);
    const double forget = explained ? kBestForgottenLate : kBestForgotten;
    const double gain = s.flow > s.best_flow ? kFlowGain : std::min(1.0, passed / forget);
    s.best_flow = s.best_flow == 0 ? s.flow : s.best_flow + (s.flow - s.best_flow) * gain;
  }
  for (Source& s : sources_)
    if (s.used) adjust_share(now, s);
}

void Download::adjust_share(Instant now, Source& source) const {
  double best = 0;
  double missed = 0;
  double gained = 0;
  bool nearer = false;
  bool wait = false;
  for (const Source& other : sources_) {
    if (!other.used) continue;
    if (!clearly_nearer(other.score, source.score) || other.score.delivered() == 0 || other.score.suspended(now)) {
      gained += other.flow;
      continue;
    }
    nearer = true;
    wait = wait || (now < other.settle_until && other.busy_ticks < kSettledTicks && other.best_flow == 0);
    if (other.busy_ticks < kSettledTicks) continue;
    best += other.best_flow;
    missed += std::max(0.0, other.best_flow - other.flow);
  }
  if (!nearer) {
    source.share = 1;
  } else if (wait) {
    source.share = 0;
  } else if (missed > kMissed * best && missed > kMissedOfGain * gained) {
    source.share = source.share < kLeastShare ? 0 : source.share / 2;
    source.cut = true;
  } else {
    source.share = std::min(1.0, std::max(kFirstShare, source.share * (source.cut ? kGrowthAfterCut : kGrowth)));
  }
  source.far_ticks += source.share < 0.5 ? 1u : 0u;
}

}  // namespace peernet::swarm
