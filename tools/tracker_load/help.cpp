#include "options.hpp"

namespace peernet::tracker_load {

const char* const kHelp = R"(usage: peernet-bench tracker-load [OPTIONS]

Load for a UDP tracker (BEP 15, and PeerNet's extension), a check of every reply against an exact model of all
peers, bad input by category, and a tracker that stores nothing, as the ceiling of machine and load.

      --target ADDR:PORT   the tracker, IPv6 as [ADDR]:PORT (default 127.0.0.1:6969)
      --src-base ADDR      first of consecutive source addresses (default 127.1.0.1 for a target in 127/8, else one
                           address, the kernel's choice)
      --src-step N         from one of them to the next (default 1; 256: each IPv4 address in a /24 of its own)
      --pid PID            report CPU time and memory of this process, the tracker
      --json               one JSON object on standard output
      --seed N             of everything random (default 1)
      --swarms N           info hashes (default 1000)
      --seeders F          share of peers that start complete (default 0.5)
      --window N           requests under way per thread (default 128)
      --batch N            datagrams per system call, 1 to 64 (default 16)
      --duration S         measured seconds, 0: none (default 5)
      --warmup S           seconds before them that are not counted (default 0.5)
      --timeout-ms N       a request without a reply by then is lost (default 1000)
      --verify             at the end ask for every swarm and compare with the model
      --print-hashes       print the info hashes in hex and end
  -h, --help               this text

Stock clients:
      --peers N            simulated peers over all swarms (default 100000)
      --zipf S             exponent of the swarms' sizes, 0: equal (default 1)
      --populate           first announce every peer once, again when its reply is lost
      --mix C:A:S          weights of connect, announce and scrape (default 0:100:1)
      --rate R             open loop: requests per second; latency counts from the time a request was due
      --churn F            share of announces of present peers that say "stopped" (default 0.05)
      --complete F         share of leechers' announces that say "completed" (default 0.01)
      --numwant N          peers wanted per announce (default 30)
      --scrape-hashes N    hashes per scrape, 1 to 74 (default 10)
      --check-every N      check the list of every Nth reply, 0: neither lists nor counts (default 1)
      --sources N          sockets, each with its own source address where possible (default 16)
      --threads N          threads, each with a share of the sockets (default 1)
      --gso N              pack N equal requests into one send, UDP_SEGMENT (default 1)

PeerNet nodes (IPv4; each node is one source address; all contents are announced first):
      --nodes N            so many nodes instead of stock clients
      --contents-per-node N
                           contents of each, spread evenly over the swarms (default 32)
      --mode announce|heartbeat|query
                           what is measured (default heartbeat: datagrams of up to 32 contents)

Instead of load:
      --hostile            send bad input by category; after each a normal client must be served
      --hostile-count N    packets per category (default 2000)
      --null PORT          be a tracker on 127.0.0.1 that answers and stores nothing (--numwant: peers in a reply)

Exit status: 0 all replies were plausible (lost ones are reported, not failed), 1 a check failed, 2 usage or set-up, 3 no
reply at all.
)";

}  // namespace peernet::tracker_load
