#include "node/shard.hpp"

#include <algorithm>

#include "io/address_text.hpp"
#include "node/memory_plan.hpp"

namespace peernet::node {
namespace {

constexpr Duration kTimerTick = 50us;
constexpr Duration kGoodbye = 200ms;  // how long stopping waits for what is under way

io::Engine engine_of(IoEngine choice) {
  switch (choice) {
    case IoEngine::kUring:
      return io::Engine::kUring;
    case IoEngine::kEpoll:
      return io::Engine::kEpoll;
    case IoEngine::kAuto:
      break;
  }
  return io::Engine::kAuto;
}

crypto::AeadBackend backend_of(AeadChoice choice) {
  switch (choice) {
    case AeadChoice::kIpsecMb:
      return crypto::AeadBackend::kIpsecMb;
    case AeadChoice::kOpenssl:
      return crypto::AeadBackend::kOpenssl;
    case AeadChoice::kAuto:
      break;
  }
  return crypto::AeadBackend::kAuto;
}

transport::AcceptorOptions acceptor_options(const NodeContext& context) {
  transport::AcceptorOptions options;
  options.token_secret = context.retry_secret;
  options.retry_above = std::max(kMaxHalfOpen / context.shard_count, 8u);
  options.max_half_open = std::max(kMaxHalfOpenValidated / context.shard_count, 32u);
  return options;
}

std::uint64_t seed_from(RandomSource& random) {
  ByteArray<8> bytes;
  random.fill(bytes);
  return ByteReader(bytes).u64();
}

}  // namespace

Shard::Shard(NodeContext& context, std::uint8_t index)
    : context_(context),
      index_(index),
      random_(context.make_random()),
      rng_(seed_from(*random_)),
      memory_(kFetchMemory + kSendMemory),
      fetch_memory_(memory_.span().first(kFetchMemory)),
      trains_(send_memory().first(kTrainBytes * kTrains), kTrainBytes, kTrains),
      controls_(send_memory().last(kControlBytes * kControlSlots), kControlBytes, kControlSlots),
      train_sends_(kTrains),
      control_sends_(kControlSlots),
      peers_(kMaxPeers),
      sessions_(kMaxPeers),
      acceptor_(acceptor_options(context), backend_of(context.config.aead)),
      timers_(Instant::from_ns(0), kTimerTick, kMaxPeers),
      serving_(*this, send_memory().subspan(kTrainBytes * kTrains, kTrainBytes * kReadBlocks)),
      discovery_(*this),
      transmit_buffer_(kTrainBytes) {
  touched_.reserve(64);
}

Shard::~Shard() {
  stop();
}

Result<void> Shard::start(const io::ShardSockets& sockets) {
  io::DriverOptions options;
  options.engine = engine_of(context_.config.io);
  options.offload = context_.config.offload == Offload::kAuto;
  options.receive_buffers = kReceiveBuffers;
  options.socket_buffer_bytes = context_.config.socket_buffer_bytes;
  options.max_sends = kMaxSends;
  auto driver = io::make_driver(options, context_.capabilities, sockets);
  if (!driver) return std::unexpected(driver.error());
  attach(std::move(*driver));
  thread_ = std::thread([this] { run(); });
  return {};
}

void Shard::attach(std::unique_ptr<io::Driver> driver) {
  driver_ = std::move(driver);
  driver_->use_memory(memory_.span());
  info_ = driver_->info();
  now_ = driver_->now();
  timers_.advance(now_, [](SlabHandle) {});
}

void Shard::stop() {
  if (!thread_.joinable()) return;
  post([](Shard& shard) { shard.begin_stop(); });
  thread_.join();
}

void Shard::begin_stop() {
  stopping_ = true;
  stop_deadline_ = now_ + kGoodbye;
  for (const auto& fetch : fetches_)
    if (fetch) fetch->cancel();
  discovery_.stop(now_);
  for_each_peer([&](Peer& peer) { close(peer, wire::CloseCode::kNone, ""); });
}

bool Shard::stopped() const {
  const bool fetches_done = std::ranges::all_of(fetches_, [](const auto& f) { return !f || f->finished(); });
  // Writes in flight use this shard's memory: they are waited for however long the disk takes.
  return stopping_ && fetches_done && ((all_sent() && discovery_.idle()) || now_ >= stop_deadline_);
}

void Shard::post(std::function<void(Shard&)> work) {
  {
    const std::scoped_lock lock(posts_mutex_);
    posts_.push_back(std::move(work));
  }
  driver_->wake();
}

void Shard::run() {
  while (!stopped()) turn();
  fetches_.clear();
  // The driver lives on until the shard goes: whoever has just posted may be about to wake it.
}

void Shard::turn() {
  driver_->turn(next_deadline(), *this);
  now_ = driver_->now();
  timers_.advance(now_, [this](SlabHandle handle) {
    Peer* peer = peers_.get(handle);
    PN_CHECK(peer != nullptr);
    peer->timer = {};
    peer->timer_at = Instant::never();
    peer->session.on_timeout(now_, *peer);
    touch(*peer);
  });
  discovery_.work(now_);
  for (const auto& fetch : fetches_)
    if (fetch) fetch->work(now_);
  serving_.work(now_);
  look_after_peers();
  discovery_.transmit();
  bury_dead_peers();
  for (auto& fetch : fetches_)
    if (fetch && fetch->finished()) fetch.reset();
}

Instant Shard::next_deadline() {
  Instant next = std::min({timers_.next_deadline(), data_retry_at_, serving_.next_deadline(), discovery_.next_deadline()});
  for (const auto& fetch : fetches_)
    if (fetch) next = std::min(next, fetch->next_deadline(now_));
  if (stopping_) next = std::min(next, std::max(stop_deadline_, now_ + 1ms));
  return next;
}

void Shard::on_wake() {
  {
    const std::scoped_lock lock(posts_mutex_);
    std::swap(posts_, running_posts_);
  }
  for (const auto& work : running_posts_) work(*this);
  running_posts_.clear();
  serving_.take_reads();
}

// ---------------------------------------------------------------------------------------------- peers

std::uint32_t Shard::random_u32() {
  ByteArray<4> bytes;
  random_->fill(bytes);
  return ByteReader(bytes).u32();
}

std::uint64_t Shard::random_u64() {
  ByteArray<8> bytes;
  random_->fill(bytes);
  return ByteReader(bytes).u64();
}

SessionId Shard::fresh_id() {
  while (true) {
    const SessionId id = wire::session_id_on(random_u32(), index_);
    if (!sessions_.find(id)) return id;
  }
}

transport::SessionConfig Shard::session_config(const Address& remote) {
  transport::SessionConfig config;
  config.local_id = fresh_id();
  config.remote = remote;
  config.parameters.instance_id = context_.instance_id;
  config.parameters.shard_count = context_.shard_count;
  config.parameters.ciphers = wire::kCiphersKnown;
  config.parameters.max_datagram = static_cast<std::uint16_t>(wire::kMaxDatagram);
  config.parameters.max_requests = swarm::kMaxUploads;
  config.aead_backend = backend_of(context_.config.aead);
  config.max_datagram = context_.config.max_datagram;
  if (config.max_datagram == 0) {
    const std::uint32_t mtu = remote.is_loopback() ? 65536 : io::mtu_towards(remote);
    config.max_datagram = std::clamp<std::uint32_t>(mtu, 1280, 65535);
  }
  config.secret = random_->array<32>();
  return config;
}

Peer* Shard::add_peer(transport::SessionConfig config, std::unique_ptr<crypto::Handshake> handshake) {
  const SlabHandle handle = peers_.emplace(*this, transport::Session(config, std::move(handshake), now_));
  if (!handle) return nullptr;
  context_.sessions.fetch_add(1, std::memory_order_relaxed);
  Peer& peer = *peers_.get(handle);
  peer.self = handle;
  PN_CHECK(sessions_.insert(config.local_id, handle));
  touch(peer);
  return &peer;
}

Peer* Shard::dial(const Address& to, Fetch& fetch) {
  transport::SessionConfig config = session_config(to);
  config.role = transport::Role::kInitiator;
  config.first_receiver_id = SessionId(random_u32());
  config.initiator_id = random_u64();
  // Who waits for bytes must say so now and then: when a NAT has forgotten us, the source learns our new port from it.
  config.keep_alive = 1s;
  Peer* peer = add_peer(config, context_.handshakes->start_initiator());
  if (peer == nullptr) return nullptr;
  peer->dialled_for = &fetch;
  return peer;
}

void Shard::touch(Peer& peer) {
  if (peer.touched) return;
  peer.touched = true;
  touched_.push_back(peer.self);
}

void Shard::close(Peer& peer, wire::CloseCode code, std::string_view text) {
  if (peer.dead) return;
  peer.session.close(now_, code, text, peer);
  touch(peer);
}

void Shard::on_peer_established(Peer& peer) {
  no_longer_half_open(peer);
  settle_pair(peer);
}

void Shard::on_receiver_joined(Peer& peer, const SharedContent& content) {
  for (const auto& fetch : fetches_)
    if (fetch && fetch->serves(content)) fetch->on_receiver_joined(peer);
}

void Shard::no_longer_half_open(Peer& peer) {
  if (!peer.half_open) return;
  peer.half_open = false;
  --half_open_;
  first_packets_.erase(peer.first_packet_key);
}

void Shard::on_peer_closed(Peer& peer, const transport::CloseReason& reason) {
  if (peer.dead) return;
  peer.dead = true;
  no_longer_half_open(peer);
  serving_.on_closed(peer);
  for (std::size_t i = peer.fetches.size(); i-- > 0;) {
    FetchSlot slot = peer.fetches[i];
    slot.fetch->on_closed(peer, slot, reason);
  }
  if (peer.dialled_for != nullptr) peer.dialled_for->on_dial_failed(peer, reason);
  touch(peer);
}

// A peer goes when its session is closed: after our own close() that is when CLOSE has been said often enough.
void Shard::bury_dead_peers() {
  for (const SlabHandle handle : dead_) {
    Peer* peer = peers_.get(handle);
    if (peer == nullptr) continue;
    timers_.cancel(peer->timer);
    sessions_.erase(peer->session.local_id());
    peers_.erase(handle);
    context_.sessions.fetch_sub(1, std::memory_order_relaxed);
  }
  dead_.clear();
}

// ---------------------------------------------------------------------------------------------- fetches

Fetch* Shard::fetch(std::uint32_t number) {
  return number < fetches_.size() ? fetches_[number].get() : nullptr;
}

void Shard::start_fetch(std::unique_ptr<Fetch> fetch) {
  auto place = std::ranges::find_if(fetches_, [](const auto& f) { return f == nullptr; });
  if (place == fetches_.end()) {
    PN_CHECK(fetches_.size() < swarm::kMaxDownloads);  // the node refuses more
    place = fetches_.insert(fetches_.end(), nullptr);
  }
  *place = std::move(fetch);
  (*place)->start(*this, static_cast<std::uint32_t>(place - fetches_.begin()));
}

void Shard::cancel_fetch(const TransferState& transfer) {
  for (const auto& fetch : fetches_)
    if (fetch && fetch->belongs_to(transfer)) fetch->cancel();
}

void Shard::names_found(const TransferState& transfer, const std::vector<Address>& addresses) {
  for (const auto& fetch : fetches_)
    if (fetch && fetch->belongs_to(transfer)) fetch->on_names(addresses);
}

}  // namespace peernet::node
