#include "discovery/schedule.hpp"

#include <algorithm>

namespace peernet::discovery {

std::optional<ContentKey> Schedule::next_announce(Instant now, Duration beat, std::size_t population) {
  if (due_.empty() || next_announce_at() > now) return std::nullopt;
  const auto crowd = static_cast<std::int64_t>(std::max<std::size_t>(population, 1));
  const Duration spacing = std::min(kAnnounceSpacing, beat / (kAnnounceRoundsPerBeat * crowd));
  pace_ahead_ = spacing * (kAnnounceBurst - 1);
  pace_at_ = std::max(pace_at_, now) + spacing;
  const ContentKey content = due_.begin()->second;
  due_.erase(due_.begin());
  return content;
}

Instant Schedule::next_announce_at() const {
  return due_.empty() ? Instant::never() : std::max(due_.begin()->first, pace_at_ - pace_ahead_);
}

void Schedule::add_listed(Instant now, ContentKey content, Duration beat, Rng& rng) {
  listed_.insert(content);
  if (next_round_.is_never())
    next_round_ = now + Duration(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(beat.count()))));
}

void Schedule::remove_listed(ContentKey content) {
  listed_.erase(content);
  if (!listed_.empty()) return;
  next_round_ = Instant::never();
  said_.reset();
}

void Schedule::on_beat(Instant now, Duration beat) {
  if (!next_round_.is_never()) next_round_ = std::min(next_round_, now + beat);
}

std::vector<ContentKey> Schedule::next_group(Instant now, Duration beat, std::size_t most) {
  std::vector<ContentKey> group;
  if (next_group_at() > now) return group;
  auto at = listed_.begin();
  if (said_) {
    at = listed_.upper_bound(*said_);
  } else {
    // Late by more than a beat: the rounds that were missed are not made up for.
    next_round_ = now - next_round_ < beat ? next_round_ + beat : now + beat;
  }
  for (; at != listed_.end() && group.size() < most; ++at) group.push_back(*at);
  if (at == listed_.end()) {
    said_.reset();
  } else {
    said_ = group.back();
  }
  return group;
}

Instant Schedule::next_group_at() const {
  return said_ ? Instant() : next_round_;
}

}  // namespace peernet::discovery
