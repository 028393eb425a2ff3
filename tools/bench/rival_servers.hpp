// Servers on 127.0.0.1 for one run of a rival. None reads or writes a file of the user.
#pragma once

#include <string>

#include "contest.hpp"

namespace peernet::bench {

/// Of an nginx in the foreground that writes nothing outside its prefix (-p). `server`: what its one server block
/// holds.
std::string nginx_configuration(const std::string& server);

/// nginx that serves the folder in which the source is; the address of its root without a slash at the end.
Outcome<std::string> serve_http(Stage& stage);
/// The same by TLS 1.3; `stage.job().lasting` then holds its certificate, tls.crt.
Outcome<std::string> serve_https(Stage& stage);
/// An rsync daemon; the address of the folder in which the source is.
Outcome<std::string> serve_rsync(Stage& stage);

struct SshServer {
  std::string port, user, key_file;
};
/// An sshd of its own, with fresh keys.
Outcome<SshServer> serve_ssh(Stage& stage);

}  // namespace peernet::bench
