// Rows of the state database that somebody else wrote: columns of any type and size under the keys that are asked for.
// Reading never crashes, gives maps within their limits, and what it gives can be written and is then there.
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "fuzz/fuzz.hpp"
#include "storage/state_db.hpp"

using namespace peernet;
using namespace peernet::storage;

namespace {

constexpr std::uint64_t kDevice = 1;
constexpr std::uint64_t kInode = 2;
constexpr std::size_t kMostBytes = 4096;

/// One database for the whole run, in a folder of its own: the node's connection and one that knows no rules.
class Databases {
 public:
  Databases() {
    PN_CHECK(::mkdtemp(folder_.data()) != nullptr);
    node = std::move(StateDb::open(folder_).value());
    PN_CHECK(sqlite3_open((folder_ + "/state.db").c_str(), &raw_) == SQLITE_OK);
    run("PRAGMA synchronous=OFF");
  }
  ~Databases() {
    node.reset();
    sqlite3_close(raw_);
    std::filesystem::remove_all(folder_);
  }
  Databases(const Databases&) = delete;
  Databases& operator=(const Databases&) = delete;

  void run(const char* sql) { PN_CHECK(sqlite3_exec(raw_, sql, nullptr, nullptr, nullptr) == SQLITE_OK); }
  sqlite3* raw() { return raw_; }

  std::unique_ptr<StateDb> node;

 private:
  std::string folder_ =
      std::filesystem::exists("/dev/shm") ? "/dev/shm/peernet-fuzz-XXXXXX" : "/tmp/peernet-fuzz-XXXXXX";
  sqlite3* raw_ = nullptr;
};

void bind_any(sqlite3_stmt* statement, int column, fuzz::Input& input) {
  const std::uint8_t kind = input.u8();
  switch (kind % 6) {
    case 0:
      sqlite3_bind_null(statement, column);
      return;
    case 1:
      sqlite3_bind_int64(statement, column, static_cast<std::int64_t>(input.u64()));
      return;
    case 2:
      sqlite3_bind_int64(statement, column, input.u8());
      return;
    case 3:
      sqlite3_bind_double(statement, column, static_cast<double>(input.u32()) * 1e9 - 1e9);
      return;
    default: {
      const ByteSpan bytes = input.up_to((kind & 64) != 0 ? input.u16() % kMostBytes : input.u8() % 48U);
      static constexpr std::byte kNothing{};
      const void* data = bytes.empty() ? &kNothing : bytes.data();
      if (kind % 6 == 4)
        sqlite3_bind_blob64(statement, column, data, bytes.size(), SQLITE_TRANSIENT);
      else
        sqlite3_bind_text64(statement, column, static_cast<const char*>(data), bytes.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8);
    }
  }
}

/// `sql` has columns ?1.. of any kind; a row that the schema refuses is no row.
void insert(Databases& databases, const char* sql, int columns, fuzz::Input& input) {
  sqlite3_stmt* statement = nullptr;
  PN_CHECK(sqlite3_prepare_v2(databases.raw(), sql, -1, &statement, nullptr) == SQLITE_OK);
  for (int column = 1; column <= columns; ++column) bind_any(statement, column, input);
  sqlite3_step(statement);
  sqlite3_finalize(statement);
}

void read_part(StateDb& db) {
  const Result<std::optional<PartRecord>> found = db.find_part(ContentId{}, kDevice, kInode);
  PN_CHECK(found.has_value());
  if (!*found) return;
  PN_CHECK((*found)->chunks.size() <= content::kMaxChunkCount);
  PN_CHECK(db.put_part(**found).has_value());
  const Result<std::optional<PartRecord>> again = db.find_part(ContentId{}, kDevice, kInode);
  PN_CHECK(again.has_value() && again->has_value());
  PN_CHECK((*again)->chunks == (*found)->chunks && (*again)->size == (*found)->size);
}

void read_shares(StateDb& db) {
  const Result<std::vector<ShareRecord>> shares = db.shares();
  PN_CHECK(shares.has_value());
  if (shares->empty()) return;
  // One of them: a content id that is text and one that is a blob of the same bytes are two rows to SQLite.
  PN_CHECK(db.put_share(shares->back()).has_value());
  const std::vector<ShareRecord> again = db.shares().value();
  PN_CHECK(std::ranges::find(again, shares->back()) != again.end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Databases databases;
  fuzz::Input input(data, size);
  databases.run("BEGIN; DELETE FROM part; DELETE FROM share; DELETE FROM peer; DELETE FROM value;");
  insert(databases, "INSERT OR REPLACE INTO part VALUES(zeroblob(32), 1, 2, ?1, ?2, ?3)", 3, input);
  insert(databases, "INSERT OR REPLACE INTO value VALUES('x', ?1)", 1, input);
  for (int row = 0; row != 3 && !input.ended(); ++row) {
    insert(databases, "INSERT OR REPLACE INTO peer VALUES(zeroblob(32), ?1, ?2)", 2, input);
    insert(databases, "INSERT OR REPLACE INTO share VALUES(?1, ?2, ?3, ?4)", 4, input);
  }
  databases.run("COMMIT");
  read_part(*databases.node);
  read_shares(*databases.node);
  const Result<std::vector<PeerRecord>> peers = databases.node->peers(ContentId{}, 2);
  PN_CHECK(peers.has_value() && peers->size() <= 2);
  PN_CHECK(databases.node->value("x").has_value());
  return 0;
}
