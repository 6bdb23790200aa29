// Writes the patches of faces into an LMDB: several threads sample and encode, one writes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "database/lmdb_writer.hpp"
#include "database/mean.hpp"
#include "encoding/encoders.hpp"
#include "sampling/sample.hpp"

namespace i2cnn {

class PatchWriter {
 public:
  // `folder` must exist. `quality` is that of JPEG, 1 to 100.
  PatchWriter(const std::string& folder, PatchScheme scheme, Encoding encoding, int quality,
              int threads);
  ~PatchWriter();
  PatchWriter(const PatchWriter&) = delete;
  PatchWriter& operator=(const PatchWriter&) = delete;

  // Queues the chosen patches of a face, each with its key, jittered if there is one jitter per box
  // of the scheme. What they read of the image is copied.
  // Waits while too many faces are queued, which bounds the memory. Throws std::invalid_argument on
  // bad input and rethrows the first error of a thread.
  void add(const ImageView& view, const Points& points, std::vector<std::int64_t> patches,
           std::vector<std::string> keys, std::int32_t label, std::vector<Jitter> jitters = {});

  // Waits for all faces, syncs, and returns the mean of the patches before they were encoded,
  // planar (channels x size x size); empty if nothing was written.
  std::vector<float> finish();

  // Ends the threads and closes the file. Without finish(), its contents are unusable.
  void close();

  int size() const { return scheme_.size; }

 private:
  // A face that waits for a sampling thread.
  struct FaceTask {
    std::unique_ptr<const Window> window;
    std::vector<Sampling> samplings;  // of all boxes
    std::vector<Jitter> jitters;      // likewise; none for exact patches
    std::vector<std::int64_t> patches;
    std::vector<std::string> keys;
    std::int32_t label;
  };
  // A face's encoded images, one after the other.
  struct Result {
    Bytes images;
    std::vector<std::size_t> ends;  // of each image, in bytes
    std::vector<std::string> keys;
    std::int32_t label = 0;
  };
  struct Worker;

  void work(Worker& worker);
  void write();
  void write_faces();
  void process(const FaceTask& task, Worker& worker, Result& result) const;
  void put(const Result& result);
  Result take_result();
  void fail(std::exception_ptr error);
  void stop();

  const PatchScheme scheme_;
  const Encoding encoding_;
  int channels_ = 0;  // planes of the source images; all faces must agree

  LmdbWriter writer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<std::uint64_t, FaceTask>> waiting_;
  std::map<std::uint64_t, Result> done_;
  std::vector<Result> spare_;  // results whose memory is reused
  std::uint64_t added_ = 0;
  std::uint64_t written_ = 0;
  bool closing_ = false;
  bool finished_ = false;
  std::exception_ptr error_;
  std::size_t max_queued_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::thread writer_thread_;
};

}  // namespace i2cnn
