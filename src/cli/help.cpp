#include <initializer_list>

#include "cli/arguments.hpp"

namespace peernet::cli {
namespace {

constexpr std::string_view kEngine = R"(
Engine:
      --listen ADDR:PORT   where to listen (default [::]:0: every address, IPv4 too, a free port)
      --io auto|uring|epoll
                           how to reach the kernel (default auto: io_uring if this kernel allows it)
      --offload auto|off   UDP segmentation offloads, GSO and GRO (default auto)
      --direct auto|on|off O_DIRECT for received chunks (default auto)
      --aead auto|ipsec-mb|openssl
                           who computes AES-GCM (default auto)
      --shards N           threads of the engine, 1 to 8 (default: one per core)
      --max-datagram BYTES size of the largest IP packet, 1280 to 65535 (default: probed)
      --limit-up R         most bytes per second to send; R is a number with k, M, G (1000) or
      --limit-down R       Ki, Mi, Gi (1024): 100M, 10MiB, 1.5G; --limit-down: to receive
      --max-peers N        most sessions with other nodes at once (default: 4096 for each thread)
      --identity FILE      key of this node (see peernet keygen; default: a fresh one each time)
      --state DIR          what is remembered between runs (default $XDG_STATE_HOME/peernet)
)";

constexpr std::string_view kCommon = R"(  -q, --quiet              only errors
  -v, --verbose            also the engine in use, and counters at the end
  -h, --help               this text
)";

constexpr std::string_view kProgress = R"(      --progress auto|plain|json|none
                           auto: one line, rewritten, on a terminal, else as plain; plain: a line every
                           10 s; json: one event a line (docs/events.schema.json))";

constexpr std::string_view kLinkWords =
    R"(LINK is a link, @FILE (a file that holds it) or - (standard input). A link is a secret: the last two keep
it out of the list of processes.
)";

std::string join(std::initializer_list<std::string_view> pieces) {
  std::string out;
  for (const std::string_view piece : pieces) out += piece;
  return out;
}

constexpr std::string_view kProgram = R"(usage: peernet COMMAND [OPTIONS]

The fastest verified and encrypted way to move big files between Linux hosts.

  peernet share PATH       share a file or folder and print its link
  peernet get LINK         get what a link names
  peernet info LINK|PATH   show what a link names, or as what a file would be shared
  peernet verify PATH --against LINK
                           check a file or folder against a link
  peernet status LINK      show who has which part of it
  peernet keygen -o FILE   make a key by which others recognise this node
  peernet COMMAND --help   all options of a command
  peernet --version

Exit status: 0 done, 1 internal error, 2 usage (or a link that does not parse), 3 content unknown to every node that
answered, 4 no node answered, 5 no more progress, 6 wrong bytes or a changed source, 7 permission or input/output error
here, 8 disk full, 9 refused (wrong key), 10 the target exists, 11 only a part is done, 12 the kernel or its limits,
130 and 143 interrupted (SIGINT, SIGTERM), 141 the reader of get -o - has gone. What was received is kept (but not by
-o -), and the same command goes on from it.
)";

std::string share_help() {
  return join({R"(usage: peernet share PATH [OPTIONS]

Hashes a file or folder with all cores, serves it until SIGINT or SIGTERM, and prints its link: the only line on
standard output. Whoever has the link can get it; keep it secret (or see --public). Each run makes a new key: links of
earlier runs end with them. Of a folder everything is shared: hidden and empty files, modes, times, symbolic links as
links (they must not lead out of it); sockets, devices and names with control characters are refused.

      --public             no key in the link: whoever knows the content id may get it
      --advertise HOST[:PORT]
                           put this address into the link instead of this host's own; may be repeated
      --link-file FILE     write the link to FILE, too (mode 0600, replaced at once)
      --once               exit when a receiver has it complete
      --tracker HOST:PORT|none
                           announce it to this tracker (udp://HOST:PORT, too; port 6969 if none is given);
                           may be repeated. Default: this node is the tracker, on its own port; none: no
                           tracker, receivers know only the addresses in the link
      --beat S             how often the built-in tracker hears from each node (default 30; 0.1 to 3600)
      --join LINK          be one more source of what LINK names: PATH is compared with it first, and the
                           same link is printed once a tracker has listed this node; LINK as in peernet get
)",
               kProgress,
               R"(, on standard error
)",
               kCommon, kEngine,
               R"(
peernet share big.iso                              share and wait
peernet share big.iso --once --link-file ~/link    share to one receiver
peernet share big.iso --tracker tracker.lan:6969   meet at a tracker of your own
peernet share copy.iso --join @link                on another host, which has the file already
)"});
}

std::string get_help() {
  return join({R"(usage: peernet get LINK [OPTIONS]

Gets what a link names. Every chunk is verified before it is written. It grows as NAME.part (a folder's is a folder) and
gets its final name only when it is complete; run the same command again to go on after an interruption.
)",
               kLinkWords,
               R"(
  -o, --output NAME|DIR/   where to put it (default: under its own name, here)
  -o -                     write a file to standard output, in order, as it comes; everything else goes to
                           standard error. Nothing is kept to go on from
      --overwrite          replace the target if it exists
      --sequential         fetch the chunks in order (a player can open NAME.part while it grows)
      --files GLOB         of a folder, only these files; may be repeated. "*.jpg" is a name at any depth, "a/*.c" a
                           path, ** any folders in between; a folder brings all that is in it
      --seed-after S|forever
                           others are served while it comes; for so long after that, too (default 0)
      --timeout S          give up after so many seconds without progress (default 60; 0: never)
      --sync file|none     file: on disk before the final name appears (default); none: as cp does
      --verify xxh3|sha256 sha256: check SHA-256 of every chunk too, even from the publisher (default xxh3)
      --trust members      whoever holds the link's key is trusted as the publisher is: XXH3 is enough
)",
               kProgress,
               R"(, on standard output
                           (with -o - on standard error)
      --progress-every S   with json: how often it tells how far it is (default 0.2)
)",
               kCommon, kEngine,
               R"(
peernet get peernet:...                 get it here, under its own name
peernet get @link -o /srv/images/       into a folder, the link comes from a file
peernet get @link --files "*.pdf"       of a folder, only these
peernet get @link -o - | zstd -d | ...  into a pipe
)"});
}

std::string info_help() {
  return join({R"(usage: peernet info LINK|PATH [OPTIONS]

A link: what it says, and the size as the nodes in it tell (verified by the content id). A file or folder: as what it
would be shared; PATH is hashed. A name that begins with @ or peernet: wants ./ before it. With -v a folder's files are
listed.
)",
               kLinkWords,
               R"(
      --offline            show only what the link itself says
      --files GLOB         list these files of a folder (as in peernet get)
      --timeout S          give up after so many seconds without an answer (default 10; 0: never)
)",
               kProgress,
               R"(, on standard error
)",
               kCommon, kEngine});
}

std::string verify_help() {
  return join({R"(usage: peernet verify PATH --against LINK [OPTIONS]

Checks that a file or folder is what a link names: asks the nodes of the link for the hashes and compares. A folder must
hold the same files, no others; modes and times may differ. Exit status 0: it is, 6: it differs, 7: it is not there or
cannot be read.
)",
               kLinkWords,
               R"(
      --against LINK       what it should be
      --timeout S          give up after so many seconds without an answer (default 60; 0: never)
)",
               kProgress,
               R"(, on standard error
)",
               kCommon, kEngine});
}

std::string status_help() {
  return join({R"(usage: peernet status LINK [OPTIONS]

Asks the trackers of a link who is in its swarm: address, which chunks (a bar, the first chunk on its left), when it was
last heard of, how fast it sends. Exit status 0: listed, 2: the link names no tracker, 3: nobody is listed, 4: no
tracker answers.
)",
               kLinkWords,
               R"(
      --json               one JSON object instead of lines
      --timeout S          give up after so many seconds without an answer (default 10)
)",
               kCommon, kEngine});
}

constexpr std::string_view kKeygen =
    R"(usage: peernet keygen -o FILE

Writes a fresh Ed25519 key: the other commands take it as the identity of their node. A file that exists is never
replaced.

  -o, --output FILE        where to write it (mode 0600)
  -h, --help               this text
)";

}  // namespace

std::string help_text(std::string_view command) {
  if (command == "share") return share_help();
  if (command == "get") return get_help();
  if (command == "info") return info_help();
  if (command == "verify") return verify_help();
  if (command == "status") return status_help();
  if (command == "keygen") return std::string(kKeygen);
  return std::string(kProgram);
}

}  // namespace peernet::cli
