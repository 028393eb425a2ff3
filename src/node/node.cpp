// The door: puts a node together from sockets, shards and threads, and passes shares and gets to them.
#include "peernet/node.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <latch>
#include <thread>

#include "base/bytes.hpp"
#include "crypto/identity.hpp"
#include "io/address_text.hpp"
#include "io/probe.hpp"
#include "io/socket_group.hpp"
#include "node/shard.hpp"
#include "peernet/link.hpp"
#include "storage/state_db.hpp"

namespace peernet::node {
namespace {

constexpr unsigned kMaxShards = 8;

Error usage(const char* what) {
  return {ErrorCode::kUsage, 0, what};
}

Result<Address> listen_address(const NodeConfig& config, const io::Capabilities& capabilities) {
  auto address = io::parse_address(config.listen);
  if (!address) return std::unexpected(usage("--listen wants ADDR:PORT, such as 0.0.0.0:7000 or [::]:0"));
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

std::string with_port(const io::HostPort& parsed, std::uint16_t port) {
  const std::string number = std::to_string(parsed.port.value_or(port));
  return parsed.host.find(':') == std::string::npos ? parsed.host + ":" + number : "[" + parsed.host + "]:" + number;
}

// A regular file that can be read, told apart early so that the words fit.
Result<void> check_shareable(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::unexpected(from_errno(errno, "cannot open the file to share"));
  if (S_ISDIR(info.st_mode))
    return std::unexpected(usage("this is a folder: this version shares single files only (pack it with tar for now)"));
  if (!S_ISREG(info.st_mode)) return std::unexpected(usage("only regular files can be shared"));
  if (::access(path.c_str(), R_OK) != 0) return std::unexpected(from_errno(errno, "cannot open the file to share"));
  return {};
}

}  // namespace

class NodeImpl {
 public:
  explicit NodeImpl(const NodeConfig& config) : context_(config) {}
  ~NodeImpl() {
    for (const auto& transfer : transfers_) transfer->cancel();
    workers_.clear();  // joins; a hasher has seen the cancel
    shards_.clear();
  }

  Result<void> start() {
    io::SystemRandom random;
    context_.capabilities = io::probe_capabilities();
    crypto::Identity identity = crypto::Identity::generate(random);
    if (!context_.config.identity_text.empty()) {
      auto given = crypto::Identity::from_pem(context_.config.identity_text);
      if (!given) return std::unexpected(usage("the identity file holds no Ed25519 private key in PEM form"));
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
    context_.writer = std::make_unique<storage::WriterThread>();
    context_.state = std::make_unique<storage::StateThread>(state_directory(context_.config));

    auto listen = listen_address(context_.config, context_.capabilities);
    if (!listen) return std::unexpected(listen.error());
    if (context_.config.shards > kMaxShards) return std::unexpected(usage("--shards wants a number from 1 to 8"));
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    io::SocketGroupOptions sockets;
    sockets.listen = *listen;
    sockets.shards = context_.config.shards != 0 ? context_.config.shards : std::min(cores, kMaxShards);
    auto group = io::SocketGroup::open(sockets, context_.capabilities);
    if (!group) return std::unexpected(group.error());
    sockets_.emplace(std::move(*group));
    context_.shard_count = static_cast<std::uint8_t>(sockets_->shards());
    for (std::uint8_t i = 0; i < context_.shard_count; ++i) shards_.push_back(std::make_unique<Shard>(context_, i));
    return shards_[0]->start(sockets_->shard(0));
  }

  /// A get runs on the first shard; serving uses all of them, so the others start with the first share.
  Result<void> start_all_shards() {
    const std::scoped_lock lock(mutex_);
    for (; started_ < shards_.size(); ++started_) {
      if (auto ok = shards_[started_]->start(sockets_->shard(static_cast<std::uint32_t>(started_))); !ok) return ok;
    }
    return {};
  }

  Result<Transfer> share(const ShareOptions& options) {
    if (auto ok = check_shareable(options.path); !ok) return std::unexpected(ok.error());
    for (const std::string& host : options.advertise) {
      const auto parsed = io::split_host_port(host);
      if (!parsed || !valid_link_address(with_port(*parsed, 1)))
        return std::unexpected(
            usage("--advertise wants HOST or HOST:PORT, such as files.example.org or [2001:db8::1]:7000"));
    }
    if (auto ok = start_all_shards(); !ok) return std::unexpected(ok.error());
    auto transfer = std::make_shared<TransferState>();
    transfer->phase = Phase::kHashing;
    const std::scoped_lock lock(mutex_);
    transfers_.push_back(transfer);
    workers_.emplace_back([this, options, transfer] { hash_and_serve(options, transfer); });
    return Transfer(transfer);
  }

  Result<Transfer> get(const GetOptions& options) {
    const auto link = parse_link(options.link);
    if (!link) return std::unexpected(usage("the link does not parse"));
    if (link->peers.empty()) return std::unexpected(usage("the link names no node to get the content from"));
    auto transfer = std::make_shared<TransferState>();
    transfer->set_name(link->name);
    const std::scoped_lock lock(mutex_);
    transfers_.push_back(transfer);
    Fetch::Options fetch{options, *link, {}, transfer};
    const bool numeric =
        std::ranges::all_of(link->peers, [](const std::string& p) { return io::parse_address(p).has_value(); });
    if (numeric) {
      resolve_and_fetch(std::move(fetch));
    } else {  // names may take seconds
      workers_.emplace_back([this, f = std::move(fetch)]() mutable { resolve_and_fetch(std::move(f)); });
    }
    return Transfer(transfer);
  }

  EngineInfo engine() const {
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

  std::vector<Counter> counters() const {
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
    return out;
  }

 private:
  void hash_and_serve(const ShareOptions& options, const std::shared_ptr<TransferState>& transfer) {
    storage::HashOptions hashing;
    hashing.cancel = &transfer->cancel_flag();
    hashing.on_progress = [&](std::uint64_t done, std::uint64_t total) {
      transfer->bytes_done.store(done, std::memory_order_relaxed);
      transfer->bytes_total.store(total, std::memory_order_relaxed);
    };
    auto file = storage::hash_file(options.path, hashing);
    if (!file) {
      transfer->finish({.kind = EventKind::kError, .text = describe(file.error()), .error = file.error()},
                       Phase::kFailed);
      return;
    }
    auto content = std::make_shared<SharedContent>();
    content->file = std::move(*file);
    content->transfer = transfer;
    if (!options.is_public) {
      io::SystemRandom random;
      content->key.emplace();
      random.fill(*content->key);
    }
    content->swarm = crypto::swarm_id(content->key, content->file.id);
    transfer->set_name(content->file.entry.path);
    transfer->bytes_total.store(content->file.core.payload_bytes, std::memory_order_relaxed);
    transfer->bytes_done.store(content->file.core.payload_bytes, std::memory_order_relaxed);

    content->on_changed = [this, weak = std::weak_ptr(content)] {
      const auto changed = weak.lock();
      if (changed) withdraw_changed(changed);
    };
    std::latch served(static_cast<std::ptrdiff_t>(shards_.size()));
    for (const auto& shard : shards_)
      shard->post([&served, content](Shard& s) {
        s.serving().add(content);
        served.count_down();
      });
    served.wait();
    transfer->on_cancel([this, content] { withdraw(content); });
    transfer->phase = Phase::kRunning;
    transfer->push({.kind = EventKind::kLink, .text = link_of(*content, options)});
  }

  // The last shard to have told its receivers ends the transfer, so that none of them hears of a mere goodbye first.
  void withdraw_changed(const std::shared_ptr<SharedContent>& content) {
    const auto left = std::make_shared<std::atomic<std::size_t>>(shards_.size());
    for (const auto& shard : shards_)
      shard->post([content, left](Shard& s) {
        s.serving().remove(content->file.id, wire::LeaveReason::kSourceChanged);
        s.look_after_peers();
        if (left->fetch_sub(1) != 1) return;
        const Error error{ErrorCode::kIntegrity, 0, "the shared file has changed; it is no longer served"};
        content->transfer->finish({.kind = EventKind::kError, .text = describe(error), .error = error}, Phase::kFailed);
      });
  }

  void withdraw(const std::shared_ptr<SharedContent>& content) {
    for (const auto& shard : shards_)
      shard->post([content](Shard& s) { s.serving().remove(content->file.id, wire::LeaveReason::kGoodbye); });
    content->transfer->finish({.kind = EventKind::kDone, .text = "no longer served"}, Phase::kDone);
  }

  std::string link_of(const SharedContent& content, const ShareOptions& options) const {
    Link link;
    link.content_id = content.file.id;
    link.swarm_key = content.key;
    link.publisher_id = publisher_;
    link.name = content.file.entry.path;
    const Address local = sockets_->local();
    if (!options.advertise.empty()) {
      for (const std::string& host : options.advertise)
        link.peers.push_back(with_port(*io::split_host_port(host), local.port));
    } else {
      for (const Address& address : advertised(local)) link.peers.push_back(io::format_address(address));
    }
    if (link.peers.size() > kMaxLinkAddresses) link.peers.resize(kMaxLinkAddresses);
    return format_link(link);
  }

  // Where this node can be reached: the address it is bound to, or all of this host's.
  std::vector<Address> advertised(const Address& local) const {
    const bool any = local.ip == ByteArray<16>{} || local.ip == Address::v4(0, 0, 0, 0, 0).ip;
    if (!any) return {local};
    std::vector<Address> out = io::local_addresses(local.port);
    std::erase_if(out, [&](const Address& a) { return a.is_v4() ? !sockets_->ipv4() : !sockets_->ipv6(); });
    if (out.empty()) out.push_back(Address::v4(127, 0, 0, 1, local.port));
    return out;
  }

  void resolve_and_fetch(Fetch::Options options) {
    for (const std::string& peer : options.link.peers) {
      const auto parsed = io::split_host_port(peer);
      if (!parsed || !parsed->port) continue;
      const auto numeric = io::parse_address(peer);
      if (numeric) {
        options.addresses.push_back(*numeric);
      } else if (auto resolved = io::resolve(parsed->host, *parsed->port)) {
        options.addresses.insert(options.addresses.end(), resolved->begin(), resolved->end());
      }
    }
    std::erase_if(options.addresses,
                  [&](const Address& a) { return a.is_v4() ? !sockets_->ipv4() : !sockets_->ipv6(); });
    const auto transfer = options.transfer;
    if (options.addresses.empty()) {
      const Error error{ErrorCode::kUnreachable, 0, "no address of the link can be reached from here"};
      transfer->finish({.kind = EventKind::kError, .text = describe(error), .error = error}, Phase::kFailed);
      return;
    }
    auto fetch = std::make_shared<std::unique_ptr<Fetch>>(std::make_unique<Fetch>(std::move(options)));
    Shard& home = *shards_[0];
    home.post([fetch](Shard& shard) { shard.start_fetch(std::move(*fetch)); });
    transfer->on_cancel([&home, transfer] { home.post([transfer](Shard& shard) { shard.cancel_fetch(*transfer); }); });
  }

  NodeContext context_;
  NodeId publisher_{};
  std::optional<io::SocketGroup> sockets_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::size_t started_ = 1;
  std::mutex mutex_;  // guards started_, transfers_ and workers_
  std::vector<std::shared_ptr<TransferState>> transfers_;
  std::vector<std::jthread> workers_;
};

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
EngineInfo Node::engine() const {
  return impl_->engine();
}
std::vector<Counter> Node::counters() const {
  return impl_->counters();
}

Result<ContentInfo> describe_path(const std::string& path) {
  if (auto ok = node::check_shareable(path); !ok) return std::unexpected(ok.error());
  const auto file = storage::hash_file(path, {});
  if (!file) return std::unexpected(file.error());
  ContentInfo info;
  info.content_id.assign(reinterpret_cast<const char*>(file->id.data()), file->id.size());
  info.name = file->entry.path;
  info.bytes = file->core.payload_bytes;
  info.chunk_bytes = file->core.chunk_bytes;
  info.chunks = file->core.chunk_count;
  return info;
}

Result<std::string> generate_identity() {
  io::SystemRandom random;
  return crypto::Identity::generate(random).to_pem();
}

}  // namespace peernet
