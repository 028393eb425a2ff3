#include "node/peer.hpp"

#include <type_traits>

#include "node/fetch.hpp"
#include "node/shard.hpp"

namespace peernet::node {

FetchSlot* Peer::fetch_slot(ContentSlot slot) {
  for (FetchSlot& f : fetches)
    if (f.slot == slot) return &f;
  return nullptr;
}

FetchSlot* Peer::fetch_of(RequestId request) {
  const Fetch* fetch = shard_.fetch(swarm::download_of(request));
  if (fetch == nullptr) return nullptr;
  for (FetchSlot& f : fetches)
    if (f.fetch == fetch) return &f;
  return nullptr;
}

ServedSlot* Peer::served_slot(ContentSlot slot) {
  for (ServedSlot& s : served)
    if (s.slot == slot) return &s;
  return nullptr;
}

ContentSlot Peer::fresh_slot() {
  const bool initiator = session.role() == transport::Role::kInitiator;
  return ContentSlot(static_cast<std::uint16_t>(2 * next_slot++ + (initiator ? 0 : 1)));
}

void Peer::on_established(const NodeId&, const wire::Parameters&) {
  ShardCounters::bump(shard_.mutable_counters().sessions_established);
  shard_.on_peer_established(*this);  // which may find that the pair has a session already
  if (!dead && dialled_for != nullptr) dialled_for->on_established(*this);
}

MutableByteSpan Peer::data_target(RequestId request, transport::DataRange range) {
  FetchSlot* slot = fetch_of(request);
  return slot == nullptr ? MutableByteSpan() : slot->fetch->data_target(*slot, request, range);
}

void Peer::on_data(RequestId request, transport::DataRange range) {
  FetchSlot* slot = fetch_of(request);
  PN_CHECK(slot != nullptr);
  slot->fetch->on_data(*slot, request, range);
}

void Peer::on_data_lost(RequestId request, transport::DataRange range) {
  uploads.on_lost(request, range.offset, range.length);
  shard_.touch(*this);
}

void Peer::on_data_acked(RequestId request, transport::DataRange range) {
  uploads.on_acked(request, range.offset, range.length);
}

void Peer::on_closed(const transport::CloseReason& reason) {
  shard_.on_peer_closed(*this, reason);
}

void Peer::on_frame(const wire::Frame& frame) {
  Serving& serving = shard_.serving();
  if (const auto* f = std::get_if<wire::RequestFrame>(&frame)) {
    serving.on_request(*this, *f);
  } else if (const auto* join = std::get_if<wire::JoinFrame>(&frame)) {
    serving.on_join(*this, *join);
    if (const ServedSlot* slot = served_slot(join->slot)) shard_.on_receiver_joined(*this, *slot->served->content);
  } else if (const auto* cancel = std::get_if<wire::CancelFrame>(&frame)) {
    serving.on_cancel(*this, cancel->request);
  } else if (const auto* joined = std::get_if<wire::JoinResFrame>(&frame)) {
    if (FetchSlot* slot = fetch_slot(joined->slot)) slot->fetch->on_join_response(*this, *slot, *joined);
  } else if (const auto* have = std::get_if<wire::HaveFrame>(&frame)) {
    // A slot number is the joining side's: the same number may stand for one content each way.
    if (FetchSlot* slot = fetch_slot(have->slot)) slot->fetch->on_have(*this, *slot, *have);
    serving.on_have(*this, *have);
  } else if (const auto* map = std::get_if<wire::HaveMapFrame>(&frame)) {
    if (FetchSlot* slot = fetch_slot(map->slot)) slot->fetch->on_have_map(*this, *slot, *map);
  } else if (const auto* reject = std::get_if<wire::RejectFrame>(&frame)) {
    if (FetchSlot* slot = fetch_of(reject->request)) slot->fetch->on_reject(*this, *slot, *reject);
  } else if (const auto* gone = std::get_if<wire::CancelledFrame>(&frame)) {
    if (FetchSlot* slot = fetch_of(gone->request)) slot->fetch->on_cancelled(*slot, gone->request);
  } else if (const auto* leave = std::get_if<wire::LeaveFrame>(&frame)) {
    if (FetchSlot* slot = fetch_slot(leave->slot)) slot->fetch->on_leave(*this, *slot, leave->reason);
    serving.on_leave(*this, leave->slot);
  }
}

}  // namespace peernet::node
