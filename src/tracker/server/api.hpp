// What the admin side answers, without a socket: a path and its parameters in, a page out.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tracker/server/figures.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker::server {

/// What the pages tell about. Asked from the admin's threads.
struct AdminView {
  const TrackerCore& core;
  std::function<Figures()> figures;
  std::function<bool()> healthy;
};

struct Page {
  int status = 200;
  const char* type = "application/json";
  std::string body;
};

/// The value of a parameter of the query, empty if it is not there.
using Parameter = std::function<std::string(const char* name)>;

/// /, /metrics, /healthz, /api/stats, /api/swarms?prefix=&limit=&after=, /api/peers/KEY?limit= (KEY: a swarm id in
/// hexadecimal digits, or a prefix of at least 4 that fits one swarm only). A limit is 10,000 at most; a page of swarms
/// that has another behind it gives "next", to be asked for as "after".
Page page_of(const AdminView& view, std::string_view path, const Parameter& parameter);

/// Does the Host header of a request name this service by a number or as localhost? Other names may be a web page's,
/// pointed here to make a browser read what it should not (DNS rebinding).
bool acceptable_host(std::string_view host);

/// The page of /, in status_page.cpp.
std::string_view status_page();

}  // namespace peernet::tracker::server
