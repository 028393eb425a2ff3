// A descriptor that bytes are written to in order: a pipe, a socket, a terminal or a file that the program was given
// (standard output, mostly). Its flags are not ours to change: others may hold the same open file.
#pragma once

#include <cstdint>

#include "base/types.hpp"
#include "storage/posix_fd.hpp"

namespace peernet::node {

class StreamOutput {
 public:
  /// Takes a copy of the descriptor. A pipe is opened anew where the system allows it, so that writes to it need not
  /// block; valid() is false if there is no such descriptor.
  explicit StreamOutput(int fd);

  bool valid() const { return fd_.valid() && stop_.valid(); }
  /// All of it, waiting for the reader for as long as it takes: the bytes written or -errno. -EPIPE: nobody reads any
  /// more (SIGPIPE does not reach the process from here); -ECANCELED: stop() was called. Any thread but one at a time.
  std::int64_t write(ByteSpan bytes);
  /// Ends the write that is waiting and all later ones. Any thread.
  void stop();

 private:
  bool wait_for_room() const;

  storage::Fd fd_;
  storage::Fd stop_;           // an eventfd, readable once stopped
  std::uint64_t at_once_ = 0;  // bytes that a write may take when poll says that there is room
};

}  // namespace peernet::node
