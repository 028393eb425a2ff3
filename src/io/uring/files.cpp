#include "io/uring/files.hpp"

#include <sys/uio.h>

#include <algorithm>

namespace peernet::io {

RingFiles::RingFiles(const DriverOptions& options, std::uint32_t first_file_slot, bool register_files)
    : files_(options.max_files),
      first_file_slot_(first_file_slot),
      register_files_(register_files),
      slots_(options.max_file_ops),
      free_(options.max_file_ops) {
  for (std::uint32_t i = 0; i < options.max_file_ops; ++i) free_.push(i);
}

Result<FileHandle> RingFiles::add(const Ring& ring, int fd) {
  const auto handle = files_.add(fd);
  if (!handle || !register_files_) return handle;
  io_uring_files_update update{};
  update.offset = first_file_slot_ + FileTable::slot(*handle);
  update.fds = reinterpret_cast<std::uint64_t>(&fd);
  files_[*handle].registered = ring.do_register(IORING_REGISTER_FILES_UPDATE, &update, 1) == 1;
  return handle;
}

void RingFiles::release(const Ring& ring, FileHandle file) {
  if (files_[file].registered) {
    const int none = -1;
    io_uring_files_update update{};
    update.offset = first_file_slot_ + FileTable::slot(file);
    update.fds = reinterpret_cast<std::uint64_t>(&none);
    ring.do_register(IORING_REGISTER_FILES_UPDATE, &update, 1);
  }
  files_.release(file);
}

void RingFiles::use_memory(const Ring& ring, MutableByteSpan region) {
  PN_CHECK(region_.empty());
  region_ = region;
  const std::size_t pieces = (region.size() + kRegisteredPieceBytes - 1) / kRegisteredPieceBytes;
  io_uring_rsrc_register table{};
  table.nr = static_cast<std::uint32_t>(pieces);
  table.flags = IORING_RSRC_REGISTER_SPARSE;
  if (ring.do_register(IORING_REGISTER_BUFFERS2, &table, sizeof table) >= 0) piece_registered_.resize(pieces);
}

int RingFiles::registered_piece(const Ring& ring, const Transfer& transfer) {
  if (piece_registered_.empty() || transfer.bytes() < region_.data() || transfer.left() == 0) return -1;
  const auto start = static_cast<std::size_t>(transfer.bytes() - region_.data());
  if (start >= region_.size() || transfer.left() > region_.size() - start) return -1;
  const std::size_t piece = start / kRegisteredPieceBytes;
  if ((start + transfer.left() - 1) / kRegisteredPieceBytes != piece) return -1;
  if (!piece_registered_[piece] && !memory_refused_) {
    const std::size_t at = piece * kRegisteredPieceBytes;
    const iovec memory{region_.data() + at, std::min(kRegisteredPieceBytes, region_.size() - at)};
    io_uring_rsrc_update2 update{};
    update.offset = static_cast<std::uint32_t>(piece);
    update.data = reinterpret_cast<std::uint64_t>(&memory);
    update.nr = 1;
    const bool done = ring.do_register(IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof update) == 1;
    piece_registered_[piece] = done;
    memory_refused_ = !done;
  }
  return piece_registered_[piece] ? static_cast<int>(piece) : -1;
}

bool RingFiles::submit(Ring& ring, OpToken token, FileHandle file, const Transfer& transfer) {
  if (free_.empty()) return false;
  const std::uint32_t index = free_.pop();
  Slot& slot = slots_[index];
  slot.token = token;
  slot.file = file;
  slot.transfer = transfer;
  slot.generation = (slot.generation + 1) & RingName::kGenerationMask;
  ++in_flight_;
  queue(ring, index);
  return true;
}

void RingFiles::queue(Ring& ring, std::uint32_t index) {
  const Slot& slot = slots_[index];
  const Transfer& transfer = slot.transfer;
  const FileTable::Entry& file = files_[slot.file];
  // Before the entry is taken: registering is a call of its own, and only O_DIRECT gains from it (FACTS).
  const bool may_register = file.direct && transfer.op() != FileOp::kFsync;
  const int piece = may_register ? registered_piece(ring, transfer) : -1;
  io_uring_sqe& sqe = ring.next_sqe();
  sqe.fd = file.registered ? static_cast<std::int32_t>(first_file_slot_ + FileTable::slot(slot.file)) : file.fd;
  sqe.flags = file.registered ? IOSQE_FIXED_FILE : 0;
  sqe.user_data = RingName{RingOp::kFile, slot.generation, index}.pack();
  if (transfer.op() == FileOp::kFsync) {
    sqe.opcode = IORING_OP_FSYNC;
    return;
  }
  const bool read = transfer.op() == FileOp::kRead;
  sqe.addr = reinterpret_cast<std::uint64_t>(transfer.bytes());
  sqe.len = static_cast<std::uint32_t>(transfer.left());
  sqe.off = transfer.offset();
  if (piece >= 0) {
    sqe.opcode = read ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
    sqe.buf_index = static_cast<std::uint16_t>(piece);
  } else {
    sqe.opcode = read ? IORING_OP_READ : IORING_OP_WRITE;
  }
}

bool RingFiles::complete(Ring& ring, const io_uring_cqe& cqe, Ended& ended, DriverStats& stats) {
  const RingName name = RingName::unpack(cqe.user_data);
  PN_CHECK(name.slot < slots_.size() && slots_[name.slot].generation == name.generation);
  Transfer& transfer = slots_[name.slot].transfer;
  if (transfer.advance(cqe.res) == Transfer::Next::kAgain) {
    ++stats.transfers_continued;
    queue(ring, name.slot);
    return false;
  }
  ended = {name.slot, transfer.op(), transfer.result()};
  return true;
}

OpToken RingFiles::finish(std::uint32_t slot) {
  --in_flight_;
  free_.push(slot);
  return slots_[slot].token;
}

}  // namespace peernet::io
