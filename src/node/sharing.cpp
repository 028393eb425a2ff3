// Shares, from the door to the shards: a file or folder is hashed (or compared with what a link names), then served and
// published.

#include <algorithm>
#include <latch>

#include "io/address_text.hpp"
#include "node/local_content.hpp"
#include "node/node_impl.hpp"
#include "node/publication.hpp"

namespace peernet::node {
namespace {

constexpr double kManifestPatienceSeconds = 10;

std::string with_port(const io::HostPort& parsed, std::uint16_t port) {
  const std::string number = std::to_string(parsed.port.value_or(port));
  return parsed.host.find(':') == std::string::npos ? parsed.host + ":" + number : "[" + parsed.host + "]:" + number;
}

Result<void> check_options(const ShareOptions& options) {
  for (const std::string& host : options.advertise) {
    const auto parsed = io::split_host_port(host);
    if (!parsed || !valid_link_address(with_port(*parsed, 1)))
      return std::unexpected(
          usage_error("--advertise wants HOST or HOST:PORT, such as files.example.org or [2001:db8::1]:7000"));
  }
  if (options.trackers.size() > kMaxTrackers) return std::unexpected(usage_error("16 trackers are enough"));
  if (!std::ranges::all_of(options.trackers, valid_link_address))
    return std::unexpected(usage_error("--tracker wants HOST:PORT, such as tracker.example.org:6969"));
  if (!options.join.empty() && (options.is_public || !options.advertise.empty() || !options.trackers.empty()))
    return std::unexpected(
        usage_error("a share that joins a swarm takes its key, addresses and trackers from the link"));
  return {};
}

void fail(TransferState& transfer, const content::PathError& error) {
  transfer.finish({.kind = EventKind::kError, .text = describe(error.error), .path = error.path, .error = error.error},
                  Phase::kFailed);
}

}  // namespace

Result<Transfer> NodeImpl::share(const ShareOptions& options) {
  if (auto ok = check_options(options); !ok) return std::unexpected(ok.error());
  ShareJob job{.options = options, .join = {}, .transfer = std::make_shared<TransferState>()};
  if (!options.join.empty()) {
    auto link = parse_link(options.join);
    if (!link) return std::unexpected(usage_error("the link to join does not parse"));
    if (link->trackers.empty())
      return std::unexpected(usage_error("the link to join names no tracker, so that nobody would find this source"));
    job.join = std::move(*link);
  }
  if (auto ok = check_shareable(options.path); !ok) return std::unexpected(ok.error());
  if (auto ok = start_all_shards(); !ok) return std::unexpected(ok.error());
  job.transfer->phase = Phase::kHashing;
  const std::scoped_lock lock(mutex_);
  transfers_.push_back(job.transfer);
  workers_.emplace_back([this, job] { job.join ? join_and_serve(job) : hash_and_serve(job); });
  return Transfer(job.transfer);
}

// ---------------------------------------------------------------------------------------------- hashing

void NodeImpl::hash_and_serve(const ShareJob& job) {
  TransferState& transfer = *job.transfer;
  storage::HashOptions hashing;
  hashing.cancel = &transfer.cancel_flag();
  hashing.on_progress = [&](std::uint64_t done, std::uint64_t total) {
    transfer.bytes_done.store(done, std::memory_order_relaxed);
    transfer.bytes_total.store(total, std::memory_order_relaxed);
  };
  auto local = LocalContent::hash(job.options.path, hashing);
  if (!local) return fail(transfer, local.error());
  const std::shared_ptr<SharedContent> content = std::move(*local).share();
  if (!job.options.is_public) {
    io::SystemRandom random;
    content->key.emplace();
    random.fill(*content->key);
  }
  serve(job, content);
}

// The manifest comes from the swarm while the content is hashed; whichever says first that they do not fit ends both.
struct NodeImpl::JoinCheck {
  std::atomic<bool> stop{false};  // hashing
  std::shared_ptr<TransferState> asking = std::make_shared<TransferState>();
  std::shared_ptr<SwarmManifest> manifest = std::make_shared<SwarmManifest>();
  std::optional<Event> last;  // of asking

  /// Takes events of the question; what goes wrong with trackers is news for the share's user.
  void poll(TransferState& transfer, std::chrono::milliseconds wait) {
    while (!last) {
      auto event = asking->wait_event(wait);
      if (!event) return;
      if (event->kind == EventKind::kTracker && event->number == 0) transfer.push(*event);
      if (event->kind == EventKind::kDone || event->kind == EventKind::kError) last = std::move(event);
    }
  }
  bool failed() const { return last && last->kind == EventKind::kError; }
  bool known() const { return last && last->kind == EventKind::kDone; }
};

content::PathResult<LocalContent> NodeImpl::hash_for_join(const ShareJob& job, JoinCheck& check) {
  TransferState& transfer = *job.transfer;
  bool differs = false;
  storage::HashOptions hashing;
  hashing.cancel = &check.stop;
  hashing.on_progress = [&](std::uint64_t done, std::uint64_t total) {
    transfer.bytes_done.store(done, std::memory_order_relaxed);
    transfer.bytes_total.store(total, std::memory_order_relaxed);
    check.poll(transfer, std::chrono::milliseconds(0));
    if (check.known() && check.manifest->core.payload_bytes != total) differs = true;
    if (differs || check.failed()) check.stop = true;
  };
  auto local = LocalContent::hash(job.options.path, hashing);
  if (differs)
    return content::path_error({ErrorCode::kIntegrity, 0, "this is not the content of the link: its size differs"}, {});
  if (!local && !check.failed()) return local;
  while (!check.last) check.poll(transfer, std::chrono::milliseconds(1000));
  if (check.failed()) return content::path_error(check.last->error, {});
  if (!local) return local;
  const content::ManifestCore& core = check.manifest->core;
  if (local->core().total_bytes == core.total_bytes && local->core().chunk_bytes != core.chunk_bytes) {
    hashing.chunk_bytes = core.chunk_bytes;  // the publisher has cut it otherwise
    local = LocalContent::hash(job.options.path, hashing);
    if (!local) return local;
  }
  if (auto same = local->compare(*check.manifest); !same) return std::unexpected(std::move(same.error()));
  return local;
}

void NodeImpl::join_and_serve(const ShareJob& job) {
  const auto check = std::make_shared<JoinCheck>();
  GetOptions question;
  question.metadata_only = true;
  question.timeout_seconds = kManifestPatienceSeconds;
  start_fetch(question, *job.join, check->asking, check->manifest);
  job.transfer->on_cancel([check] {
    check->stop = true;
    check->asking->cancel();
  });
  auto local = hash_for_join(job, *check);
  check->asking->cancel();  // if it has not ended
  if (!local) {
    if (!check->failed() || local.error().error != check->last->error) return fail(*job.transfer, local.error());
    return job.transfer->finish(std::move(*check->last), Phase::kFailed);  // its text says more
  }
  const std::shared_ptr<SharedContent> content = std::move(*local).share_as(std::move(*check->manifest));
  content->key = job.join->swarm_key;
  serve(job, content);
}

// ---------------------------------------------------------------------------------------------- serving

void NodeImpl::serve(const ShareJob& job, const std::shared_ptr<SharedContent>& content) {
  const std::shared_ptr<TransferState>& transfer = job.transfer;
  content->transfer = transfer;
  content->swarm = crypto::swarm_id(content->key, content->id);
  content->spread = std::make_unique<swarm::Spread>(content->manifest.core->chunk_count);
  transfer->set_name(content->name);
  transfer->bytes_total.store(content->manifest.core->payload_bytes, std::memory_order_relaxed);
  transfer->bytes_done.store(content->manifest.core->payload_bytes, std::memory_order_relaxed);
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
  transfer->phase = Phase::kRunning;
  publish(job, content);
  transfer->on_cancel([this, content] { withdraw(content); });
}

void NodeImpl::publish(const ShareJob& job, const std::shared_ptr<SharedContent>& content) {
  const Link link = link_of(job, *content);
  Publication::Options options{.content = content, .link = format_link(link), .trackers = {}, .addresses = {}};
  options.joined = job.join.has_value();
  options.embedded = !options.joined && job.options.trackers.empty() && job.options.embed_tracker;
  std::vector<std::string> names;
  if (!options.embedded) {
    options.trackers = link.trackers;
  } else {
    for (const std::string& text : link.peers) {
      if (const auto address = io::parse_address(text)) {
        options.addresses.push_back(*address);
      } else {
        names.push_back(text);
      }
    }
    // Names may take long or fail: until then the content has its place in the tracker with what this host knows.
    if (options.addresses.empty())
      for (const std::string& text : own_addresses({}))
        if (const auto address = io::parse_address(text)) options.addresses.push_back(*address);
  }
  shards_[0]->post([options](Shard& shard) {
    if (options.content->withdrawn.load(std::memory_order_relaxed)) return;
    shard.discovery().publish(std::make_unique<Publication>(options));
  });
  if (names.empty()) return;
  look_up(std::move(names), [home = context_.home, swarm = content->swarm](const std::vector<NamedAddresses>& found) {
    home->post([swarm, found](Shard& shard) {
      for (const NamedAddresses& named : found)
        shard.discovery().embedded_tracker().add_addresses(shard.now(), swarm, named.addresses);
    });
  });
}

// The last shard to have told its receivers ends the transfer, so that none of them hears of a mere goodbye first.
void NodeImpl::withdraw_changed(const std::shared_ptr<SharedContent>& content) {
  const auto left = std::make_shared<std::atomic<std::size_t>>(shards_.size());
  for (const auto& shard : shards_)
    shard->post([content, left](Shard& s) {
      s.serving().remove(*content, wire::LeaveReason::kSourceChanged);
      s.discovery().withdraw(*content);
      s.look_after_peers();
      if (left->fetch_sub(1) != 1) return;
      const bool folder = content->manifest.core->kind == content::ContentKind::kTree;
      fail(*content->transfer, {{ErrorCode::kIntegrity, 0,
                                 folder ? "a file of the shared folder has changed; it is no longer served"
                                        : "the shared file has changed; it is no longer served"},
                                {}});
    });
}

void NodeImpl::withdraw(const std::shared_ptr<SharedContent>& content) {
  for (const auto& shard : shards_)
    shard->post([content](Shard& s) {
      s.serving().remove(*content, wire::LeaveReason::kGoodbye);
      s.discovery().withdraw(*content);
    });
  content->transfer->finish({.kind = EventKind::kDone, .text = "no longer served"}, Phase::kDone);
}

// ---------------------------------------------------------------------------------------------- the link

Link NodeImpl::link_of(const ShareJob& job, const SharedContent& content) const {
  if (job.join) return *job.join;
  Link link;
  link.content_id = content.id;
  link.swarm_key = content.key;
  link.publisher_id = publisher_;
  link.name = content.name;
  link.peers = own_addresses(job.options);
  link.trackers = job.options.trackers;
  const bool embedded = link.trackers.empty() && job.options.embed_tracker;
  const std::size_t room = embedded ? kMaxLinkAddresses / 2 : kMaxLinkAddresses - link.trackers.size();
  if (link.peers.size() > room) link.peers.resize(room);
  if (embedded) link.trackers = link.peers;
  return link;
}

// Where this node can be reached: as the user says, else the address it is bound to, or all of this host's.
std::vector<std::string> NodeImpl::own_addresses(const ShareOptions& options) const {
  const Address local = sockets_->local();
  std::vector<std::string> out;
  if (!options.advertise.empty()) {
    for (const std::string& host : options.advertise) out.push_back(with_port(*io::split_host_port(host), local.port));
    return out;
  }
  const bool any = local.ip == ByteArray<16>{} || local.ip == Address::v4(0, 0, 0, 0, 0).ip;
  if (!any) return {io::format_address(local)};
  for (const Address& address : io::local_addresses(local.port))
    if (context_.reaches(address)) out.push_back(io::format_address(address));
  if (out.empty()) out.push_back(io::format_address(Address::v4(127, 0, 0, 1, local.port)));
  return out;
}

}  // namespace peernet::node
