// A loop over blocks of a range, shared by several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace i2cnn {

// Calls work(begin, end) for blocks that together cover 0 .. size. A thread takes the next block
// when it has finished one, so a thread that shares its processor with other programs does less.
// The first exception of any thread is thrown here, once all have ended.
template <typename Work>
void parallel_for(std::size_t size, std::size_t block, int threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr error;
  std::once_flag failed;
  const auto loop = [&] {
    try {
      for (std::size_t begin; (begin = next.fetch_add(block)) < size;) {
        work(begin, std::min(begin + block, size));
      }
    } catch (...) {
      next = size;
      std::call_once(failed, [&error] { error = std::current_exception(); });
    }
  };
  const std::size_t useful =
      std::min((size + block - 1) / block, std::size_t(std::max(threads, 1)));
  std::vector<std::thread> others;
  others.reserve(useful);
  try {
    for (std::size_t i = 1; i < useful; ++i) others.emplace_back(loop);
  } catch (const std::system_error&) {
    // No more threads are available: those that run do all the work.
  }
  loop();
  for (std::thread& other : others) other.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace i2cnn
