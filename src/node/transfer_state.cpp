#include "node/transfer_state.hpp"

#include <algorithm>
#include <utility>

#include "peernet/node.hpp"

namespace peernet::node {

void TransferState::set_name(std::string name) {
  const std::scoped_lock lock(mutex_);
  name_ = std::move(name);
}

void TransferState::push(Event event) {
  {
    const std::scoped_lock lock(mutex_);
    if (finished_) return;
    if (events_.size() >= kMaxEvents) {
      const auto dispensable = std::ranges::find_if(events_, [](const Event& e) {
        return e.kind == EventKind::kSource || e.kind == EventKind::kRetry || e.kind == EventKind::kChunkBad ||
               e.kind == EventKind::kReceiver || e.kind == EventKind::kTracker;
      });
      if (dispensable == events_.end()) return;
      events_.erase(dispensable);
    }
    events_.push_back(std::move(event));
  }
  changed_.notify_all();
}

void TransferState::finish(Event event, Phase last) {
  {
    const std::scoped_lock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    cancel_action_ = nullptr;
    phase.store(last, std::memory_order_relaxed);
    events_.push_back(std::move(event));
  }
  changed_.notify_all();
}

void TransferState::on_cancel(std::function<void()> action) {
  {
    const std::scoped_lock lock(mutex_);
    if (finished_) return;
    if (!cancelled_.load(std::memory_order_relaxed)) {
      cancel_action_ = std::move(action);
      return;
    }
  }
  action();
}

void TransferState::tell_source(const std::string& peer, std::uint64_t bytes, bool left) {
  const std::scoped_lock lock(mutex_);
  auto at =
      std::ranges::find(told_sources_, peer, [](const ToldSource& told) { return std::string_view(told.total.peer); });
  if (at == told_sources_.end()) {
    if (told_sources_.size() == kMaxSourcesTold) {
      const auto gone = std::ranges::find_if(told_sources_, &ToldSource::left);
      if (gone == told_sources_.end()) return;
      told_sources_.erase(gone);
    }
    at = told_sources_.insert(told_sources_.end(), {.total = {.peer = peer}});
  }
  at->total.bytes = at->earlier + bytes;
  at->left = left;
  if (left) at->earlier = at->total.bytes;
}

Progress TransferState::progress() const {
  Progress p;
  constexpr auto kRelaxed = std::memory_order_relaxed;
  p.phase = phase.load(kRelaxed);
  p.bytes_total = bytes_total.load(kRelaxed);
  p.bytes_done = bytes_done.load(kRelaxed);
  p.bytes_resumed = bytes_resumed.load(kRelaxed);
  p.bytes_received = bytes_received.load(kRelaxed);
  p.bytes_duplicate = bytes_duplicate.load(kRelaxed);
  p.bytes_sent = bytes_sent.load(kRelaxed);
  p.sources = sources.load(kRelaxed);
  p.receivers = receivers.load(kRelaxed);
  p.completed = completed.load(kRelaxed);
  sources_wanted_.store(true, kRelaxed);
  const std::scoped_lock lock(mutex_);
  p.name = name_;
  p.by_source.reserve(told_sources_.size());
  for (const ToldSource& told : told_sources_) p.by_source.push_back(told.total);
  return p;
}

std::optional<Event> TransferState::wait_event(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this] { return !events_.empty() || interrupted_; });
  interrupted_ = false;
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void TransferState::cancel() {
  std::function<void()> action;
  {
    const std::scoped_lock lock(mutex_);
    if (cancelled_.exchange(true, std::memory_order_acq_rel)) return;
    action = std::exchange(cancel_action_, nullptr);
  }
  if (action) action();
}

void TransferState::interrupt() {
  {
    const std::scoped_lock lock(mutex_);
    interrupted_ = true;
  }
  changed_.notify_all();
}

}  // namespace peernet::node

namespace peernet {

Progress Transfer::progress() const {
  return state_->progress();
}
std::optional<Event> Transfer::wait_event(std::chrono::milliseconds timeout) {
  return state_->wait_event(timeout);
}
void Transfer::cancel() {
  state_->cancel();
}
void Transfer::interrupt() {
  state_->interrupt();
}

}  // namespace peernet
