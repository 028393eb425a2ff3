// The io_uring engine: one ring, one wait, everything in it. Sockets, files and the wake-up are one io_uring_enter a
// turn.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "io/socket_sender.hpp"
#include "io/uring/files.hpp"
#include "io/uring/receiver.hpp"
#include "io/uring/sender.hpp"
#include "io/wake_signal.hpp"

namespace peernet::io {

class UringDriver final : public Driver {
 public:
  static Result<std::unique_ptr<Driver>> open(const DriverOptions& options, const Capabilities& capabilities,
                                              const ShardSockets& sockets);
  ~UringDriver() override;

  DriverInfo info() const override;
  Instant now() const override;
  DriverStats stats() const override { return stats_; }
  SocketMemory socket_memory(SocketIndex socket) const override;
  void use_memory(MutableByteSpan region) override;
  Result<FileHandle> add_file(int fd) override { return files_.add(ring_, fd); }
  void release_file(FileHandle file) override { files_.release(ring_, file); }
  bool submit_send(const Send& send) override;
  bool submit_read(OpToken token, FileHandle file, MutableByteSpan into, std::uint64_t offset) override;
  bool submit_write(OpToken token, FileHandle file, ByteSpan bytes, std::uint64_t offset) override;
  bool submit_fsync(OpToken token, FileHandle file) override;
  void set_receiving(SocketIndex socket, bool on) override;
  void flush() override;
  void turn(Instant deadline, Sink& sink) override;
  void wake() override { wake_.set(); }

 private:
  // Slots of the ring's table of registered files: the sockets, the eventfd, then the files.
  static constexpr std::uint32_t kWakeFile = 2;
  static constexpr std::uint32_t kFirstFile = 3;

  struct SocketState {
    PreparedSocket prepared;
    RingFile file;
    std::unique_ptr<RingReceiver> receiver;  // null: there is no such socket
    std::unique_ptr<SocketSender> cutter;    // sends that the kernel does not cut
    bool waits_writable = false;             // a poll for the cutter is in the ring
  };

  UringDriver(Ring ring, const DriverOptions& options, const Capabilities& capabilities,
              const PreparedSockets& prepared, bool files_registered);
  Result<void> open_receivers();
  bool register_own_files();
  void start();
  void prepare();
  void run_cutters();
  void wait(Instant deadline);
  void collect();
  void complete(const io_uring_cqe& cqe);
  void complete_send(const io_uring_cqe& cqe);
  void deliver(Sink& sink);
  bool submit_file(OpToken token, FileHandle file, const Transfer& transfer);
  std::uint32_t in_ring() const;
  void drain_at_end();

  DriverOptions options_;
  Capabilities capabilities_;
  PreparedSockets prepared_;
  Ring ring_;
  bool started_ = false;
  WakeSignal wake_{0};
  std::uint64_t wake_count_ = 0;  // the ring reads the eventfd into it
  bool wake_armed_ = false;
  bool signalled_ = false;
  std::array<SocketState, 2> sockets_;
  RingSender sender_;
  RingFiles files_;
  std::uint32_t sends_in_flight_ = 0;

  // What a turn collected. Reserved at start.
  std::vector<Sent> sent_;
  std::vector<RingFiles::Ended> ended_;
  std::vector<Received> received_;
  DriverStats stats_;
};

}  // namespace peernet::io
