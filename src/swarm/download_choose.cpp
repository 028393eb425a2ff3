// Which source is asked next: how much each may hold, who is expected to bring the bytes first, whom to try for the
// sake of knowing it.
#include <algorithm>

#include "base/check.hpp"
#include "swarm/download.hpp"

namespace peernet::swarm {

namespace {

// Requests are cut at multiples of this, so that pieces of one chunk stay few and disk reads at the source are aligned.
constexpr std::uint32_t kPieceBytes = 16 * 1024;
constexpr Duration kNear = 2ms;
constexpr Duration kFar = 25ms;  // slow start takes its time there: transport/cubic.hpp

// What may be asked of all sources together whose rate is not known, and of one of them; each doubles as it delivers.
constexpr std::uint64_t kFirstWindows = 1u << 20;
constexpr std::uint64_t kLeastFirstWindow = 32 * 1024;

// One request in so many goes to the source that was asked least recently, whatever is expected of it.
constexpr std::uint32_t kExploreEvery = 24;
constexpr Duration kExplorePause = 500ms;
constexpr std::uint32_t kExploreBytes = 64 * 1024;

// With less than this to be begun, a source that would bring its part later than the others bring everything waits.
constexpr std::uint64_t kEndBytes = 64u << 20;
constexpr std::uint64_t kEndPieceBytes = 64 * 1024;
constexpr double kEndSlack = 0.010;  // seconds

// A request is overdue after so many times the expected time, within these bounds.
constexpr double kOverdue = 4;
constexpr Duration kUnknownDue = 4s;  // from a source of unknown rate
constexpr Duration kLongestDue = 20s;

// While it may still find nothing to do, a source is looked at again after this.
constexpr Duration kLookAgain = 20ms;

bool near(const SourceScore& score) {
  return score.min_rtt() < kNear;
}

double seconds(Duration d) {
  return static_cast<double>(d.count()) * 1e-9;
}

}  // namespace

// On paths below 2 ms everything asked for may arrive before this shard looks at its socket again; on longer ones it is
// on its way, not in the socket.
// While its rate is not known a source has an even part of the socket, or the first to double would leave nothing to
// the others.
std::uint64_t Download::window_bytes(const SourceScore& score) const {
  if (!near(score)) {
    // Of a crowd each has little to give at first, and one who is asked for much by everybody keeps all waiting. A far
    // one's slow start brings more of it in a round trip than can be asked for in two: it has its own bound.
    const std::uint64_t part = std::max(kFirstWindows / std::max<std::size_t>(source_count_, 1), kLeastFirstWindow);
    const bool known = score.measured() || (score.delivered() > 0 && score.min_rtt() >= kFar);
    const std::uint64_t first = known ? UINT64_MAX : std::max(part, 2 * score.delivered());
    return std::min({score.window(), options_.max_outstanding_bytes, first});
  }
  const std::uint64_t even = std::max(options_.socket_bytes / source_count_, SourceScore::kFirstWindow);
  return std::min({score.window(), options_.socket_bytes, score.measured() ? UINT64_MAX : even});
}

// A quarter of what may be outstanding, so that credit returns in quarters of the window and never all at once. Near
// the end less: a far source that is asked for a piece less than it could bring in time is idle for as long.
std::uint32_t Download::request_bytes(const Source& source) const {
  const std::uint64_t quarter = window_bytes(source.score) / 4;
  const std::uint64_t part =
      open_bytes_ > kEndBytes ? quarter : std::max(quarter / 4, std::min(quarter, kEndPieceBytes));
  const std::uint64_t piece = std::max<std::uint64_t>(part, kPieceBytes);
  return static_cast<std::uint32_t>(piece / kPieceBytes * kPieceBytes);
}

bool Download::idle(Instant now, const Source& source) const {
  return source.idle_version == work_version_ && now < source.idle_until;
}

// Slots of requests are shared so that sources that never confirm a cancel cannot take them all.
bool Download::may_have_more(Instant now, const Source& source) const {
  const std::size_t quota = std::max<std::size_t>(2, free_requests_.size() / 4);
  return source.used && !source.score.suspended(now) && !idle(now, source) && source.requests < quota;
}

// Until it is measured a source is thought to be as quick as the quickest known: its first range will tell. What is
// outstanding comes while the request is on its way: the round trip counts only as far as that is not enough to fill
// it. The least one: what the smoothed one holds beyond it is the queue of what is outstanding.
double Download::expected_seconds(const Source& source, std::uint32_t length) const {
  const SourceScore& score = source.score;
  const double round_trip = seconds(score.min_rtt());
  if (score.rate() == 0) return round_trip;
  return std::max(round_trip, static_cast<double>(score.outstanding()) / score.rate()) +
         static_cast<double>(length) / score.rate();
}

// Near the end a far or slow source would be the last to deliver: better that a quicker one, whose window is full at
// the moment, is asked a little later. Only sources that have everything count: they can take over whatever it is.
bool Download::others_finish_first(Instant now, const Source& source, double expected) const {
  if (open_bytes_ > kEndBytes || verifiable_.count() < chunk_count_) return false;
  std::uint64_t left = open_bytes_;
  for (const Assembly& assembly : assemblies_)
    if (assembly.state == AssemblyState::kFilling) left += assembly.length - assembly.asked.total();
  double rate = 0;
  double soonest = 1e9;
  for (const Source& other : sources_) {
    if (&other == &source || !other.used || !other.has_all || other.score.rate() == 0) continue;
    if (other.score.suspended(now) || idle(now, other)) continue;
    rate += other.score.rate();
    left += other.score.outstanding();
    soonest = std::min(soonest, seconds(other.score.min_rtt()));
  }
  return rate > 0 && expected > soonest + static_cast<double>(left) / rate + kEndSlack;
}

// polite: far sources keep to their share, and late ones stay away from the end. What a far one needs to be measured at
// all is little, and a round trip that its sender's slow start loses is not made up for.
std::optional<SourceIndex> Download::pick_source(Instant now, bool polite, std::uint64_t tried) const {
  std::uint64_t near_outstanding = 0;
  for (const Source& s : sources_)
    if (s.used && near(s.score) && !s.score.suspended(now)) near_outstanding += s.score.outstanding();
  std::optional<SourceIndex> best;
  double best_seconds = 0;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& s = sources_[i];
    if ((tried >> i & 1u) != 0 || !may_have_more(now, s)) continue;
    if (near(s.score) && near_outstanding >= options_.socket_bytes) continue;
    const std::uint64_t window = window_bytes(s.score);
    if (s.score.outstanding() >= window) continue;
    const bool known = s.score.measured() || (s.score.delivered() > 0 && s.score.min_rtt() < kFar);
    if (polite && s.share < 1 && known) {
      const auto part = static_cast<std::uint64_t>(s.share * static_cast<double>(window));
      if (s.score.outstanding() + request_bytes(s) > part) continue;
    }
    const double expected = expected_seconds(s, request_bytes(s));
    if (best && expected >= best_seconds) continue;
    best = SourceIndex(static_cast<std::uint16_t>(i));
    best_seconds = expected;
  }
  if (best && polite && others_finish_first(now, sources_[best->value()], best_seconds)) return std::nullopt;
  return best;
}

std::optional<RequestPlan> Download::best_request(Instant now, bool polite) {
  std::uint64_t tried = 0;
  while (const std::optional<SourceIndex> source = pick_source(now, polite, tried)) {
    if (const auto plan = request_from(now, *source)) return plan;
    tried |= std::uint64_t{1} << source->value();
  }
  return std::nullopt;
}

// A source that others have kept from being asked may have become the best meanwhile.
std::optional<RequestPlan> Download::explore(Instant now) {
  if (since_explored_ < kExploreEvery || source_count_ < 2 || open_bytes_ == 0) return std::nullopt;
  since_explored_ = 0;
  Source* longest = nullptr;
  for (Source& s : sources_) {
    if (!may_have_more(now, s) || s.score.outstanding() > 0) continue;
    if (now < s.asked_at + std::max<Duration>(kExplorePause, 4 * s.score.rtt())) continue;
    if (longest == nullptr || s.asked_at < longest->asked_at) longest = &s;
  }
  if (longest == nullptr) return std::nullopt;
  const auto plan = request_from(now, SourceIndex(static_cast<std::uint16_t>(longest - sources_.data())));
  if (plan) ++longest->explored;
  return plan;
}

std::optional<RequestPlan> Download::next_request(Instant now) {
  last_now_ = std::max(last_now_, now);
  if (now >= tick_at_) tick(now);
  if (free_requests_.empty() || live_bytes() >= options_.max_outstanding_bytes) return std::nullopt;
  if (const auto plan = explore(now)) return plan;
  if (const auto plan = best_request(now, true)) return plan;
  // Politeness waits for others to deliver; with nothing on its way there is nobody to wait for.
  return live_bytes() == 0 ? best_request(now, false) : std::nullopt;
}

// Chunks are asked whole from one source as far as possible: it convicts liars and makes chunks that can be passed on.
std::optional<RequestPlan> Download::request_from(Instant now, SourceIndex source_index) {
  Source& source = sources_[source_index.value()];
  std::optional<AssemblyIndex> index = assembly_to_continue(now, source_index, false);
  if (!index) index = start_assembly(now, source_index);
  if (!index) index = assembly_to_continue(now, source_index, true);
  if (!index) {
    if (const auto plan = second_copy(now, source_index)) return plan;
    source.idle_version = work_version_;
    source.idle_until = pages_.empty() ? Instant::never() : now + kLookAgain;
    for (const Assembly& assembly : assemblies_)
      if (assembly.state == AssemblyState::kFilling) source.idle_until = now + kLookAgain;
    for (const Avoided& avoided : source.avoided)
      if (avoided.until > now) source.idle_until = std::min(source.idle_until, avoided.until);
    return std::nullopt;
  }
  Assembly& assembly = at(*index);
  if (assembly.disputed && assembly.owner != source_index && assembly.received_bytes > 0) start_anew(assembly);
  assembly.owner = source_index;
  const Range<std::uint32_t> gap = assembly.asked.first_missing({0, assembly.length});
  PN_CHECK(!gap.empty());
  std::uint32_t most = request_bytes(source);
  if (source.share < 1) most = std::min(most, kExploreBytes);
  return make_request(now, source_index, *index, {gap.first, gap.first + std::min(gap.size(), most)});
}

RequestPlan Download::make_request(Instant now, SourceIndex source_index, AssemblyIndex index,
                                   Range<std::uint32_t> range) {
  Source& source = sources_[source_index.value()];
  Assembly& assembly = at(index);
  const std::uint32_t slot = free_requests_.back();
  free_requests_.pop_back();
  Request& request = requests_[slot];
  request.state = RequestState::kLive;
  request.assembly = index;
  request.source = source_index;
  request.offset = range.first;
  request.length = request.missing = range.size();
  request.twin = kNoTwin;
  request.shared = false;
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(source.score.stall_patience());
  const double expected = source.score.rate() > 0 ? kOverdue * expected_seconds(source, range.size()) : 0;
  request.due = now + std::clamp<Duration>(Duration(static_cast<std::int64_t>(expected * 1e9)),
                                           source.score.rate() > 0 ? patience : kUnknownDue, kLongestDue);
  overdue_at_ = std::min(overdue_at_, request.due);
  source.asked_bytes += range.size();
  request.asked_before = source.asked_bytes;

  PN_CHECK(assembly.asked.insert(range));
  assembly.touched = now;
  ++assembly.live_requests;
  ++source.requests;
  ++source.asked;
  ++since_explored_;
  source.asked_at = now;
  source.score.on_request(now, range.size());
  outstanding_bytes_ += range.size();
  return RequestPlan{source_index, id_of(slot),  assembly.item,
                     range.first,  range.size(), static_cast<std::uint32_t>(patience.count())};
}

}  // namespace peernet::swarm
