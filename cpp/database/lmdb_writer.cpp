#include "database/lmdb_writer.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace i2cnn {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kInitialMapSize = std::size_t{1} << 28;
// Dirty pages stay in memory until the commit; with this limit they are still in the processor's
// cache by then.
constexpr std::size_t kTransactionBytes = std::size_t{1} << 22;

constexpr std::size_t kPinnedBlocks = 8;

}  // namespace

LmdbWriter::LmdbWriter(std::string folder)
    : folder_(std::move(folder)), map_size_(kInitialMapSize) {
  check(mdb_env_create(&env_), "create");
  try {
    check(mdb_env_set_mapsize(env_, map_size_), "set the map size of");
    // Synced once, in finish(). Until then the folder has a temporary name, so nobody reads it.
    // Never MDB_WRITEMAP: with it a full disk raises SIGBUS instead of an error code.
    // No lock file, which is mapped, with the same end: the caller has the folder locked.
    check(mdb_env_open(env_, folder_.c_str(), MDB_NOSYNC | MDB_NOLOCK, 0664), "open");
    begin();
    check(mdb_dbi_open(txn_, nullptr, 0, &dbi_), "open");
    commit();
  } catch (...) {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
    mdb_env_close(env_);
    throw;
  }
}

LmdbWriter::~LmdbWriter() { close(); }

void LmdbWriter::abort() {
  if (txn_ != nullptr) mdb_txn_abort(std::exchange(txn_, nullptr));
}

void LmdbWriter::close() {
  abort();
  if (env_ != nullptr) mdb_env_close(std::exchange(env_, nullptr));
}

void LmdbWriter::check(int code, const char* what) const {
  if (code == MDB_SUCCESS) return;
  std::string reason = mdb_strerror(code);
  // LMDB reports a short write as an I/O error; the usual cause is a full disk.
  struct statvfs disk;
  if (code == EIO && statvfs(folder_.c_str(), &disk) == 0) {
    const bool full = disk.f_bavail * disk.f_frsize < kTransactionBytes;
    reason = full ? std::strerror(ENOSPC) : reason + " (a quota or a limit of the file size?)";
  }
  throw std::runtime_error(folder_ + ": cannot " + what + " the LMDB: " + reason);
}

void LmdbWriter::begin() { check(mdb_txn_begin(env_, nullptr, 0, &txn_), "write to"); }

void LmdbWriter::commit() {
  // LMDB now frees all its dirty pages. Blocks allocated among them keep glibc from returning the
  // memory to the system, only to fault it in again, page by page, in the next transaction.
  pins_.push_back(std::unique_ptr<char[]>(new char[largest_]));
  if (pins_.size() > kPinnedBlocks) pins_.pop_front();
  MDB_txn* txn = std::exchange(txn_, nullptr);
  pending_ = 0;
  check(mdb_txn_commit(txn), "write to");
#ifdef __linux__
  // The disk starts writing while more patches are sampled; finish() then waits less.
  int file = -1;
  check(mdb_env_get_fd(env_, &file), "write to");
  sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
}

void LmdbWriter::reserve_space(std::size_t bytes) {
  // A full map invalidates the current transaction, so the map grows before it is full. Values take
  // whole pages, the tree of keys takes a small share, and each commit rewrites a few pages.
  const std::size_t needed = (bytes / kPage + 4) * kPage;
  const bool grow = used_ + needed + (used_ + needed) / 4 > map_size_;
  if (txn_ != nullptr && (grow || pending_ > kTransactionBytes)) commit();
  if (grow) {
    map_size_ = 2 * map_size_ + 2 * needed;
    check(mdb_env_set_mapsize(env_, map_size_), "grow");
  }
  if (txn_ == nullptr) begin();
  largest_ = std::max(largest_, needed);
  used_ += needed;
  pending_ += needed;
}

char* LmdbWriter::reserve(const std::string& key, std::size_t bytes) {
  reserve_space(bytes);
  MDB_val k{key.size(), const_cast<char*>(key.data())};
  MDB_val v{bytes, nullptr};
  const int code = mdb_put(txn_, dbi_, &k, &v, MDB_RESERVE | MDB_NOOVERWRITE);
  if (code == MDB_KEYEXIST) {
    throw std::runtime_error(folder_ + ": the key " + key + " is given twice");
  }
  check(code, "write to");
  return static_cast<char*>(v.mv_data);
}

void LmdbWriter::finish() {
  if (txn_ != nullptr) commit();
  check(mdb_env_sync(env_, 1), "sync");
  mdb_env_close(std::exchange(env_, nullptr));
}

}  // namespace i2cnn
