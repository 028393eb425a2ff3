// The third engine behind io::Driver: a host of the simulated network. turn() never waits; what has completed since the
// last one is delivered in the order that io.hpp promises.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "io/io.hpp"
#include "sim/local_clock.hpp"
#include "sim/swarm_clockwork.hpp"

namespace peernet::sim {

struct DriverProfile {
  std::uint64_t socket_bytes = 4 << 20;  ///< receive buffer, each datagram charged with its bytes and 768 more
  std::uint32_t batch = 64;              ///< datagrams taken in a turn, at most
  double gro = 1.0;                      ///< chance that neighbours in a batch are coalesced
};

class SimDriver final : public io::Driver {
 public:
  using Transmit = std::function<void(Datagram)>;
  SimDriver(Clockwork& clockwork, const LocalClock& clock, const DriverProfile& profile, const Address& local,
            std::uint64_t seed, Transmit transmit);

  // --- the world's side

  /// A datagram reaches the socket; false: its buffer is full.
  bool receive(Datagram datagram);
  void file_done(io::OpToken token, std::int64_t result) { files_.push_back({token, result}); }
  /// Something waits for the next turn.
  bool has_news() const { return woken_ || !inbox_.empty() || !files_.empty(); }
  bool has_sent() const { return !sent_.empty(); }
  std::size_t sends_in_flight() const { return sent_.size(); }

  // --- io::Driver

  io::DriverInfo info() const override;
  Instant now() const override { return clock_.local(clockwork_.now()); }
  void use_memory(MutableByteSpan) override {}
  Result<io::FileHandle> add_file(int) override { return io::FileHandle(0); }
  void release_file(io::FileHandle) override {}
  bool submit_send(const io::Send& send) override;
  bool submit_read(io::OpToken, io::FileHandle, MutableByteSpan, std::uint64_t) override { return false; }
  bool submit_write(io::OpToken, io::FileHandle, ByteSpan, std::uint64_t) override { return false; }
  bool submit_fsync(io::OpToken, io::FileHandle) override { return false; }
  void flush() override {}
  void turn(Instant deadline, io::Sink& sink) override;
  void wake() override { woken_ = true; }

 private:
  struct Sent {
    io::OpToken token;
    std::int32_t result = 0;
  };
  struct FileDone {
    io::OpToken token;
    std::int64_t result = 0;
  };
  void deliver_datagrams(io::Sink& sink);

  Clockwork& clockwork_;
  const LocalClock& clock_;
  DriverProfile profile_;
  Address local_;
  Rng rng_;
  Transmit transmit_;
  std::deque<Datagram> inbox_;
  std::uint64_t inbox_charge_ = 0;
  std::vector<Sent> sent_, sent_now_;
  std::vector<FileDone> files_, files_now_;
  std::vector<std::byte> receive_buffer_;
  bool woken_ = false;
};

}  // namespace peernet::sim
