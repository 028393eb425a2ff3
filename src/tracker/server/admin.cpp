#include "tracker/server/admin.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <list>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "cli/printable.hpp"
#include "io/address_text.hpp"
#include "io/clock.hpp"
#include "io/sockaddr.hpp"
#include "tracker/server/descriptor.hpp"

namespace peernet::tracker::server {
namespace {

constexpr unsigned kThreads = 2;
constexpr std::size_t kMaxPending = 64;
constexpr std::size_t kMaxRequest = 8192;
constexpr Duration kRequestTime = std::chrono::seconds(10);
constexpr Duration kReplyTime = std::chrono::seconds(20);
constexpr int kBacklog = 64;
// Requests that take work, from the whole request to the last byte of the reply: what they hold in memory is bounded.
constexpr std::size_t kPlaces = 16;
constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 38\r\n"
    "Retry-After: 1\r\nConnection: close\r\n\r\ntoo many questions at once: ask again\n";

bool fill(sockaddr_un& name, const std::string& path) {
  name = {};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return false;
  std::memcpy(name.sun_path, path.data(), path.size());
  return true;
}

bool somebody_answers(const sockaddr_un& name) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return probe && ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

// A socket that a tracker left behind. Another user's, or one that cannot be asked for another reason, is none.
bool left_behind(const std::string& path) {
  sockaddr_un name;
  return fill(name, path) && !somebody_answers(name) && errno == ECONNREFUSED;
}

// A connection whose request is not whole yet. Whoever is silent or slow keeps no thread waiting.
struct Pending {
  Descriptor socket;
  bool file_system = false;
  Instant end;
  std::string request;

  bool whole() const { return request.size() >= kMaxRequest || request.find("\r\n\r\n") != std::string::npos; }
  /// Reads what there is; false when the other end is gone.
  bool read() {
    char piece[4096];
    const ssize_t n = ::recv(socket.get(), piece, sizeof piece, MSG_DONTWAIT);
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
    request.append(piece, static_cast<std::size_t>(n));
    return true;
  }
};

// Pages that cost next to nothing and that somebody watches: they do not queue behind walks through all swarms.
bool answered_at_once(std::string_view request) {
  for (const std::string_view page : {"GET /healthz", "GET /metrics"})
    if (request.starts_with(page) && request.substr(page.size()).find_first_of(" ?") == 0) return true;
  return false;
}

// A reply on its way. The other end reads as slowly as it likes, for a bounded time: no thread waits for it.
struct Sending {
  Descriptor socket;
  bool counted = false;  // it holds one of the places for requests that take work
  std::string text;
  std::size_t at = 0;
  Instant end = io::monotonic_now() + kReplyTime;

  /// Writes what fits; false when that was the last of it, or the other end is gone.
  bool write() {
    const ssize_t n = ::send(socket.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    at += static_cast<std::size_t>(n);
    return at < text.size();
  }
};

// A whole request as httplib reads it, and the text of its reply.
class Exchange final : public httplib::Stream {
 public:
  explicit Exchange(const Pending& pending) : request_(pending.request), file_system_(pending.file_system) {}

  bool file_system() const { return file_system_; }
  std::string take_reply() { return std::move(reply_); }
  bool is_readable() const override { return at_ < request_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, std::size_t size) override {
    const std::size_t n = request_.copy(out, size, at_);
    at_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* text, std::size_t size) override {
    reply_.append(text, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return -1; }

 private:
  const std::string& request_;
  const bool file_system_;
  std::string reply_;
  std::size_t at_ = 0;
};

// httplib understands the request and writes the answer. The sockets are ours: it knows none in the file system, and
// would share its port with whoever asks.
class Pages final : public httplib::Server {
 public:
  explicit Pages(AdminView view) : view_(std::move(view)) {
    set_payload_max_length(1024);
    set_default_headers(
        {{"Cache-Control", "no-store"},
         {"X-Content-Type-Options", "nosniff"},
         {"Content-Security-Policy",
          "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
          "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}});
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      const Page page = answer(request);
      response.status = page.status;
      if (page.status == 405) response.set_header("Allow", "GET");
      response.set_content(page.body, page.type);
      return HandlerResponse::Handled;
    });
  }

  std::string reply_to(const Pending& pending) {
    Exchange exchange(pending);
    bool closed = false;
    process_request(exchange, true, closed, [&](httplib::Request& request) {
      // Whoever comes through the file system has no browser that somebody could deceive.
      if (exchange.file_system()) request.headers.erase("Host");
    });
    return exchange.take_reply();
  }

 private:
  Page answer(const httplib::Request& request) const {
    if (request.method != "GET") return {405, "text/plain; charset=utf-8", "only GET is known here\n"};
    if (!acceptable_host(request.get_header_value("Host")))
      return {403, "text/plain; charset=utf-8", "ask for this page by the number of its address, or as localhost\n"};
    return page_of(view_, request.path, [&](const char* name) { return request.get_param_value(name); });
  }

  AdminView view_;
};

}  // namespace

struct AdminServer::Parts {
  explicit Parts(AdminView view) : pages(std::move(view)) {}

  void run();
  void accept_one(int listener, bool file_system);
  void go_on(std::span<const pollfd> polled);
  void serve(Pending whole);
  void work(Pending& whole);
  void reply(Sending sending);
  void send(std::span<const pollfd> polled);
  void take_finished();

  Pages pages;
  Descriptor http;
  Descriptor socket;
  std::string socket_path;     // to remove at the end
  Descriptor stop;             // an eventfd
  Descriptor woken;            // another: a reply is finished
  std::list<Pending> pending;  // of the thread, like the next two
  std::list<Sending> sending;
  std::size_t places_taken = 0;  // by requests that wait for the pool, are worked on, or whose replies are sent
  std::atomic<bool> stopping = false;
  std::mutex mutex;
  std::list<Sending> finished;  // under the mutex: from the pool to the thread
  std::unique_ptr<httplib::ThreadPool> pool;
  std::thread thread;
};

void AdminServer::Parts::accept_one(int listener, bool file_system) {
  Descriptor connection(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) return;
  if (pending.size() == kMaxPending) pending.pop_front();
  pending.push_back({std::move(connection), file_system, io::monotonic_now() + kRequestTime, ""});
}

// In the pool.
void AdminServer::Parts::work(Pending& whole) {
  if (stopping.load()) return;
  std::list<Sending> one;
  one.push_back({.socket = {}, .counted = true, .text = pages.reply_to(whole)});
  one.back().socket = std::move(whole.socket);
  const std::lock_guard locked(mutex);
  finished.splice(finished.end(), one);
  const std::uint64_t count = 1;
  static_cast<void>(::write(woken.get(), &count, sizeof count) == sizeof count);
}

void AdminServer::Parts::serve(Pending whole) {
  if (answered_at_once(whole.request)) {
    std::string text = pages.reply_to(whole);
    return reply({.socket = std::move(whole.socket), .text = std::move(text)});
  }
  if (places_taken == kPlaces) return reply({.socket = std::move(whole.socket), .text = std::string(kBusy)});
  ++places_taken;
  // The pool wants something that can be copied.
  auto shared = std::make_shared<Pending>(std::move(whole));
  pool->enqueue([this, shared = std::move(shared)] { work(*shared); });
}

void AdminServer::Parts::reply(Sending one) {
  if (!one.write()) {
    if (one.counted) --places_taken;
    return;
  }
  // Short replies fit into the socket's own memory as a rule; those that do not have bounded company.
  if (!one.counted && sending.size() >= kPlaces + kMaxPending) {
    const auto oldest =
        std::find_if(sending.begin(), sending.end(), [](const Sending& other) { return !other.counted; });
    if (oldest != sending.end()) sending.erase(oldest);
  }
  sending.push_back(std::move(one));
}

void AdminServer::Parts::take_finished() {
  std::uint64_t count = 0;
  static_cast<void>(::read(woken.get(), &count, sizeof count) == sizeof count);
  std::list<Sending> mine;
  {
    const std::lock_guard locked(mutex);
    mine.swap(finished);
  }
  for (Sending& one : mine) reply(std::move(one));
}

// What was polled of the replies, in their order.
void AdminServer::Parts::send(std::span<const pollfd> polled) {
  const Instant now = io::monotonic_now();
  auto at = sending.begin();
  for (const pollfd& one : polled) {
    if ((one.revents == 0 || at->write()) && now < at->end) {
      ++at;
      continue;
    }
    if (at->counted) --places_taken;
    at = sending.erase(at);
  }
}

// What was polled of the pending connections, in their order.
void AdminServer::Parts::go_on(std::span<const pollfd> polled) {
  const Instant now = io::monotonic_now();
  auto at = pending.begin();
  for (const pollfd& one : polled) {
    const bool alive = (one.revents == 0 || at->read()) && now < at->end;
    if (alive && !at->whole()) {
      ++at;
      continue;
    }
    if (alive) serve(std::move(*at));
    at = pending.erase(at);
  }
}

void AdminServer::Parts::run() {
  ::pthread_setname_np(::pthread_self(), "admin");
  std::vector<pollfd> polled;
  for (;;) {
    polled.clear();
    for (const int fd : {stop.get(), http.get(), socket.get(), woken.get()}) polled.push_back({fd, POLLIN, 0});
    for (const Pending& one : pending) polled.push_back({one.socket.get(), POLLIN, 0});
    for (const Sending& one : sending) polled.push_back({one.socket.get(), POLLOUT, 0});
    ::poll(polled.data(), polled.size(), pending.empty() && sending.empty() ? -1 : 1000);
    if (polled[0].revents != 0) return;
    const auto connections = std::span<const pollfd>(polled).subspan(4);
    const std::size_t requests = pending.size();
    send(connections.subspan(requests));  // before go_on(), which adds to them
    go_on(connections.first(requests));
    if (polled[1].revents != 0) accept_one(http.get(), false);
    if (polled[2].revents != 0) accept_one(socket.get(), true);
    if (polled[3].revents != 0) take_finished();
  }
}

AdminServer::AdminServer(AdminView view) : parts_(std::make_unique<Parts>(std::move(view))) {}

AdminServer::~AdminServer() {
  Parts& p = *parts_;
  if (p.thread.joinable()) {
    const std::uint64_t one = 1;
    p.stopping.store(true);
    static_cast<void>(::write(p.stop.get(), &one, sizeof one) == sizeof one);
    p.thread.join();
    p.pool->shutdown();
  }
  if (!p.socket_path.empty()) ::unlink(p.socket_path.c_str());
}

Outcome<Address> AdminServer::open_http(const Address& address) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  const std::string text = io::format_address(address);
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  if (socket) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  io::SockAddr name;
  socklen_t length = io::to_sockaddr(address, family, name);
  if (!socket || ::bind(socket.get(), &name.any, length) != 0 || ::listen(socket.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE)
      return failure(ErrorCode::kLocalIo,
                     fmt::format("another program has tcp://{}: choose another --admin ADDR:PORT.", text));
    return failure(
        errno == EADDRNOTAVAIL ? ErrorCode::kUsage : ErrorCode::kLocalIo,
        fmt::format("the admin page cannot be at {}: {}. Choose another --admin ADDR:PORT.", text, reason_of(errno)));
  }
  length = sizeof name;
  if (::getsockname(socket.get(), &name.any, &length) != 0)
    return failure(ErrorCode::kKernel, "a socket does not tell its address.");
  parts_->http = std::move(socket);
  return io::from_sockaddr(&name, length);
}

std::string AdminServer::open_socket(const std::string& path) {
  sockaddr_un name;
  const std::string shown = cli::printable(path);
  if (!fill(name, path)) return fmt::format("the path {} is longer than sockets allow", shown);
  if (somebody_answers(name)) return fmt::format("another tracker answers at {}", shown);
  ::unlink(path.c_str());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Nobody can connect before listen(), and by then the mode is right.
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(socket.get(), kBacklog) != 0)
    return fmt::format("{}: {}", shown, reason_of(errno));
  parts_->socket = std::move(socket);
  parts_->socket_path = path;
  return "";
}

Outcome<void> AdminServer::start() {
  Parts& p = *parts_;
  if (!p.http && !p.socket) return {};
  p.stop = Descriptor(::eventfd(0, EFD_CLOEXEC));
  p.woken = Descriptor(::eventfd(0, EFD_CLOEXEC));
  if (!p.stop || !p.woken) return failure(ErrorCode::kKernel, "the admin side cannot start: " + reason_of(errno) + ".");
  p.pool = std::make_unique<httplib::ThreadPool>(kThreads);
  p.thread = std::thread([&p] { p.run(); });
  return {};
}

std::string default_admin_socket(bool make) {
  std::vector<std::string> folders;
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/')
    folders.push_back(std::string(runtime) + "/peernet-tracker");
  folders.emplace_back("/run/peernet-tracker");
  if (!make) folders.emplace_back("/var/lib/peernet-tracker");
  std::string dead;  // the first that nobody listens on
  for (const std::string& folder : folders) {
    const std::string path = folder + "/admin.sock";
    if (make) ::mkdir(folder.c_str(), 0700);
    if (::access(make ? folder.c_str() : path.c_str(), make ? W_OK | X_OK : F_OK) != 0) continue;
    if (make || !left_behind(path)) return path;
    if (dead.empty()) dead = path;
  }
  return dead;
}

}  // namespace peernet::tracker::server
