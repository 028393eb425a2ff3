// The load of PeerNet nodes: extended connects, announces of everything, then what is to be measured, and a last look
// at every swarm. Each node is a source address of its own; one socket serves them all (IP_PKTINFO), whatever their
// number.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "batch.hpp"
#include "cli/printable.hpp"
#include "jobs.hpp"
#include "node_model.hpp"
#include "report.hpp"
#include "request_table.hpp"

namespace peernet::tracker_load {
namespace {

using Action = wire::TrackerAction;

constexpr Duration kDeadTracker = 4s;
constexpr std::size_t kShownError = 120;

class NodeLoad {
 public:
  NodeLoad(const Options& options, const SocketAddress& target, std::uint32_t first_address, Socket socket)
      : options_(options),
        target_(target),
        socket_(std::move(socket)),
        model_(options, first_address),
        rng_(options.seed),
        requests_(options.window),
        connection_ids_(options.nodes),
        report_(options, "nodes"),
        heartbeats_((options.contents_per_node + wire::kMaxHeartbeatContents - 1) / wire::kMaxHeartbeatContents) {}

  int run() {
    auto& fields = report_.fields();
    fields["nodes"] = model_.nodes();
    fields["contents_per_node"] = model_.contents();
    fields["entries"] = model_.entries();
    const double start_rss = sample_process(options_.pid).rss_kib;
    if (!measure("connect", Action::kConnect, 0)) return kNoReply;
    if (!measure("announce", Action::kNodeAnnounce, 0)) return kNoReply;
    if (options_.pid != 0) show_memory((sample_process(options_.pid).rss_kib - start_rss) * 1024);
    if (options_.seconds > 0) {
      const Action action = options_.node_work == NodeWork::kAnnounce    ? Action::kNodeAnnounce
                            : options_.node_work == NodeWork::kHeartbeat ? Action::kHeartbeat
                                                                         : Action::kQuery;
      if (options_.warmup_seconds > 0) run_phase(action, options_.warmup_seconds);
      good_ = good_ && stats_.invalid() == 0;
      if (!measure("run", action, options_.seconds)) return kNoReply;
    }
    if (options_.verify) {
      if (!measure("verify", Action::kQuery, 0)) return kNoReply;
      report_.add(verified_);
      good_ = good_ && verified_.wrong == 0 && verified_.swarms == options_.swarms;
    }
    return report_.finish(good_);
  }

 private:
  void show_memory(double growth) {
    const double per_entry = growth / static_cast<double>(model_.entries());
    report_.fields()["bytes_per_entry"] = per_entry;
    if (!options_.json) fmt::print("tracker memory: {:.1f} bytes per listed node of a content\n", per_entry);
  }

  // False: no reply at all. Seconds 0: each thing once.
  bool measure(const char* name, Action action, double seconds) {
    PhaseClock clock(options_, name);
    run_phase(action, seconds);
    clock.stop(seconds);
    report_.add(clock, stats_);
    good_ = good_ && stats_.invalid() == 0 && stats_.at(Count::kErrors) == 0;
    if (stats_.at(Count::kBytesIn) == 0) complain("no reply at all", kNoReply);
    return stats_.at(Count::kBytesIn) != 0;
  }

  void run_phase(Action action, double seconds) {
    stats_ = {};
    next_ = 0;
    again_.clear();
    timed_ = seconds > 0;
    if (action == Action::kQuery && !timed_) count_expected();
    const Instant end = now() + Duration(static_cast<std::int64_t>(seconds * 1e9));
    Instant last_progress = now();
    for (std::uint64_t last_done = done_;;) {
      const Instant at = now();
      receive();
      const bool sent = (!timed_ || at < end) && send(action, at);
      expire(at);
      if (requests_.live() == 0 && again_.empty() && !sent && (!timed_ || at >= end)) return;
      if (done_ != last_done) {
        last_done = done_;
        last_progress = at;
      } else if (at > last_progress + kDeadTracker) {
        return;
      }
    }
  }

  // The number of different requests of an action.
  std::uint64_t amount(Action action) const {
    if (action == Action::kConnect) return model_.nodes();
    if (action == Action::kNodeAnnounce) return model_.entries();
    return action == Action::kHeartbeat ? model_.nodes() * heartbeats_ : model_.swarms();
  }

  // The k-th request of an action.
  Request make(Action action, std::uint64_t k, std::uint32_t cursor) const {
    Request request;
    request.action = action;
    const std::uint64_t each = action == Action::kNodeAnnounce ? model_.contents()
                               : action == Action::kHeartbeat  ? heartbeats_
                                                               : 1;
    request.subject = static_cast<std::uint32_t>(k / each);
    request.source = static_cast<std::uint32_t>(k % each);  // which of the node's
    request.swarms = 1;
    if (action == Action::kHeartbeat) {
      request.source *= wire::kMaxHeartbeatContents;
      request.swarms = std::min<std::uint32_t>(wire::kMaxHeartbeatContents, model_.contents() - request.source);
    }
    if (action == Action::kQuery) {
      request.swarm = static_cast<std::uint32_t>(k);
      request.subject = static_cast<std::uint32_t>(k % model_.nodes());
      request.source = cursor;
    } else {
      request.swarm = model_.swarm_of(request.subject, request.source);
    }
    return request;
  }

  bool send(Action action, Instant at) {
    out_.clear();
    while (out_.messages() < options_.batch && !requests_.full()) {
      Request request;
      if (!again_.empty()) {
        request = again_.back();
        again_.pop_back();
      } else if (timed_) {
        request = make(action, rng_.below(amount(action)), 0);
      } else if (next_ < amount(action)) {
        request = make(action, next_++, 0);
      } else {
        break;
      }
      request.due = request.sent = at;
      out_.append(write(request, out_.room()));
      out_.end_message_from(model_.address_of(request.subject), target_);
      requests_.start(request);
      stats_.add(Count::kSent);
    }
    if (out_.messages() != 0) out_.send(socket_.fd(), stats_);
    return out_.messages() != 0;
  }

  std::size_t write(const Request& r, MutableByteSpan out) const {
    const wire::TrackerHeader header{connection_ids_[r.subject], r.action, requests_.next_transaction()};
    if (r.action == Action::kConnect) return wire::encode_connect(out, {header.transaction, true});
    if (r.action == Action::kNodeAnnounce)
      return model_.write_announce(r.subject, r.source, options_.numwant, header, out);
    if (r.action == Action::kHeartbeat) return model_.write_heartbeat(r.subject, r.source, r.swarms, header, out);
    return wire::encode(out, header, wire::Query{swarm_id(options_.seed, r.swarm), r.source});
  }

  void receive() {
    for (;;) {
      const std::size_t got = in_.receive(socket_.fd(), stats_);
      const Instant at = now();
      for (std::size_t i = 0; i < got; ++i) on_reply(in_.at(i), at);
      if (got < kMaxBatch) return;
    }
  }

  void on_reply(ByteSpan datagram, Instant at) {
    stats_.add(Count::kBytesIn, datagram.size());
    ByteReader reader(datagram);
    reader.u32();
    const std::uint32_t transaction = reader.u32();
    Request* request = nullptr;
    const RequestTable::Found found = requests_.find(transaction, request);
    if (reader.failed()) return stats_.invalid(Count::kBadLength, "a reply shorter than 8 bytes");
    if (found == RequestTable::Found::kLate) return stats_.add(Count::kLate);
    if (found == RequestTable::Found::kNever)
      return stats_.invalid(Count::kBadTransaction, "an unknown transaction id");
    stats_.latency.add(at - request->due);
    const Request answered = *request;
    requests_.finish(*request);
    ++done_;
    const auto reply = wire::decode_tracker_reply(datagram);
    if (!reply) return stats_.invalid(Count::kBadLength, "a reply that does not decode");
    if (const auto* error = std::get_if<wire::ErrorReply>(&*reply)) {
      stats_.add(Count::kErrors);
      if (stats_.first_error.empty()) stats_.first_error = cli::shortened(cli::printable(error->text), kShownError);
    } else if (const auto* connect = std::get_if<wire::ConnectReply>(&*reply);
               connect && answered.action == Action::kConnect) {
      on_connect(answered, *connect);
    } else if (const auto* list = std::get_if<wire::NodeAnnounceReply>(&*reply);
               list && answered.action == Action::kNodeAnnounce) {
      on_announce(answered, *list);
    } else if (const auto* beat = std::get_if<wire::HeartbeatReply>(&*reply);
               beat && answered.action == Action::kHeartbeat) {
      on_heartbeat(answered, *beat);
    } else if (const auto* page = std::get_if<wire::QueryReply>(&*reply); page && answered.action == Action::kQuery) {
      on_query(answered, *page);
    } else {
      stats_.invalid(Count::kBadAction, "an action that was not asked for");
    }
  }

  void on_connect(const Request& request, const wire::ConnectReply& reply) {
    stats_.add(Count::kConnects);
    connection_ids_[request.subject] = reply.connection_id;
    if (!reply.extended) stats_.invalid(Count::kBadLength, "an extended connect request was answered by a plain reply");
  }

  void on_announce(const Request& request, const wire::NodeAnnounceReply& reply) {
    stats_.add(Count::kNodeAnnounces);
    stats_.add(Count::kContents);
    connection_ids_[request.subject] = reply.connection_id;
    if (reply.peers.size() > options_.numwant) stats_.invalid(Count::kOverNumwant, "more peers than numwant");
    const std::uint64_t most = (model_.entries() + model_.swarms() - 1) / model_.swarms();
    if (std::uint64_t{reply.complete} + reply.partial > most)
      stats_.invalid(Count::kBadCount, "more nodes than the swarm ever had");
    if (options_.check_every == 0 || ++lists_ % options_.check_every != 0) return;
    std::array<std::uint32_t, wire::kMaxNodePeers> seen;
    std::size_t known = 0;
    stats_.add(Count::kListsChecked);
    stats_.add(Count::kPeersListed, reply.peers.size());
    if (!reply.peers.empty()) stats_.add(Count::kListsNonempty);
    for (const wire::NodePeer& peer : reply.peers) {
      const auto node = check_node(request.swarm, peer.node, peer.address, peer.flags, peer.owned);
      if (!node) continue;
      if (*node == request.subject) stats_.add(Count::kSelfListed);
      if (std::find(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(known), *node) !=
          seen.begin() + static_cast<std::ptrdiff_t>(known))
        stats_.invalid(Count::kDuplicate, "a node listed twice");
      seen[known++] = *node;
    }
  }

  std::optional<std::uint32_t> check_node(std::uint32_t swarm, const wire::NodeTag& tag, const Address& address,
                                          std::uint8_t flags, const wire::OwnershipBits& owned) {
    const auto node = model_.node_of(tag);
    if (!node)
      stats_.invalid(Count::kAlien, "a listed node that is none of ours");
    else if (!model_.is_in(*node, swarm))
      stats_.invalid(Count::kWrongSwarm, "a listed node of another swarm");
    else if (!model_.is_as_announced(*node, address, flags, owned))
      stats_.invalid(Count::kWrongNode, "a listed node with another ownership, address or flag");
    return node;
  }

  void on_heartbeat(const Request& request, const wire::HeartbeatReply& reply) {
    stats_.add(Count::kHeartbeats);
    stats_.add(Count::kContents, request.swarms);
    connection_ids_[request.subject] = reply.connection_id;
    if (reply.unknown != 0) stats_.invalid(Count::kForgotten, "a heartbeat's content is not known any more");
  }

  void on_query(const Request& request, const wire::QueryReply& reply) {
    stats_.add(Count::kQueries);
    stats_.add(Count::kContents);
    stats_.add(Count::kPeersListed, reply.nodes.size());
    for (const wire::ListedNode& node : reply.nodes)
      check_node(request.swarm, node.node, node.address, node.flags, node.owned);
    if (timed_) return;
    Expected& expected = expected_[request.swarm];
    expected.listed += static_cast<std::uint32_t>(reply.nodes.size());
    if (reply.cursor != 0) return again_.push_back(make(Action::kQuery, request.swarm, reply.cursor));
    ++verified_.swarms;
    const std::uint32_t all = expected.complete + expected.partial;
    if (reply.complete == expected.complete && reply.partial == expected.partial && expected.listed == all) {
      ++verified_.exact;
      return;
    }
    ++verified_.wrong;
    if (verified_.first_wrong.empty())
      verified_.first_wrong = fmt::format(
          "swarm {}: the tracker says {} complete and {} partial nodes and lists {}, expected {} and {}", request.swarm,
          reply.complete, reply.partial, expected.listed, expected.complete, expected.partial);
  }

  void count_expected() {
    verified_ = {};
    expected_.assign(model_.swarms(), {});
    for (std::uint32_t node = 0; node < model_.nodes(); ++node)
      for (std::uint32_t entry = 0; entry < model_.contents(); ++entry) {
        Expected& swarm = expected_[model_.swarm_of(node, entry)];
        ++(model_.complete(node) ? swarm.complete : swarm.partial);
      }
  }

  void expire(Instant at) {
    for (Request* r = requests_.oldest(); r != nullptr; r = requests_.oldest()) {
      if (at < r->sent + std::chrono::milliseconds(options_.timeout_ms)) return;
      stats_.add(Count::kLost);
      if (!timed_) again_.push_back(*r);
      requests_.finish(*r);
    }
  }

  struct Expected {
    std::uint32_t complete = 0;
    std::uint32_t partial = 0;
    std::uint32_t listed = 0;
  };

  const Options& options_;
  SocketAddress target_;
  Socket socket_;
  NodeModel model_;
  Rng rng_;
  RequestTable requests_;
  std::vector<std::uint64_t> connection_ids_;
  Report report_;
  std::uint64_t heartbeats_;  ///< datagrams with all contents of a node
  SendBatch out_;
  ReceiveBatch in_;
  Stats stats_;
  std::vector<Request> again_;
  std::vector<Expected> expected_;
  Verified verified_;
  std::uint64_t next_ = 0;
  std::uint64_t done_ = 0;
  std::uint32_t lists_ = 0;
  bool timed_ = false;
  bool good_ = true;
};

}  // namespace

int run_nodes(const Options& options) {
  const auto target = parse_target(options.target);
  if (!target) return complain(target.error(), kUsage);
  const bool loopback = !target->is_v6() && target->ip()[0] == std::byte{127};
  const auto base = parse_host(options.source_base.empty() ? "127.2.0.1" : options.source_base, 0);
  if (!base) return complain(base.error(), kUsage);
  if (target->is_v6() || base->is_v6() || (!loopback && options.source_base.empty()))
    return complain("--nodes wants an IPv4 target in 127/8, or --src-base with addresses that are routed here.",
                    kUsage);
  auto socket = open_socket(AF_INET, Waiting::kNever);
  if (!socket) return complain(socket.error(), kUsage);
  auto any = *parse_host("0.0.0.0", 0);
  if (::bind(socket->fd(), any.get(), any.size) != 0) return complain("cannot bind a socket", kUsage);
  return NodeLoad(options, *target, base->low_word(), std::move(*socket)).run();
}

}  // namespace peernet::tracker_load
