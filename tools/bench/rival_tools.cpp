#include "rival_tools.hpp"

#include <algorithm>
#include <filesystem>
#include <regex>
#include <utility>

#include "libtorrent_peer.hpp"
#include "rival_servers.hpp"

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;

using Words = std::vector<std::string>;

std::string name_of_source(const Stage& stage) {
  return fs::path(stage.job().source).filename().string();
}

Outcome<Words> copy(Stage& stage) {
  return Words{"cp", "-r", stage.job().source, "out"};
}

// Both ends in blocks of 256 KiB: its default of 8 KiB is much slower.
Outcome<Words> socat(Stage& stage) {
  const std::string port = free_port(), listen = "TCP-LISTEN:" + port + ",reuseaddr,bind=127.0.0.1";
  const std::string connect = "TCP:127.0.0.1:" + port;
  std::error_code error;
  fs::create_symlink(stage.job().source, stage.at("source"), error);  // names with commas are no addresses of socat
  if (stage.job().folder) fs::create_directory(stage.at("out"), error);
  if (error) return std::unexpected(error.message());
  const Words source = stage.job().folder ? Words{"socat", "-U", "-b262144", listen, "EXEC:tar -cf - -C source ."}
                                          : Words{"socat", "-U", "-b262144", listen, "OPEN:source,rdonly"};
  if (const auto served = stage.serve(source, [&] { return is_listening(port); }); !served)
    return std::unexpected(served.error());
  if (stage.job().folder) return Words{"sh", "-c", "socat -u -b262144 " + connect + " - | tar -xf - -C out"};
  return Words{"socat", "-u", "-b262144", connect, "CREATE:out"};
}

// -q: nothing of ~/.curlrc.
Outcome<Words> curl_http(Stage& stage) {
  const auto root = serve_http(stage);
  if (!root) return std::unexpected(root.error());
  return Words{"curl", "-q", "-sS", "-f", "-o", "out", *root + "/" + name_of_source(stage)};
}

Outcome<Words> curl_https(Stage& stage) {
  const auto root = serve_https(stage);
  if (!root) return std::unexpected(root.error());
  return Words{"curl",
               "-q",
               "-sS",
               "-f",
               "--tlsv1.3",
               "--cacert",
               stage.job().lasting + "/tls.crt",
               "-o",
               "out",
               *root + "/" + name_of_source(stage)};
}

Outcome<Words> rsync(Stage& stage) {
  const auto root = serve_rsync(stage);
  if (!root) return std::unexpected(root.error());
  const std::string address = *root + "/" + name_of_source(stage);
  return stage.job().folder ? Words{"rsync", "-a", address + "/", "out/"} : Words{"rsync", address, "out"};
}

// AES-128-GCM is the quickest of its ciphers on processors with AES.
Outcome<Words> scp(Stage& stage) {
  const auto server = serve_ssh(stage);
  if (!server) return std::unexpected(server.error());
  Words words{
      "scp", "-q", "-r", "-F", "none", "-P", server->port, "-i", server->key_file, "-c", "aes128-gcm@openssh.com"};
  for (const char* option :
       {"BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes", "IdentityAgent=none", "LogLevel=ERROR"})
    words.insert(words.end(), {"-o", option});
  words.insert(words.end(), {server->user + "@127.0.0.1:" + stage.job().source, "out"});
  return words;
}

// Four connections, as people use it for speed.
Outcome<Words> aria2(Stage& stage) {
  const auto root = serve_http(stage);
  if (!root) return std::unexpected(root.error());
  return Words{"aria2c",
               "--no-conf",
               "-q",
               "--allow-overwrite=true",
               "--auto-file-renaming=false",
               "--disable-ipv6=true",
               "--file-allocation=none",
               "-x4",
               "-s4",
               "-k1M",
               "-d",
               stage.folder(),
               "-o",
               "out",
               *root + "/" + name_of_source(stage)};
}

}  // namespace

Prepare peernet_transfer(Words share, Words get, std::string program) {
  return [=](Stage& stage) -> Outcome<Words> {
    const Job& job = stage.job();
    const std::string link = stage.at("link"), peernet = program.empty() ? job.peernet : program;
    Words source{peernet, "share",          job.source, "--listen", "127.0.0.1:0", "--link-file",
                 link,    "--max-datagram", "1500",     "-q",       "--state",     job.lasting + "/share-state"};
    source.insert(source.end(), share.begin(), share.end());
    if (const auto served = stage.serve(source, [&] { return fs::exists(link); }); !served)
      return std::unexpected(served.error());
    Words receive{peernet,          "get",  "@" + link, "-o",      "out",
                  "--max-datagram", "1500", "-q",       "--state", job.lasting + "/get-state"};
    receive.insert(receive.end(), get.begin(), get.end());
    return receive;
  };
}

const std::vector<Rival>& rivals() {
  static const std::vector<Rival> all{
      {"cp", "a copy without a network", "no", "no", {"cp"}, "coreutils", true, copy, {"cp", "--version"}},
      {"socat", "plain TCP; tar for folders", "no", "no", {"socat", "tar"}, "socat tar", true, socat, {"socat", "-V"}},
      {"curl-http", "nginx to curl", "no", "no", {"nginx", "curl"}, "nginx curl", false, curl_http, {"nginx", "-v"}},
      {"curl-https",
       "nginx to curl, TLS 1.3",
       "TLS",
       "AES-GCM",
       {"nginx", "curl", "openssl"},
       "nginx curl openssl",
       false,
       curl_https,
       {"curl", "--version"}},
      {"rsync", "its daemon", "XXH128", "no", {"rsync"}, "rsync", true, rsync, {"rsync", "--version"}},
      {"scp",
       "sshd with AES-128-GCM",
       "SSH",
       "AES-GCM",
       {"sshd", "scp", "ssh-keygen"},
       "openssh-server openssh-client",
       true,
       scp,
       {"ssh", "-V"}},
      {"aria2",
       "nginx by 4 connections",
       "no",
       "no",
       {"nginx", "aria2c"},
       "nginx aria2",
       false,
       aria2,
       {"aria2c", "--version"}},
      {"libtorrent",
       "one peer over TCP",
       "SHA-1",
       "no",
       {},
       "python3-libtorrent",
       true,
       libtorrent_transfer("tcp", false),
       {}},
      {"libtorrent-encrypted",
       "the same, encrypted",
       "SHA-1",
       "RC4",
       {},
       "python3-libtorrent",
       true,
       libtorrent_transfer("tcp", true),
       {}},
      {"libtorrent-utp",
       "one peer over uTP (UDP)",
       "SHA-1",
       "no",
       {},
       "python3-libtorrent",
       true,
       libtorrent_transfer("utp", false),
       {}},
  };
  return all;
}

std::vector<std::string> missing_for(const Rival& rival) {
  std::vector<std::string> missing;
  std::ranges::copy_if(rival.programs, std::back_inserter(missing),
                       [](const auto& name) { return !is_installed(name); });
  if (rival.name.starts_with("libtorrent") && libtorrent_version().empty())
    missing.emplace_back("Debian's Python module of libtorrent");
  return missing;
}

std::string version_said(const Words& command) {
  Words words{"sh", "-c", "exec \"$@\" 2>&1", "sh"};
  words.insert(words.end(), command.begin(), command.end());
  const std::string said = output_of(words);
  std::smatch found;
  return std::regex_search(said, found, std::regex("[0-9]+\\.[0-9][0-9A-Za-z.]*")) ? found.str() : std::string();
}

std::string version_of(const Rival& rival) {
  return rival.version_command.empty() ? libtorrent_version() : version_said(rival.version_command);
}

}  // namespace peernet::bench
