// A failure and the file it happened to: Error has no words of its own, and among a million files the name is the news.
#pragma once

#include <expected>
#include <string>

#include "peernet/error.hpp"

namespace peernet::content {

struct PathError {
  Error error;
  std::string path;  ///< as a user would name it; may hold bytes no terminal should see (storage::printable)
};

template <class T>
using PathResult = std::expected<T, PathError>;

inline std::unexpected<PathError> path_error(Error error, std::string path) {
  return std::unexpected(PathError{error, std::move(path)});
}

}  // namespace peernet::content
