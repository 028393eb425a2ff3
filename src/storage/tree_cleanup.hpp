// Removing folders without ever following a link or leaving their file system.
#pragma once

#include <optional>
#include <string>

#include "content/path_error.hpp"

namespace peernet::storage {

/// Removes a folder and everything in it, as far as it can: the first failure, with a path that begins with `name`, if
/// something is left. Makes its own directories writable where it must. A mount below is left alone.
std::optional<content::PathError> remove_tree(int parent, const std::string& name);

}  // namespace peernet::storage
