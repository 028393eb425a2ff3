// What is done to a swarm: the schedule of its scenario, the healing, and what flooders and braggarts do now and then.
#include "sim/swarm_world.hpp"

namespace peernet::sim {

void SwarmWorld::schedule() {
  for (const auto& node : nodes_) {
    SwarmNode* n = node.get();
    clockwork_.at(n->plan().starts, [this, n] { n->start(link_); });
  }
  for (const SwarmEvent& event : scenario_.events)
    clockwork_.at(event.at, [this, event] {
      if (!healed_) begin(event);
    });
  clockwork_.at(Instant() + scenario_.hurt_for, [this] { heal(); });
  for (const NodePlan& plan : scenario_.nodes) {
    if (!plan.floods && !plan.false_have) continue;
    clockwork_.after(20ms, [this] { mischief(); });
    break;
  }
}

void SwarmWorld::cut(std::uint32_t from, std::uint32_t to, Duration lasts) {
  ++path(from, to).cuts;
  clockwork_.after(lasts, [this, from, to] {
    if (!healed_) --path(from, to).cuts;
  });
}

void SwarmWorld::restart(std::uint32_t node, Duration after) {
  clockwork_.after(after, [this, node] {
    if (!gone_[node]) nodes_[node]->start(link_);
  });
}

void SwarmWorld::begin(const SwarmEvent& event) {
  SwarmNode& node = *nodes_[event.node];
  clockwork_.say(event.node, std::string("happens: ") + name_of(event.kind));
  switch (event.kind) {
    case SwarmEventKind::kPartition:
      for (std::uint32_t a = 0; a < hosts_; ++a)
        for (std::uint32_t b = 0; b < hosts_; ++b)
          if (((event.value >> a % 64) & 1) != ((event.value >> b % 64) & 1)) cut(a, b, event.lasts);
      break;
    case SwarmEventKind::kCutOneWay:
      cut(event.node, event.other, event.lasts);
      break;
    case SwarmEventKind::kClog: {
      path(event.node, event.other) = {
          .cuts = path(event.node, event.other).cuts, .loss = static_cast<double>(event.value) / 1000, .more = 500ms};
      clockwork_.after(event.lasts, [this, event] {
        Path& p = path(event.node, event.other);
        p = {.cuts = p.cuts};
      });
      break;
    }
    case SwarmEventKind::kStall:
      node.stall_until(clockwork_.now() + event.lasts);
      break;
    case SwarmEventKind::kCrash:
    case SwarmEventKind::kPowerCut:
      if (!node.running()) break;
      node.crash(event.kind == SwarmEventKind::kPowerCut);
      if (!node.leaving()) restart(event.node, event.lasts);
      break;
    case SwarmEventKind::kJump:
      node.jump_clock(event.lasts);
      break;
    case SwarmEventKind::kLeave:
      gone_[event.node] = true;
      node.leave();
      break;
    case SwarmEventKind::kTrackerDies:
    case SwarmEventKind::kTrackerForgets: {
      if (trackers_.empty()) break;
      const auto number = static_cast<std::uint32_t>(event.value % trackers_.size());
      make_tracker(number);
      if (event.kind == SwarmEventKind::kTrackerForgets) break;
      trackers_[number].dead = true;
      clockwork_.after(event.lasts, [this, number] { trackers_[number].dead = false; });
      break;
    }
    case SwarmEventKind::kDiskFull:
      node.disk().full = true;
      clockwork_.after(event.lasts, [&node] { node.disk().full = false; });
      break;
    case SwarmEventKind::kDiskSlow:
      node.disk().profile.write = node.plan().disk.write * 50;
      node.disk().profile.fsync = node.plan().disk.fsync * 50;
      node.disk().profile.read = node.plan().disk.read * 50;
      clockwork_.after(event.lasts, [&node] { node.disk().profile = node.plan().disk; });
      break;
    case SwarmEventKind::kDiskFails:
      node.disk().profile.fail = static_cast<double>(event.value) / 1000;
      clockwork_.after(event.lasts, [&node] { node.disk().profile.fail = 0; });
      break;
    case SwarmEventKind::kCount:
      break;
  }
}

// Whatever was done to hosts and network is undone; rates and delays stay what they are, and liars stay liars.
void SwarmWorld::heal() {
  healed_ = true;
  healed_at_ = progress_at_ = clockwork_.now();
  clockwork_.say(0, "everything is healed");
  for (Path& p : paths_) p = {};
  for (auto* links : {&up_, &down_}) {
    for (Link& link : *links) {
      LinkProfile& profile = link.profile();
      LinkProfile quiet;
      quiet.delay = profile.delay;
      quiet.rate = profile.rate;
      quiet.mtu = profile.mtu;
      quiet.queue_bytes = std::max<std::uint64_t>(profile.queue_bytes, 64 << 10);
      profile = quiet;
    }
  }
  for (Tracker& tracker : trackers_) tracker.dead = false;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    SwarmNode& node = *nodes_[n];
    node.disk().full = false;
    node.disk().profile = node.plan().disk;
    node.end_stall();
    const bool away = gone_[n] || node.leaving() || node.plan().starts > clockwork_.now();
    if (!away && !node.running()) node.start(link_);
  }
  check_progress();
}

void SwarmWorld::mischief() {
  for (const auto& node : nodes_) {
    if (node->plan().floods) node->flood();
    if (node->plan().false_have) node->lie_about_having();
  }
  clockwork_.after(50ms, [this] { mischief(); });
}

}  // namespace peernet::sim
