// What a node remembers between runs, in SQLite: part records, shares, identity, peers, limits. Harmless to lose: a
// lost record costs a re-hash, never a wrong file. WAL, synchronous=NORMAL. A damaged database is renamed aside
// ("state.db.damaged-N") and a new one begun.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "peernet/error.hpp"
#include "storage/resume.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace peernet::storage {

/// $XDG_STATE_HOME/peernet, or $HOME/.local/state/peernet; `option` (--state DIR) wins. Empty if there is no home.
std::string state_directory(const std::string& option, const char* xdg_state_home, const char* home);

struct ShareRecord {
  ContentId content_id{};
  std::string path;
  std::optional<SwarmKey> swarm_key;
  std::vector<std::byte> core;  ///< manifest core bytes
  friend bool operator==(const ShareRecord&, const ShareRecord&) = default;
};

struct PeerRecord {
  ContentId content_id{};
  std::string address;  ///< host:port
  std::int64_t seen_s = 0;
  friend bool operator==(const PeerRecord&, const PeerRecord&) = default;
};

/// The database itself. Blocking; one thread at a time (StateThread owns one).
class StateDb {
 public:
  /// Creates the directory (0700) and file (0600). kLocalIo only if not even a fresh database can be made; damage is
  /// repaired by renaming aside and reported by was_damaged().
  static Result<std::unique_ptr<StateDb>> open(const std::string& directory);
  ~StateDb();
  StateDb(const StateDb&) = delete;
  StateDb& operator=(const StateDb&) = delete;

  bool was_damaged() const { return damaged_; }

  /// begin / commit bracket a group of puts.
  Result<void> begin();
  Result<void> commit();

  Result<void> put_part(const PartRecord& record);
  Result<std::optional<PartRecord>> find_part(const ContentId& id, std::uint64_t device, std::uint64_t inode);
  Result<void> erase_part(const ContentId& id, std::uint64_t device, std::uint64_t inode);

  Result<void> put_share(const ShareRecord& record);
  Result<void> erase_share(const ContentId& id);
  Result<std::vector<ShareRecord>> shares();

  Result<void> put_peer(const PeerRecord& record);
  /// Latest first, at most `limit`.
  Result<std::vector<PeerRecord>> peers(const ContentId& id, std::uint32_t limit);

  /// Small named values: "identity", "limit.up", ...
  Result<void> put_value(const std::string& key, ByteSpan value);
  Result<std::optional<std::vector<std::byte>>> value(const std::string& key);

 private:
  StateDb() = default;
  struct Statements;
  sqlite3* db_ = nullptr;
  std::unique_ptr<Statements> statements_;
  bool damaged_ = false;
};

}  // namespace peernet::storage
