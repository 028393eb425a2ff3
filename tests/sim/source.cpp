#include "sim/source.hpp"

#include <algorithm>

namespace peernet::sim {

using transport::DataRange;

Source::Source(SharedWorld world, const NodeId& self, const Requester& requester, std::uint64_t seed)
    : world_(world),
      self_(self),
      requester_(requester),
      rng_(seed),
      chatter_(world.judge, world.content, world.app.chatter, seed ^ 0xc4a7) {}

Source::Job* Source::find(RequestId id) {
  const auto it = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& j) { return j.id == id; });
  return it == jobs_.end() ? nullptr : &*it;
}

void Source::on_established(const NodeId& peer, const wire::Parameters&) {
  world_.judge.expect(!established_ && !ended_, "on_established twice, or after the end");
  established_ = true;
  peer_ = peer;
}

void Source::answer(const wire::Frame& frame) {
  if (!session_->send(frame)) unsent_.push_back(frame);
}

void Source::on_join(const wire::JoinFrame& join) {
  const bool proven = crypto::check_join_proof(
      pair_swarm_key(), {crypto::JoinRole::kJoin, session_->binding(), peer_, self_, pair_content_id()}, join.mac);
  world_.judge.expect(proven, "the requester's JOIN proves nothing");
  joined_ = true;
  wire::JoinResFrame yes;
  yes.slot = join.slot;
  yes.status = wire::JoinStatus::kOk;
  yes.mac = crypto::join_proof(pair_swarm_key(),
                               {crypto::JoinRole::kJoinResponse, session_->binding(), self_, peer_, pair_content_id()});
  answer(yes);
}

void Source::on_request(const wire::RequestFrame& request) {
  if (!seen_.insert(request.request.value()).second) return;
  world_.judge.expect(joined_, "a REQUEST was delivered that cannot have been sent before JOIN_RES");
  const std::uint64_t begin = std::uint64_t{request.index} * world_.app.chunk_bytes + request.offset;
  if (begin + request.length > world_.content.size()) {
    world_.judge.fail("a REQUEST arrived changed");
    return;
  }
  if (rng_.chance(world_.app.reject)) {
    answer(wire::RejectFrame{request.request, wire::RejectReason::kBusy});
    return;
  }
  Job job;
  job.id = request.request;
  job.chunk = request.index;
  job.begin = job.next = request.offset;
  job.end = request.offset + request.length;
  jobs_.push_back(job);
  // A request of which bytes were never sealed is open at the requester too: these together are under its limits.
  const auto unsealed = std::count_if(jobs_.begin(), jobs_.end(), [](const Job& j) { return j.next < j.end; });
  world_.judge.expect(static_cast<std::size_t>(unsealed) <= world_.app.max_requests,
                      "more requests are open than were allowed");
  std::uint64_t bytes = 0;
  for (const Job& j : jobs_) bytes += j.end - j.next;
  world_.judge.expect(bytes <= world_.app.max_outstanding, "more bytes are asked for than there is credit");
}

void Source::on_frame(const wire::Frame& frame) {
  world_.trace.add(0xf100 + frame.index());
  world_.judge.expect(!ended_, "a frame was delivered after the session had ended");
  if (ended_ || chatter_.on_frame(frame)) return;
  if (const auto* join = std::get_if<wire::JoinFrame>(&frame)) {
    on_join(*join);
  } else if (const auto* request = std::get_if<wire::RequestFrame>(&frame)) {
    on_request(*request);
  } else if (const auto* cancel = std::get_if<wire::CancelFrame>(&frame)) {
    seen_.insert(cancel->request.value());
    finish(cancel->request);
    answer(wire::CancelledFrame{cancel->request});
  } else {
    world_.judge.fail("a frame was delivered that the requester never sends");
  }
}

MutableByteSpan Source::data_target(RequestId, DataRange) {
  return {};
}
void Source::on_data(RequestId, DataRange) {
  world_.judge.fail("file bytes were delivered to a node that asked for none");
}

void Source::on_data_lost(RequestId request, DataRange range) {
  world_.judge.expect(!ended_, "a loss was reported after the session had ended");
  Job* job = find(request);
  if (job == nullptr) return;
  const std::uint64_t end = std::uint64_t{range.offset} + range.length;
  world_.judge.expect(range.length > 0 && range.offset >= job->begin && end <= job->next,
                      "bytes were reported lost that were never sealed");
  job->lost.add(range.offset, end);
}

void Source::on_data_acked(RequestId request, DataRange range) {
  world_.judge.expect(!ended_, "an acknowledgement was reported after the session had ended");
  world_.judge.expect(distrusted_ || requester_.may_be_acknowledged(request, range),
                      "bytes are acknowledged that never arrived");
  Job* job = find(request);
  if (job == nullptr) return;
  const std::uint64_t end = std::uint64_t{range.offset} + range.length;
  world_.judge.expect(range.length > 0 && range.offset >= job->begin && end <= job->next,
                      "bytes were reported acknowledged that were never sealed");
  job->acked.add(range.offset, end);
  if (job->done()) finish(request);
}

void Source::finish(RequestId id) {
  std::erase_if(jobs_, [&](const Job& j) { return j.id == id; });
}

void Source::on_closed(const transport::CloseReason& reason) {
  world_.judge.expect(!ended_, "on_closed twice");
  world_.trace.add(0xc105e000 + static_cast<std::uint64_t>(reason.cause));
  ended_ = true;
  jobs_.clear();
  unsent_.clear();
  session_ = nullptr;
}

void Source::turn(transport::Session& session, Instant now) {
  if (ended_ || !session.established()) return;
  while (!unsent_.empty() && session.send(unsent_.front())) unsent_.pop_front();
  if (!requester_.complete()) chatter_.turn(session, now);
}

bool Source::wants_to_send() const {
  return !ended_ && std::any_of(jobs_.begin(), jobs_.end(), [](const Job& j) { return j.wants(); });
}

transport::SealedTrain Source::seal(transport::Session& session, Instant now, MutableByteSpan train) {
  if (world_.app.interleave) ++turn_of_;
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    Job& job = jobs_[world_.app.interleave ? (turn_of_ + i) % jobs_.size() : i];
    if (!job.wants()) continue;
    const bool again = !job.lost.empty();
    std::uint64_t begin = job.next;
    std::uint64_t end = job.end;
    if (again) std::tie(begin, end) = job.lost.take_first(UINT32_MAX);
    transport::DataToSeal data;
    data.request = job.id;
    data.offset = static_cast<std::uint32_t>(begin);
    data.file_bytes = world_.content.at(std::uint64_t{job.chunk} * world_.app.chunk_bytes + begin, end - begin);
    data.last = std::none_of(jobs_.begin(), jobs_.end(), [&](const Job& j) { return &j != &job && j.wants(); }) &&
                (!again || (job.lost.empty() && job.next == job.end));
    const transport::SealedTrain sealed = session.seal_data(now, data, train);
    world_.judge.expect(sealed.consumed <= data.file_bytes.size(), "more bytes were sealed than there were");
    if (again) {
      sealed_twice_ += sealed.consumed;
      if (begin + sealed.consumed < end) job.lost.add(begin + sealed.consumed, end);
    } else {
      job.next += static_cast<std::uint32_t>(sealed.consumed);
    }
    return sealed;
  }
  return {};
}

}  // namespace peernet::sim
