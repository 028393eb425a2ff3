// Snapshots that a program may take at any time, and the events of one transfer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "peernet/error.hpp"

namespace peernet {

enum class Phase : std::uint8_t {
  kStarting,
  kHashing,
  kConnecting,
  kChecking,
  kRunning,
  kFinishing,
  kSeeding,  ///< get: complete, and served on
  kDone,
  kFailed
};

/// What one source has given to a get.
struct SourceBytes {
  std::string peer;         ///< its address, ADDR:PORT
  std::uint64_t bytes = 0;  ///< of chunks, duplicates not included
};

/// How far a transfer is. Bytes count content, not packets.
struct Progress {
  Phase phase = Phase::kStarting;
  std::string name;                  ///< final name once known
  std::uint64_t bytes_total = 0;     ///< 0 while unknown
  std::uint64_t bytes_done = 0;      ///< get: verified and written, resumed bytes included; share: hashed or served
  std::uint64_t bytes_resumed = 0;   ///< of bytes_done, what an earlier run had left
  std::uint64_t bytes_received = 0;  ///< DATA bytes that came, duplicates included
  std::uint64_t bytes_duplicate = 0;
  std::uint64_t bytes_sent = 0;  ///< DATA bytes sent, retransmissions included
  std::uint32_t sources = 0;     ///< get: joined sources
  std::uint32_t receivers = 0;   ///< joined receivers, of a get too
  std::uint32_t completed = 0;   ///< receivers that reported the content complete
  /// get: in the order in which they joined, with those that have left; of more than 64 some that have left are
  /// missing. As of a moment after the last look at the progress, or of the end.
  std::vector<SourceBytes> by_source;
};

enum class EventKind : std::uint8_t {
  kStart,     ///< get: manifest known (name, bytes)
  kSource,    ///< a source joined, left, was suspended or banned (text says which and why; bytes: what it has sent)
  kChunkBad,  ///< a chunk failed verification (number: chunk)
  kRetry,     ///< a request is repeated (text: why)
  kVerify,    ///< re-hashing of what an earlier run left ended (bytes: kept)
  kLink,      ///< share: served from now on (text: the link)
  kReceiver,  ///< share, get: a receiver joined or left (text), or completed
  kTracker,   ///< a tracker (peer: its name) listed the content (number: 1), does not answer or refused (text)
  kNotice,    ///< something the user should know; not an error
  kComplete,  ///< get: it has its final name (text), bytes, seconds; kDone follows at once, or when it was served on
  kDone,      ///< bytes, seconds until it was complete
  kError,     ///< the transfer ended (error, text)
};

struct Event {
  EventKind kind = EventKind::kNotice;
  std::string text;
  std::string peer;  ///< address of the source or receiver concerned
  std::string path;  ///< kError: the file of a folder that it is about, if one is
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;  ///< kStart, kComplete, kDone: of a folder
  double seconds = 0;
  Error error{};
};

/// One file, folder or symbolic link of a content.
struct ContentEntry {
  enum class Kind : std::uint8_t { kFile, kFolder, kSymlink };
  Kind kind = Kind::kFile;
  std::string path;    ///< within the folder, or the file's name; raw bytes, without control characters
  std::string target;  ///< of a symbolic link
  std::uint64_t bytes = 0;
};

/// What a content is.
struct ContentInfo {
  std::string content_id;  ///< 32 raw bytes; the swarm's key is not part of it
  std::string name;
  bool folder = false;
  std::uint64_t bytes = 0;  ///< of all files
  std::uint32_t chunk_bytes = 0;
  std::uint64_t chunks = 0;
  std::vector<ContentEntry> entries;  ///< sorted by path; of a file it alone
};

/// A node as a tracker lists it.
struct SwarmMember {
  std::string address;                       ///< as the tracker sees it
  std::vector<std::string> other_addresses;  ///< at which it is listed, too
  std::string node;                          ///< the first 16 bytes of its id, raw
  bool complete = false;                     ///< has every chunk
  bool served = false;                       ///< may be asked for chunks
  double age_seconds = 0;                    ///< since it was last heard of
  std::uint64_t rate = 0;                    ///< its measured upload rate, bytes per second
  std::uint32_t chunks = 0;                  ///< of the content, 0: it does not know yet
  /// 128 bits, the first is bit 7 of the first byte. Up to 128 chunks bit i is chunk i; of more, bit i is set when all
  /// chunks from i * chunks / 128 to before (i + 1) * chunks / 128 are there. All set when complete.
  std::array<std::byte, 16> owned{};
  double fraction = 0;  ///< of the chunks, as far as the bits tell; 0 to 1
};

/// A swarm as its trackers see it, all that answer together.
struct SwarmListing {
  std::string tracker;  ///< the one that lists most of it
  std::vector<SwarmMember> members;
  std::uint32_t legacy_seeders = 0;  ///< BitTorrent clients, which are counted only
  std::uint32_t legacy_leechers = 0;
};

/// What the engine of this node turned out to be.
struct EngineInfo {
  std::string io;         ///< "io_uring" or "epoll"
  std::string io_reason;  ///< why not io_uring, empty if it is
  bool gso = false;
  bool gro = false;
  std::string aead;  ///< "ipsec-mb" or "openssl"
  unsigned shards = 0;
  std::string listen;  ///< the bound address, ADDR:PORT
};

/// Counted by name: dropped packets by reason, transport and io events. Only what is not zero.
struct Counter {
  std::string name;
  std::uint64_t value = 0;
};

}  // namespace peernet
