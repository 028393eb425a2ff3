#include "sim/crowd_model.hpp"

#include <algorithm>
#include <queue>
#include <vector>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "sim/trace.hpp"
#include "swarm/download.hpp"
#include "swarm/fair_queue.hpp"
#include "swarm/have_teller.hpp"
#include "swarm/spread.hpp"
#include "swarm/upload.hpp"

namespace peernet::sim {

namespace {

using swarm::HaveNews;

constexpr std::uint32_t kPieceBytes = 4096;
constexpr std::uint32_t kHeaderBytes = 80;    // of a packet of bytes: IP, UDP, PN/1
constexpr std::uint32_t kControlBytes = 100;  // a frame, its packet and the acknowledgement
constexpr std::size_t kMostNeighbours = swarm::kMaxSources - 1;
constexpr std::size_t kMostUploads = 64;
constexpr Duration kSpreadWait = 1s;
constexpr Duration kLongest = 600s;

enum class Kind : std::uint8_t {
  kSend,
  kAtDown,
  kDeliver,
  kTimer,
  kTell,
  kRequest,
  kReject,
  kCancel,
  kGone,
  kAcked,
  kHave
};

struct Event {
  Instant at;
  std::uint64_t number = 0;
  Kind kind = Kind::kSend;
  std::uint32_t node = 0;       // where it happens
  std::uint32_t neighbour = 0;  // of that node: who it came from
  swarm::RequestPlan plan{};
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  swarm::Refusal why{};
  std::shared_ptr<const HaveNews> news;

  bool operator>(const Event& other) const { return std::pair(at, number) > std::pair(other.at, other.number); }
};

struct Neighbour {
  std::uint32_t node = 0;
  std::uint32_t back = 0;  // which neighbour this node is there
  swarm::SourceIndex source;
  bool complete = false;
  swarm::UploadQueue uploads;
  swarm::HaveTeller teller;
  swarm::FairShare share;
  Instant spread_since = Instant::never();
};

struct Host {
  std::unique_ptr<swarm::Download> download;  // the publisher has none
  std::unique_ptr<swarm::HaveLog> log;
  std::vector<Neighbour> neighbours;
  std::vector<std::uint32_t> neighbour_of_source;
  swarm::FairQueue turns;
  Instant up_free, down_free;
  bool sending = false;
  Instant told_at, tell_at = Instant::never(), timer_at = Instant::never();
  std::uint64_t sent_bytes = 0;
  Instant done_at = Instant::never();
};

class Crowd {
 public:
  explicit Crowd(const CrowdPlan& plan);
  CrowdReport play();

 private:
  void meet(std::uint32_t a, std::uint32_t b);
  void push(Instant at, Event event);
  void say(std::uint32_t from, std::uint32_t neighbour, Event event, std::uint32_t bytes = kControlBytes);
  Instant carry(Instant& free, std::uint32_t bytes) const;
  void happen(const Event& event);
  void send(std::uint32_t node);
  swarm::SendResult send_piece(std::uint32_t node, Neighbour& to);
  void deliver(const Event& event);
  void on_request(const Event& event);
  void on_have(const Event& event);
  void look(std::uint32_t node);
  void written(std::uint32_t node, swarm::AssemblyIndex assembly);
  void tell(std::uint32_t node);
  CrowdReport report() const;

  const CrowdPlan plan_;
  Rng rng_;
  Instant now_;
  std::uint64_t number_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Host> hosts_;
  swarm::Spread spread_;
  std::uint32_t done_ = 0;
  Trace trace_;
};

Crowd::Crowd(const CrowdPlan& plan)
    : plan_(plan), rng_(plan.seed ^ 0xc0dULL), hosts_(plan.receivers + 1), spread_(plan.chunks) {
  for (std::uint32_t n = 0; n < hosts_.size(); ++n) {
    Host& host = hosts_[n];
    host.log = std::make_unique<swarm::HaveLog>(plan.chunks);
    if (n == 0) {
      for (std::uint32_t c = 0; c < plan.chunks; ++c) host.log->add(ChunkIndex(c));
      continue;
    }
    spread_.on_receiver();
    swarm::DownloadOptions options;
    options.seed = rng_.next();
    host.download = std::make_unique<swarm::Download>(options);
    host.download->begin_chunks({.count = plan.chunks,
                                 .bytes = plan.chunk_bytes,
                                 .last_bytes = plan.chunk_bytes,
                                 .assemblies = options.assemblies});
    host.download->set_verifiable(ChunkIndex(0), plan.chunks);
  }
  for (std::uint32_t n = 1; n < hosts_.size(); ++n) {
    meet(n, 0);
    const std::uint32_t others = std::min(plan.neighbours / 2, plan.receivers - 1);
    for (std::uint32_t i = 0; i < others; ++i) meet(n, 1 + static_cast<std::uint32_t>(rng_.below(plan.receivers)));
  }
  for (std::uint32_t n = 0; n < hosts_.size(); ++n) tell(n);
  for (std::uint32_t n = 1; n < hosts_.size(); ++n) look(n);
}

void Crowd::meet(std::uint32_t a, std::uint32_t b) {
  const auto full = [&](std::uint32_t n) { return n != 0 && hosts_[n].neighbours.size() >= kMostNeighbours; };
  const bool known = std::ranges::any_of(hosts_[a].neighbours, [b](const Neighbour& n) { return n.node == b; });
  if (a == b || known || full(a) || full(b)) return;
  for (const auto& [me, other] : {std::pair(a, b), std::pair(b, a)}) {
    Host& host = hosts_[me];
    host.neighbours.emplace_back();
    Neighbour& neighbour = host.neighbours.back();
    neighbour.node = other;
    if (!host.download) continue;
    neighbour.source = *host.download->add_source(now_);
    host.download->set_round_trip(neighbour.source, 2 * plan_.delay, 2 * plan_.delay);
    host.neighbour_of_source.push_back(static_cast<std::uint32_t>(host.neighbours.size() - 1));
  }
  hosts_[a].neighbours.back().back = static_cast<std::uint32_t>(hosts_[b].neighbours.size() - 1);
  hosts_[b].neighbours.back().back = static_cast<std::uint32_t>(hosts_[a].neighbours.size() - 1);
}

// ---------------------------------------------------------------------------------------------- the network

void Crowd::push(Instant at, Event event) {
  event.at = at;
  event.number = ++number_;
  events_.push(std::move(event));
}

Instant Crowd::carry(Instant& free, std::uint32_t bytes) const {
  const double ns = 1e9 * bytes / static_cast<double>(plan_.rate);
  free = std::max(free, now_) + Duration(static_cast<std::int64_t>(ns));
  return free;
}

// Frames take their part of both links but wait in no queue.
void Crowd::say(std::uint32_t from, std::uint32_t neighbour, Event event, std::uint32_t bytes) {
  const Neighbour& to = hosts_[from].neighbours[neighbour];
  carry(hosts_[from].up_free, bytes);
  carry(hosts_[to.node].down_free, bytes);
  hosts_[from].sent_bytes += bytes;
  event.node = to.node;
  event.neighbour = to.back;
  push(now_ + plan_.delay, std::move(event));
}

void Crowd::send(std::uint32_t node) {
  Host& host = hosts_[node];
  host.turns.run([&](SlabHandle who) { return &host.neighbours[who.slot].share; },
                 [&](SlabHandle who) { return send_piece(node, host.neighbours[who.slot]); });
}

swarm::SendResult Crowd::send_piece(std::uint32_t node, Neighbour& to) {
  using End = swarm::SendResult::End;
  Host& host = hosts_[node];
  if (to.uploads.waiting_bytes() == 0) return {End::kBlocked, 0};
  if (host.up_free > now_) {
    if (!host.sending) push(host.up_free, {.kind = Kind::kSend, .node = node});
    host.sending = true;
    return {End::kStop, 0};
  }
  const auto piece = to.uploads.next_piece(kPieceBytes);
  Event event{.kind = Kind::kAtDown, .node = to.node, .neighbour = to.back};
  event.plan.id = piece->request.id;
  event.offset = piece->offset;
  event.length = piece->length;
  host.sent_bytes += piece->length + kHeaderBytes;
  push(carry(host.up_free, piece->length + kHeaderBytes) + plan_.delay, std::move(event));
  return {End::kSent, piece->length};
}

// ---------------------------------------------------------------------------------------------- a receiver

void Crowd::deliver(const Event& event) {
  Host& host = hosts_[event.node];
  const swarm::SourceIndex source = host.neighbours[event.neighbour].source;
  Event acked{.kind = Kind::kAcked};
  acked.plan.id = event.plan.id;
  acked.offset = event.offset;
  acked.length = event.length;
  say(event.node, event.neighbour, std::move(acked), 0);
  const auto target = host.download->target(source, event.plan.id, event.offset, event.length);
  if (!target) return host.download->on_unwanted(source, event.length);
  Range<std::uint32_t> rest{event.offset, event.offset + event.length};
  while (true) {
    const auto piece = host.download->missing(target->assembly, rest);
    if (piece.empty()) return;
    rest.first = piece.end;
    const auto whole = host.download->on_data(now_, source, event.plan.id, piece.first, piece.size());
    if (whole) return written(event.node, *whole);
  }
}

void Crowd::written(std::uint32_t node, swarm::AssemblyIndex assembly) {
  Host& host = hosts_[node];
  const ChunkIndex chunk(host.download->item(assembly).index);
  host.download->on_verified(assembly);
  host.download->on_written(assembly);
  host.log->add(chunk);
  if (host.download->complete()) {
    host.done_at = now_;
    ++done_;
    trace_.add(now_);
  }
  const Instant at = host.log->complete() ? now_ : std::max(now_, host.told_at + swarm::kHaveFlushEvery);
  if (at >= host.tell_at) return;
  host.tell_at = at;
  push(at, {.kind = Kind::kTell, .node = node});
}

// As Serving::tell_receivers does it.
void Crowd::tell(std::uint32_t node) {
  Host& host = hosts_[node];
  host.told_at = now_;
  host.tell_at = Instant::never();
  for (std::uint32_t i = 0; i < host.neighbours.size(); ++i) {
    swarm::HaveTeller& teller = host.neighbours[i].teller;
    while (const auto news = teller.next(now_, *host.log)) {
      teller.on_queued(now_, *host.log, *news);
      if (host.neighbours[i].node == 0 && news->kind != HaveNews::Kind::kComplete) continue;  // has no use for it
      Event have{.kind = Kind::kHave};
      have.news = std::make_shared<const HaveNews>(*news);
      say(node, i, std::move(have), kControlBytes + 3 * static_cast<std::uint32_t>(news->ranges.size()));
    }
    host.tell_at = std::min(host.tell_at, teller.next_deadline(*host.log));
  }
  if (!host.tell_at.is_never()) push(host.tell_at, {.kind = Kind::kTell, .node = node});
}

void Crowd::on_have(const Event& event) {
  Neighbour& from = hosts_[event.node].neighbours[event.neighbour];
  const bool complete = event.news->kind == HaveNews::Kind::kComplete;
  if (event.node == 0) {
    if (complete && !std::exchange(from.complete, true)) spread_.on_receiver_gone();
    return;
  }
  swarm::Download& download = *hosts_[event.node].download;
  if (complete) return download.on_have_all(from.source);
  PN_CHECK(event.news->kind == HaveNews::Kind::kRanges);
  for (const content::ChunkRange& range : event.news->ranges)
    PN_CHECK(download.on_have(from.source, range.first.value(), range.count));
}

// What it wants next, and when it is to be looked at again.
void Crowd::look(std::uint32_t node) {
  Host& host = hosts_[node];
  if (!host.download || !host.done_at.is_never()) return;
  swarm::Download& download = *host.download;
  download.on_timeout(now_);
  while (const auto plan = download.next_request(now_)) {
    Event request{.kind = Kind::kRequest, .plan = *plan};
    say(node, host.neighbour_of_source[plan->source.value()], std::move(request));
  }
  while (const auto cancel = download.next_cancel()) {
    Event gone{.kind = Kind::kCancel};
    gone.plan.id = cancel->second;
    say(node, host.neighbour_of_source[cancel->first.value()], std::move(gone));
  }
  const Instant next = std::max(download.next_deadline(now_), now_ + 1ms);
  if (next >= host.timer_at) return;
  host.timer_at = next;
  push(next, {.kind = Kind::kTimer, .node = node});
}

// ---------------------------------------------------------------------------------------------- a source

// As Serving::on_request does it.
void Crowd::on_request(const Event& event) {
  Host& host = hosts_[event.node];
  Neighbour& from = host.neighbours[event.neighbour];
  const ChunkIndex chunk(event.plan.item.index);
  const auto receiver = static_cast<swarm::Spread::Receiver>(event.neighbour);
  const auto refuse = [&](swarm::Refusal why) {
    Event reject{.kind = Kind::kReject, .why = why};
    reject.plan.id = event.plan.id;
    say(event.node, event.neighbour, std::move(reject));
  };
  if (!host.log->has(chunk)) return refuse(swarm::Refusal::kNotHad);
  if (event.node == 0 && spread_.refuses(now_, chunk, receiver) &&
      !from.uploads.serves_chunk(ContentSlot(1), chunk.value())) {
    if (from.spread_since.is_never()) from.spread_since = now_;
    if (now_ - from.spread_since < kSpreadWait) return refuse(swarm::Refusal::kSpreading);
  }
  swarm::UploadRequest request;
  request.id = event.plan.id;
  request.slot = ContentSlot(1);
  request.index = chunk.value();
  request.offset = event.plan.offset;
  request.length = event.plan.length;
  if (from.uploads.active_count() >= kMostUploads ||
      from.uploads.on_request(request) == swarm::UploadQueue::Answer::kBusy)
    return refuse(swarm::Refusal::kBusy);
  if (event.node == 0) {
    from.spread_since = Instant::never();
    spread_.on_given(now_, chunk, receiver);
  }
  host.turns.push({event.neighbour, 0}, from.share);
  send(event.node);
}

void Crowd::happen(const Event& event) {
  Host& host = hosts_[event.node];
  switch (event.kind) {
    case Kind::kSend:
      host.sending = false;
      return send(event.node);
    case Kind::kAtDown: {
      Event arrived = event;
      arrived.kind = Kind::kDeliver;
      return push(carry(host.down_free, event.length + kHeaderBytes), std::move(arrived));
    }
    case Kind::kDeliver:
      deliver(event);
      break;
    case Kind::kTimer:
      if (event.at != host.timer_at) return;
      host.timer_at = Instant::never();
      break;
    case Kind::kTell:
      if (event.at != host.tell_at) return;
      return tell(event.node);
    case Kind::kRequest:
      return on_request(event);
    case Kind::kReject:
      host.download->on_reject(now_, host.neighbours[event.neighbour].source, event.plan.id, event.why);
      break;
    case Kind::kCancel: {
      host.neighbours[event.neighbour].uploads.on_cancel(event.plan.id);
      Event gone{.kind = Kind::kGone};
      gone.plan.id = event.plan.id;
      return say(event.node, event.neighbour, std::move(gone));
    }
    case Kind::kGone:
      host.download->on_request_gone(host.neighbours[event.neighbour].source, event.plan.id);
      break;
    case Kind::kAcked:
      return host.neighbours[event.neighbour].uploads.on_acked(event.plan.id, event.offset, event.length);
    case Kind::kHave:
      on_have(event);
      break;
  }
  look(event.node);
}

CrowdReport Crowd::play() {
  while (done_ < plan_.receivers && !events_.empty() && events_.top().at < Instant() + kLongest) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    happen(event);
  }
  return report();
}

CrowdReport Crowd::report() const {
  CrowdReport out;
  const double content = static_cast<double>(plan_.chunks) * plan_.chunk_bytes;
  out.finished = done_ == plan_.receivers;
  out.ideal_seconds = content / static_cast<double>(plan_.rate);
  out.events = number_;
  out.trace = trace_.hash();
  std::vector<Instant> done;
  for (const Host& host : hosts_) {
    const double copies = static_cast<double>(host.sent_bytes) / content;
    if (!host.download) {
      out.publisher_copies = copies;
      continue;
    }
    host.download->check_invariants();
    done.push_back(host.done_at);
    out.receiver_copies += copies / plan_.receivers;
    out.received_bytes += host.download->received_bytes();
    out.duplicate_bytes += host.download->duplicate_bytes();
  }
  std::ranges::sort(done);
  const auto seconds = [&](std::size_t i) { return static_cast<double>(done[i].ns()) * 1e-9; };
  out.first_seconds = seconds(0);
  out.half_seconds = seconds(done.size() / 2);
  out.last_seconds = out.finished ? seconds(done.size() - 1) : static_cast<double>(now_.ns()) * 1e-9;
  return out;
}

}  // namespace

CrowdReport play_crowd(const CrowdPlan& plan) {
  return Crowd(plan).play();
}

}  // namespace peernet::sim
