// What is due at one tracker, and when: announces, each at its time but not all at once, and the round of heartbeats.
#pragma once

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "discovery/types.hpp"

namespace peernet::discovery {

class Schedule {
 public:
  static constexpr unsigned kAnnounceBurst = 32;      ///< that may follow each other at once
  static constexpr Duration kAnnounceSpacing = 20ms;  ///< after those, at most: 50 a second
  static constexpr int kAnnounceRoundsPerBeat = 4;    ///< if they are many: all within a quarter of a beat

  // --- announces

  void set_due(ContentKey content, Instant when) { due_.emplace(when, content); }
  void clear_due(ContentKey content, Instant when) { due_.erase({when, content}); }
  /// Takes the first that is due, if the pace allows one now. `population`: contents that live at this tracker.
  std::optional<ContentKey> next_announce(Instant now, Duration beat, std::size_t population);
  Instant next_announce_at() const;

  // --- heartbeats: a content that is listed takes part in the rounds; one round a beat, its phase random

  void add_listed(Instant now, ContentKey content, Duration beat, Rng& rng);
  void remove_listed(ContentKey content);
  /// The tracker's beat as it was last told.
  void on_beat(Instant now, Duration beat);
  /// At most `most` contents of the round under way; empty when there is none, or it has ended.
  std::vector<ContentKey> next_group(Instant now, Duration beat, std::size_t most);
  /// Now if a round is under way.
  Instant next_group_at() const;

  const std::set<ContentKey>& listed() const { return listed_; }
  std::size_t due_count() const { return due_.size(); }

 private:
  std::set<std::pair<Instant, ContentKey>> due_;
  Instant pace_at_;  ///< when all announces so far would have been sent at the steady pace
  Duration pace_ahead_{};
  std::set<ContentKey> listed_;
  Instant next_round_ = Instant::never();
  std::optional<ContentKey> said_;  ///< in the round under way: up to this one
};

}  // namespace peernet::discovery
