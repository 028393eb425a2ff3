#include "worker.hpp"

#include <algorithm>

#include "cli/printable.hpp"

namespace peernet::tracker_load {
namespace {

constexpr std::uint32_t kVerifyWindow = 32;  // verifying requests are large
constexpr Duration kDeadTracker = 4s;        // without any reply
constexpr std::size_t kShownError = 120;

}  // namespace

Worker::Worker(const Options& options, Model& model, Sources& sources, std::uint32_t number)
    : options_(options),
      model_(model),
      sources_(sources),
      number_(number),
      rng_(options.seed + 77 * std::uint64_t{number}),
      checker_(options, model, sources),
      requests_(options.window) {
  for (std::uint32_t source = number; source < options.sources; source += options.threads)
    shares_.push_back({.source = source});
}

bool Worker::append_request(Phase phase, Share& share, wire::TrackerAction action, Instant due, std::size_t& size) {
  Request request;
  request.due = request.sent = due;
  request.source = static_cast<std::uint32_t>(&share - shares_.data());
  const bool more = phase == Phase::kPopulate ? plan_populate(share, request)
                    : phase == Phase::kVerify ? plan_verify(share, request)
                                              : plan_run(share, action, request);
  if (!more) return false;
  size = write(share, request, requests_.next_transaction(), out_.room());
  requests_.start(request);
  out_.append(size);
  ++share.under_way;
  stats_.add(Count::kSent);
  return true;
}

// Sends up to `wanted` requests from one source; returns how many.
std::uint32_t Worker::send(Phase phase, Share& share, std::uint32_t wanted, Instant due, double step_ns) {
  std::uint32_t made = 0;
  bool more = true;
  out_.clear();
  while (more && made < wanted && !requests_.full() && out_.messages() < kMaxBatch) {
    const wire::TrackerAction action = pick_action();  // requests of one train are of one kind: of one length
    std::size_t segment = 0;
    for (std::uint32_t i = 0; i < options_.gso && more && made < wanted && !requests_.full(); ++i) {
      std::size_t size = 0;
      more = append_request(phase, share, action, due + Duration(static_cast<std::int64_t>(step_ns * made)), size);
      if (!more) break;
      ++made;
      if (segment == 0) segment = size;
      if (size != segment) break;  // a shorter last one is allowed
    }
    if (segment != 0) out_.end_message(segment);
  }
  if (out_.messages() != 0) out_.send(sources_.fd(share.source), stats_);
  return made;
}

void Worker::receive(Phase phase, Share& share) {
  for (;;) {
    const std::size_t got = in_.receive(sources_.fd(share.source), stats_);
    const Instant at = now();
    for (std::size_t i = 0; i < got; ++i) on_reply(phase, share, in_.at(i), at);
    if (got < kMaxBatch) return;
  }
}

void Worker::on_reply(Phase phase, Share& share, ByteSpan reply, Instant at) {
  stats_.add(Count::kBytesIn, reply.size());
  ByteReader reader(reply);
  const std::uint32_t action = reader.u32();
  const std::uint32_t transaction = reader.u32();
  if (reader.failed()) return stats_.invalid(Count::kBadLength, "a reply shorter than 8 bytes");
  Request* request = nullptr;
  const RequestTable::Found found = requests_.find(transaction, request);
  if (found == RequestTable::Found::kLate) return stats_.add(Count::kLate);
  if (found == RequestTable::Found::kNever || &shares_[request->source] != &share)
    return stats_.invalid(Count::kBadTransaction, "an unknown transaction id");
  stats_.latency.add(at - request->due);
  bool good = false;
  if (action == static_cast<std::uint32_t>(wire::TrackerAction::kError)) {
    const ByteSpan text = reader.rest();
    stats_.add(Count::kErrors);
    if (stats_.first_error.empty())
      stats_.first_error =
          cli::shortened(cli::printable({reinterpret_cast<const char*>(text.data()), text.size()}), kShownError);
  } else if (action != static_cast<std::uint32_t>(request->action)) {
    stats_.invalid(Count::kBadAction, "an action that was not asked for");
  } else {
    good = judge(phase, share, *request, reply);
  }
  if (request->action == wire::TrackerAction::kAnnounce) {
    if (!good)
      model_.set_unsure(request->subject);
    else if (request->event == wire::AnnounceEvent::kStopped)
      model_.set_answered(request->subject, PeerKind::kAbsent, at);
    else
      model_.set_answered(request->subject, request->complete ? PeerKind::kSeeder : PeerKind::kLeecher, at);
  }
  ++done_;
  --share.under_way;
  requests_.finish(*request);
}

bool Worker::judge(Phase phase, Share& share, const Request& request, ByteSpan reply) {
  if (request.action == wire::TrackerAction::kAnnounce) {
    stats_.add(Count::kAnnounces);
    stats_.add(Count::kContents);
    return checker_.check_announce(request, reply, stats_);
  }
  if (request.action == wire::TrackerAction::kScrape) {
    stats_.add(Count::kScrapes);
    stats_.add(Count::kContents, request.swarms);
    return checker_.check_scrape(request, reply, phase == Phase::kVerify, stats_);
  }
  stats_.add(Count::kConnects);
  if (reply.size() != wire::kConnectReplySize) {
    stats_.invalid(Count::kBadLength, "length of a connect reply");
    return false;
  }
  sources_.set_connection_id(share.source, ByteReader(reply.subspan(8)).u64());
  return true;
}

void Worker::expire(Phase phase, Instant at) {
  for (Request* r = requests_.oldest(); r != nullptr; r = requests_.oldest()) {
    if (at < r->sent + std::chrono::milliseconds(options_.timeout_ms)) return;
    Share& share = shares_[r->source];
    stats_.add(Count::kLost);
    if (r->action == wire::TrackerAction::kAnnounce) model_.set_unsure(r->subject);
    if (phase == Phase::kPopulate) share.again.push_back(r->subject);
    if (phase == Phase::kVerify) share.again.push_back(r->swarm);
    --share.under_way;
    requests_.finish(*r);
  }
}

bool Worker::nothing_left() const {
  return requests_.live() == 0 && std::ranges::all_of(shares_, [](const Share& share) { return share.again.empty(); });
}

void Worker::run(Phase phase, Instant end) {
  stats_ = {};
  checker_.reset();
  verify_next_ = 0;
  for (Share& share : shares_) share.populated = 0, share.again.clear();
  const bool timed = phase == Phase::kRun;
  const double step_ns = timed && options_.rate > 0 ? 1e9 * options_.threads / options_.rate : 0;
  Instant last_progress = now();
  double next_due_ns = static_cast<double>(last_progress.ns());
  for (std::uint64_t last_done = done_;;) {
    bool sent_any = false;
    Instant at = now();
    for (Share& share : shares_) {
      at = now();
      if (share.under_way != 0) receive(phase, share);
      if (requests_.full() || (timed && at >= end) || (phase == Phase::kVerify && requests_.live() >= kVerifyWindow))
        continue;
      std::uint32_t wanted = options_.batch * options_.gso;
      const double behind = static_cast<double>(at.ns()) - next_due_ns;
      if (step_ns > 0 && behind < 0) continue;
      if (step_ns > 0) wanted = std::min(wanted, 1 + static_cast<std::uint32_t>(behind / step_ns));
      const Instant due = step_ns > 0 ? Instant::from_ns(static_cast<std::int64_t>(next_due_ns)) : at;
      const std::uint32_t sent = send(phase, share, wanted, due, step_ns);
      next_due_ns += step_ns * sent;
      sent_any = sent_any || sent != 0;
    }
    expire(phase, at);
    if (timed ? at >= end && requests_.live() == 0 : !sent_any && nothing_left()) return;
    if (done_ != last_done) {
      last_done = done_;
      last_progress = at;
    } else if (!timed && at > last_progress + kDeadTracker) {
      return;
    }
  }
}

}  // namespace peernet::tracker_load
