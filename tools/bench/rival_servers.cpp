#include "rival_servers.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "process.hpp"

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;

bool is_root() {
  return ::geteuid() == 0;
}

std::string folder_of_source(const Stage& stage) {
  return fs::path(stage.job().source).parent_path().string();
}

Outcome<bool> write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) return std::unexpected(path + " cannot be written");
  return true;
}

Outcome<bool> serve_on(Stage& stage, const std::vector<std::string>& words, const std::string& port) {
  return stage.serve(words, [&] { return is_listening(port); });
}

// Nothing of the configuration is a path but what nginx makes itself: the folder is a link beside it.
Outcome<bool> serve_nginx(Stage& stage, const std::string& port, const std::string& tls) {
  std::error_code error;
  fs::create_directory_symlink(folder_of_source(stage), stage.at("root"), error);
  if (error) return std::unexpected(error.message());
  const auto written = write_text(stage.at("nginx.conf"),
                                  nginx_configuration(fmt::format("listen 127.0.0.1:{}{}\n    root root;", port, tls)));
  if (!written) return written;
  return serve_on(stage, {"nginx", "-p", stage.folder(), "-c", "nginx.conf", "-e", "nginx.err"}, port);
}

}  // namespace

std::string nginx_configuration(const std::string& server) {
  return fmt::format(R"(daemon off;
{}worker_processes auto;
pid nginx.pid;
events {{}}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    {}
  }}
}}
)",
                     is_root() ? "user root;\n" : "", server);
}

Outcome<std::string> serve_http(Stage& stage) {
  const std::string port = free_port();
  if (const auto served = serve_nginx(stage, port, ";"); !served) return std::unexpected(served.error());
  return "http://127.0.0.1:" + port;
}

Outcome<std::string> serve_https(Stage& stage) {
  const std::string& lasting = stage.job().lasting;
  const auto made = make_once(lasting + "/tls.crt",
                              {.words = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=peernet-bench", "-addext",
                                         "subjectAltName=IP:127.0.0.1", "-keyout", "tls.key", "-out", "tls.crt"},
                               .folder = lasting});
  if (!made) return std::unexpected(made.error());
  std::error_code error;
  fs::create_symlink(lasting + "/tls.crt", stage.at("tls.crt"), error);
  if (!error) fs::create_symlink(lasting + "/tls.key", stage.at("tls.key"), error);
  if (error) return std::unexpected(error.message());
  const std::string port = free_port();
  // Names in here are relative to the configuration file.
  const auto served = serve_nginx(
      stage, port, " ssl;\n    ssl_certificate tls.crt;\n    ssl_certificate_key tls.key;\n    ssl_protocols TLSv1.3;");
  if (!served) return std::unexpected(served.error());
  return "https://127.0.0.1:" + port;
}

Outcome<std::string> serve_rsync(Stage& stage) {
  const std::string port = free_port();
  const auto written = write_text(
      stage.at("rsyncd.conf"),
      fmt::format(
          "{}use chroot = no\nreverse lookup = no\nread only = yes\nlog file = {}\npid file = {}\n[data]\npath = {}\n",
          is_root() ? "uid = root\ngid = root\n" : "", stage.at("rsyncd.log"), stage.at("rsyncd.pid"),
          folder_of_source(stage)));
  if (!written) return std::unexpected(written.error());
  const auto served = serve_on(stage,
                               {"rsync", "--daemon", "--no-detach", "--config=" + stage.at("rsyncd.conf"),
                                "--port=" + port, "--address=127.0.0.1"},
                               port);
  if (!served) return std::unexpected(served.error());
  return "rsync://127.0.0.1:" + port + "/data";
}

Outcome<SshServer> serve_ssh(Stage& stage) {
  const std::string keys = stage.job().lasting + "/ssh";
  std::error_code ignored;
  fs::create_directory(keys, ignored);
  for (const char* name : {"host", "user"})
    if (const auto made =
            make_once(fmt::format("{}/{}", keys, name),
                      {.words = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name}, .folder = keys});
        !made)
      return std::unexpected(made.error());
  const passwd* const user = ::getpwuid(::geteuid());
  if (user == nullptr) return std::unexpected(std::string("this user has no name"));
  const std::string port = free_port();
  std::vector<std::string> words{find_program("sshd"), "-D", "-e", "-f", "/dev/null", "-h", keys + "/host"};
  for (const std::string& option :
       {"ListenAddress=127.0.0.1:" + port, "AuthorizedKeysFile=" + keys + "/user.pub", std::string("StrictModes=no"),
        std::string("UsePAM=no"), std::string("PermitRootLogin=yes"), std::string("PermitUserRC=no"),
        std::string("PidFile=none"), std::string("Subsystem=sftp internal-sftp"), std::string("UseDNS=no")})
    words.insert(words.end(), {"-o", option});
  // As root sshd wants a folder in /run and, since it was perhaps only unpacked, a user of its own: both are made where
  // nobody else sees them.
  if (is_root()) {
    const std::vector<std::string> inside{
        "unshare",
        "-m",
        "sh",
        "-c",
        "{ cat /etc/passwd; grep -q ^sshd: /etc/passwd || echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin'; } > "
        "passwd && mount --bind passwd /etc/passwd && mount -t tmpfs -o mode=755 none /run && mkdir /run/sshd && exec "
        "\"$@\"",
        "sh"};
    words.insert(words.begin(), inside.begin(), inside.end());
  }
  const SshServer server{port, user->pw_name, keys + "/user"};
  if (const auto served = serve_on(stage, words, port); !served) return std::unexpected(served.error());
  return server;
}

}  // namespace peernet::bench
