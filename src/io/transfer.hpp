// One file operation and what its partial results mean. Pure.
#pragma once

#include <cerrno>

#include "io/io.hpp"

namespace peernet::io {

/// The sector that O_DIRECT results are whole multiples of, unless the file ended.
inline constexpr std::int64_t kDirectAlignment = 512;

class Transfer {
 public:
  enum class Next : std::uint8_t { kDone, kAgain };

  Transfer() = default;
  Transfer(FileOp op, std::byte* bytes, std::size_t length, std::uint64_t offset, bool direct)
      : op_(op), direct_(direct), bytes_(bytes), left_(length), offset_(offset) {}

  FileOp op() const { return op_; }
  bool direct() const { return direct_; }
  std::byte* bytes() const { return bytes_; }  ///< of what is left
  std::size_t left() const { return left_; }
  std::uint64_t offset() const { return offset_; }
  std::int64_t result() const { return result_; }  ///< once done
  bool untouched() const { return result_ == 0; }

  /// The kernel answered one attempt: bytes moved, or -errno. kAgain: try again with what is left.
  Next advance(std::int64_t moved) {
    if (op_ == FileOp::kFsync) {  // whatever it says stands: an error may be told once and the dirty pages dropped
      result_ = moved < 0 ? moved : 0;
      return Next::kDone;
    }
    if (moved == -EINTR || moved == -EAGAIN) return Next::kAgain;
    if (moved < 0) {
      result_ = moved;
      return Next::kDone;
    }
    result_ += moved;
    bytes_ += moved;
    left_ -= static_cast<std::size_t>(moved);
    offset_ += static_cast<std::uint64_t>(moved);
    if (left_ == 0) return Next::kDone;
    if (moved == 0) {
      // A read has met the end of the file; a write that moves nothing will never end.
      if (op_ == FileOp::kWrite) result_ = -EIO;
      return Next::kDone;
    }
    // Only the end of the file makes an O_DIRECT read end inside a sector, and from there it could not go on (EINVAL).
    if (op_ == FileOp::kRead && direct_ && moved % kDirectAlignment != 0) return Next::kDone;
    return Next::kAgain;
  }

 private:
  FileOp op_ = FileOp::kRead;
  bool direct_ = false;
  std::byte* bytes_ = nullptr;
  std::size_t left_ = 0;
  std::uint64_t offset_ = 0;
  std::int64_t result_ = 0;
};

}  // namespace peernet::io
