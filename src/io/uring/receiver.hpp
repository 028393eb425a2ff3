// A multishot recvmsg on one socket: armed once, it fills one buffer per datagram or super-packet until it ends (no
// buffer left, an empty datagram, an error, a full completion queue) and is armed again.
#pragma once

#include <vector>

#include "io/receive_shape.hpp"
#include "io/uring/buffer_ring.hpp"
#include "io/uring/names.hpp"

namespace peernet::io {

class RingReceiver {
 public:
  static Result<std::unique_ptr<RingReceiver>> open(const Ring& ring, const ReceiveShape& shape, SocketIndex index,
                                                    const RingFile& socket);

  /// Queues the receive if it is not armed and wanted.
  void arm(Ring& ring);
  bool armed() const { return armed_; }
  void set_receiving(bool on) { receiving_ = on; }

  /// One completion; appends what came to the batch, valid until recycle().
  void complete(const io_uring_cqe& cqe, std::vector<Received>& batch, DriverStats& stats);
  /// Gives the buffers of delivered datagrams back. While not receiving they are kept, so that the kernel runs out of
  /// them and leaves what comes in the socket.
  void recycle();

 private:
  RingReceiver(BufferRing buffers, const ReceiveShape& shape, SocketIndex index, const RingFile& socket);
  void deliver(std::uint16_t id, std::size_t length, std::vector<Received>& batch, DriverStats& stats);

  BufferRing buffers_;
  ReceiveShape shape_;
  SocketIndex index_;
  RingFile socket_;
  msghdr header_{};  // tells the kernel the layout; read when the receive is armed
  bool armed_ = false;
  bool receiving_ = true;
  std::vector<std::uint16_t> used_;
};

}  // namespace peernet::io
