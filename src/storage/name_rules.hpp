// How received content is named on this host. Pure: text in, text out; content::check_name says which names are
// refused.
#pragma once

#include <string>
#include <string_view>

#include "base/types.hpp"

namespace peernet::storage {

/// "NAME.part"; a name too long for the suffix is cut and made unique by the content id, so that it still fits 255
/// bytes. The name must pass content::check_name.
std::string part_name(std::string_view name, const ContentId& id);

/// What `-o` asks for, before looking at the disk.
struct TargetWish {
  std::string directory;  ///< "" is the current directory
  std::string name;       ///< "" : the content's own name
};
/// "DIR/" names a directory; "A/B" names file B in A; "B" a file here. Whether "B" is an existing directory only the
/// disk knows (posix_target.hpp).
TargetWish split_target(std::string_view option);

/// A name for people and logs: control characters and bytes that are no UTF-8 become "?".
std::string printable(std::string_view name);

}  // namespace peernet::storage
