// Lists a folder and everything below it without ever following a link, with one descriptor at a time however deep it
// is.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>

#include "content/path_error.hpp"

namespace peernet::storage {

/// One name of a directory that is being listed.
struct WalkItem {
  int directory = -1;                  ///< its descriptor, open for reading
  const std::string* above = nullptr;  ///< the directory's path from the root, "" for the root itself
  const char* name = "";
  struct stat info{};  ///< of the name itself (not of what a link leads to)

  std::string path() const { return above->empty() ? std::string(name) : *above + "/" + name; }
};

/// Whether to go into a directory; for everything else the answer does not matter.
using WalkVisit = std::function<content::PathResult<bool>(const WalkItem&)>;

/// Visits everything below `root`: all names of one directory, then those of the directories that were asked for. Names
/// that vanish meanwhile are left out. Paths in errors are from the root on.
content::PathResult<void> walk_beneath(int root, const WalkVisit& visit);

}  // namespace peernet::storage
