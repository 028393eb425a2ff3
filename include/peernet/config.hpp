// What a node may be told. Every field has a default that is right for most hosts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace peernet {

struct ContentInfo;  // stats.hpp

enum class IoEngine : std::uint8_t { kAuto, kUring, kEpoll };
enum class Offload : std::uint8_t { kAuto, kOff };            ///< GSO and GRO
enum class DirectWrites : std::uint8_t { kAuto, kOn, kOff };  ///< O_DIRECT for received chunks
enum class AeadChoice : std::uint8_t { kAuto, kIpsecMb, kOpenssl };
enum class SyncMode : std::uint8_t { kFile, kNone };  ///< kFile: on disk before the final name appears
enum class Verify : std::uint8_t { kXxh3, kSha256 };

struct NodeConfig {
  std::string listen = "[::]:0";  ///< ADDR:PORT; 0.0.0.0 is used instead of [::] where IPv6 is off
  IoEngine io = IoEngine::kAuto;
  Offload offload = Offload::kAuto;
  DirectWrites direct = DirectWrites::kAuto;
  AeadChoice aead = AeadChoice::kAuto;
  unsigned shards = 0;             ///< 1 to 8; 0: number of cores, at most 8
  std::uint32_t max_datagram = 0;  ///< size of the IP packet in bytes, 1280 to 65535; 0: probed up to the interface MTU
  std::uint64_t limit_up = 0;      ///< bytes of content per second, 0: no limit
  std::uint64_t limit_down = 0;    ///< bytes of content per second, 0: no limit
  std::uint32_t max_peers = 0;     ///< sessions with other nodes at once, at least 2; 0: 4096 for each shard
  std::string identity_text;       ///< contents of an identity file (`peernet keygen`); empty: a fresh key
  std::string state_dir;           ///< empty: $XDG_STATE_HOME/peernet or ~/.local/state/peernet
  std::uint32_t socket_buffer_bytes = 4u << 20;  ///< asked of the kernel for each data socket
  double tracker_beat_seconds =
      30;  ///< how often an embedded tracker wants to hear from nodes, 0.1 to 3600; 3 beats: dead
};

inline constexpr unsigned kMaxTrackers = 16;  ///< of one content

struct ShareOptions {
  std::string path;                    ///< a regular file or a folder
  bool is_public = false;              ///< no swarm key in the link: whoever knows the content id may get it
  std::vector<std::string> advertise;  ///< HOST[:PORT] to put into the link instead of this host's global addresses
  std::vector<std::string> trackers;   ///< HOST:PORT, at most kMaxTrackers; empty: see embed_tracker
  /// Without trackers the node is one itself, on its own port, and names itself in the link. False: no tracker at all.
  bool embed_tracker = true;
  /// A link whose content the file is said to be: it is compared with the manifest from the swarm, then served as one
  /// more source of it. Fits none of the options above but path. The link must name a tracker.
  std::string join;
};

struct GetOptions {
  std::string link;    ///< text of the link
  std::string output;  ///< a file, a folder (with a trailing /), or empty: the name of the content, here
  bool overwrite = false;
  double timeout_seconds = 60;  ///< without progress; 0: wait for ever
  SyncMode sync = SyncMode::kFile;
  Verify verify = Verify::kXxh3;  ///< kSha256: check SHA-256 of chunks from everyone, not only from the unproven
  bool metadata_only = false;     ///< end once size and name are known and verified; nothing is written
  bool trust_members = false;     ///< XXH3-128 alone suffices for whoever holds the swarm key
  /// A get is served while it runs; so long it goes on after that. 0: not at all; below 0: until it is cancelled, which
  /// is then no error.
  double seed_after_seconds = 0;
  bool sequential = false;  ///< chunks are fetched in order, as well as sources allow
  /// A descriptor to write the content to, in order, instead of to a file (implies sequential): nothing is kept,
  /// resumed or served. It must stay open until the get has ended. -1: none.
  int output_fd = -1;
  /// Of a folder: only what one of these patterns selects (path_glob.hpp says how), with the folders above it. Empty:
  /// all.
  std::vector<std::string> files;
  std::shared_ptr<ContentInfo> info;  ///< metadata_only: filled before kDone; nullptr: not wanted
};

}  // namespace peernet
