// Sends with sendmsg(2), a train in one call where the kernel cuts it (GSO), else cut here with sendmmsg(2). Never
// blocks and never drops: when the socket buffer is full, what is queued stays.
#pragma once

#include <vector>

#include "io/fifo.hpp"
#include "io/socket_options.hpp"

namespace peernet::io {

struct Sent {
  OpToken token;
  std::int32_t result = 0;
};

/// True if the bytes of a Send are one datagram.
inline bool is_single(const Send& send) {
  return send.bytes.size() <= send.segment_size || send.bytes.empty();
}
/// A Send that breaks the seam's limits is our own bug.
void check_send(const Send& send);
/// Kernels before 6.14 say EINVAL for a segment above the MTU, later ones EMSGSIZE.
std::int32_t train_result(std::int32_t result);

class SocketSender {
 public:
  SocketSender(const PreparedSocket& socket, bool gso, std::size_t capacity);

  void push(const Send& send) { queue_.push(send); }
  bool empty() const { return queue_.empty(); }

  /// Sends until the queue is empty (true) or the socket buffer is full (false: call again when it is writable).
  /// Appends what ended to done, which has room for all.
  bool run(std::vector<Sent>& done, DriverStats& stats);

 private:
  enum class Step : std::uint8_t { kEnded, kAgain, kBlocked };
  Step send_whole(const Send& send, std::int32_t& result);
  Step send_cut(const Send& send, std::int32_t& result);

  PreparedSocket socket_;
  bool gso_;
  bool cutting_ = false;      // the front is cut here: no GSO, or its route refused it
  std::size_t cut_sent_ = 0;  // bytes of the front that left in earlier calls
  Fifo<Send> queue_;
};

}  // namespace peernet::io
