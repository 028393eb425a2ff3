// The engine for kernels and containers without io_uring: epoll, sendmsg/recvmsg with GSO/GRO, preadv2(RWF_NOWAIT), and
// a few threads for what would block on a disk. Same contract as the ring's.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "io/epoll/file_workers.hpp"
#include "io/epoll/receiver.hpp"
#include "io/file_table.hpp"
#include "io/socket_sender.hpp"
#include "io/wake_signal.hpp"

namespace peernet::io {

class EpollDriver final : public Driver {
 public:
  /// reason: static text for DriverInfo.
  static Result<std::unique_ptr<Driver>> open(const DriverOptions& options, const Capabilities& capabilities,
                                              const ShardSockets& sockets, const char* reason);
  ~EpollDriver() override;

  DriverInfo info() const override;
  Instant now() const override;
  DriverStats stats() const override { return stats_; }
  SocketMemory socket_memory(SocketIndex socket) const override;
  void use_memory(MutableByteSpan) override {}
  Result<FileHandle> add_file(int fd) override { return files_.add(fd); }
  void release_file(FileHandle file) override { files_.release(file); }
  bool submit_send(const Send& send) override;
  bool submit_read(OpToken token, FileHandle file, MutableByteSpan into, std::uint64_t offset) override;
  bool submit_write(OpToken token, FileHandle file, ByteSpan bytes, std::uint64_t offset) override;
  bool submit_fsync(OpToken token, FileHandle file) override;
  void set_receiving(SocketIndex socket, bool on) override;
  void flush() override;
  void turn(Instant deadline, Sink& sink) override;
  void wake() override { wake_.set(); }

 private:
  struct FileSlot {
    OpToken token;
    FileHandle file;
    Transfer transfer;
  };
  struct SocketState {
    PreparedSocket prepared;
    std::unique_ptr<SocketSender> sender;  // null: there is no such socket
    std::unique_ptr<Receiver> receiver;
    bool receiving = true;
    bool blocked = false;     // the sender waits for EPOLLOUT
    bool readable = false;    // seen by the wait of this turn
    std::uint32_t armed = 0;  // events that epoll was told
  };

  EpollDriver(const DriverOptions& options, const PreparedSockets& prepared, const char* reason);
  bool open_epoll();
  bool submit_file(OpToken token, FileHandle file, const Transfer& transfer);
  void run_senders();
  void run_files();
  bool read_inline(FileTable::Entry& file, Transfer& transfer);
  void end_file(std::uint32_t slot, const Transfer& transfer);
  void arm(SocketState& socket, std::uint64_t name);
  void wait(Instant deadline);
  int wait_once(std::optional<Duration> limit);
  void collect();
  void deliver(Sink& sink);

  DriverOptions options_;
  PreparedSockets prepared_;
  const char* reason_;
  int epoll_ = -1;
  bool precise_wait_ = true;  // epoll_pwait2 has not been refused yet
  WakeSignal wake_{EFD_NONBLOCK};
  bool signalled_ = false;  // the eventfd was readable in this turn
  std::array<SocketState, 2> sockets_;
  FileTable files_;
  std::vector<FileSlot> file_slots_;
  Fifo<std::uint32_t> free_slots_;
  Fifo<std::uint32_t> queued_files_;
  FileWorkers workers_;
  std::uint32_t sends_in_flight_ = 0;
  std::uint32_t on_workers_ = 0;

  // What a turn collected. Reserved at start.
  struct EndedFile {
    std::uint32_t slot;
    FileOp op;
    std::int64_t result;
  };
  std::vector<Sent> sent_;
  std::vector<EndedFile> ended_;
  std::vector<FileJob> jobs_;
  std::vector<Received> received_;
  DriverStats stats_;
};

}  // namespace peernet::io
