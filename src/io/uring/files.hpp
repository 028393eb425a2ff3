// File operations through the ring: registered files, registered memory where it pays (O_DIRECT), short transfers
// continued.
#pragma once

#include <vector>

#include "io/fifo.hpp"
#include "io/file_table.hpp"
#include "io/transfer.hpp"
#include "io/uring/names.hpp"
#include "io/uring/ring.hpp"

namespace peernet::io {

/// Memory is registered in pieces of this size; a transfer inside one piece may use it.
inline constexpr std::size_t kRegisteredPieceBytes = 1 << 20;

class RingFiles {
 public:
  struct Ended {
    std::uint32_t slot = 0;
    FileOp op = FileOp::kRead;
    std::int64_t result = 0;
  };

  /// first_file_slot: of the ring's table of registered files, of max_files slots; register_files: there is such a
  /// table.
  RingFiles(const DriverOptions& options, std::uint32_t first_file_slot, bool register_files);

  Result<FileHandle> add(const Ring& ring, int fd);
  void release(const Ring& ring, FileHandle file);
  bool direct(FileHandle file) { return files_[file].direct; }

  /// Makes the table of memory pieces; nothing is pinned yet.
  void use_memory(const Ring& ring, MutableByteSpan region);
  bool uses_registered_memory() const { return !piece_registered_.empty() && !memory_refused_; }

  std::uint32_t in_flight() const { return in_flight_; }
  bool submit(Ring& ring, OpToken token, FileHandle file, const Transfer& transfer);
  /// One completion; true when the operation has ended (ended is filled), false when it was queued again.
  bool complete(Ring& ring, const io_uring_cqe& cqe, Ended& ended, DriverStats& stats);
  /// Frees the slot of an ended operation and gives its token.
  OpToken finish(std::uint32_t slot);

 private:
  struct Slot {
    OpToken token;
    FileHandle file;
    Transfer transfer;
    std::uint32_t generation = 0;
  };
  void queue(Ring& ring, std::uint32_t slot);
  /// Index of the registered piece that holds the transfer, registering it now if it can be; -1: go unregistered.
  int registered_piece(const Ring& ring, const Transfer& transfer);

  FileTable files_;
  std::uint32_t first_file_slot_;
  bool register_files_;
  MutableByteSpan region_;
  std::vector<bool> piece_registered_;  // empty: no table of pieces
  bool memory_refused_ = false;         // memlock said no once; what is registered stays in use
  std::vector<Slot> slots_;
  Fifo<std::uint32_t> free_;
  std::uint32_t in_flight_ = 0;
};

}  // namespace peernet::io
