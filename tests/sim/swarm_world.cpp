#include "sim/swarm_world.hpp"

#include <algorithm>

namespace peernet::sim {

namespace {

constexpr std::uint32_t kNobody = UINT32_MAX;
constexpr std::uint64_t kEventsMost = 20'000'000;  // a seed has some 100,000; a crowd of 1,000 has more
constexpr std::uint64_t kEventsPerNode = 200'000;
constexpr Duration kNoProgressMost = 60s;  // with an honest source within reach

LinkProfile tracker_link() {
  LinkProfile out;
  out.delay = 5ms;
  return out;
}

}  // namespace

SwarmWorld::SwarmWorld(const SwarmScenario& scenario, bool verbose)
    : scenario_(scenario),
      clockwork_(verbose),
      rng_(scenario.seed ^ 0x3057ULL),
      content_(scenario.seed, scenario.content_bytes, scenario.chunk_bytes, scenario.is_private),
      hosts_(static_cast<std::uint32_t>(scenario.nodes.size()) + scenario.trackers),
      gone_(scenario.nodes.size()),
      trackers_(scenario.trackers),
      paths_(std::size_t{hosts_} * hosts_) {
  for (std::uint32_t n = 0; n < scenario_.nodes.size(); ++n) {
    const NodePlan& plan = scenario_.nodes[n];
    nodes_.push_back(
        std::make_unique<SwarmNode>(clockwork_, content_, n, plan, scenario_.settings, scenario_.seed,
                                    [this](std::uint32_t from, Datagram d) { transmit(from, std::move(d)); }));
    up_.emplace_back(plan.up, rng_.next());
    down_.emplace_back(plan.down, rng_.next());
  }
  for (std::uint32_t t = 0; t < scenario_.trackers; ++t) {
    up_.emplace_back(tracker_link(), rng_.next());
    down_.emplace_back(tracker_link(), rng_.next());
    make_tracker(t);
  }
  link_ = content_.link(SwarmNode::id_of(scenario_.seed, 0));
  link_.trackers = scenario_.settings.trackers;
  if (scenario_.link_names_publisher) link_.peers = {"10.0.0.0:7000"};
}

void SwarmWorld::make_tracker(std::uint32_t number) {
  tracker::CoreOptions options;
  for (auto& b : options.secret) b = static_cast<std::byte>(rng_.next());
  options.epoch = static_cast<std::uint32_t>(rng_.next());
  options.times.beat = Duration(static_cast<std::int64_t>(scenario_.settings.beat_seconds * 1e9));
  trackers_[number].core = std::make_unique<tracker::TrackerCore>(options);
}

// ---------------------------------------------------------------------------------------------- the network

std::uint32_t SwarmWorld::host_of(const Address& address) const {
  const auto low = std::to_integer<std::uint32_t>(address.ip[15]) | std::to_integer<std::uint32_t>(address.ip[14]) << 8;
  const bool tracker = address.ip[13] == std::byte{1};
  if (!address.is_v4() || address.ip[12] != std::byte{10}) return kNobody;
  const std::uint32_t host = tracker ? static_cast<std::uint32_t>(nodes_.size()) + (low & 255) : low;
  return host < hosts_ ? host : kNobody;
}

// Out of the host's own link, across the core, into the other's link.
void SwarmWorld::transmit(std::uint32_t host, Datagram datagram) {
  arrivals_.clear();
  up_[host].transmit(clockwork_.now(), std::move(datagram), arrivals_);
  for (Link::Arrival& arrival : arrivals_) {
    Happening happening;
    happening.kind = Happening::Kind::kAtCore;
    happening.node = host;
    happening.datagram = std::move(arrival.datagram);
    clockwork_.push(arrival.at, std::move(happening));
  }
}

void SwarmWorld::at_core(std::uint32_t from, Datagram datagram) {
  const std::uint32_t to = host_of(datagram.to);
  if (to == kNobody) return;
  const Path& p = path(from, to);
  if (p.cuts > 0 || (p.loss > 0 && rng_.chance(p.loss))) return;
  arrivals_.clear();
  down_[to].transmit(clockwork_.now(), std::move(datagram), arrivals_);
  for (Link::Arrival& arrival : arrivals_) {
    Happening happening;
    happening.kind = Happening::Kind::kAtHost;
    happening.node = to;
    happening.datagram = std::move(arrival.datagram);
    clockwork_.push(arrival.at + p.more, std::move(happening));
  }
}

void SwarmWorld::at_host(std::uint32_t host, Datagram datagram) {
  clockwork_.trace.add(clockwork_.now());
  clockwork_.trace.add((std::uint64_t{host} << 32) ^ datagram.bytes.size());
  if (host < nodes_.size()) return nodes_[host]->receive(std::move(datagram));
  Tracker& tracker = trackers_[host - nodes_.size()];
  if (tracker.dead) return;
  const Instant now = clockwork_.now() + 1h;  // its clock is its own
  while (now >= tracker.core->next_sweep()) tracker.core->sweep(now, tracker.counters);
  ByteArray<wire::kMaxTrackerReply> reply;
  const std::size_t size = tracker.core->answer(now, datagram.from, datagram.bytes, reply, tracker.counters);
  if (size == 0) return;
  Datagram answer;
  answer.bytes.assign(reply.begin(), reply.begin() + static_cast<std::ptrdiff_t>(size));
  answer.from = datagram.to;
  answer.to = answer.meant_for = datagram.from;
  transmit(host, std::move(answer));
}

void SwarmWorld::play(Happening happening) {
  switch (happening.kind) {
    case Happening::Kind::kCall:
      return happening.call();
    case Happening::Kind::kAtCore:
      return at_core(happening.node, std::move(happening.datagram));
    case Happening::Kind::kAtHost:
      return at_host(happening.node, std::move(happening.datagram));
    case Happening::Kind::kTurn:
      return nodes_[happening.node]->turn(happening.number);
  }
}

// ---------------------------------------------------------------------------------------------- what is demanded

bool SwarmWorld::finished() const {
  return std::ranges::all_of(nodes_, [](const auto& node) {
    return node->plan().role != Role::kGetter || !node->plan().honest() || node->done();
  });
}

void SwarmWorld::check_bans() {
  for (const auto& node : nodes_) {
    if (!node->plan().honest()) continue;
    for (const Address& address : node->banned()) {
      const std::uint32_t host = host_of(address);
      if (host >= nodes_.size() || nodes_[host]->plan().honest())
        clockwork_.fail(node->number(), "an honest node is banned: number " + std::to_string(host));
    }
  }
}

// While an honest source with a missing chunk is within reach, something is received.
void SwarmWorld::check_progress() {
  std::uint64_t sum = 0;
  for (const auto& node : nodes_) sum += node->present_chunks() + (node->done() ? content_.chunks() : 0);
  if (sum != progress_) {
    progress_ = sum;
    progress_at_ = clockwork_.now();
  }
  if (!finished() && clockwork_.now() - progress_at_ > kNoProgressMost)
    clockwork_.fail(0, "nobody has received anything for a minute, and everything is healed");
  if (!finished()) clockwork_.after(1s, [this] { check_progress(); });
}

// Everybody leaves, and nothing may stay behind.
void SwarmWorld::end() {
  gone_.assign(gone_.size(), true);
  for (const auto& node : nodes_) node->leave();
  const Instant until = clockwork_.now() + 3s;
  while (!clockwork_.judge.failed() && clockwork_.next_at() <= until) play(clockwork_.next());
  for (const auto& node : nodes_)
    if (node->running() && node->plan().honest()) clockwork_.fail(node->number(), "does not come to its end");
}

SwarmReport SwarmWorld::run() {
  schedule();
  SwarmReport report;
  const Instant latest = Instant() + scenario_.hurt_for + scenario_.finish_within;
  while (!clockwork_.judge.failed()) {
    if (healed_ && finished()) break;
    if (clockwork_.happened > kEventsMost + kEventsPerNode * nodes_.size())
      clockwork_.fail(0, "too much happens: somebody sends without end");
    if (clockwork_.next_at() > latest) {
      std::string who;
      for (const auto& node : nodes_)
        if (node->plan().role == Role::kGetter && node->plan().honest() && !node->done())
          who += " " + std::to_string(node->number()) + "(" + std::to_string(node->present_chunks()) + ")";
      clockwork_.fail(0, "not finished in time of " + std::to_string(content_.chunks()) + " chunks:" + who);
      break;
    }
    play(clockwork_.next());
  }
  for (const auto& node : nodes_) {
    report.finished_at = std::max(report.finished_at, node->done_at());
    if (node->plan().role == Role::kGetter) report.done_at.push_back(node->done_at());
    (node->number() == 0 ? report.publisher_sent : report.getters_sent) += up_[node->number()].carried();
  }
  std::ranges::sort(report.done_at);
  if (clockwork_.verbose)
    for (const auto& node : nodes_) node->describe();
  check_bans();
  if (!clockwork_.judge.failed()) end();
  for (const auto& node : nodes_) {
    report.received_bytes += node->received_bytes();
    report.duplicate_bytes += node->duplicate_bytes();
    report.failed_gets += node->failed_gets();
    report.finished += node->done() ? 1u : 0u;
    report.banned += static_cast<std::uint32_t>(node->banned().size());
  }
  report.passed = !clockwork_.judge.failed();
  report.reason = clockwork_.judge.reason();
  report.trace = clockwork_.trace.hash();
  report.events = clockwork_.happened;
  report.over_at = clockwork_.now();
  return report;
}

}  // namespace peernet::sim
