// Takes datagrams from one socket, at most as many as it has buffers.
#pragma once

#include <vector>

#include "io/mapping.hpp"
#include "io/receive_shape.hpp"

namespace peernet::io {

class Receiver {
 public:
  Receiver(const PreparedSocket& socket, SocketIndex index, const ReceiveShape& shape);
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// Appends what is there to the batch, which has room for all buffers; valid until the next call.
  void collect(std::vector<Received>& batch, DriverStats& stats);

 private:
  void prepare(std::size_t i);
  void deliver(std::size_t i, std::vector<Received>& batch, DriverStats& stats);
  std::byte* buffer(std::size_t i) const { return memory_.data() + i * shape_.buffer_bytes(); }

  PreparedSocket socket_;
  SocketIndex index_;
  ReceiveShape shape_;
  Mapping memory_;
  std::vector<iovec> pieces_;
  std::vector<mmsghdr> messages_;
};

}  // namespace peernet::io
