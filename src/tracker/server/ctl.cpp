#include "tracker/server/ctl.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "cli/arguments.hpp"
#include "cli/printable.hpp"
#include "tracker/server/admin.hpp"
#include "tracker/server/descriptor.hpp"
#include "tracker/server/key_text.hpp"

namespace peernet::tracker::server {
namespace {

constexpr std::string_view kHelp =
    R"(usage: peernet-tracker ctl [--state DIR | --socket PATH] swarms|peers KEY|stats [--json]

Asks a running tracker what it knows, through the socket in its state folder.

  swarms                 the swarms, largest first
  peers KEY              the peers of one: address, which parts it has, last sign of life, upload rate, node.
                         KEY: 40 hexadecimal digits as `swarms` shows them, or the first of them, at least 4
  stats                  totals and counters
      --state DIR        the state folder of the tracker (or PEERNET_TRACKER_STATE)
      --socket PATH      the socket itself (default: below $XDG_RUNTIME_DIR, /run or /var/lib/peernet-tracker)
      --json             as JSON
  -h, --help             this text
)";

constexpr const char* kLimit = "?limit=10000";
constexpr unsigned kMaxPages = 10;
constexpr int kTimeoutSeconds = 60;

std::string path_of(const CtlRequest& request) {
  if (request.verb == CtlVerb::kSwarms) return std::string("/api/swarms") + kLimit;
  if (request.verb == CtlVerb::kPeers) return "/api/peers/" + request.key + kLimit;
  return "/api/stats";
}

struct Reply {
  int status = 0;
  std::string body;
};

// HTTP/1.0: the answer ends where the connection does.
std::optional<Reply> exchange(int fd, const std::string& path) {
  const std::string question = fmt::format("GET {} HTTP/1.0\r\n\r\n", path);
  if (::send(fd, question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size()))
    return std::nullopt;
  std::string text;
  for (;;) {
    char piece[65536];
    const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    text.append(piece, static_cast<std::size_t>(n));
  }
  const std::size_t space = text.find(' ');
  const std::size_t end = text.find("\r\n\r\n");
  Reply out;
  if (!text.starts_with("HTTP/1.") || end == std::string::npos || space > end) return std::nullopt;
  std::from_chars(text.data() + space + 1, text.data() + end, out.status);
  out.body = text.substr(end + 4);
  return out;
}

Outcome<Descriptor> connect_to(const std::string& path) {
  const std::string shown = cli::printable(path);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path)
    return failure(ErrorCode::kUsage, fmt::format("the path {} is longer than sockets allow.", shown));
  std::memcpy(name.sun_path, path.data(), path.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout{.tv_sec = kTimeoutSeconds, .tv_usec = 0};
  if (socket) ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  if (socket && ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return socket;
  if (errno == EACCES)
    return failure(ErrorCode::kLocalIo,
                   fmt::format("{} is another user's: ask as the user whose tracker it is, or as root.", shown));
  return failure(ErrorCode::kUnreachable,
                 fmt::format("no tracker answers at {} ({}): is it running, and with this state folder?", shown,
                             reason_of(errno)));
}

// The body of one answer, or why there is none.
Outcome<std::string> body_of(const CtlRequest& request, const std::string& path) {
  const auto socket = connect_to(request.socket);
  if (!socket) return std::unexpected(socket.error());
  auto reply = exchange(socket->get(), path);
  if (!reply || reply->status == 0)
    return failure(ErrorCode::kNoProgress,
                   fmt::format("what listens at {} gives no whole answer.", cli::printable(request.socket)));
  if (reply->status == 404)
    return failure(ErrorCode::kUnknownContent, fmt::format("no swarm has a key that begins with {}.", request.key));
  if (reply->status == 409)
    return failure(ErrorCode::kUsage,
                   fmt::format("several swarms have keys that begin with {}: give more digits.", request.key));
  if (reply->status == 503)
    return failure(ErrorCode::kNoProgress, "the tracker answers too many questions just now: ask again.");
  if (reply->status != 200)
    return failure(ErrorCode::kNoProgress, fmt::format("the tracker refuses the question (HTTP {}).", reply->status));
  return std::move(reply->body);
}

}  // namespace

std::string_view ctl_help() {
  return kHelp;
}

std::expected<CtlRequest, std::string> read_ctl_words(std::span<const std::string> words, const Lookup& environment) {
  CtlRequest out;
  std::string state;
  if (const char* folder = environment("PEERNET_TRACKER_STATE"); folder != nullptr) state = folder;
  std::vector<std::string> positional;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (word == "-h" || word == "--help") {
      out.help = true;
    } else if (word == "--json") {
      out.json = true;
    } else if (name == "--state" || name == "--socket") {
      if (equals == std::string::npos && i + 1 == words.size())
        return std::unexpected(fmt::format("{} wants a value behind it", name));
      const std::string value = equals != std::string::npos ? word.substr(equals + 1) : words[++i];
      (name == "--state" ? state : out.socket) = value;
    } else if (word.starts_with('-')) {
      return std::unexpected(fmt::format("ctl has no option \"{}\"", cli::printable(cli::shortened(word, 60))));
    } else {
      positional.push_back(word);
    }
  }
  if (out.help) return out;
  if (out.socket.empty()) out.socket = state.empty() ? default_admin_socket(false) : state + "/admin.sock";
  const std::vector<std::string> verbs{"swarms", "peers", "stats"};
  if (positional.empty()) return std::unexpected(std::string("ctl wants swarms, peers KEY or stats"));
  if (positional[0] == "swarms") {
    out.verb = CtlVerb::kSwarms;
  } else if (positional[0] == "peers") {
    out.verb = CtlVerb::kPeers;
  } else if (positional[0] != "stats") {
    const std::string_view meant = cli::closest(positional[0], verbs);
    return std::unexpected(fmt::format("ctl knows swarms, peers KEY and stats, not \"{}\"{}",
                                       cli::printable(cli::shortened(positional[0], 60)),
                                       meant.empty() ? "" : fmt::format("; did you mean {}?", meant)));
  }
  const std::size_t wanted = out.verb == CtlVerb::kPeers ? 2 : 1;
  if (positional.size() > wanted)
    return std::unexpected(fmt::format("\"{}\" is too much", cli::printable(cli::shortened(positional[wanted], 60))));
  if (positional.size() < wanted)
    return std::unexpected(std::string("peers wants KEY behind it, as `peernet-tracker ctl swarms` shows them"));
  if (out.verb == CtlVerb::kPeers) {
    out.key = positional[1];
    const auto key = parse_key(out.key);
    if (!key || key->digits < 4)
      return std::unexpected(fmt::format("a key is 40 hexadecimal digits, or at least its first 4, not \"{}\"",
                                         cli::printable(cli::shortened(out.key, 60))));
  }
  return out;
}

Outcome<std::string> ask(const CtlRequest& request) {
  if (request.socket.empty())
    return failure(ErrorCode::kUnreachable,
                   "no running tracker is found here: name its state folder with --state DIR.");
  auto body = body_of(request, path_of(request));
  if (!body) return body;
  if (request.verb == CtlVerb::kSwarms) {
    PageJoiner pages(std::move(*body));
    for (unsigned i = 1; i < kMaxPages && !pages.next().empty(); ++i) {
      const auto page = body_of(request, path_of(request) + "&after=" + pages.next());
      if (!page) return page;
      if (!pages.add(*page)) break;
    }
    body = pages.take();
  }
  if (request.json) return body;
  auto table = table_of(request.verb, *body);
  if (!table) return failure(ErrorCode::kNoProgress, "the answer is of another version of the tracker: use --json.");
  return std::move(*table);
}

}  // namespace peernet::tracker::server
