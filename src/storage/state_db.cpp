#include "storage/state_db.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <span>

#include "base/log.hpp"
#include "storage/posix_fd.hpp"

namespace peernet::storage {
namespace {

constexpr const char* kFileName = "/state.db";
constexpr int kBusyMs = 2000;  // other nodes of this user commit in milliseconds
constexpr int kSchema = 1;

constexpr const char* kCreate =
    "CREATE TABLE IF NOT EXISTS part(content_id BLOB, device INTEGER, inode INTEGER, size INTEGER, chunks INTEGER,"
    " bits BLOB, PRIMARY KEY(content_id, device, inode)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS share(content_id BLOB PRIMARY KEY, path TEXT, swarm_key BLOB, core BLOB) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS peer(content_id BLOB, address TEXT, seen INTEGER, PRIMARY KEY(content_id, address))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS value(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;";

std::unexpected<Error> failed(int code, const char* what) {
  const bool full = code == SQLITE_FULL;
  return std::unexpected(Error{full ? ErrorCode::kNoSpace : ErrorCode::kLocalIo, full ? ENOSPC : EIO, what});
}

/// One prepared statement; reset when a use of it ends.
class Statement {
 public:
  ~Statement() { sqlite3_finalize(statement_); }
  bool prepare(sqlite3* db, const char* sql) {
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) == SQLITE_OK;
  }
  sqlite3_stmt* get() const { return statement_; }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

/// Binds from the left, steps, and resets at the end of its life.
class Use {
 public:
  explicit Use(const Statement& statement) : s_(statement.get()) {}
  ~Use() {
    sqlite3_reset(s_);
    sqlite3_clear_bindings(s_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  Use& blob(ByteSpan bytes) {
    // An empty span may have a null pointer, which SQLite would take for NULL.
    static constexpr std::byte kNone{};
    sqlite3_bind_blob64(s_, ++bound_, bytes.empty() ? &kNone : bytes.data(), bytes.size(), SQLITE_STATIC);
    return *this;
  }
  Use& text(const std::string& text) {
    sqlite3_bind_text64(s_, ++bound_, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  Use& integer(std::int64_t value) {
    sqlite3_bind_int64(s_, ++bound_, value);
    return *this;
  }
  Use& null() {
    ++bound_;  // unbound parameters are NULL
    return *this;
  }
  int step() { return sqlite3_step(s_); }
  Result<void> run(const char* what) {
    const int code = step();
    if (code == SQLITE_DONE) return {};
    return failed(code, what);
  }

  ByteSpan blob_at(int column) const {
    const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(s_, column));
    return {data, data == nullptr ? 0 : static_cast<std::size_t>(sqlite3_column_bytes(s_, column))};
  }
  std::string text_at(int column) const {
    const ByteSpan bytes = blob_at(column);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::int64_t integer_at(int column) const { return sqlite3_column_int64(s_, column); }

 private:
  sqlite3_stmt* s_;
  int bound_ = 0;
};

std::int64_t to_signed(std::uint64_t v) {
  return static_cast<std::int64_t>(v);
}

/// The bits of a map as its HAVE_MAP pages, one after the other.
std::vector<std::byte> pack(const content::ChunkMap& map) {
  std::vector<std::byte> out((std::size_t{map.size()} + 7) / 8);
  for (std::uint32_t page = 0; page < map.map_pages(); ++page)
    map.write_map_page(
        page, MutableByteSpan(out).subspan(std::size_t{page} * content::kMapPageBytes, map.map_page_bytes(page)));
  return out;
}

std::optional<content::ChunkMap> unpack(std::int64_t chunks, ByteSpan bits) {
  if (chunks < 0 || chunks > content::kMaxChunkCount || bits.size() != (static_cast<std::size_t>(chunks) + 7) / 8)
    return std::nullopt;
  content::ChunkMap map(static_cast<std::uint32_t>(chunks));
  for (std::uint32_t page = 0; page < map.map_pages(); ++page)
    if (!map.merge_map_page(page, bits.subspan(std::size_t{page} * content::kMapPageBytes, map.map_page_bytes(page))))
      return std::nullopt;
  return map;
}

template <std::size_t N>
bool copy_exactly(ByteSpan from, ByteArray<N>& to) {
  if (from.size() != N) return false;
  std::memcpy(to.data(), from.data(), N);
  return true;
}

/// mkdir -p with mode 0700 for what is made.
int make_directories(const std::string& path) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    if (::mkdir(path.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST && errno != EISDIR) return errno;
  }
  return 0;
}

bool is_damage(int code) {
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

/// Opens and sets up; an SQLite code.
int open_database(const std::string& path, sqlite3** db) {
  int code =
      sqlite3_open_v2(path.c_str(), db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) return code;
  sqlite3_extended_result_codes(*db, 0);
  sqlite3_busy_timeout(*db, kBusyMs);
  const auto run = [&](const char* sql) { return sqlite3_exec(*db, sql, nullptr, nullptr, nullptr); };
  for (const char* sql : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA trusted_schema=OFF", kCreate})
    if ((code = run(sql)) != SQLITE_OK) return code;
  Statement version, check;
  if (!version.prepare(*db, "PRAGMA user_version")) return SQLITE_CORRUPT;
  std::int64_t found = 0;
  {
    Use use(version);
    if (use.step() != SQLITE_ROW) return SQLITE_CORRUPT;
    found = use.integer_at(0);
  }
  if (found != 0 && found != kSchema) return SQLITE_NOTADB;  // of another PeerNet: put aside like damage
  if (found == 0 && (code = run("PRAGMA user_version=1")) != SQLITE_OK) return code;
  if (!check.prepare(*db, "PRAGMA quick_check(1)")) return SQLITE_CORRUPT;
  Use use(check);
  return use.step() == SQLITE_ROW && use.text_at(0) == "ok" ? SQLITE_OK : SQLITE_CORRUPT;
}

/// The same while other nodes of this user open it: switching a new file to WAL answers SQLITE_BUSY at once, timeout or
/// not.
int open_patiently(const std::string& path, sqlite3** db) {
  constexpr int kPauseMs = 10;
  for (int waited = 0;; waited += kPauseMs) {
    const int code = open_database(path, db);
    if ((code != SQLITE_BUSY && code != SQLITE_LOCKED) || waited >= kBusyMs) return code;
    sqlite3_close(*db);
    *db = nullptr;
    sqlite3_sleep(kPauseMs);
  }
}

/// Renames the database and its companions to the first free ".damaged-N".
bool put_aside(const std::string& path) {
  for (int n = 1; n < 1000; ++n) {
    const std::string to = path + ".damaged-" + std::to_string(n);
    struct stat info{};
    if (::lstat(to.c_str(), &info) == 0) continue;
    if (std::rename(path.c_str(), to.c_str()) != 0) return false;
    // A WAL belongs to its database alone; left behind, it would be played into the new one.
    for (const char* suffix : {"-wal", "-shm"})
      if (std::rename((path + suffix).c_str(), (to + suffix).c_str()) != 0 && errno != ENOENT) return false;
    return true;
  }
  return false;
}

}  // namespace

struct StateDb::Statements {
  Statement begin, commit, put_part, find_part, erase_part, put_share, erase_share, shares, put_peer, peers, put_value,
      value;

  bool prepare(sqlite3* db) {
    return begin.prepare(db, "BEGIN IMMEDIATE") && commit.prepare(db, "COMMIT") &&
           put_part.prepare(db, "INSERT OR REPLACE INTO part VALUES(?,?,?,?,?,?)") &&
           find_part.prepare(db, "SELECT size, chunks, bits FROM part WHERE content_id=? AND device=? AND inode=?") &&
           erase_part.prepare(db, "DELETE FROM part WHERE content_id=? AND device=? AND inode=?") &&
           put_share.prepare(db, "INSERT OR REPLACE INTO share VALUES(?,?,?,?)") &&
           erase_share.prepare(db, "DELETE FROM share WHERE content_id=?") &&
           shares.prepare(db, "SELECT content_id, path, swarm_key, core FROM share ORDER BY content_id") &&
           put_peer.prepare(db, "INSERT OR REPLACE INTO peer VALUES(?,?,?)") &&
           peers.prepare(db, "SELECT address, seen FROM peer WHERE content_id=? ORDER BY seen DESC LIMIT ?") &&
           put_value.prepare(db, "INSERT OR REPLACE INTO value VALUES(?,?)") &&
           value.prepare(db, "SELECT value FROM value WHERE key=?");
  }
};

std::string state_directory(const std::string& option, const char* xdg_state_home, const char* home) {
  if (!option.empty()) return option;
  // The XDG specification says that a relative path is to be ignored.
  if (xdg_state_home != nullptr && xdg_state_home[0] == '/') return std::string(xdg_state_home) + "/peernet";
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.local/state/peernet";
  return {};
}

StateDb::~StateDb() {
  statements_.reset();
  sqlite3_close(db_);
}

Result<std::unique_ptr<StateDb>> StateDb::open(const std::string& directory) {
  if (const int fault = make_directories(directory); fault != 0)
    return std::unexpected(from_errno(fault, "make the state directory"));
  // One node at a time sets up or repairs; the lock goes with the descriptor.
  const Fd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid() || ::flock(lock.get(), LOCK_EX) != 0)
    return std::unexpected(from_errno(errno, "lock the state directory"));
  const std::string path = directory + kFileName;
  std::unique_ptr<StateDb> out(new StateDb);
  for (int attempt = 0; attempt < 2; ++attempt) {
    // SQLite gives WAL and shared memory files the mode of the database, so it is made private before SQLite sees it.
    if (FILE* file = std::fopen(path.c_str(), "ae"); file != nullptr) std::fclose(file);
    if (::chmod(path.c_str(), 0600) != 0) return std::unexpected(from_errno(errno, "open the state database"));
    const int code = open_patiently(path, &out->db_);
    out->statements_ = std::make_unique<Statements>();
    if (code == SQLITE_OK && out->statements_->prepare(out->db_)) return out;
    out->statements_.reset();
    sqlite3_close(out->db_);
    out->db_ = nullptr;
    // A table of the right name with the wrong columns is as useless as a damaged page.
    if (code != SQLITE_OK && !is_damage(code)) return failed(code, "open the state database");
    if (attempt != 0 || !put_aside(path)) break;
    out->damaged_ = true;
    log(LogLevel::kWarning, "the state database was damaged; it was renamed aside and a new one begun");
  }
  return failed(SQLITE_CORRUPT, "open the state database");
}

Result<void> StateDb::begin() {
  return Use(statements_->begin).run("begin a state commit");
}

Result<void> StateDb::commit() {
  Result<void> out = Use(statements_->commit).run("commit the state");
  // A commit that failed leaves its transaction open; without this the next begin would fail too.
  if (!out && sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  return out;
}

Result<void> StateDb::put_part(const PartRecord& record) {
  const std::vector<std::byte> bits = pack(record.chunks);
  return Use(statements_->put_part)
      .blob(record.content_id)
      .integer(to_signed(record.device))
      .integer(to_signed(record.inode))
      .integer(to_signed(record.size))
      .integer(record.chunks.size())
      .blob(bits)
      .run("record received chunks");
}

Result<std::optional<PartRecord>> StateDb::find_part(const ContentId& id, std::uint64_t device, std::uint64_t inode) {
  Use use(statements_->find_part);
  const int code = use.blob(id).integer(to_signed(device)).integer(to_signed(inode)).step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return failed(code, "look up received chunks");
  std::optional<content::ChunkMap> chunks = unpack(use.integer_at(1), use.blob_at(2));
  if (!chunks) return std::nullopt;  // a row that was tampered with is no record
  return PartRecord{.content_id = id,
                    .device = device,
                    .inode = inode,
                    .size = static_cast<std::uint64_t>(use.integer_at(0)),
                    .chunks = std::move(*chunks)};
}

Result<void> StateDb::erase_part(const ContentId& id, std::uint64_t device, std::uint64_t inode) {
  return Use(statements_->erase_part)
      .blob(id)
      .integer(to_signed(device))
      .integer(to_signed(inode))
      .run("erase a record");
}

Result<void> StateDb::put_share(const ShareRecord& record) {
  Use use(statements_->put_share);
  use.blob(record.content_id).text(record.path);
  if (record.swarm_key)
    use.blob(*record.swarm_key);
  else
    use.null();
  return use.blob(record.core).run("record a share");
}

Result<void> StateDb::erase_share(const ContentId& id) {
  return Use(statements_->erase_share).blob(id).run("erase a share");
}

Result<std::vector<ShareRecord>> StateDb::shares() {
  std::vector<ShareRecord> out;
  Use use(statements_->shares);
  int code = SQLITE_ROW;
  while ((code = use.step()) == SQLITE_ROW) {
    ShareRecord record;
    SwarmKey key{};
    const ByteSpan key_bytes = use.blob_at(2);
    if (!copy_exactly(use.blob_at(0), record.content_id)) continue;
    if (!key_bytes.empty() && !copy_exactly(key_bytes, key)) continue;
    if (!key_bytes.empty()) record.swarm_key = key;
    record.path = use.text_at(1);
    const ByteSpan core = use.blob_at(3);
    record.core.assign(core.begin(), core.end());
    out.push_back(std::move(record));
  }
  if (code != SQLITE_DONE) return failed(code, "list the shares");
  return out;
}

Result<void> StateDb::put_peer(const PeerRecord& record) {
  return Use(statements_->put_peer)
      .blob(record.content_id)
      .text(record.address)
      .integer(record.seen_s)
      .run("record a peer");
}

Result<std::vector<PeerRecord>> StateDb::peers(const ContentId& id, std::uint32_t limit) {
  std::vector<PeerRecord> out;
  Use use(statements_->peers);
  use.blob(id).integer(limit);
  int code = SQLITE_ROW;
  while ((code = use.step()) == SQLITE_ROW)
    out.push_back({.content_id = id, .address = use.text_at(0), .seen_s = use.integer_at(1)});
  if (code != SQLITE_DONE) return failed(code, "list known peers");
  return out;
}

Result<void> StateDb::put_value(const std::string& key, ByteSpan value) {
  return Use(statements_->put_value).text(key).blob(value).run("record a setting");
}

Result<std::optional<std::vector<std::byte>>> StateDb::value(const std::string& key) {
  Use use(statements_->value);
  const int code = use.text(key).step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return failed(code, "look up a setting");
  const ByteSpan bytes = use.blob_at(0);
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

}  // namespace peernet::storage
