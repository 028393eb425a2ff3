// The links of netlab.py: a process that carries packets as link_emulator.hpp says.
//
//   netlab-links SEED LINK...
//   LINK: host=FD,hub=FD,device=NAME,mtu=N[,up_rate=..][,up_delay_us=..][,up_loss_ppm=..][,up_queue=..][,down_...]
//
// FD are open network namespaces; addresses and routes are given by whoever started it. Prints "ready", carries packets
// until standard input ends, then prints its statistics.
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "link_emulator.hpp"

namespace {

using peernet::netlab::EmulatedLink;
using peernet::netlab::EmulatedShape;
using peernet::netlab::LinkEmulator;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "netlab-links: %s\n", what.c_str());
  std::exit(2);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) die("not a number: " + std::string(text));
  return value;
}

bool set_shape(EmulatedShape& shape, std::string_view what, std::string_view value) {
  std::uint64_t* const place = what == "rate"       ? &shape.rate
                               : what == "delay_us" ? &shape.delay_us
                               : what == "loss_ppm" ? &shape.loss_ppm
                               : what == "queue"    ? &shape.queue
                                                    : nullptr;
  if (place != nullptr) *place = number(value);
  return place != nullptr;
}

EmulatedLink parse_link(std::string_view text) {
  EmulatedLink out;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string_view key = item.substr(0, equals);
    const std::string_view value = item.substr(std::min(equals + 1, item.size()));
    bool known = true;
    if (key == "host")
      out.host = static_cast<int>(number(value));
    else if (key == "hub")
      out.hub = static_cast<int>(number(value));
    else if (key == "device")
      out.device = value;
    else if (key == "mtu")
      out.mtu = number(value);
    else if (key.starts_with("up_"))
      known = set_shape(out.up, key.substr(3), value);
    else if (key.starts_with("down_"))
      known = set_shape(out.down, key.substr(5), value);
    else
      known = false;
    if (!known) die("unknown setting " + std::string(key));
  }
  if (out.host < 0 || out.hub < 0 || out.device.empty() || out.device.size() >= IFNAMSIZ)
    die("a link wants host=FD,hub=FD,device=NAME");
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) die("usage: netlab-links SEED LINK...");
  std::vector<EmulatedLink> links;
  for (int i = 2; i < argc; ++i) links.push_back(parse_link(argv[i]));
  auto emulator = LinkEmulator::make(number(argv[1]), links);
  if (!emulator) die(emulator.error());
  if (!LinkEmulator::raise_priority())
    std::fprintf(stderr, "netlab-links: no real-time priority, packets may be late\n");
  std::printf("ready\n");
  std::fflush(stdout);
  if (const int error = emulator->carry(STDIN_FILENO); error != 0) die(std::strerror(error));
  return std::fputs(emulator->statistics().c_str(), stdout) < 0;
}
