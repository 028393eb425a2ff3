#include "sim/requester.hpp"

#include <algorithm>
#include <cstring>

namespace peernet::sim {

using transport::DataRange;

namespace {
constexpr ContentSlot kSlot{7};
}

ContentId pair_content_id() {
  ContentId id;
  id.fill(std::byte{0xc1});
  return id;
}

crypto::MaybeSwarmKey pair_swarm_key() {
  SwarmKey key;
  key.fill(std::byte{0x5e});
  return key;
}

Requester::Requester(SharedWorld world, const NodeId& self, std::uint64_t seed)
    : world_(world),
      self_(self),
      rng_(seed),
      chatter_(world.judge, world.content, world.app.chatter, seed ^ 0xc4a7),
      assembled_(world.content.size()),
      aside_(wire::kMaxDatagram) {
  const std::uint64_t size = world.content.size();
  for (std::uint64_t start = 0; start < size; start += world.app.chunk_bytes) {
    const std::uint64_t chunk_end = std::min<std::uint64_t>(size, start + world.app.chunk_bytes);
    for (std::uint64_t at = start; at < chunk_end; at += world.app.range_bytes) {
      Range range;
      range.chunk = static_cast<std::uint32_t>(start / world.app.chunk_bytes);
      range.offset = static_cast<std::uint32_t>(at - start);
      range.length = static_cast<std::uint32_t>(std::min<std::uint64_t>(chunk_end - at, world.app.range_bytes));
      ranges_.push_back(range);
    }
  }
  for (std::size_t i = ranges_.size(); i > 0; --i) waiting_.push_back(i - 1);
}

void Requester::attach(transport::Session& session) {
  world_.judge.expect(session_ == nullptr && active_.empty() && outstanding_ == 0, "requests outlived their session");
  session_ = &session;
  join_ = Join::kNot;
  target_.reset();
  chatter_.reset();
}

Requester::Active* Requester::find(RequestId id) {
  const auto it = std::find_if(active_.begin(), active_.end(), [&](const Active& a) { return a.id == id; });
  return it == active_.end() ? nullptr : &*it;
}
const Requester::Active* Requester::find(RequestId id) const {
  return const_cast<Requester*>(this)->find(id);
}

void Requester::on_established(const NodeId& peer, const wire::Parameters& parameters) {
  world_.judge.expect(session_ != nullptr, "a session that is not ours is established");
  world_.judge.expect(parameters.max_requests == world_.app.max_requests, "the peer's parameters arrived changed");
  peer_ = peer;
  ++sessions_established_;
}

void Requester::ask_to_join(transport::Session& session) {
  wire::JoinFrame join;
  join.slot = kSlot;
  join.swarm = crypto::swarm_id(pair_swarm_key(), pair_content_id());
  join.mac = crypto::join_proof(pair_swarm_key(),
                                {crypto::JoinRole::kJoin, session.binding(), self_, peer_, pair_content_id()});
  if (session.send(join)) join_ = Join::kAsked;
}

void Requester::on_frame(const wire::Frame& frame) {
  world_.trace.add(0xf0 + frame.index());
  heard_ = true;
  world_.judge.expect(session_ != nullptr, "a frame was delivered after the session had ended");
  if (chatter_.on_frame(frame) || session_ == nullptr) return;
  if (const auto* answer = std::get_if<wire::JoinResFrame>(&frame)) {
    const bool proven = crypto::check_join_proof(
        pair_swarm_key(), {crypto::JoinRole::kJoinResponse, session_->binding(), peer_, self_, pair_content_id()},
        answer->mac);
    world_.judge.expect(answer->status == wire::JoinStatus::kOk && proven, "the source's JOIN_RES proves nothing");
    join_ = Join::kDone;
  } else if (const auto* reject = std::get_if<wire::RejectFrame>(&frame)) {
    end(reject->request, false);
  } else if (const auto* cancelled = std::get_if<wire::CancelledFrame>(&frame)) {
    const Active* active = find(cancelled->request);
    world_.judge.expect(active == nullptr || active->cancelling, "CANCELLED for a request nobody cancelled");
    end(cancelled->request, false);
  } else {
    world_.judge.fail("a frame was delivered that the source never sends");
  }
}

MutableByteSpan Requester::data_target(RequestId request, DataRange range) {
  target_.reset();
  world_.judge.expect(session_ != nullptr, "room for file bytes was asked for after the session had ended");
  const Active* active = find(request);
  if (session_ == nullptr || active == nullptr || active->cancelling) return {};
  const Range& asked = ranges_[active->range];
  const std::uint64_t end = std::uint64_t{range.offset} + range.length;
  if (range.length == 0 || range.offset < asked.offset || end > std::uint64_t{asked.offset} + asked.length) return {};
  if (asked.got.covers(range.offset, end)) return {};
  target_ = Target{request, range, asked.got.touches(range.offset, end)};
  if (target_->aside) return MutableByteSpan(aside_).first(range.length);
  const std::uint64_t room = asked.got.next_from(end, std::uint64_t{asked.offset} + asked.length) - range.offset;
  target_->room = static_cast<std::uint32_t>(room);
  return MutableByteSpan(assembled_).subspan(position(asked, range.offset), target_->room);
}

void Requester::on_data(RequestId request, DataRange range) {
  world_.judge.expect(session_ != nullptr, "file bytes were delivered after the session had ended");
  const bool expected = target_ && target_->request == request && target_->range.offset == range.offset &&
                        (range.length == target_->range.length ||
                         (range.length > target_->range.length && range.length <= target_->room));
  world_.judge.expect(expected, "on_data without its data_target");
  Active* active = find(request);
  if (!expected || active == nullptr) return;
  Range& asked = ranges_[active->range];
  const std::uint64_t fresh = asked.got.add(
      range.offset, std::uint64_t{range.offset} + range.length, [&](std::uint64_t begin, std::uint64_t end) {
        std::byte* into = assembled_.data() + position(asked, begin);
        if (target_->aside) std::memcpy(into, aside_.data() + (begin - range.offset), end - begin);
        const ByteSpan truth = world_.content.at(position(asked, begin), end - begin);
        world_.judge.expect(std::memcmp(into, truth.data(), truth.size()) == 0,
                            "wrong bytes were delivered as authentic");
      });
  target_.reset();
  heard_ = true;
  bytes_received_ += fresh;
  if (asked.got.total() == asked.length) end(request, true);
}

void Requester::on_data_lost(RequestId, DataRange) {
  world_.judge.fail("lost data was reported to a node that sent none");
}
void Requester::on_data_acked(RequestId, DataRange) {
  world_.judge.fail("an acknowledgement of data was reported to a node that sent none");
}

void Requester::end(RequestId id, bool done) {
  const Active* active = find(id);
  if (active == nullptr) return;  // it has ended before: frames may arrive twice, and cross data on its way
  Range& range = ranges_[active->range];
  outstanding_ -= range.length;
  if (done) {
    ++ranges_done_;
    const std::uint64_t at = position(range, range.offset);
    const ByteSpan truth = world_.content.at(at, range.length);
    world_.judge.expect(std::memcmp(assembled_.data() + at, truth.data(), truth.size()) == 0,
                        "bytes that were right have changed");
  } else {
    waiting_.push_back(active->range);
  }
  ++ended_;
  active_.erase(active_.begin() + (active - active_.data()));
}

void Requester::on_closed(const transport::CloseReason& reason) {
  world_.judge.expect(session_ != nullptr, "on_closed twice");
  world_.trace.add(0xc105e000 + static_cast<std::uint64_t>(reason.cause));
  while (!active_.empty()) end(active_.back().id, false);
  last_close_ = reason;
  session_ = nullptr;
}

void Requester::ask(transport::Session& session) {
  const std::size_t most = std::min<std::size_t>(world_.app.max_requests, session.peer_parameters().max_requests);
  while (!waiting_.empty() && active_.size() < most) {
    const std::size_t index = waiting_.back();
    Range& range = ranges_[index];
    if (outstanding_ + range.length > world_.app.max_outstanding) break;
    wire::RequestFrame request;
    request.slot = kSlot;
    request.request = RequestId(next_id_);
    request.index = range.chunk;
    request.offset = range.offset;
    request.length = range.length;
    if (!session.send(request)) break;
    ++next_id_;
    waiting_.pop_back();
    range.got = RangeSet();
    active_.push_back({request.request, index, false});
    outstanding_ += range.length;
    session.set_window_hint(outstanding_);
  }
}

/// Who waits for bytes has nothing in flight: after a change of its address behind a NAT nobody would ever hear of it.
void Requester::probe_silence(transport::Session& session, Instant now) {
  if (heard_ || active_.empty()) {
    heard_ = false;
    heard_at_ = now;
    patience_ = std::max<Duration>(4 * session.rtt(), 300ms);
  } else if (now >= heard_at_ + patience_) {
    session.send(wire::PingFrame{rng_.next()});
    heard_at_ = now;
    patience_ *= 2;
  }
}

Instant Requester::wake_at() const {
  return session_ == nullptr || active_.empty() ? Instant::never() : heard_at_ + patience_;
}

void Requester::turn(transport::Session& session, Instant now) {
  if (session_ != &session || !session.established()) return;
  probe_silence(session, now);
  if (join_ == Join::kNot) ask_to_join(session);
  if (join_ != Join::kDone) return;
  ask(session);
  if (cancels_left_ > 0 && !active_.empty() && rng_.chance(world_.app.cancel / 8)) {
    Active& victim = active_[rng_.below(active_.size())];
    if (!victim.cancelling && session.send(wire::CancelFrame{victim.id})) {
      victim.cancelling = true;
      --cancels_left_;
    }
  }
  if (!complete()) chatter_.turn(session, now);
}

bool Requester::may_be_acknowledged(RequestId request, DataRange range) const {
  const Active* active = find(request);
  if (active == nullptr || active->cancelling) return true;  // it went into scratch
  return ranges_[active->range].got.covers(range.offset, std::uint64_t{range.offset} + range.length);
}

}  // namespace peernet::sim
