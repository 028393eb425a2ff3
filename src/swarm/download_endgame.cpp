// When nothing is left to begin: what a slow source still owes is asked of a second one too, if that brings it clearly
// earlier. At most two copies of a range are ever on their way; who loses is cancelled.
#include <algorithm>

#include "base/check.hpp"
#include "swarm/download.hpp"
#include "swarm/mutants.hpp"

namespace peernet::swarm {

namespace {

constexpr double kClearly = 1.5;        // times earlier, and
constexpr double kClearlyBy = 0.010;    // seconds
constexpr double kUnknownRate = 65536;  // bytes per second, of a source that has brought nothing yet
// Bytes that may come twice for it: one in kCostShare of the content, within bounds, and one in as many of those
// received. Silence costs nothing.
constexpr std::uint64_t kCostShare = 256;
constexpr std::uint64_t kMostGrace = 256 * 1024;
constexpr std::uint32_t kCutBytes = 16 * 1024;
// A disputed chunk has one source alone: it is taken away from one that would hold up everything.
constexpr double kDisputedPatience = 2.0;

double seconds(Duration d) {
  return static_cast<double>(d.count()) * 1e-9;
}

// Longer than its round trip and its turn among the others that it serves explain.
bool long_silent(Instant now, const SourceScore& score) {
  const Duration silence = now - score.last_data();
  if (score.rate() == 0 || silence <= std::max<Duration>(250ms, 4 * score.rtt())) return false;
  return seconds(silence) > 2 * static_cast<double>(score.outstanding()) / score.rate();
}

}  // namespace

// Sources serve in order: what was asked of it before comes first. Who has been silent for long will stay so for about
// as long again.
double Download::seconds_left(Instant now, const Request& request) const {
  const Source& source = sources_[request.source.value()];
  const std::uint64_t asked_later = source.asked_bytes - request.asked_before;
  const std::uint64_t outstanding = source.score.outstanding();
  const std::uint64_t ahead =
      std::max<std::uint64_t>(request.missing, outstanding - std::min(outstanding, asked_later));
  const double rate = source.score.rate() > 0 ? source.score.rate() : kUnknownRate;
  const double silent = seconds(now - source.score.last_data());
  const double round_trip = seconds(source.score.rtt());
  const double transfer = static_cast<double>(ahead) / rate;
  return silent > 2 * round_trip ? std::max(transfer, silent) : transfer;
}

std::optional<RequestPlan> Download::second_copy(Instant now, SourceIndex source_index) {
  Source& source = sources_[source_index.value()];
  if (source.score.rate() == 0) return std::nullopt;
  const double start =
      seconds(source.score.rtt()) + static_cast<double>(source.score.outstanding()) / source.score.rate();
  const std::uint64_t grace =
      std::clamp<std::uint64_t>(std::uint64_t{chunk_count_} * chunk_bytes_ / kCostShare, kCutBytes, kMostGrace);
  double most_gained = 0;
  Request* best = nullptr;
  Range<std::uint32_t> best_range;
  double best_cost = 0;
  for (Request& request : requests_) {
    if (request.state != RequestState::kLive || request.source == source_index) continue;
    if (request.twin != kNoTwin && !mutant(Mutant::kEndgameThirdCopy)) continue;
    const Assembly& assembly = at(request.assembly);
    if (!may_ask(now, source, assembly.item)) continue;
    const Source& other = sources_[request.source.value()];
    const double left = seconds_left(now, request);
    if (assembly.disputed) {
      const double alone = start + assembly.length / source.score.rate();
      if (left < kDisputedPatience + 4 * alone) continue;
      avoid(sources_[request.source.value()], assembly.item, now + kFailedChunk, true);
      cancel_request(request, true);  // the rest follows as its other requests are looked at, then it is begun anew
      continue;
    }
    // What the other brings before this one could begin is not asked for.
    const double before = static_cast<double>(request.missing) - (left - start) * other.score.rate();
    const Range<std::uint32_t> gap = assembly.received.first_missing({request.offset, request.offset + request.length});
    if (gap.empty()) continue;
    const auto skip = static_cast<std::uint32_t>(std::clamp(before, 0.0, static_cast<double>(request.length)));
    const std::uint32_t end = request.offset + request.length;
    const Range<std::uint32_t> wanted =
        assembly.received.first_missing({gap.first + skip / kCutBytes * kCutBytes, end});
    const Range<std::uint32_t> range{wanted.first, wanted.empty() ? wanted.first : end};
    if (range.empty()) continue;
    const double mine = start + range.size() / source.score.rate();
    if (left < mine * kClearly + kClearlyBy || left - mine <= most_gained) continue;
    const bool silent = long_silent(now, other.score);
    best_cost = silent ? 0 : std::min<double>(range.size(), other.score.rate() * (mine + seconds(other.score.rtt())));
    const std::uint64_t expected = silent ? 0 : second_copy_cost_;
    const std::uint64_t spent = std::max(expected, duplicate_bytes_) + static_cast<std::uint64_t>(best_cost);
    if (spent > grace + received_bytes_ / kCostShare) continue;
    most_gained = left - mine;
    best = &request;
    best_range = range;
  }
  if (best == nullptr) return std::nullopt;
  second_copy_cost_ += static_cast<std::uint64_t>(best_cost);
  const RequestPlan plan = make_request(now, source_index, best->assembly, best_range);
  Request& mine = requests_[plan.id.value() % kMaxRequests];
  mine.twin = slot_of(*best);
  best->twin = slot_of(mine);
  mine.shared = best->shared = true;
  return plan;
}

}  // namespace peernet::swarm
