// Writes key-value records into an LMDB environment, in transactions, growing the map as needed.
#pragma once

#include <lmdb.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

namespace i2cnn {

// LMDB ties a transaction to its thread: reserve() and finish() must be called from one thread.
class LmdbWriter {
 public:
  // `folder` must exist. Throws std::system_error-like std::runtime_error naming the folder.
  explicit LmdbWriter(std::string folder);
  ~LmdbWriter();
  LmdbWriter(const LmdbWriter&) = delete;
  LmdbWriter& operator=(const LmdbWriter&) = delete;

  // Reserves space for a record and returns where its value goes; valid until the next call.
  char* reserve(const std::string& key, std::size_t bytes);

  // Commits and syncs to the disk; nothing can be written afterwards.
  void finish();

  // Drops what is not committed. Call it from the thread that wrote.
  void abort();

  // Closes the file without finishing.
  void close();

 private:
  void begin();
  void commit();
  void make_room(std::size_t bytes);
  void check(int code, const char* what) const;

  std::string folder_;
  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
  MDB_dbi dbi_ = 0;
  std::size_t map_size_ = 0;
  std::size_t used_ = 0;  // upper bound of the bytes that the map holds so far
  std::deque<std::unique_ptr<char[]>> pins_;
  std::size_t largest_ = 0;  // record so far, in whole pages
  std::size_t pending_ = 0;  // bytes in the open transaction
};

}  // namespace i2cnn
