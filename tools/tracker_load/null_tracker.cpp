// A tracker that answers and stores nothing: what input and output cost on this machine, and so the most that any
// tracker with this kind of input and output can do under this load.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/bytes.hpp"
#include "jobs.hpp"
#include "report.hpp"
#include "sources.hpp"

namespace peernet::tracker_load {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kSlot = 2048;
constexpr std::uint32_t kMadeUpLeechers = 60;

// The reply's size, 0 for none.
std::size_t answer(ByteSpan request, MutableByteSpan reply, std::uint32_t peers) {
  ByteReader reader(request);
  reader.u64();
  const std::uint32_t action = reader.u32();
  const std::uint32_t transaction = reader.u32();
  ByteWriter writer(reply);
  writer.u32(action);
  writer.u32(transaction);
  if (reader.failed()) return 0;
  if (action == static_cast<std::uint32_t>(wire::TrackerAction::kConnect)) {
    writer.u64(1);
  } else if (action == static_cast<std::uint32_t>(wire::TrackerAction::kAnnounce) &&
             request.size() >= wire::kAnnounceRequestSize) {
    writer.u32(0);
    writer.u32(kMadeUpLeechers);
    writer.u32(0);
    writer.zeros(wire::kPeerSizeV4 * peers);
  } else if (action == static_cast<std::uint32_t>(wire::TrackerAction::kScrape)) {
    writer.zeros(reader.remaining() / wire::kInfoHashSize * wire::kScrapeEntrySize);
  } else {
    return 0;
  }
  return writer.failed() ? 0 : writer.position();
}

class NullTracker {
 public:
  NullTracker(int fd, std::uint32_t peers) : fd_(fd), peers_(peers) {}

  /// Until the socket fails.
  int serve() {
    for (;;) {
      for (std::size_t i = 0; i < kBatch; ++i) prepare(in_[i], in_spans_[i], i, {in_bytes_.data() + i * kSlot, kSlot});
      const int got = ::recvmmsg(fd_, in_.data(), kBatch, MSG_WAITFORONE, nullptr);
      if (got < 0 && errno != EINTR) return complain(std::string("recvmmsg: ") + std::strerror(errno), kUsage);
      unsigned replies = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(got, 0)); ++i) {
        const MutableByteSpan reply(out_bytes_.data() + i * kSlot, kSlot);
        const std::size_t size = answer({in_bytes_.data() + i * kSlot, in_[i].msg_len}, reply, peers_);
        if (size != 0) prepare(out_[replies], out_spans_[replies], i, reply.first(size)), ++replies;
      }
      for (unsigned done = 0; done < replies;) {
        const int sent = ::sendmmsg(fd_, out_.data() + done, replies - done, 0);
        if (sent <= 0) break;
        done += static_cast<unsigned>(sent);
      }
    }
  }

 private:
  void prepare(mmsghdr& header, iovec& span, std::size_t address, MutableByteSpan bytes) {
    span = {bytes.data(), bytes.size()};
    header = {};
    header.msg_hdr.msg_name = &addresses_[address];
    header.msg_hdr.msg_namelen = sizeof addresses_[address];
    header.msg_hdr.msg_iov = &span;
    header.msg_hdr.msg_iovlen = 1;
  }

  int fd_;
  std::uint32_t peers_;
  std::vector<std::byte> in_bytes_ = std::vector<std::byte>(kBatch * kSlot);
  std::vector<std::byte> out_bytes_ = std::vector<std::byte>(kBatch * kSlot);
  std::array<mmsghdr, kBatch> in_{}, out_{};
  std::array<iovec, kBatch> in_spans_{}, out_spans_{};
  std::array<sockaddr_in, kBatch> addresses_{};
};

}  // namespace

int run_null_tracker(const Options& options) {
  auto address = parse_host("127.0.0.1", options.null_port);
  const auto socket = open_socket(AF_INET, Waiting::kBlocks);
  if (!socket) return complain(socket.error(), kUsage);
  if (::bind(socket->fd(), address->get(), address->size) != 0)
    return complain(fmt::format("bind to port {}: {}", options.null_port, std::strerror(errno)), kUsage);
  socklen_t size = sizeof address->storage;
  ::getsockname(socket->fd(), reinterpret_cast<sockaddr*>(&address->storage), &size);
  fmt::print("listening udp://127.0.0.1:{}\n",
             ntohs(reinterpret_cast<const sockaddr_in*>(&address->storage)->sin_port));
  std::fflush(stdout);
  return NullTracker(socket->fd(), std::min(options.numwant, wire::kMaxPeersV4)).serve();
}

}  // namespace peernet::tracker_load
