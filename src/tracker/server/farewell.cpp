#include "tracker/server/farewell.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "io/clock.hpp"
#include "io/sockaddr.hpp"

namespace peernet::tracker::server {
namespace {

constexpr std::int64_t kPerSecond = 200'000;
constexpr std::int64_t kBurst = 64;

struct Letter {
  Address to;
  std::vector<std::byte> text;
};

// A node knows the tracker by one address, and which one is not remembered: every socket that can reach it speaks.
std::int64_t send_from_all(std::span<const Listener> listeners, const Letter& letter) {
  std::int64_t sent = 0;
  for (const Listener& listener : listeners) {
    if (letter.to.is_v4() ? listener.family != AF_INET && !listener.dual : listener.family != AF_INET6) continue;
    io::SockAddr name;
    const socklen_t length = io::to_sockaddr(letter.to, listener.family, name);
    const ssize_t n =
        ::sendto(listener.socket_of(0), letter.text.data(), letter.text.size(), MSG_DONTWAIT, &name.any, length);
    if (n > 0) ++sent;
  }
  return sent;
}

}  // namespace

std::uint64_t say_goodbye(TrackerCore& core, std::span<const Listener> listeners, Duration limit) {
  const Instant began = io::monotonic_now();
  const Instant end = began + limit;
  std::int64_t sent = 0;
  std::int64_t tried = 0;
  std::vector<Letter> letters;
  VisitCursor cursor;
  while (!cursor.done && io::monotonic_now() < end) {
    letters.clear();
    core.goodbyes(io::monotonic_now(), cursor,
                  [&](const Address& to, ByteSpan text) { letters.push_back({to, {text.begin(), text.end()}}); });
    for (const Letter& letter : letters) {
      sent += send_from_all(listeners, letter);
      if (++tried % kBurst != 0) continue;
      const Instant due = began + Duration(tried * (1'000'000'000 / kPerSecond));
      const Instant now = io::monotonic_now();
      if (now >= end) break;
      if (due > now) std::this_thread::sleep_for(due - now);
    }
  }
  return static_cast<std::uint64_t>(sent);
}

}  // namespace peernet::tracker::server
