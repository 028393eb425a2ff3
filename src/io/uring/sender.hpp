// Sends through the ring. A train of the commonest shape is a plain SEND with an address: its segment size and ECN bits
// are the socket's own options (a fifth quicker than a SENDMSG with control messages, FACTS). All else is a SENDMSG.
#pragma once

#include <vector>

#include "io/control_message.hpp"
#include "io/fifo.hpp"
#include "io/sockaddr.hpp"
#include "io/socket_sender.hpp"
#include "io/uring/names.hpp"
#include "io/uring/ring.hpp"

namespace peernet::io {

class RingSender {
 public:
  explicit RingSender(std::uint32_t slots);

  /// How one of the driver's sockets is reached.
  void set_socket(SocketIndex index, const PreparedSocket& prepared, const RingFile& file);

  bool full() const { return free_.empty(); }
  std::uint32_t in_flight() const { return in_flight_; }
  /// Takes a slot and queues the operation. False: this socket cannot say the address.
  bool submit(Ring& ring, const Send& send);
  /// A completion that asks for another try (EINTR, EAGAIN).
  void resubmit(Ring& ring, std::uint32_t slot) { queue(ring, slot); }

  /// The send in a slot that completed; kept until free_slot().
  const Send& completed(const RingName& name);
  void free_slot(std::uint32_t slot);

 private:
  struct Socket {
    PreparedSocket prepared;
    RingFile file;
    SocketDefaults defaults;          // what the kernel has
    SocketDefaults wanted;            // the last train's shape that differed from it
    std::uint32_t wanted_streak = 0;  // how often in a row
    std::uint32_t relying = 0;        // operations in flight that rely on the defaults
  };
  struct Slot {
    Send send;
    SockAddr name;
    socklen_t name_length = 0;
    std::uint32_t generation = 0;
    bool relies_on_defaults = false;
    iovec piece{};
    msghdr header{};
    alignas(cmsghdr) std::array<std::byte, kSendControlBytes> control;
  };

  void consider_defaults(Socket& socket, const Send& send);
  void queue(Ring& ring, std::uint32_t slot);

  std::array<Socket, 2> sockets_;
  std::vector<Slot> slots_;
  Fifo<std::uint32_t> free_;
  std::uint32_t in_flight_ = 0;
};

}  // namespace peernet::io
