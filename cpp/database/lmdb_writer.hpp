// Writes key-value records into an LMDB environment, in transactions, growing the map as needed.
#pragma once

#include <lmdb.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

namespace i2cnn {

// LMDB binds a transaction to its thread: reserve(), finish() and abort() must be called from one
// thread.
class LmdbWriter {
 public:
  // `folder` must exist. All errors are std::runtime_error with the folder in the message.
  explicit LmdbWriter(std::string folder);
  ~LmdbWriter();
  LmdbWriter(const LmdbWriter&) = delete;
  LmdbWriter& operator=(const LmdbWriter&) = delete;

  // Reserves space for a record and returns where to write its value; valid until the next call.
  char* reserve(const std::string& key, std::size_t bytes);

  // Commits, syncs to the disk and closes the file.
  void finish();

  // Drops what is not committed.
  void abort();

  // Closes the file without finishing.
  void close();

 private:
  void begin();
  void commit();
  void reserve_space(std::size_t bytes);
  void check(int code, const char* what) const;

  std::string folder_;
  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
  MDB_dbi dbi_ = 0;
  std::size_t map_size_ = 0;
  std::size_t used_ = 0;                      // upper bound of the bytes in the map
  std::deque<std::unique_ptr<char[]>> pins_;  // see commit()
  std::size_t largest_ = 0;                   // size of the largest record, in whole pages
  std::size_t pending_ = 0;                   // bytes in the open transaction
};

}  // namespace i2cnn
