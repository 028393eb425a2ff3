#include "discovery/tracker_client.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace peernet::discovery {
namespace {

// A reply may wait for its turn on a busy machine; only a short beat makes us more impatient.
constexpr Duration kShortestRetransmit = 100ms;
static_assert(TrackerClient::kMinBeat / 8 > 1ms);

/// "bad connection id", "Connection ID mismatch", ...: BEP 15 leaves the words to the tracker.
bool blames_connection_id(std::string_view text) {
  static constexpr std::string_view kWord = "connection";
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::search(text, kWord, {}, lower).begin() != text.end();
}

}  // namespace

TrackerClient::TrackerClient(std::string name, std::span<const Address> addresses, std::uint64_t seed)
    : name_(std::move(name)), rng_(seed) {
  add_addresses(addresses);
  PN_CHECK(!addresses_.empty());
}

void TrackerClient::add_addresses(std::span<const Address> addresses) {
  for (const Address& address : addresses)
    if (addresses_.size() < kMaxAddresses && std::ranges::find(addresses_, address) == addresses_.end())
      addresses_.push_back(address);
}

bool TrackerClient::counted() const {
  switch (state_) {
    case State::kIdle:
    case State::kConnected:
      return true;
    case State::kConnecting:
      return why_ == Why::kRenew || (why_ == Why::kFirst && !slow_);
    case State::kDown:
      return false;
  }
  return false;
}

void TrackerClient::want(Instant now, bool wanted) {
  const bool before = std::exchange(wanted_, wanted);
  if (wanted == before) return;
  if (wanted) {
    const bool forgotten = state_ == State::kConnected && pending_.empty() && !id_usable(now);
    if (state_ == State::kIdle || forgotten) connect(now, Why::kFirst);
  } else if (state_ == State::kConnecting && pending_.empty()) {
    state_ = why_ == Why::kRetry ? State::kDown : State::kIdle;
    retry_at_ = connect_send_at_;
  }
}

void TrackerClient::connect(Instant now, Why why) {
  state_ = State::kConnecting;
  why_ = why;
  slow_ = false;
  connect_transaction_ = new_header().transaction;
  connect_begun_ = connect_send_at_ = now;
  connect_sends_ = 0;
  next_connect_ = now + kConnectSpacing;
}

void TrackerClient::go_down(Instant now) {
  state_ = State::kDown;
  id_good_ = false;
  rtt_.reset();
  pending_.clear();
  retry_at_ = now + retry_pause();
}

// A tracker that is back shall know everything within one beat: half of it may pass before it is asked, a quarter is
// for the announces. A try is so small that it need not become rarer with time.
Duration TrackerClient::retry_pause() {
  const Duration wait = beat_known_ ? std::max(beat_ / 2, kShortestRetry) : kUnknownBeat;
  // Between 7/8 and 9/8 of it: nodes that lost the tracker together do not come back together.
  return wait * 7 / 8 + Duration(static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(wait.count() / 4))));
}

wire::TrackerHeader TrackerClient::new_header() {
  wire::TrackerHeader header;
  do {
    header.transaction = static_cast<std::uint32_t>(rng_.next() >> 32);
  } while (header.transaction == 0 || header.transaction == connect_transaction_ || pending_.find(header.transaction));
  return header;
}

RetransmitTimes TrackerClient::retransmit_times() const {
  RetransmitTimes times{kFirstRetransmit, kLongestRetransmit};
  if (rtt_) times.first = std::clamp(*rtt_ * 4, kShortestRetransmit, kFirstRetransmit);
  if (beat_known_) times = {std::min(times.first, beat_ / 8), std::min(times.longest, beat_ / 8)};
  return times;
}

Duration TrackerClient::contact_limit() const {
  return beat_known_ ? std::min(kContactLimit, beat_) : kContactLimit;
}

Duration TrackerClient::silence_limit() const {
  return beat_known_ ? std::min(kSilenceLimit, beat_ / 2) : kSilenceLimit;
}

Instant TrackerClient::down_at() const {
  const Duration grace = retransmit_times().first;
  if (state_ == State::kConnected) return pending_.silent_at(last_heard_, silence_limit(), grace);
  if (state_ != State::kConnecting || why_ == Why::kRetry || connect_sends_ < 2) return Instant::never();
  const Duration limit = why_ == Why::kRenew ? silence_limit() : contact_limit();
  return std::max(connect_begun_ + limit, connect_sent_ + grace);
}

TrackerClient::Sent TrackerClient::send_connect(Instant now, MutableByteSpan out) {
  // Once an address has answered it is kept, until it no longer does.
  if (connect_sends_ > 0) address_ = (address_ + 1) % addresses_.size();
  const RetransmitTimes times = retransmit_times();
  connect_sent_ = now;
  connect_send_at_ = now + std::min(times.first * (std::int64_t{1} << std::min(connect_sends_, 8U)), times.longest);
  ++connect_sends_;
  if (why_ == Why::kRetry) connect_send_at_ = connect_sends_ % addresses_.size() == 0 ? now + retry_pause() : now;
  const wire::ConnectRequest request{.transaction = connect_transaction_, .extended = true};
  return {addresses_[address_], wire::encode_connect(out, request)};
}

std::optional<TrackerClient::Sent> TrackerClient::poll_transmit(Instant now, MutableByteSpan out) {
  if (state_ == State::kConnected) {
    PendingRequests::Entry* entry = pending_.next_to_send(now);
    if (entry == nullptr) return std::nullopt;
    if (id_usable(now)) {
      std::vector<std::byte>& datagram = entry->request.datagram;
      ByteWriter(MutableByteSpan(datagram)).u64(id_);
      PN_CHECK(out.size() >= datagram.size());
      std::ranges::copy(datagram, out.begin());
      PendingRequests::on_sent(now, *entry, retransmit_times());
      return Sent{addresses_[address_], datagram.size()};
    }
    if (!id_good_ && now < next_connect_) return std::nullopt;
    connect(now, Why::kRenew);
  }
  if (state_ == State::kConnecting && connect_send_at_ <= now) return send_connect(now, out);
  return std::nullopt;
}

TrackerClient::Change TrackerClient::on_timeout(Instant now) {
  if (state_ == State::kDown) {
    if (wanted_ && now >= retry_at_) connect(now, Why::kRetry);
    return Change::kNone;
  }
  if (now >= down_at()) {
    go_down(now);
    return Change::kDown;
  }
  if (state_ == State::kConnecting && why_ == Why::kFirst && !slow_ && now >= connect_begun_ + kSlowAfter) {
    slow_ = true;
    return Change::kSlow;
  }
  return Change::kNone;
}

std::optional<Request> TrackerClient::next_lapsed(Instant now) {
  return state_ == State::kConnected ? pending_.next_lapsed(now) : std::nullopt;
}

Instant TrackerClient::next_deadline() const {
  switch (state_) {
    case State::kIdle:
      break;
    case State::kDown:
      return wanted_ ? retry_at_ : Instant::never();
    case State::kConnecting: {
      const bool may_become_slow = why_ == Why::kFirst && !slow_;
      const Instant slow_at = may_become_slow ? connect_begun_ + kSlowAfter : Instant::never();
      return std::min({connect_send_at_, down_at(), slow_at});
    }
    case State::kConnected: {
      Instant next = pending_.next_deadline();
      if (!next.is_never() && !id_good_) next = std::max(next, next_connect_);
      return std::min(next, down_at());
    }
  }
  return Instant::never();
}

void TrackerClient::note_id(Instant now, std::uint64_t id) {
  id_ = id;
  id_at_ = now;
  id_good_ = true;
}

void TrackerClient::note_run(std::uint32_t epoch, std::uint32_t beat_ms, Heard& heard) {
  heard.restarted = epoch != epoch_;
  epoch_ = epoch;
  beat_ = std::clamp<Duration>(std::chrono::milliseconds(beat_ms), kMinBeat, kMaxBeat);
  beat_known_ = true;
}

void TrackerClient::on_connect_reply(Instant now, const Address& from, const wire::ConnectReply& reply, Heard& heard) {
  const auto at = std::ranges::find(addresses_, from);
  if (state_ != State::kConnecting || reply.transaction != connect_transaction_ || at == addresses_.end()) return;
  if (why_ == Why::kRenew && reply.extended != extended_) {  // another program has taken its place
    go_down(now);
    heard.leaving = true;
    return;
  }
  address_ = static_cast<std::size_t>(at - addresses_.begin());
  if (connect_sends_ == 1) rtt_ = now - connect_sent_;
  heard.connected = why_ != Why::kRenew;
  state_ = State::kConnected;
  last_heard_ = now;
  extended_ = reply.extended;
  note_id(now, reply.connection_id);
  if (extended_) note_run(reply.epoch, reply.beat_ms, heard);
  if (heard.connected) heard.restarted = false;  // nothing is known to be listed there anyway
  pending_.send_all_at(now);
}

void TrackerClient::on_goodbye(Instant now, const Address& from, const wire::Goodbye& goodbye, Heard& heard) {
  if (!answering() || !extended_ || from != address()) return;
  if (id_good_ && goodbye.connection_id == id_) {
    go_down(now);
    heard.leaving = true;
  } else if (state_ == State::kConnected && goodbye.epoch == epoch_ && now >= next_connect_) {
    // Its ids change with time, so that an honest goodbye may carry another one than ours; anybody may know the epoch.
    // Believing neither, ask.
    connect(now, Why::kRenew);
  }
}

void TrackerClient::on_error(Instant now, const Address& from, const wire::ErrorReply& reply, Heard& heard) {
  PendingRequests::Entry* entry = from == address() ? pending_.find(reply.transaction) : nullptr;
  if (entry == nullptr || entry->sends == 0) return;
  last_heard_ = now;
  if (blames_connection_id(reply.text)) {
    if (state_ == State::kConnected) id_good_ = false;
    entry->send_at = now;
  } else {
    heard.answered = pending_.take(*entry);
  }
}

void TrackerClient::on_answer(Instant now, const Address& from, std::uint32_t transaction, RequestKind kind,
                              Heard& heard) {
  PendingRequests::Entry* entry = from == address() ? pending_.find(transaction) : nullptr;
  if (entry == nullptr || entry->sends == 0) return;
  const RequestKind asked = entry->request.kind;
  if (asked != kind && !(asked == RequestKind::kGoodbye && kind != RequestKind::kQuery)) return;
  if (entry->sends == 1) {
    const Duration sample = now - entry->first_sent;
    rtt_ = rtt_ ? (*rtt_ * 7 + sample) / 8 : sample;
  }
  last_heard_ = now;
  heard.answered = pending_.take(*entry);
}

TrackerClient::Heard TrackerClient::on_reply(Instant now, const Address& from, const wire::TrackerReply& reply) {
  Heard heard;
  if (const auto* connected = std::get_if<wire::ConnectReply>(&reply)) {
    on_connect_reply(now, from, *connected, heard);
  } else if (const auto* goodbye = std::get_if<wire::Goodbye>(&reply)) {
    on_goodbye(now, from, *goodbye, heard);
  } else if (const auto* error = std::get_if<wire::ErrorReply>(&reply)) {
    on_error(now, from, *error, heard);
  } else if (const auto* announced = std::get_if<wire::NodeAnnounceReply>(&reply)) {
    on_answer(now, from, announced->transaction, RequestKind::kAnnounce, heard);
    if (heard.answered) note_run(announced->epoch, announced->beat_ms, heard);
    if (heard.answered) note_id(now, announced->connection_id);
  } else if (const auto* beat = std::get_if<wire::HeartbeatReply>(&reply)) {
    on_answer(now, from, beat->transaction, RequestKind::kHeartbeat, heard);
    if (heard.answered) note_run(beat->epoch, beat->beat_ms, heard);
    if (heard.answered) note_id(now, beat->connection_id);
  } else if (const auto* page = std::get_if<wire::QueryReply>(&reply)) {
    on_answer(now, from, page->transaction, RequestKind::kQuery, heard);
    if (heard.answered) note_run(page->epoch, page->beat_ms, heard);
  }
  return heard;
}

TrackerClient::Heard TrackerClient::on_plain_reply(Instant now, const Address& from, std::uint32_t transaction) {
  Heard heard;
  if (!extended_) on_answer(now, from, transaction, RequestKind::kAnnounce, heard);
  return heard;
}

}  // namespace peernet::discovery
