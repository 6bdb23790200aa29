// Faces in, patches in an LMDB out: sampling and encoding on several threads, writing on one.
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
#include "encoding/encode.hpp"
#include "sampling/sample.hpp"

namespace i2cnn {

enum class Encoding { kRaw, kPng, kJpeg };

// One face to be cut up. `patches` are indices (box * 2 + mirrored); keys go with them.
struct FaceJob {
  std::unique_ptr<const Window> window;
  std::vector<Sampling> samplings;  // of all boxes
  std::vector<int> patches;
  std::vector<std::string> keys;
  std::int32_t label;
};

class PatchWriter {
 public:
  PatchWriter(const std::string& folder, std::vector<Box> boxes, double mouth, int size,
              Encoding encoding, int quality, int threads);
  ~PatchWriter();
  PatchWriter(const PatchWriter&) = delete;
  PatchWriter& operator=(const PatchWriter&) = delete;

  // Queues a face; waits while too many are under way, which bounds the memory. Rethrows an error
  // of a thread.
  void add(FaceJob job);

  // Waits for all faces, syncs, and returns the mean of the patches before they were encoded,
  // planar (channels x size x size); empty if nothing was written.
  std::vector<float> finish();

  // Ends the threads and closes the file; without finish(), what was written is of no use.
  void close();

  double mouth() const { return mouth_; }
  int size() const { return size_; }
  const std::vector<Box>& boxes() const { return boxes_; }

 private:
  // A face's images, one after the other: planes for raw, files for the others.
  struct Result {
    Bytes images;
    std::vector<std::size_t> ends;
    std::vector<std::string> keys;
    std::int32_t label = 0;
  };
  // Which of a patch and its mirror image are wanted.
  struct Copies {
    bool plain, mirrored;
  };
  struct Worker;

  void work(Worker& worker);
  void write();
  void write_faces();
  void process(const FaceJob& job, Worker& worker, Result& result) const;
  void encode(int channels, Copies copies, Worker& worker, Result& result) const;
  void append(int channels, bool mirrored, Worker& worker, Bytes& out) const;
  void put(const Result& result);
  Result take_result();
  void fail(std::exception_ptr error);
  void stop();

  const std::vector<Box> boxes_;
  const double mouth_;
  const int size_;
  const Encoding encoding_;
  int channels_ = 0;  // planes of the source images; all faces must agree

  LmdbWriter writer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<std::uint64_t, FaceJob>> waiting_;
  std::map<std::uint64_t, Result> done_;
  std::vector<Result> spare_;  // results whose memory is used again
  std::uint64_t added_ = 0;
  std::uint64_t written_ = 0;
  bool closing_ = false;
  bool finished_ = false;
  std::exception_ptr error_;
  std::size_t limit_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::thread writer_thread_;
};

}  // namespace i2cnn
