#include "transport/mtu_search.hpp"

#include <algorithm>

namespace peernet::transport {

MtuSearch::MtuSearch(std::uint32_t limit, bool enabled) : limit_(std::max(limit, kBase)), enabled_(enabled) {
  reset(Instant());
}

void MtuSearch::reset(Instant now) {
  phase_ = Phase::kSearching;
  current_ = kBase;
  too_large_ = limit_ + 1;
  lost_ = 0;
  bad_rounds_ = 0;
  outstanding_ = false;
  resume_at_ = Instant::never();
  candidate_ = limit_;  // first the most: on most paths the interface MTU is the path MTU
  choose(now);
}

void MtuSearch::set_limit(std::uint32_t limit) {
  limit_ = std::max(std::min(limit, limit_), kBase);
  too_large_ = std::min(too_large_, limit_ + 1);
  candidate_ = std::min(candidate_, limit_);
  if (!enabled_ || candidate_ <= current_) phase_ = Phase::kComplete;
}

/// Keeps the candidate if it still makes sense, else takes the middle; ends the search when that is pointless.
void MtuSearch::choose(Instant now) {
  lost_ = 0;
  if (candidate_ >= too_large_ || candidate_ <= current_) {
    candidate_ = current_ < kCommon && kCommon < too_large_ ? kCommon : current_ + (too_large_ - current_) / 2;
  }
  const bool worth_it = enabled_ && too_large_ > current_ + kCloseEnough && candidate_ > current_;
  if (!worth_it) {
    phase_ = Phase::kComplete;
    resume_at_ = enabled_ && current_ < limit_ ? now + kRaiseAfter : Instant::never();
  }
}

std::uint32_t MtuSearch::probe_size(Instant now) const {
  if (!enabled_ || outstanding_) return 0;
  if (phase_ == Phase::kSearching) return candidate_;
  return now >= resume_at_ && !resume_at_.is_never() && limit_ > current_ ? limit_ : 0;
}

Instant MtuSearch::next_probe_at() const {
  if (!enabled_ || outstanding_) return Instant::never();
  return phase_ == Phase::kSearching ? Instant() : resume_at_;
}

bool MtuSearch::on_probe_acked(Instant now, std::uint32_t size) {
  outstanding_ = false;
  bad_rounds_ = 0;
  if (size <= current_) return false;
  current_ = size;
  if (too_large_ <= size) too_large_ = limit_ + 1;
  phase_ = Phase::kSearching;
  resume_at_ = Instant::never();
  choose(now);
  return true;
}

void MtuSearch::on_probe_lost(Instant now) {
  if (!outstanding_) return;  // it was refused when it was sent, and the search has gone on
  outstanding_ = false;
  if (limit_ <= current_) return;                     // an earlier probe, taken for lost, got through after all
  if (phase_ != Phase::kSearching) restart_search();  // a raise attempt
  if (++lost_ < kMaxProbes) return;
  too_large_ = std::min(too_large_, candidate_);
  choose(now);
}

void MtuSearch::restart_search() {
  phase_ = Phase::kSearching;
  candidate_ = limit_;
  too_large_ = limit_ + 1;
  lost_ = 0;
}

bool MtuSearch::on_too_big(Instant now, std::uint32_t size) {
  outstanding_ = false;
  if (size <= current_) return fall_back(now);
  if (phase_ != Phase::kSearching) restart_search();  // a raise attempt; still due, it would be refused for ever
  too_large_ = std::min(too_large_, size);
  choose(now);
  return false;
}

bool MtuSearch::on_large_lost_round(Instant now) {
  if (current_ == kBase || ++bad_rounds_ < kBlackHoleRounds) return false;
  return fall_back(now);
}

bool MtuSearch::on_repeated_pto(Instant now) {
  return current_ > kBase && fall_back(now);
}

bool MtuSearch::fall_back(Instant now) {
  const bool fell = current_ > kBase;
  current_ = kBase;
  bad_rounds_ = 0;
  outstanding_ = false;
  phase_ = Phase::kWaiting;
  too_large_ = limit_ + 1;
  candidate_ = limit_;
  resume_at_ = now + kWaitAfterBlackHole;
  return fell;
}

}  // namespace peernet::transport
