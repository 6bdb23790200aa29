// Upper limits for the speed of an LMDB writer: bare mdb_put of the values, write(2) of as many
// bytes to a file, and a copy of them in memory. The disk starts writing after each transaction or
// block.
//   limits put|write|copy FOLDER < sizes      prints seconds
#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kTransaction = std::size_t{1} << 22;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void check(int code) {
  if (code == MDB_SUCCESS) return;
  std::fprintf(stderr, "limits: %s\n", mdb_strerror(code));
  std::exit(1);
}

void start_writing(int file) {
#ifdef __linux__
  sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
  (void)file;
#endif
}

void start_writing(MDB_env* env) {
  int file = -1;
  check(mdb_env_get_fd(env, &file));
  start_writing(file);
}

// Puts one record per size, in shuffled order of the keys, all from one buffer, and syncs.
double put(const std::string& folder, const std::vector<std::size_t>& sizes, std::size_t total,
           std::vector<char> source) {
  std::vector<unsigned> order(sizes.size());
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(0));
  const double start = now();
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi dbi = 0;
  check(mdb_env_create(&env));
  check(mdb_env_set_mapsize(env, 2 * total + (std::size_t{1} << 28)));
  check(mdb_env_open(env, folder.c_str(), MDB_NOSYNC, 0644));
  check(mdb_txn_begin(env, nullptr, 0, &txn));
  check(mdb_dbi_open(txn, nullptr, 0, &dbi));
  std::size_t pending = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    char key[32];
    const int length = std::snprintf(key, sizeof key, "%08u_a_patch", order[i]);
    MDB_val k{static_cast<std::size_t>(length), key};
    MDB_val v{sizes[i], source.data()};
    check(mdb_put(txn, dbi, &k, &v, 0));
    pending += sizes[i];
    if (pending > kTransaction) {
      check(mdb_txn_commit(txn));
      start_writing(env);
      check(mdb_txn_begin(env, nullptr, 0, &txn));
      pending = 0;
    }
  }
  check(mdb_txn_commit(txn));
  check(mdb_env_sync(env, 1));
  mdb_env_close(env);
  return now() - start;
}

// Writes `total` bytes in blocks as large as a transaction, and syncs.
double write_file(const std::string& folder, std::size_t total) {
  const std::vector<char> block(kTransaction, 1);
  const std::string path = folder + "/bytes";
  const double start = now();
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  bool good = file >= 0;
  for (std::size_t left = total; good && left > 0;) {
    const ssize_t written = write(file, block.data(), std::min(left, block.size()));
    good = written > 0;
    if (!good) break;
    left -= static_cast<std::size_t>(written);
    start_writing(file);
  }
  good = good && fdatasync(file) == 0 && close(file) == 0;
  const double seconds = now() - start;
  if (!good || unlink(path.c_str()) != 0) {
    std::perror(path.c_str());
    std::exit(1);
  }
  return seconds;
}

// Copies value by value, between buffers far larger than the caches.
double copy(const std::vector<std::size_t>& sizes, std::size_t total) {
  const std::vector<char> source(total, 1);
  std::vector<char> target(total);
  const double start = now();
  std::size_t at = 0;
  for (const std::size_t size : sizes) {
    std::memcpy(target.data() + at, source.data() + at, size);
    at += size;
  }
  asm volatile("" ::"r"(target.data()) : "memory");  // keeps the copy from being optimised away
  return now() - start;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string limit = argv[1];
  std::vector<std::size_t> sizes;
  std::size_t total = 0;
  std::size_t largest = 0;
  for (std::size_t size = 0; std::cin >> size;) {
    sizes.push_back(size);
    total += size;
    largest = std::max(largest, size);
  }
  const std::vector<char> source(largest, 1);
  double seconds = 0;
  if (limit == "put") {
    seconds = put(argv[2], sizes, total, source);
  } else if (limit == "write") {
    seconds = write_file(argv[2], total);
  } else if (limit == "copy") {
    seconds = copy(sizes, total);
  } else {
    return 2;
  }
  std::printf("%.6f\n", seconds);
  return 0;
}
