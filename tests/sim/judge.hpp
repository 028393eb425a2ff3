// Where checks say that something happened which must never happen. The first violation ends the run.
#pragma once

#include <string>
#include <utility>

namespace peernet::sim {

class Judge {
 public:
  void expect(bool holds, const char* what) {
    if (!holds) fail(what);
  }
  void fail(std::string what) {
    if (failed_) return;
    failed_ = true;
    reason_ = std::move(what);
  }
  bool failed() const { return failed_; }
  const std::string& reason() const { return reason_; }

 private:
  bool failed_ = false;
  std::string reason_;
};

}  // namespace peernet::sim
