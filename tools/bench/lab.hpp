// Hosts in network namespaces around one router, each on a link with a rate, a delay and loss of its own. Linux, root.
//
// Namespaces have no names: they are descriptors of this process, and what carries the packets of slow links dies with
// it, so nothing is left behind, however this program ends. All addresses are in 10.77.0.0/16 and exist only in there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outcome.hpp"

namespace peernet::bench {

/// One direction of a link.
struct Shape {
  double rate_bits = 0;           ///< bit/s of IP packets, 0: as fast as it goes
  double delay_seconds = 0;       ///< one way
  double loss = 0;                ///< share of packets, 0 to 1
  std::uint64_t queue_bytes = 0;  ///< that may wait for the transmitter; 0: 50 ms at the rate, 256 KiB at least
};

/// Without delay and loss it is a pair of kernel devices with a token bucket, which leaves trains of segments whole;
/// else each packet passes through this program, at some 100,000 a second.
struct Link {
  Shape up{}, down{};  ///< up: from the host
  unsigned mtu = 1500;

  bool emulated() const;
};

/// A link as users write it, RATE[,RTT[,LOSS]]: "400M", "400M,20ms", "1G,20ms,0.1%". The rate is in bits per second and
/// shapes the way up, as loss does; each way takes half of the round trip. The error is a sentence without its subject:
/// "wants ...".
Outcome<Link> parse_link(const std::string& text);
/// "400 Mbit/s, round trip 20 ms, 0.1 % lost".
std::string describe(const Link& link);

/// Why no Lab can be made here, one sentence that names the fix; nothing if one can. `emulated`: with links that have a
/// delay or loss.
std::optional<std::string> why_no_lab(bool emulated);

class Lab {
 public:
  struct Host {
    std::string address;  ///< 10.77.N.2
    int network = -1;     ///< its namespace, for Command::network; owned by the lab
  };
  /// What the link of a host has moved, IP packets (with their Ethernet headers if it is not emulated).
  struct Counters {
    std::uint64_t bytes_up = 0, bytes_down = 0, packets_up = 0, packets_down = 0;
  };
  /// One direction of an emulated link.
  struct Carried {
    std::size_t host = 0;
    bool up = false;
    std::uint64_t packets = 0, bytes = 0, dropped_by_queue = 0, lost = 0;
    double latest_seconds = 0;  ///< the longest a packet was late because this machine was busy
  };

  /// One host a link, 1 to 199. The thread that makes a lab must outlive it: emulated links end with the thread.
  static Outcome<Lab> make(std::span<const Link> links, std::uint64_t seed = 1);

  Lab(Lab&& other) noexcept;
  Lab& operator=(Lab&&) = delete;
  ~Lab();

  const std::vector<Host>& hosts() const { return hosts_; }
  /// Fails if the host's device is gone.
  Outcome<Counters> counters(std::size_t host) const;
  /// Ends the emulated links and says what they carried; the lab is of no use after it. Only now the CPU time of the
  /// emulation counts as this program's own (see NoiseMeter).
  std::vector<Carried> stop();

 private:
  Lab() = default;
  Outcome<bool> build(std::span<const Link> links, std::uint64_t seed);
  Outcome<bool> start_emulator(std::span<const Link> links, std::uint64_t seed);

  std::vector<Host> hosts_;
  int hub_ = -1;
  int emulator_ = -1;                ///< process, -1: none
  int control_ = -1, reports_ = -1;  ///< its end is that of control_; what it says comes from reports_
};

}  // namespace peernet::bench
