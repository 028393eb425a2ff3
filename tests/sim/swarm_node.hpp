// A host of a simulated swarm and the node that runs on it: the real Shard with everything in it, over a SimDriver and
// a SimDisk. It starts, shares or gets, crashes, comes back, leaves.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/context.hpp"
#include "node/shard.hpp"
#include "sim/link.hpp"
#include "sim/swarm_driver.hpp"
#include "sim/swarm_store.hpp"

namespace peernet::sim {

enum class Role : std::uint8_t {
  kPublisher,  ///< made the link; the first of the link's nodes
  kSharer,     ///< has the content and serves it, found through the tracker (share --join)
  kGetter,
};

struct NodePlan {
  Role role = Role::kGetter;
  Instant starts;
  LinkProfile up, down;
  DriverProfile driver;
  DiskProfile disk;
  Lies lies;
  bool floods = false;       ///< sends requests of all kinds to whoever it has a session with
  bool false_have = false;   ///< says that it has everything
  Duration lateness = 50us;  ///< a wake-up is late by up to this
  Duration batch_window = 100us;
  std::int64_t drift_ppm = 0;
  bool serves_after = false;  ///< a getter that is done serves what it has: a share of its own
  bool seeds_after = false;   ///< or the get goes on serving
  bool leaves_after = false;  ///< or leaves altogether
  std::uint32_t max_datagram = 1500;

  bool honest() const { return !lies.any() && !floods && !false_have; }
};

struct SwarmSettings {
  std::vector<std::string> trackers;  ///< of the link
  bool embedded = true;               ///< the publisher is the tracker
  double beat_seconds = 5;
  bool trust_members = false;
};

class SwarmNode final : public StoreHost {
 public:
  using Transmit = std::function<void(std::uint32_t node, Datagram)>;
  SwarmNode(Clockwork& clockwork, const SwarmContent& content, std::uint32_t number, const NodePlan& plan,
            const SwarmSettings& settings, std::uint64_t seed, Transmit transmit);
  ~SwarmNode() override;

  static Address address_of(std::uint32_t number) {
    return Address::v4(10, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number & 255), 7000);
  }
  static NodeId id_of(std::uint64_t seed, std::uint32_t number);

  // --- life

  void start(const peernet::Link& link);
  void crash(bool power_cut);
  /// Says goodbye; gone a moment later.
  void leave();
  bool running() const { return shard_ != nullptr; }
  bool leaving() const { return leaving_; }
  /// It gets no CPU until then.
  void stall_until(Instant when) { stalled_until_ = std::max(stalled_until_, when); }
  void end_stall() {
    stalled_until_ = clockwork_.now();
    wake();
  }
  void jump_clock(Duration forward) { clock_.jump(clockwork_.now(), forward); }

  // --- the network's side

  void receive(Datagram datagram);
  void turn(std::uint64_t wake_up);

  // --- what the world asks

  const NodePlan& plan() const { return plan_; }
  NodePlan& plan() { return plan_; }
  bool done() const { return done_; }
  Instant done_at() const { return done_at_; }
  node::Shard* shard() { return shard_.get(); }
  node::Fetch* fetch() { return shard_ ? shard_->fetch(0) : nullptr; }
  std::uint32_t present_chunks() const;
  std::uint32_t failed_gets() const { return failed_gets_; }
  std::uint64_t received_bytes() const { return received_bytes_; }
  std::uint64_t duplicate_bytes() const { return duplicate_bytes_; }
  std::uint64_t socket_drops() const { return socket_drops_; }
  const std::vector<Address>& banned() const { return banned_; }
  /// Says how it stands, for people who look at one seed.
  void describe();
  /// One more round of what a flooder sends.
  void flood();
  void lie_about_having();
  /// Called once the node is gone: nothing may be left behind.
  void check_end();

  // --- StoreHost

  SimDisk& disk() override { return disk_; }
  const SwarmContent& content() const override { return content_; }
  Clockwork& clockwork() override { return clockwork_; }
  std::uint32_t number() const override { return number_; }
  void wake() override;
  void read_begun() override { ++reads_; }
  void read_ended(io::OpToken token, std::int64_t result) override;

 private:
  void serve(const peernet::Link& link, std::shared_ptr<node::ContentBytes> bytes);
  void get(const peernet::Link& link);
  void schedule(Instant when);
  void after_turn();
  void take_events();
  void get_ended(const Event& event);
  void check_done();
  void check_announced();

  Clockwork& clockwork_;
  const SwarmContent& content_;
  std::uint32_t number_;
  NodePlan plan_;
  SwarmSettings settings_;
  Rng rng_;
  Transmit transmit_;
  NodeId id_;
  LocalClock clock_;
  SimDisk disk_;

  peernet::Link link_;
  std::uint32_t life_ = 0;
  std::shared_ptr<int> alive_;
  std::unique_ptr<node::NodeContext> context_;
  SimDriver* driver_ = nullptr;  // the shard's
  std::unique_ptr<node::Shard> shard_;
  std::shared_ptr<node::TransferState> transfer_;
  std::vector<std::shared_ptr<node::SharedContent>> shared_;
  std::uint64_t wake_up_ = 0;
  Instant wake_at_ = Instant::never();
  Instant stalled_until_;
  Instant last_turn_;
  std::uint32_t idle_turns_ = 0;
  std::uint32_t turns_ = 0;
  std::uint32_t announced_checked_ = 0;
  std::uint32_t reads_ = 0;  // of the serving half, under way
  bool done_ = false;
  Instant done_at_;
  bool leaving_ = false;
  std::uint32_t failed_gets_ = 0;
  std::uint64_t received_bytes_ = 0, duplicate_bytes_ = 0, socket_drops_ = 0;
  std::vector<Address> banned_;
};

}  // namespace peernet::sim
