// Whom a get asks: the nodes of the link and those that trackers name; dialling, dialling again, one session per pair.
//
// A dial names an address and the session with the node behind it, whoever opened that. While the session is silent a
// second attempt runs beside it; whichever is heard stays.
#include <algorithm>

#include "node/fetch.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

constexpr std::size_t kMaxDials = 32;
constexpr Duration kPatienceWithStranger = 2s;       // with an address from a tracker, while others wait for its place
constexpr Duration kPatienceBesideSilence = 2500ms;  // with an attempt beside a silent session, before a fresh one
constexpr Duration kRestAfterFailure = 5s;
constexpr Duration kLookEvery = 100ms;

}  // namespace

Fetch::Dial* Fetch::dial_of(const Peer& peer) {
  const auto found = std::ranges::find(dials_, peer.self, &Dial::peer);
  return found == dials_.end() ? nullptr : &*found;
}

// Exponential, with jitter. Who has other sources is in no hurry.
Duration Fetch::pause_after(int failures, bool alone) {
  const double base = (alone ? 0.25 : 4.0) * static_cast<double>(1 << std::min(failures, alone ? 5 : 4));
  return Duration(static_cast<std::int64_t>(base * (0.75 + 0.5 * shard_->rng().unit()) * 1e9));
}

void Fetch::dial(Dial& dial) {
  dial.since = shard_->now();
  if (Peer* peer = shard_->dial(dial.address, *this)) {
    dial.peer = peer->self;
  } else {
    dial.not_before = shard_->now() + pause_after(++dial.failures, true);  // the table of sessions is full
  }
}

// Beside a session that has fallen silent: its node may run anew at this address, or only the path be dead.
void Fetch::dial_again(Dial& dial) {
  if (Peer* before = dial.again ? shard_->peer(dial.again) : nullptr) {
    before->dialled_for = nullptr;
    shard_->close(*before, wire::CloseCode::kNone, "");
  }
  dial.again = {};
  dial.not_before = shard_->now() + kPatienceBesideSilence;
  if (Peer* peer = shard_->dial(dial.address, *this)) dial.again = peer->self;
}

/// True if it is dialled now.
bool Fetch::add_address(const Address& address, bool from_link) {
  if (address.port == 0 || !shard_->context().reaches(address)) return false;
  const auto known = std::ranges::find(dials_, address, &Dial::address);
  if (known != dials_.end()) {
    known->from_link = known->from_link || from_link;
    if (known->peer || known->refused || shard_->now() - known->since < kRestAfterFailure) return false;
    dial(*known);
    return true;
  }
  if (dials_.size() == kMaxDials && !make_room_for_dial()) return false;
  dials_.push_back({.address = address, .from_link = from_link});
  dial(dials_.back());
  dials_at_ = shard_->now();
  return true;
}

// What a tracker named and did not answer gives way; the nodes of the link stay.
bool Fetch::make_room_for_dial() {
  auto worst = std::ranges::find_if(dials_, [](const Dial& d) { return !d.from_link && !d.peer; });
  if (worst == dials_.end()) {
    worst = std::ranges::find_if(dials_, [this](const Dial& d) {
      const Peer* peer = shard_->peer(d.peer);
      return !d.from_link && peer != nullptr && !peer->session.established() &&
             shard_->now() - d.since >= kPatienceWithStranger;
    });
    if (worst == dials_.end()) return false;
    Peer* peer = shard_->peer(worst->peer);
    peer->dialled_for = nullptr;
    shard_->close(*peer, wire::CloseCode::kNone, "");
  }
  dials_.erase(worst);
  return true;
}

// ---------------------------------------------------------------------------------------------- time

void Fetch::look_after_dials(Instant now) {
  if (now < dials_at_) return;
  dials_at_ = now + kLookEvery;
  if (stage_ == Stage::kSeeding) return;  // whoever wants something comes by itself
  bool heard = false;                     // somebody whom we have asked, or are about to
  shard_->for_each_peer([&](Peer& peer) {
    const bool ours = std::ranges::any_of(peer.fetches, [this](const FetchSlot& s) { return s.fetch == this; });
    if (!ours) return;
    if (!shard_->silent(peer)) {
      heard = true;
    } else if (dial_of(peer) == nullptr && dials_.size() < kMaxDials && peer.session.remote().port != 0) {
      dials_.push_back({.address = peer.session.remote(), .peer = peer.self, .joined = true});
    }
  });
  for (Dial& d : dials_) {
    if (d.refused) continue;
    const Peer* peer = d.peer ? shard_->peer(d.peer) : nullptr;
    if (peer == nullptr || peer->dead) {
      d.peer = {};
      if (now >= d.not_before) dial(d);
    } else if (shard_->silent(*peer) && now >= d.not_before) {
      dial_again(d);
    }
  }
  tell_if_alone(heard);
}

void Fetch::tell_if_alone(bool heard) {
  if (heard) waiting_told_ = false;
  const bool all_here = store_ && store_->all_written();
  if (heard || waiting_told_ || !ever_joined_ || all_here) return;
  waiting_told_ = true;
  options_.transfer->push({.kind = EventKind::kNotice,
                           .text = download_->source_count() == 0
                                       ? "no source is left; waiting for one to come back"
                                       : "every source has fallen silent; trying to reach them again"});
}

// ---------------------------------------------------------------------------------------------- ends of sessions

/// Not dialled again.
void Fetch::refuse_dial(const Peer& peer) {
  for (Dial& dial : dials_)
    if (dial.peer == peer.self) dial.refused = true;
}

void Fetch::on_dial_failed(Peer& peer, const transport::CloseReason& reason) {
  const Instant now = shard_->now();
  for (Dial& dial : dials_)
    if (dial.again == peer.self) dial.again = {};
  const auto dial = std::ranges::find(dials_, peer.self, &Dial::peer);
  if (dial == dials_.end()) return;
  if (Peer* beside = dial->again ? shard_->peer(dial->again) : nullptr) {
    dial->peer = beside->self;  // what ran beside it goes on
    dial->again = {};
    return;
  }
  dial->peer = {};
  dial->not_before = now + pause_after(dial->failures++, download_->source_count() == 0);
  dials_at_ = now;
  const bool by_peer = reason.cause == transport::CloseCause::kPeer;
  const bool by_us = reason.cause == transport::CloseCause::kLocal;
  if (by_peer && reason.code == wire::CloseCode::kRefused) dial->refused = true;
  if (by_us && reason.code == wire::CloseCode::kSelf) dial->refused = true;
  // A stranger that never was a source is dialled again only if a tracker names it again.
  if (!dial->from_link && !dial->refused && !dial->joined) dials_.erase(dial);
}

void Fetch::on_duplicate(Peer& goes, Peer& stays) {
  const auto slot = std::ranges::find(goes.fetches, this, &FetchSlot::fetch);
  const bool wanted = slot != goes.fetches.end() || goes.dialled_for == this;
  if (goes.dialled_for == this) goes.dialled_for = nullptr;
  for (Dial& dial : dials_) {
    if (dial.again == goes.self || dial.again == stays.self) dial.again = {};
    if (dial.peer == goes.self) dial.peer = stays.self;
  }
  if (slot != goes.fetches.end()) {
    FetchSlot copy = *slot;
    drop_source(goes, copy, "goes on over another session");
  }
  if (wanted && !ended() && stage_ != Stage::kSeeding) join_over(stays);
}

// ---------------------------------------------------------------------------------------------- hope

// While a tracker may still name somebody, this is not known.
bool Fetch::everybody_refused() const {
  if (download_->source_count() > 0 || options_.names_wanted) return false;
  if (!std::ranges::all_of(dials_, &Dial::refused)) return false;
  if (!with_trackers_) return !dials_.empty() || !ever_joined_;
  const bool trackers_silent = !trackers_answered_ && troubles_.size() < options_.link.trackers.size();
  const bool others_may_come = ever_joined_ && (dials_.empty() || !source_changed_);
  return !trackers_silent && !others_may_come;
}

void Fetch::on_names(const std::vector<Address>& addresses) {
  options_.names_wanted = false;
  if (ended() || stage_ == Stage::kSeeding) return;
  for (const Address& address : addresses) add_address(address, true);
  check_reachable();
}

void Fetch::check_reachable() {
  if (!dials_.empty() || options_.names_wanted || with_trackers_) return;
  fail({ErrorCode::kUnreachable, 0, "no address of the link can be reached from here"});
}

}  // namespace peernet::node
