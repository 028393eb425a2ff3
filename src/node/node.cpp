// The door: puts a node together from sockets, shards and threads.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/bytes.hpp"
#include "crypto/identity.hpp"
#include "io/address_text.hpp"
#include "io/probe.hpp"
#include "node/file_store.hpp"
#include "node/node_impl.hpp"
#include "node/stream_store.hpp"
#include "node/tree_store.hpp"
#include "storage/state_db.hpp"

namespace peernet::node {
namespace {

constexpr unsigned kMaxShards = 8;
constexpr double kShortestBeat = 0.1;
constexpr double kLongestBeat = 3600;

Result<Address> listen_address(const NodeConfig& config, const io::Capabilities& capabilities) {
  auto address = io::parse_address(config.listen);
  if (!address) return std::unexpected(usage_error("--listen wants ADDR:PORT, such as 0.0.0.0:7000 or [::]:0"));
  const bool unspecified = address->ip == ByteArray<16>{};
  if (unspecified && !capabilities.ipv6) *address = Address::v4(0, 0, 0, 0, address->port);
  return *address;
}

std::string state_directory(const NodeConfig& config) {
  std::string directory =
      storage::state_directory(config.state_dir, std::getenv("XDG_STATE_HOME"), std::getenv("HOME"));
  if (directory.empty()) directory = "/tmp/peernet-" + std::to_string(::getuid());
  return directory;
}

std::unique_ptr<FetchStore> make_store(NodeContext& context, io::Driver& driver, std::uint32_t number,
                                       const StoreOptions& options) {
  if (options.output_fd >= 0) return std::make_unique<StreamStore>(driver, options);
  if (options.tree) return std::make_unique<TreeStore>(context, driver, options);
  return std::make_unique<FileStore>(context, driver, number, options);
}

}  // namespace

NodeImpl::~NodeImpl() {
  context_.home->close();
  for (const auto& transfer : transfers_) transfer->cancel();
  workers_.clear();                                 // joins; a hasher has seen the cancel
  for (const auto& shard : shards_) shard->stop();  // all threads, before the first shard goes: they post to each other
  shards_.clear();
}

Result<void> NodeImpl::start() {
  io::SystemRandom random;
  context_.capabilities = io::probe_capabilities();
  crypto::Identity identity = crypto::Identity::generate(random);
  if (!context_.config.identity_text.empty()) {
    auto given = crypto::Identity::from_pem(context_.config.identity_text);
    if (!given) return std::unexpected(usage_error("the identity file holds no Ed25519 private key in PEM form"));
    identity = *given;
  }
  publisher_ = identity.id();
  auto handshakes = crypto::make_tls_handshake_factory(identity);
  if (!handshakes) return std::unexpected(handshakes.error());
  context_.handshakes = std::move(*handshakes);
  random.fill(context_.retry_secret);
  ByteArray<8> instance;
  random.fill(instance);
  context_.instance_id = ByteReader(instance).u64();
  context_.make_store = make_store;
  context_.writer = std::make_unique<storage::WriterThread>();
  context_.state = std::make_unique<storage::StateThread>(state_directory(context_.config));

  const double beat = context_.config.tracker_beat_seconds;
  if (!(beat >= kShortestBeat && beat <= kLongestBeat))
    return std::unexpected(usage_error("--beat wants seconds from 0.1 to 3600"));
  auto listen = listen_address(context_.config, context_.capabilities);
  if (!listen) return std::unexpected(listen.error());
  if (context_.config.shards > kMaxShards) return std::unexpected(usage_error("--shards wants a number from 1 to 8"));
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  io::SocketGroupOptions sockets;
  sockets.listen = *listen;
  sockets.shards = context_.config.shards != 0 ? context_.config.shards : std::min(cores, kMaxShards);
  auto group = io::SocketGroup::open(sockets, context_.capabilities);
  if (!group) return std::unexpected(group.error());
  sockets_.emplace(std::move(*group));
  context_.reaches_v4 = sockets_->ipv4();
  context_.reaches_v6 = sockets_->ipv6();
  context_.port = sockets_->local().port;
  context_.shard_count = static_cast<std::uint8_t>(sockets_->shards());
  for (std::uint8_t i = 0; i < context_.shard_count; ++i) shards_.push_back(std::make_unique<Shard>(context_, i));
  context_.home->open(*shards_[0]);
  return shards_[0]->start(sockets_->shard(0));
}

Result<void> NodeImpl::start_all_shards() {
  const std::scoped_lock lock(mutex_);
  for (; started_ < shards_.size(); ++started_) {
    if (auto ok = shards_[started_]->start(sockets_->shard(static_cast<std::uint32_t>(started_))); !ok) return ok;
  }
  return {};
}

EngineInfo NodeImpl::engine() const {
  const io::DriverInfo info = shards_[0]->driver_info();
  EngineInfo out;
  out.io = info.engine == io::Engine::kUring ? "io_uring" : "epoll";
  out.io_reason = info.reason;
  out.gso = info.gso;
  out.gro = info.gro;
  const bool ipsec =
      context_.config.aead != AeadChoice::kOpenssl && crypto::aead_backend_available(crypto::AeadBackend::kIpsecMb);
  out.aead = ipsec ? "ipsec-mb" : "openssl";
  out.shards = context_.shard_count;
  out.listen = io::format_address(sockets_->local());
  return out;
}

std::vector<Counter> NodeImpl::counters() const {
  std::vector<Counter> out;
  const auto add = [&](std::string name, auto member) {
    std::uint64_t sum = 0;
    for (const auto& shard : shards_) sum += member(shard->counters()).load(std::memory_order_relaxed);
    if (sum != 0) out.push_back({std::move(name), sum});
  };
  add("datagrams", [](const ShardCounters& c) -> auto& { return c.datagrams; });
  add("sessions_accepted", [](const ShardCounters& c) -> auto& { return c.sessions_accepted; });
  add("sessions_established", [](const ShardCounters& c) -> auto& { return c.sessions_established; });
  add("retries_sent", [](const ShardCounters& c) -> auto& { return c.retries_sent; });
  add("send_errors", [](const ShardCounters& c) -> auto& { return c.send_errors; });
  add("source_changes", [](const ShardCounters& c) -> auto& { return c.source_changes; });
  for (std::size_t i = 0; i < wire::kDropReasonCount; ++i)
    add(std::string("drop_") + wire::name_of(static_cast<wire::DropReason>(i)),
        [i](const ShardCounters& c) -> auto& { return c.drops[i]; });
  for (std::size_t i = 0; i < static_cast<std::size_t>(tracker::Event::kCount); ++i)
    add("tracker_" + std::string(name_of(static_cast<tracker::Event>(i))),
        [i](const ShardCounters& c) -> auto& { return c.tracker.events[i]; });
  for (std::size_t i = 0; i < static_cast<std::size_t>(wire::TrackerRefusal::kCount); ++i)
    add("tracker_refused_" + std::string(wire::name_of(static_cast<wire::TrackerRefusal>(i))),
        [i](const ShardCounters& c) -> auto& { return c.tracker.refusals[i]; });
  return out;
}

}  // namespace peernet::node

namespace peernet {

Node::Node(std::unique_ptr<node::NodeImpl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::start(const NodeConfig& config) {
  auto impl = std::make_unique<node::NodeImpl>(config);
  if (auto ok = impl->start(); !ok) return std::unexpected(ok.error());
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

Result<Transfer> Node::share(const ShareOptions& options) {
  return impl_->share(options);
}
Result<Transfer> Node::get(const GetOptions& options) {
  return impl_->get(options);
}
Result<SwarmListing> Node::list(const std::string& link, std::chrono::milliseconds timeout) {
  return impl_->list(link, timeout);
}
EngineInfo Node::engine() const {
  return impl_->engine();
}
std::vector<Counter> Node::counters() const {
  return impl_->counters();
}

Result<ContentInfo> describe_path(const std::string& path, std::string* culprit) {
  if (auto ok = node::check_shareable(path); !ok) return std::unexpected(ok.error());
  const auto local = node::LocalContent::hash(path, {});
  if (local) return local->describe();
  if (culprit != nullptr) *culprit = local.error().path;
  return std::unexpected(local.error().error);
}

Result<std::string> generate_identity() {
  io::SystemRandom random;
  return crypto::Identity::generate(random).to_pem();
}

}  // namespace peernet
