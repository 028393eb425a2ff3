#include "sim/swarm_node.hpp"

#include <algorithm>

#include "io/address_text.hpp"
#include "node/publication.hpp"
#include "sim/standin_handshake.hpp"

namespace peernet::sim {

namespace {

constexpr Duration kSendTakes = 20us;  // until the kernel is done with a send, when many are under way
constexpr Duration kSendTakesAtMost = 500us;
constexpr std::uint32_t kIdleTurnsMost = 200;  // in a row, each with a deadline that has passed already
constexpr std::uint32_t kPeersMost = 512;
constexpr std::uint32_t kCheckEvery = 8;  // turns between looks at all counts

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : rng_(seed) {}
  void fill(MutableByteSpan out) override {
    for (auto& b : out) b = static_cast<std::byte>(rng_.next() >> 56);
  }

 private:
  Rng rng_;
};

}  // namespace

NodeId SwarmNode::id_of(std::uint64_t seed, std::uint32_t number) {
  NodeId id;
  SeededRandom(seed ^ (0x1d0000ULL + number)).fill(id);
  return id;
}

SwarmNode::SwarmNode(Clockwork& clockwork, const SwarmContent& content, std::uint32_t number, const NodePlan& plan,
                     const SwarmSettings& settings, std::uint64_t seed, Transmit transmit)
    : clockwork_(clockwork),
      content_(content),
      number_(number),
      plan_(plan),
      settings_(settings),
      rng_(seed ^ (0x90de0000ULL + number)),
      transmit_(std::move(transmit)),
      id_(id_of(seed, number)),
      clock_(Instant::from_ns(static_cast<std::int64_t>(rng_.below(1'000'000'000'000))), plan.drift_ppm),
      disk_(clockwork, content, number, rng_.next()) {
  disk_.profile = plan.disk;
}

SwarmNode::~SwarmNode() = default;

// ---------------------------------------------------------------------------------------------- life

void SwarmNode::start(const peernet::Link& link) {
  if (running()) return;
  link_ = link;
  ++life_;
  alive_ = std::make_shared<int>(0);
  leaving_ = false;
  NodeConfig config;
  config.max_datagram = plan_.max_datagram;
  config.tracker_beat_seconds = settings_.beat_seconds;
  context_ = std::make_unique<node::NodeContext>(config);
  context_->handshakes = std::make_unique<StandinHandshakeFactory>(id_, rng_.next());
  SeededRandom(rng_.next()).fill(context_->retry_secret);
  context_->instance_id = rng_.next();
  context_->reaches_v6 = false;
  context_->port = address_of(number_).port;
  context_->make_random = [this] { return std::make_unique<SeededRandom>(rng_.next()); };
  context_->make_store = [this](node::NodeContext&, io::Driver&, std::uint32_t, const node::StoreOptions& options) {
    return std::make_unique<SimStore>(*this, options);
  };
  auto driver = std::make_unique<SimDriver>(clockwork_, clock_, plan_.driver, address_of(number_), rng_.next(),
                                            [this](Datagram d) { transmit_(number_, std::move(d)); });
  driver_ = driver.get();
  shard_ = std::make_unique<node::Shard>(*context_, std::uint8_t{0});
  shard_->attach(std::move(driver));
  clockwork_.say(number_, "starts");
  if (plan_.role == Role::kGetter) {
    get(link);
  } else {
    serve(link, host_bytes(*this, true, plan_.lies));
  }
  schedule(clockwork_.now());
}

void SwarmNode::serve(const peernet::Link& link, std::shared_ptr<node::ContentBytes> bytes) {
  const auto content = content_.shared(std::move(bytes));
  shared_.push_back(content);
  shard_->serving().add(content);
  node::Publication::Options options{
      .content = content, .link = format_link(link), .trackers = settings_.trackers, .addresses = {}};
  options.joined = plan_.role != Role::kPublisher;
  options.embedded = !options.joined && settings_.embedded;
  if (options.embedded) {
    options.trackers.clear();
    options.addresses = {address_of(number_)};
  }
  shard_->discovery().publish(std::make_unique<node::Publication>(std::move(options)));
}

void SwarmNode::get(const peernet::Link& link) {
  transfer_ = std::make_shared<node::TransferState>();
  node::Fetch::Options options;
  options.get.timeout_seconds = 0;
  options.get.trust_members = settings_.trust_members;
  options.get.seed_after_seconds = plan_.seeds_after ? -1 : 0;
  options.link = link;
  for (const std::string& peer : link.peers) options.addresses.push_back(*io::parse_address(peer));
  options.transfer = transfer_;
  shard_->start_fetch(std::make_unique<node::Fetch>(std::move(options)));
}

void SwarmNode::crash(bool power_cut) {
  if (!running()) return;
  clockwork_.say(number_, power_cut ? "loses its power" : "crashes");
  disk_.crash(power_cut);  // first: what is being written stands in the shard's memory
  alive_.reset();
  if (transfer_) {
    received_bytes_ += transfer_->bytes_received.load();
    duplicate_bytes_ += transfer_->bytes_duplicate.load();
    transfer_.reset();
  }
  shard_.reset();
  driver_ = nullptr;
  shared_.clear();
  context_.reset();
  ++wake_up_;
  wake_at_ = Instant::never();
  announced_checked_ = 0;
  reads_ = 0;
}

void SwarmNode::leave() {
  if (!running() || leaving_) return;
  clockwork_.say(number_, "leaves");
  leaving_ = true;
  shard_->begin_stop();
  schedule(clockwork_.now());
}

// ---------------------------------------------------------------------------------------------- turns

void SwarmNode::schedule(Instant when) {
  when = std::max({when, clockwork_.now(), stalled_until_});
  if (when >= wake_at_) return;
  wake_at_ = when;
  Happening happening;
  happening.kind = Happening::Kind::kTurn;
  happening.node = number_;
  happening.number = ++wake_up_;
  clockwork_.push(when, std::move(happening));
}

void SwarmNode::receive(Datagram datagram) {
  if (!running()) return;
  if (!driver_->receive(std::move(datagram))) ++socket_drops_;
  schedule(clockwork_.now() + plan_.batch_window);
}

void SwarmNode::wake() {
  if (!running()) return;
  driver_->wake();
  schedule(clockwork_.now() + plan_.batch_window / 4);
}

void SwarmNode::read_ended(io::OpToken token, std::int64_t result) {
  if (!running()) return;
  --reads_;
  driver_->file_done(token, result);
  schedule(clockwork_.now() + plan_.batch_window / 4);
}

void SwarmNode::turn(std::uint64_t wake_up) {
  if (!running() || wake_up != wake_up_) return;
  wake_at_ = Instant::never();
  if (clockwork_.now() < stalled_until_) return schedule(stalled_until_);
  const bool news = driver_->has_news() || driver_->has_sent();
  const bool due_before = shard_->next_deadline() <= last_turn_;
  idle_turns_ = news || !due_before ? 0 : idle_turns_ + 1;
  if (idle_turns_ > kIdleTurnsMost) clockwork_.fail(number_, "its timers fire without end and without progress");
  shard_->turn();
  last_turn_ = shard_->now();
  after_turn();
}

void SwarmNode::after_turn() {
  take_events();
  if (!running()) return;
  check_done();
  if (plan_.honest()) check_announced();
  if (++turns_ % kCheckEvery == 0) {
    if (const node::Fetch* f = fetch()) f->download().check_invariants();
    if (shard_->peer_count() > kPeersMost) clockwork_.fail(number_, "more sessions than there is any reason for");
  }
  if (leaving_ && shard_->stopped()) {
    check_end();
    crash(false);
    return;
  }
  const Instant deadline = clock_.world(shard_->next_deadline());
  if (!deadline.is_never())
    schedule(std::max(deadline, clockwork_.now()) + Duration(1000) + drawn(rng_, Duration(0), plan_.lateness));
  if (driver_->has_news()) schedule(clockwork_.now() + plan_.batch_window / 4);
  if (driver_->has_sent())
    schedule(clockwork_.now() + (driver_->sends_in_flight() >= 8 ? kSendTakes : kSendTakesAtMost));
}

void SwarmNode::take_events() {
  for (std::size_t i = 0; i < shared_.size(); ++i) {
    while (const auto event = shared_[i]->transfer->wait_event(std::chrono::milliseconds(0)))
      if (event->kind == EventKind::kError) clockwork_.fail(number_, "cannot serve: " + event->text);
  }
  if (!transfer_) return;
  const auto transfer = transfer_;
  while (const auto event = transfer->wait_event(std::chrono::milliseconds(0))) {
    if (clockwork_.verbose && event->kind != EventKind::kTracker)
      clockwork_.say(number_, "event " + std::to_string(static_cast<int>(event->kind)) + " " + event->text + " " +
                                  event->peer + " " + std::to_string(event->number));
    if (event->kind == EventKind::kSource && event->text.starts_with("banned"))
      banned_.push_back(*io::parse_address(event->peer));
    if (event->kind == EventKind::kDone || event->kind == EventKind::kError) get_ended(*event);
  }
}

void SwarmNode::get_ended(const Event& event) {
  received_bytes_ += transfer_->bytes_received.load();
  duplicate_bytes_ += transfer_->bytes_duplicate.load();
  transfer_.reset();
  if (leaving_) return;
  if (event.kind == EventKind::kError && done_) return;  // while it served on
  if (event.kind == EventKind::kError) {                 // somebody types the command again
    ++failed_gets_;
    clockwork_.say(number_, "get failed: " + event.text);
    const Duration pause = drawn(rng_, 500ms, 3s);
    clockwork_.after(pause, [this, alive = std::weak_ptr(alive_)] {
      if (alive.expired() || leaving_) return;
      get(link_);
      schedule(clockwork_.now());
    });
    return;
  }
  check_done();
  if (!done_) clockwork_.fail(number_, "done without the final name");
  if (plan_.serves_after) serve(link_, host_bytes(*this, false, plan_.lies));
  if (plan_.leaves_after) leave();
}

// The final name is there.
void SwarmNode::check_done() {
  if (done_ || plan_.role != Role::kGetter || !disk_.final_name()) return;
  done_ = true;
  done_at_ = clockwork_.now();
  clockwork_.say(number_, "is done");
  clockwork_.trace.add(number_);
  clockwork_.trace.add(clockwork_.now());
  for (std::uint32_t c = 0; c < content_.chunks(); ++c)
    if (!disk_.chunk_is_right(ChunkIndex(c))) clockwork_.fail(number_, "done, and a chunk is not the content's");
}

// Announced means verified and written: what is announced comes from this log.
void SwarmNode::check_announced() {
  shard_->serving().for_each_content([&](const node::SharedContent& served) {
    if (served.have == nullptr) return;
    for (; announced_checked_ < served.have->count(); ++announced_checked_)
      if (!disk_.chunk_is_right(served.have->at(announced_checked_)))
        clockwork_.fail(number_, "a chunk is announced that is not on disk");
  });
}

std::uint32_t SwarmNode::present_chunks() const {
  if (done_) return content_.chunks();
  const node::Fetch* fetch = shard_ ? shard_->fetch(0) : nullptr;
  return fetch == nullptr ? 0 : fetch->download().present().count();
}

void SwarmNode::describe() {
  if (!running()) return clockwork_.say(number_, "is not there");
  std::string text = "has " + std::to_string(present_chunks()) + " chunks, " + std::to_string(shard_->peer_count()) +
                     " sessions, " + std::to_string(shard_->serving().blocks_in_use()) + " blocks, socket drops " +
                     std::to_string(socket_drops_);
  if (const node::Fetch* f = fetch())
    text += ", sources " + std::to_string(f->download().source_count()) + ", outstanding " +
            std::to_string(f->download().outstanding_bytes());
  const Instant next = shard_->next_deadline();
  text += ", next in " + (next.is_never() ? "never" : std::to_string((next - driver_->now()).count() / 1000) + " us");
  const node::ShardCounters& counters = shard_->counters();
  text += ", accepted " + std::to_string(counters.sessions_accepted.load());
  for (std::size_t i = 0; i < wire::kDropReasonCount; ++i)
    if (const auto n = counters.drops[i].load(); n != 0)
      text += std::string(", drop ") + wire::name_of(static_cast<wire::DropReason>(i)) + " " + std::to_string(n);
  clockwork_.say(number_, text);
  shard_->for_each_peer([&](node::Peer& peer) {
    clockwork_.say(number_, "  session with " + io::format_address(peer.session.remote()) + " state " +
                                std::to_string(static_cast<int>(peer.session.state())) + " serves " +
                                std::to_string(peer.served.size()) + " fetches " + std::to_string(peer.fetches.size()) +
                                " waiting " + std::to_string(peer.uploads.waiting_bytes()) + " blocks " +
                                std::to_string(peer.blocks_bytes));
  });
}

// ---------------------------------------------------------------------------------------------- lies

void SwarmNode::flood() {
  if (!running() || leaving_) return;
  shard_->for_each_peer([&](node::Peer& peer) {
    if (!peer.session.established()) return;
    for (int i = 0; i < 40; ++i) {
      wire::RequestFrame request;
      request.slot = ContentSlot(static_cast<std::uint16_t>(rng_.below(4) * 2 + rng_.below(2)));
      request.request = RequestId(static_cast<std::uint32_t>(rng_.next()));
      request.table = static_cast<wire::Table>(rng_.below(5));
      request.index = static_cast<std::uint32_t>(rng_.below(content_.chunks() + 2));
      request.length = 1 + static_cast<std::uint32_t>(rng_.below(20'000));
      if (!peer.session.send(request)) break;
    }
    shard_->touch(peer);
  });
  wake();
}

void SwarmNode::lie_about_having() {
  if (!running() || leaving_) return;
  shard_->for_each_peer([&](node::Peer& peer) {
    for (const node::ServedSlot& slot : peer.served) {
      wire::HaveFrame have;
      have.slot = slot.slot;
      have.complete = true;
      peer.session.send(have);
      shard_->touch(peer);
    }
  });
  wake();
}

void SwarmNode::check_end() {
  if (plan_.lies.any() || reads_ > 0 || driver_->has_news()) return;
  if (shard_->serving().blocks_in_use() != 0) clockwork_.fail(number_, "read blocks are left behind");
}

}  // namespace peernet::sim
