// The HTTP side for people and their tools: on an address of choice, and on a socket in the file system for `ctl`. Off
// the packet loop, on threads of its own; nothing here changes the tracker.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/address.hpp"
#include "tracker/server/api.hpp"
#include "tracker/server/failure.hpp"

namespace peernet::tracker::server {

class AdminServer {
 public:
  explicit AdminServer(AdminView view);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// Binds a TCP address; gives back the real one.
  Outcome<Address> open_http(const Address& address);
  /// Binds a socket in the file system, mode 0600, in the place of one that nobody answers on. Returns why that is not
  /// possible, or nothing.
  std::string open_socket(const std::string& path);
  /// Serves what was opened, until the end of its life.
  Outcome<void> start();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Where the socket is when no state folder says so: below $XDG_RUNTIME_DIR or /run. With `make`, folders are made, and
/// only one that is writable counts; else one where a socket is, rather one that is not left behind. Empty: none.
std::string default_admin_socket(bool make);

}  // namespace peernet::tracker::server
