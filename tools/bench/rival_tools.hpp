// The programs that peernet is compared with, each run as well as its manual knows how.
#pragma once

#include <string>
#include <vector>

#include "contest.hpp"

namespace peernet::bench {

/// peernet share and get at a packet size of 1500 bytes; further options of each side; the job's program unless another
/// is named.
Prepare peernet_transfer(std::vector<std::string> share, std::vector<std::string> get, std::string program = {});

struct Rival {
  std::string name;      ///< of --tools
  std::string how;       ///< in a few words
  std::string verifies;  ///< what finds a wrong byte, "no"
  std::string encrypts;
  std::vector<std::string> programs;  ///< that must be installed
  std::string packages;               ///< of Debian
  bool folders;                       ///< can move a folder, too
  Prepare prepare;
  std::vector<std::string> version_command;  ///< its version is the first number with a dot that this says
};

/// In the order of the tables.
const std::vector<Rival>& rivals();

/// Those of its programs that are not there; empty: it can be run.
std::vector<std::string> missing_for(const Rival& rival);
/// "1.22.1"; empty if it does not say.
std::string version_of(const Rival& rival);
/// The first number with a dot in what a command says on either stream.
std::string version_said(const std::vector<std::string>& command);

}  // namespace peernet::bench
