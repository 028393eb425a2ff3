// The seam between the node and the kernel: batches of datagrams with their metadata, file operations, one wait.
// Two engines stand behind it (uring/, epoll/), and tests/sim has a third. One Driver belongs to one shard thread; only
// wake() may be called from another thread.
//
// Order of one turn: the owner queues operations (submit_*), then calls turn(), which hands them to the kernel, waits
// for the first completion or the deadline, collects all completions that are there, and only then calls the sink. The
// sink may queue new operations; they leave with the next turn (or flush()).
//
// A driver may be made, given memory and files on one thread and turned on another; from its first turn() or flush() on
// it belongs to that thread. It is destroyed there or after that thread has ended, and waits for what is still in
// flight.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/types.hpp"
#include "peernet/error.hpp"

namespace peernet::io {

/// Names an operation in its completion: {slot, generation} of the owner's table, never a pointer.
using OpToken = Strong<struct OpTokenTag, std::uint64_t>;
/// A socket of this driver: 0 is the data socket, 1 the handshake socket.
using SocketIndex = Strong<struct SocketIndexTag, std::uint8_t>;
/// A file known to this driver (registered with the ring where possible).
using FileHandle = Strong<struct FileHandleTag, std::uint32_t>;

inline constexpr SocketIndex kDataSocket{0};
inline constexpr SocketIndex kHandshakeSocket{1};

/// One received datagram, or several of one sender that the kernel coalesced (GRO). The bytes live in the driver's
/// receive buffers, may be opened in place, and are valid only during on_datagrams.
struct Received {
  MutableByteSpan bytes;           ///< may be empty (a zero-length datagram is delivered, not swallowed)
  std::uint32_t segment_size = 0;  ///< every datagram but the last is this long; = bytes.size() if not coalesced
  Address from;
  std::uint8_t ecn = 0;  ///< the two ECN bits: 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE
  SocketIndex socket = kDataSocket;
};

/// Datagrams to send: bytes is cut into segments of segment_size (the last may be shorter) by the kernel (GSO) or by
/// the driver where the kernel cannot. The bytes must stay untouched until on_sent(token).
struct Send {
  OpToken token;
  Address to;
  ByteSpan bytes;                  ///< at most 65507 bytes and 128 segments
  std::uint32_t segment_size = 0;  ///< >= bytes.size() means a single datagram
  std::uint8_t ecn = 0;
  SocketIndex socket = kDataSocket;
};

enum class FileOp : std::uint8_t { kRead, kWrite, kFsync };

/// Completions, called on the driver's thread from inside turn(), all on_sent first, then on_file, on_datagrams (one or
/// more calls), on_wake. Results are >= 0 or a negative errno. The sink may call submit_*, add_file, release_file and
/// wake() of its driver, but not turn() or flush().
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void on_datagrams(Instant now, std::span<Received> batch) = 0;
  /// The kernel is done with a Send's bytes. result: bytes sent or -errno (ENOBUFS, EMSGSIZE, ECONNREFUSED, EPERM,
  /// ...).
  virtual void on_sent(OpToken token, std::int32_t result) = 0;
  /// A file operation ended. Short reads at end of file are passed on as they are; other short transfers are continued
  /// by the driver, so result is the whole length, what there was before end of file, or -errno.
  virtual void on_file(OpToken token, FileOp op, std::int64_t result) = 0;
  /// wake() was called since the last turn (any number of times).
  virtual void on_wake() = 0;
};

/// What this kernel and this process may do; probed once at start, masked by tests.
struct Capabilities {
  bool io_uring = false;
  bool multishot_recvmsg = false;
  bool provided_buffer_ring = false;
  bool single_issuer = false;
  bool defer_taskrun = false;
  bool registered_buffers = false;
  bool gso = false;
  bool gro = false;
  bool reuseport_cbpf = false;
  bool ipv6 = false;
  int io_uring_errno = 0;  ///< why io_uring is not there (EPERM: forbidden, ENOSYS: unknown), 0 if it is
};

enum class Engine : std::uint8_t { kAuto, kUring, kEpoll };

/// What one shard's driver is to hold. All sizes are upper bounds kept by the driver.
struct DriverOptions {
  Engine engine = Engine::kAuto;
  bool offload = true;                          ///< use GSO/GRO where the kernel has them
  std::size_t receive_buffers = 16;             ///< buffers of one GRO super-packet each for the data socket
  std::size_t handshake_buffers = 8;            ///< datagrams of the handshake socket looked at per turn
  std::uint32_t socket_buffer_bytes = 4 << 20;  ///< SO_RCVBUF and SO_SNDBUF wanted; SO_*BUFFORCE is tried first
  std::uint32_t max_sends = 64;                 ///< sends in flight at once
  std::uint32_t max_file_ops = 64;              ///< file operations in flight at once
  std::uint32_t max_files = 64;                 ///< files open at once
  std::uint32_t completion_queue = 0;           ///< entries of the ring's completion queue; 0: room for all in flight
};

/// Bytes of a datagram that the handshake socket takes; a longer one is dropped and counted as truncated.
inline constexpr std::size_t kHandshakeDatagramMax = 3968;
/// Limits of one train: the kernel's UDP_MAX_SEGMENTS and the largest IPv4 UDP payload.
inline constexpr std::size_t kTrainSegmentsMax = 128;
inline constexpr std::size_t kTrainBytesMax = 65507;

struct DriverInfo {
  Engine engine = Engine::kEpoll;
  bool gso = false;
  bool gro = false;
  bool registered_buffers = false;
  std::uint32_t receive_buffer_bytes = 0;  ///< what the kernel granted, as it charges it
  const char* reason = "";  ///< static text: why kAuto did not take io_uring; empty if it did or was not asked
};

/// What the kernel holds for a socket right now (SO_MEMINFO): its charge, its limit, datagrams dropped since it was
/// opened.
struct SocketMemory {
  std::uint32_t receive_used = 0;
  std::uint32_t receive_limit = 0;
  std::uint32_t drops = 0;
};

/// Counts since the start; what a test or a metric wants to know about the driver's own life.
struct DriverStats {
  std::uint64_t turns = 0;
  std::uint64_t datagram_buffers = 0;        ///< Received items delivered
  std::uint64_t receive_ended = 0;           ///< multishot receives that ended and were armed again
  std::uint64_t receive_out_of_buffers = 0;  ///< of those: by ENOBUFS
  std::uint64_t receive_errors = 0;          ///< asynchronous socket errors read by a receive (ECONNREFUSED, ...)
  std::uint64_t truncated = 0;               ///< datagrams dropped because they were longer than the buffer
  std::uint64_t sends_blocked = 0;           ///< epoll: sends kept because the socket buffer was full
  std::uint64_t sends_cut = 0;               ///< trains cut by the driver: no GSO, or a route that refuses it (EIO)
  std::uint64_t completions_overflowed = 0;  ///< turns that found the completion queue overflown
  std::uint64_t files_offloaded = 0;         ///< epoll: file operations that went to a worker thread
  std::uint64_t transfers_continued = 0;     ///< short reads and writes that were continued
};

class Driver {
 public:
  virtual ~Driver() = default;

  virtual DriverInfo info() const = 0;
  virtual Instant now() const = 0;

  virtual DriverStats stats() const { return {}; }
  virtual SocketMemory socket_memory(SocketIndex) const { return {}; }

  /// The memory that reads, writes and sends will mostly use, at most one region, before the first turn. It must
  /// outlive the driver. Pieces of it are registered with the ring at their first O_DIRECT transfer, as far as memlock
  /// allows: registering pins, so doing it all at once would fault in a pool of which a small transfer needs one page;
  /// and only O_DIRECT gains measurably.
  virtual void use_memory(MutableByteSpan region) = 0;

  /// fd is borrowed until release_file (the owner closes it after that, and has no operation on it in flight).
  /// kKernel error when max_files are in use.
  virtual Result<FileHandle> add_file(int fd) = 0;
  virtual void release_file(FileHandle file) = 0;

  /// Queue one send. False: max_sends are in flight, nothing was queued; try again after an on_sent.
  virtual bool submit_send(const Send& send) = 0;
  /// Queue a file operation. False: max_file_ops are in flight. The bytes stay the kernel's until on_file.
  virtual bool submit_read(OpToken token, FileHandle file, MutableByteSpan into, std::uint64_t offset) = 0;
  virtual bool submit_write(OpToken token, FileHandle file, ByteSpan bytes, std::uint64_t offset) = 0;
  virtual bool submit_fsync(OpToken token, FileHandle file) = 0;

  /// Stops or resumes taking datagrams from a socket: what comes stays in the kernel's buffer, which is how a flood of
  /// handshakes is kept from the shard's time. Datagrams that were already taken (at most one turn's) still arrive.
  virtual void set_receiving(SocketIndex, bool /*on*/) {}

  /// Hands queued operations to the kernel without waiting.
  virtual void flush() = 0;
  /// flush, wait until something completes or the deadline has come (Instant::never(): no deadline), deliver
  /// everything.
  virtual void turn(Instant deadline, Sink& sink) = 0;

  /// Ends the current or the next wait. From any thread, and from a signal handler.
  virtual void wake() = 0;
};

}  // namespace peernet::io
