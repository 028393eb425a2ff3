// What the tests of whole transfers share: a folder, files, and waiting for events.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "peernet/node.hpp"

namespace peernet::testing_net {

namespace stdfs = std::filesystem;
using namespace std::chrono_literals;

// A folder that goes away with its test.
class Folder {
 public:
  Folder() {
    std::string pattern = (stdfs::temp_directory_path() / "peernet-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { stdfs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  stdfs::path path_;
};

inline std::string random_bytes(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out(n, '\0');
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<char>(random());
  return out;
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The next event of a kind, or the one that ends the transfer; nothing if neither comes for a long time.
inline std::optional<Event> next_event(Transfer& transfer, EventKind kind) {
  const auto deadline = std::chrono::steady_clock::now() + 120s;
  while (std::chrono::steady_clock::now() < deadline) {
    auto event = transfer.wait_event(1000ms);
    if (event && (event->kind == kind || event->kind == EventKind::kError || event->kind == EventKind::kDone))
      return event;
  }
  ADD_FAILURE() << "nothing happened";
  return std::nullopt;
}

// As above, but any other end of the transfer fails the test.
inline std::optional<Event> wait_for(Transfer& transfer, EventKind kind) {
  auto event = next_event(transfer, kind);
  if (event && event->kind == kind) return event;
  if (event) ADD_FAILURE() << "ended early: " << event->text;
  return std::nullopt;
}

inline std::unique_ptr<Node> start_node(const NodeConfig& config) {
  auto node = Node::start(config);
  if (!node) ADD_FAILURE() << describe(node.error());
  return node ? std::move(*node) : nullptr;
}

// True as soon as condition() holds; false if it does not for a long time.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

inline std::uint64_t counter(const Node& node, const std::string& name) {
  for (const Counter& c : node.counters())
    if (c.name == name) return c.value;
  return 0;
}

}  // namespace peernet::testing_net
