// Bytes that arrive, and how requests end.
#include <algorithm>

#include "base/check.hpp"
#include "swarm/download.hpp"
#include "swarm/mutants.hpp"

namespace peernet::swarm {

RequestId Download::id_of(std::uint32_t slot) const {
  return RequestId((requests_[slot].generation << (kSlotBits + kDownloadBits)) | (options_.number << kSlotBits) | slot);
}

std::uint32_t Download::slot_of(const Request& request) const {
  return static_cast<std::uint32_t>(&request - requests_.data());
}

const Download::Request* Download::live_request(SourceIndex source, RequestId id) const {
  const std::uint32_t slot = id.value() % kMaxRequests;
  const Request& request = requests_[slot];
  if (request.state != RequestState::kLive || id_of(slot) != id || request.source != source) return nullptr;
  return &request;
}

Download::Request* Download::live_request(SourceIndex source, RequestId id) {
  return const_cast<Request*>(static_cast<const Download*>(this)->live_request(source, id));
}

std::optional<Target> Download::target(SourceIndex source, RequestId id, std::uint32_t offset,
                                       std::uint32_t length) const {
  const Request* request = live_request(source, id);
  if (request == nullptr || length == 0 || offset < request->offset) return std::nullopt;
  const Assembly& assembly = at(request->assembly);
  const std::uint64_t end =
      mutant(Mutant::kAcceptUnrequestedRange) ? assembly.length : std::uint64_t{request->offset} + request->length;
  if (std::uint64_t{offset} + length > end || assembly.state != AssemblyState::kFilling) return std::nullopt;
  const std::uint32_t place = mutant(Mutant::kBytesInTheWrongPlace) && offset > 0 ? offset - 1 : offset;
  const Range<std::uint32_t> gap = assembly.received.first_missing({offset, static_cast<std::uint32_t>(end)});
  if (gap.first == offset && gap.size() >= length) return Target{request->assembly, place, gap.size(), false};
  if (assembly.received.contains(Range<std::uint32_t>{offset, offset + length})) return std::nullopt;
  return Target{request->assembly, place, 0, true};
}

Range<std::uint32_t> Download::missing(AssemblyIndex assembly, Range<std::uint32_t> within) const {
  return at(assembly).received.first_missing(within);
}

std::optional<AssemblyIndex> Download::on_data(Instant now, SourceIndex source, RequestId id, std::uint32_t offset,
                                               std::uint32_t length) {
  last_now_ = std::max(last_now_, now);
  Request* request = live_request(source, id);
  if (request == nullptr) return std::nullopt;  // given back by an earlier piece of the same packet
  Assembly& assembly = at(request->assembly);
  const AssemblyIndex index = request->assembly;
  // A set that is full means more separate pieces than packets of honest size can make: the rest of the request is
  // given back and asked for again.
  if (!assembly.received.insert({offset, offset + length})) {
    end_request(*request, true);
    return std::nullopt;
  }
  assembly.touched = now;
  if (assembly.received_bytes == 0) assembly.first_source = source;
  if (assembly.first_source != source) assembly.several_sources = true;
  assembly.received_bytes += length;
  request->missing -= length;
  received_bytes_ += length;
  outstanding_bytes_ -= length;
  sources_[source.value()].score.on_data(now, length);
  if (request->missing == 0) {
    const std::uint32_t twin = request->twin;
    sources_[source.value()].score.on_fulfilled();
    end_request(*request, false);
    if (twin != kNoTwin) settle_twins(twin);
  } else if (request->shared) {
    settle_twins(slot_of(*request));
  }
  if (assembly.received_bytes < assembly.length) return std::nullopt;
  assembly.state = AssemblyState::kVerifying;
  return index;
}

bool Download::covered(const Request& request) const {
  return at(request.assembly).received.contains({request.offset, request.offset + request.length});
}

// Two sources are asked for the same bytes: whoever still owes some of them when all are here has lost.
void Download::settle_twins(std::uint32_t slot) {
  const std::uint32_t twin = requests_[slot].twin;
  for (const std::uint32_t s : {slot, twin}) {
    if (s == kNoTwin || requests_[s].state != RequestState::kLive || !covered(requests_[s])) continue;
    if (mutant(Mutant::kLoserKeepsItsRequest)) continue;
    cancel_request(requests_[s], false);
  }
}

void Download::on_unwanted(SourceIndex source, std::uint32_t length) {
  received_bytes_ += length;
  duplicate_bytes_ += length;
  sources_[source.value()].duplicates += length;
  // Of a pair in the endgame the slower one sends what is here already: it is alive.
  for (const Request& request : requests_)
    if (request.state == RequestState::kLive && request.source == source && request.twin != kNoTwin)
      return sources_[source.value()].score.on_alive(last_now_);
}

void Download::on_request_gone(SourceIndex source, RequestId id) {
  const std::uint32_t slot = id.value() % kMaxRequests;
  Request& request = requests_[slot];
  if (request.state != RequestState::kCancelled || id_of(slot) != id || request.source != source) return;
  sources_[source.value()].cancelled_bytes -= request.missing;
  cancelled_bytes_ -= request.missing;
  if (mutant(Mutant::kForgetCancelledCredit)) request.missing = 0;
  release(request);
}

// The credit of what will not come returns, and the slot with a new generation.
void Download::release(Request& request) {
  Source& source = sources_[request.source.value()];
  source.score.on_forgotten(request.missing);
  outstanding_bytes_ -= request.missing;
  --source.requests;
  source.idle_version = 0;
  request.state = RequestState::kFree;
  request.missing = 0;
  ++request.generation;
  free_requests_.push_back(slot_of(request));
}

void Download::unlink(Request& request) {
  if (request.twin != kNoTwin) requests_[request.twin].twin = kNoTwin;
  request.twin = kNoTwin;
}

// What has arrived of the range stays marked, and what its twin still brings; the rest may be asked for again.
void Download::forget_range(const Request& request) {
  Assembly& assembly = at(request.assembly);
  const std::uint32_t end = request.offset + request.length;
  PN_CHECK(assembly.asked.subtract({request.offset, end}));
  for (const Range<std::uint32_t>& had : assembly.received.ranges())
    if (had.end > request.offset && had.first < end)
      PN_CHECK(assembly.asked.insert({std::max(had.first, request.offset), std::min(had.end, end)}));
  if (request.twin != kNoTwin) {
    const Request& twin = requests_[request.twin];
    PN_CHECK(assembly.asked.insert({twin.offset, twin.offset + twin.length}));
  }
  ++work_version_;
}

// Ends a live request. give_back: the bytes that did not come may be asked of others.
void Download::end_request(Request& request, bool give_back) {
  --at(request.assembly).live_requests;
  if (give_back) forget_range(request);
  unlink(request);
  release(request);
}

// Dead for its data; its credit waits for the confirmation.
void Download::cancel_request(Request& request, bool give_back) {
  --at(request.assembly).live_requests;
  if (give_back) forget_range(request);
  unlink(request);
  request.state = RequestState::kCancelled;
  sources_[request.source.value()].cancelled_bytes += request.missing;
  cancelled_bytes_ += request.missing;
  cancels_.push_back(id_of(slot_of(request)));
}

// session_ended: nothing of it can come any more; else what others have is cancelled and asked of them.
// Who trickles bytes, or brings all but the last ones of each request, is never silent: each request has a time of its
// own by which it goes to somebody else.
void Download::take_overdue(Instant now) {
  if (now < overdue_at_) return;
  overdue_at_ = Instant::never();
  for (Request& request : requests_) {
    if (request.state != RequestState::kLive) continue;
    Source& source = sources_[request.source.value()];
    const Item item = at(request.assembly).item;
    if (request.due <= now && others_able(now, source, item)) {
      source.score.on_overdue(now, rng_);
      avoid(source, item, now + kFailedChunk, true);
      cancel_request(request, true);
      continue;
    }
    if (request.due <= now) request.due = now + kOverdueAgain;
    overdue_at_ = std::min(overdue_at_, request.due);
  }
}

void Download::give_back_all(Instant now, SourceIndex source, bool session_ended) {
  Source& s = sources_[source.value()];
  for (std::uint32_t slot = 0; slot < kMaxRequests; ++slot) {
    Request& request = requests_[slot];
    if (request.state == RequestState::kFree || request.source != source) continue;
    if (session_ended) {
      if (request.state == RequestState::kCancelled)
        on_request_gone(source, id_of(slot));
      else
        end_request(request, true);
      continue;
    }
    const Item item = at(request.assembly).item;
    // With nobody else to ask, what is outstanding may still come: retransmission is the session's business.
    if (request.state == RequestState::kCancelled || !others_able(now, s, item)) continue;
    avoid(s, item, now + kFailedChunk, true);
    cancel_request(request, !mutant(Mutant::kNeverRetryAfterTimeout));
  }
  if (!session_ended) return;
  for (Assembly& assembly : assemblies_)  // the rest would be another's
    if (assembly.state == AssemblyState::kFilling && assembly.disputed && assembly.owner == source &&
        assembly.live_requests == 0)
      start_anew(assembly);
}

std::optional<std::pair<SourceIndex, RequestId>> Download::next_cancel() {
  while (!cancels_.empty()) {
    const RequestId id = cancels_.back();
    cancels_.pop_back();
    const Request& request = requests_[id.value() % kMaxRequests];
    if (request.state == RequestState::kCancelled && id_of(id.value() % kMaxRequests) == id)
      return std::pair(request.source, id);
  }
  return std::nullopt;
}

}  // namespace peernet::swarm
