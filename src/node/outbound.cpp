// The way out of a shard, top to bottom: control first (handshake, acknowledgements, frames), then file bytes, in turns
// by bytes, until windows, trains or the rate limit say stop. Everything queued here leaves with the next turn.
#include <algorithm>
#include <cstring>

#include "node/memory_plan.hpp"
#include "node/shard.hpp"

namespace peernet::node {

void Shard::look_after_peers() {
  // 1. whoever something happened to: its control datagrams (an acknowledgement frees the other side's window)
  for (const SlabHandle handle : touched_) {
    Peer* peer = peers_.get(handle);
    if (peer == nullptr) continue;
    serving_.tell_behind(now_, *peer);
    send_control(*peer);
  }
  // 2. file bytes, fairly among peers
  send_data();
  // 3. new deadlines; trains sealed above have moved them
  for (const SlabHandle handle : touched_) {
    Peer* peer = peers_.get(handle);
    if (peer == nullptr) continue;
    peer->touched = false;
    if (peer->session.state() == transport::SessionState::kClosed) {
      dead_.push_back(handle);
    } else {
      serving_.note(*peer);  // it may have sent its last bytes
      arm(*peer);
    }
  }
  touched_.clear();
}

void Shard::send_control(Peer& peer) {
  while (controls_.available()) {
    const auto transmit = peer.session.poll_transmit(now_, transmit_buffer_);
    if (!transmit) return;
    const ByteSpan bytes = ByteSpan(transmit_buffer_).first(transmit->bytes);
    io::Send send;
    send.to = transmit->to;
    send.ecn = transmit->ecn;
    if (bytes.size() > kControlBytes) {  // an MTU probe: as large as a train; without room it counts as lost
      if (!trains_.available()) continue;
      const std::uint16_t slot = trains_.take();
      std::memcpy(trains_.bytes(slot).data(), bytes.data(), bytes.size());
      train_sends_[slot] = {peer.self, static_cast<std::uint32_t>(bytes.size())};
      send.bytes = trains_.bytes(slot).first(bytes.size());
      send.token = token(TokenKind::kTrain, slot);
    } else {
      const std::uint16_t slot = controls_.take();
      std::memcpy(controls_.bytes(slot).data(), bytes.data(), bytes.size());
      control_sends_[slot] = {peer.self, static_cast<std::uint32_t>(bytes.size())};
      send.bytes = controls_.bytes(slot).first(bytes.size());
      send.token = token(TokenKind::kControl, slot);
    }
    send.segment_size = static_cast<std::uint32_t>(bytes.size());
    PN_CHECK(driver_->submit_send(send));  // kMaxSends is the sum of both pools
  }
  touch(peer);  // no slot: again when one is back
}

void Shard::submit_train(std::uint16_t slot, Peer& peer, const transport::SealedTrain& train) {
  train_sends_[slot] = {peer.self, static_cast<std::uint32_t>(train.segment_size)};
  io::Send send;
  send.token = token(TokenKind::kTrain, slot);
  send.to = train.to;
  send.ecn = train.ecn;
  send.bytes = trains_.bytes(slot).first(train.train_bytes);
  send.segment_size = static_cast<std::uint32_t>(train.segment_size);
  PN_CHECK(driver_->submit_send(send));
  touch(peer);
}

// Whoever has something to send and may is in the queue; who is blocked leaves it and comes back when something has
// happened to it or its pacer's time has come. A turn costs what happened in it, not what there is.
void Shard::send_data() {
  data_retry_at_ = Instant::never();
  for (const SlabHandle handle : touched_) {
    Peer* peer = peers_.get(handle);
    if (peer == nullptr) continue;
    serving_.note(*peer);
    if (peer->wants_bytes) sending_.push(handle, peer->share);
  }
  if (sending_.empty()) return;
  sending_.run(
      [this](SlabHandle handle) {
        Peer* peer = peers_.get(handle);
        return peer == nullptr ? nullptr : &peer->share;
      },
      [this](SlabHandle handle) { return serving_.send(now_, *peers_.get(handle)); });
  if (!sending_.empty() && !context_.limit_up.ready(now_)) data_retry_at_ = context_.limit_up.ready_at(now_);
}

void Shard::arm(Peer& peer) {
  Instant deadline = peer.session.next_deadline();
  if (peer.wants_bytes && !peer.share.queued) deadline = std::min(deadline, peer.session.data_budget(now_).retry_at);
  if (deadline == peer.timer_at) return;
  timers_.cancel(peer.timer);
  peer.timer_at = deadline;
  peer.timer = deadline.is_never() ? SlabHandle{} : timers_.arm(deadline, peer.self);
}

void Shard::send_raw(const Address& to, ByteSpan bytes) {
  if (!controls_.available()) return;  // stateless answers may be lost
  const std::uint16_t slot = controls_.take();
  std::memcpy(controls_.bytes(slot).data(), bytes.data(), bytes.size());
  control_sends_[slot] = {};
  io::Send send;
  send.token = token(TokenKind::kControl, slot);
  send.to = to;
  send.bytes = controls_.bytes(slot).first(bytes.size());
  send.segment_size = static_cast<std::uint32_t>(bytes.size());
  PN_CHECK(driver_->submit_send(send));
}

}  // namespace peernet::node
