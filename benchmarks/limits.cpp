// What no writer of an LMDB can pass: copying the values in memory, and bare mdb_put of them.
//   limits FOLDER < sizes      prints the seconds of each
#include <lmdb.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
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

// Puts that many records in shuffled order of their keys, all from one buffer, and syncs.
double put(const char* folder, const std::vector<std::size_t>& sizes, std::size_t total,
           char* source) {
  std::vector<unsigned> order(sizes.size());
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(0));
  const double start = now();
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi dbi = 0;
  check(mdb_env_create(&env));
  check(mdb_env_set_mapsize(env, 2 * total + (std::size_t{1} << 28)));
  check(mdb_env_open(env, folder, MDB_NOSYNC, 0644));
  check(mdb_txn_begin(env, nullptr, 0, &txn));
  check(mdb_dbi_open(txn, nullptr, 0, &dbi));
  std::size_t pending = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    char key[32];
    const int length = std::snprintf(key, sizeof key, "%08u_a_patch", order[i]);
    MDB_val k{static_cast<std::size_t>(length), key};
    MDB_val v{sizes[i], source};
    check(mdb_put(txn, dbi, &k, &v, 0));
    pending += sizes[i];
    if (pending > kTransaction) {
      check(mdb_txn_commit(txn));
      check(mdb_txn_begin(env, nullptr, 0, &txn));
      pending = 0;
    }
  }
  check(mdb_txn_commit(txn));
  check(mdb_env_sync(env, 1));
  mdb_env_close(env);
  return now() - start;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::vector<std::size_t> sizes;
  std::size_t total = 0;
  std::size_t largest = 0;
  for (std::size_t size = 0; std::cin >> size;) {
    sizes.push_back(size);
    total += size;
    largest = std::max(largest, size);
  }
  std::vector<char> source(largest, 1);
  std::vector<char> target(total);  // touched, but far larger than the caches
  const double start = now();
  char* out = target.data();
  for (const std::size_t size : sizes) {
    std::memcpy(out, source.data(), size);
    out += size;
  }
  const double copied = now() - start;
  std::printf("%.6f %.6f\n", put(argv[1], sizes, total, source.data()),
              copied + 0 * target[total / 2]);
  return 0;
}
