#include "libtorrent_peer.hpp"

#include <filesystem>
#include <fstream>
#include <utility>

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;

// The python3 that Debian's module belongs to, whatever else comes first in PATH. -I: nothing of the user's.
constexpr const char* kPython = "/usr/bin/python3";

// Settings: libtorrent's own preset for high performance, and what its manual offers beyond for one fast peer.
constexpr const char* kScript = R"(import os, sys
import libtorrent as lt

MIB = 1 << 20


def make(source, torrent, piece):
    files = lt.file_storage()
    lt.add_files(files, source)
    made = lt.create_torrent(files, int(piece), flags=lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, os.path.dirname(source))
    with open(torrent + '.new', 'wb') as file:
        file.write(lt.bencode(made.generate()))
    os.rename(torrent + '.new', torrent)


def settings(listen, transport, encrypted):
    wanted = dict(lt.high_performance_seed())
    wanted.update({
        'listen_interfaces': listen, 'outgoing_interfaces': '127.0.0.1',
        'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False, 'enable_natpmp': False,
        'enable_outgoing_tcp': transport == 'tcp', 'enable_incoming_tcp': transport == 'tcp',
        'enable_outgoing_utp': transport == 'utp', 'enable_incoming_utp': transport == 'utp',
        'mixed_mode_algorithm': 0, 'allow_multiple_connections_per_ip': True,
        'out_enc_policy': 0 if encrypted else 2, 'in_enc_policy': 0 if encrypted else 2,
        'allowed_enc_level': 2 if encrypted else 3, 'prefer_rc4': encrypted,
        'unchoke_slots_limit': -1, 'connection_speed': 500, 'min_reconnect_time': 1,
        'max_out_request_queue': 3000, 'max_allowed_in_request_queue': 4000, 'whole_pieces_threshold': 20,
        'send_buffer_watermark': 5 * MIB, 'send_buffer_low_watermark': MIB, 'send_buffer_watermark_factor': 150,
        'max_queued_disk_bytes': 128 * MIB, 'aio_threads': 4, 'hashing_threads': 2, 'file_pool_size': 500,
        'no_atime_storage': True, 'tick_interval': 100, 'torrent_connect_boost': 50, 'rate_limit_ip_overhead': False, 'ssrf_mitigation': False,
        'alert_mask': lt.alert.category_t.status_notification | lt.alert.category_t.error_notification
                      | lt.alert.category_t.storage_notification,
    })
    if transport == 'utp':  # with the kernel's default buffers it is six times slower
        wanted.update({'recv_socket_buffer_size': 4 * MIB, 'send_socket_buffer_size': 4 * MIB})
    known = lt.default_settings()
    return {name: value for name, value in wanted.items() if name in known}


def run(mode, torrent, folder, port, transport, encrypted):
    seed = mode == 'seed'
    session = lt.session(settings('127.0.0.1:' + (port if seed else '0'), transport, encrypted == 'encrypted'))
    content = lt.add_torrent_params()
    content.ti = lt.torrent_info(torrent)
    content.save_path = folder
    content.flags &= ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused
    if seed:
        content.flags |= lt.torrent_flags.seed_mode
    handle = session.add_torrent(content)
    if not seed:
        handle.connect_peer(('127.0.0.1', int(port)))
    finished = False
    while True:
        session.wait_for_alert(200)
        for alert in session.pop_alerts():
            if isinstance(alert, (lt.file_error_alert, lt.torrent_error_alert, lt.listen_failed_alert)):
                sys.exit(alert.message())
            if seed and isinstance(alert, lt.listen_succeeded_alert):
                print('READY', flush=True)
            if not seed and isinstance(alert, lt.torrent_finished_alert):
                handle.flush_cache()
                finished = True
            if finished and isinstance(alert, lt.cache_flushed_alert):
                os._exit(0)


make(*sys.argv[2:]) if sys.argv[1] == 'make' else run(*sys.argv[1:])
)";

// As large as makers of torrents choose them, 1 MiB for 64 MiB and more, so that hashes are few.
std::string piece_bytes(std::uint64_t content) {
  constexpr std::uint64_t kMiB = 1 << 20;
  const unsigned power = content < 8 * kMiB ? 15 : content < 64 * kMiB ? 18 : content < 1024 * kMiB ? 20 : 22;
  return std::to_string(1U << power);
}

bool says_ready(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  return file >> word && word == "READY";
}

}  // namespace

std::string libtorrent_version() {
  if (!is_installed(kPython)) return {};
  std::string out = output_of({kPython, "-I", "-c", "import libtorrent; print(libtorrent.__version__)"});
  out.erase(out.find_last_not_of(" \n") + 1);
  return out;
}

Prepare libtorrent_transfer(std::string transport, bool encrypted) {
  return [=](Stage& stage) -> Outcome<std::vector<std::string>> {
    const Job& job = stage.job();
    const std::string script = job.lasting + "/libtorrent_peer.py", torrent = job.lasting + "/torrent";
    if (!fs::exists(script)) std::ofstream(script) << kScript;
    const auto made =
        make_once(torrent, {.words = {kPython, "-I", script, "make", job.source, torrent, piece_bytes(job.bytes)}});
    if (!made) return std::unexpected(made.error());
    const std::string port = free_port(), kind = encrypted ? "encrypted" : "plain";
    const fs::path source = job.source;
    const std::string output = stage.at("source-1.out");
    const auto served =
        stage.serve({kPython, "-I", script, "seed", torrent, source.parent_path().string(), port, transport, kind},
                    [&] { return says_ready(output); });
    if (!served) return std::unexpected(served.error());
    stage.result = stage.at(source.filename().string());
    return std::vector<std::string>{kPython, "-I", script, "get", torrent, stage.folder(), port, transport, kind};
  };
}

}  // namespace peernet::bench
