// The words of a command line as a value. Nothing is opened, read or printed here.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "peernet/config.hpp"

namespace peernet::cli {

enum class Command : std::uint8_t { kShare, kGet, kInfo, kVerify, kStatus, kKeygen, kPrintText };
enum class ProgressMode : std::uint8_t {
  kAuto,   ///< a rewritten line on a terminal, else as kPlain
  kPlain,  ///< a line every 10 s
  kJson,
  kNone
};

struct Invocation {
  Command command = Command::kPrintText;
  std::string text;  ///< kPrintText: help or version, for stdout

  NodeConfig node;
  ShareOptions share;
  GetOptions get;  ///< its link is still empty: see link_word

  std::string link_word;      ///< a link, "@FILE" or "-"
  std::string join_word;      ///< share: the same, of the swarm to join; share.join is still empty
  std::string path;           ///< info, verify: a local file
  std::string key_file;       ///< keygen: where to write
  std::string link_file;      ///< share: where to write the link
  std::string identity_file;  ///< empty: a fresh identity
  ProgressMode progress = ProgressMode::kAuto;
  double progress_every = 0.2;  ///< get: seconds between JSON events of that kind, from 0.001
  bool once = false;
  bool offline = false;
  bool json = false;       ///< status: a document for programs
  bool to_stdout = false;  ///< get: -o -
  bool quiet = false;
  bool verbose = false;
};

/// The words after the program's name. The error is one sentence that names the fix, followed by where to read more.
std::expected<Invocation, std::string> parse_arguments(std::span<const std::string> words);

/// Help of a command ("share", "get", ...), or of the program when empty.
std::string help_text(std::string_view command);

/// A tracker as users write it, "udp://HOST:PORT", "HOST:PORT" or "HOST" (port 6969), as links name it: "HOST:PORT".
/// Empty if it is not one.
std::string tracker_address(std::string_view text);

/// The candidate that a mistyped word most likely meant; empty if none is close.
std::string_view closest(std::string_view word, std::span<const std::string> candidates);

}  // namespace peernet::cli
