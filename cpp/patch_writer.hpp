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
#include <vector>

#include "lmdb_writer.hpp"
#include "warp.hpp"

namespace i2cnn {

enum class Encoding { kRaw, kPng, kJpeg };

// One face to be cut up. `patches` are indices (box * 2 + mirrored); keys go with them.
struct FaceJob {
  std::shared_ptr<const Source> source;
  Points points;
  Similarity face;
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

  // Queues a face; waits while too many are under way. Rethrows an error of a thread.
  void add(FaceJob job);

  // Waits for all faces, syncs, and returns the mean of the stored patches, planar
  // (channels x size x size); empty if nothing was written.
  std::vector<float> finish();

  int channels() const { return channels_; }
  double mouth() const { return mouth_; }
  std::size_t boxes() const { return boxes_.size(); }

 private:
  struct Result {
    std::vector<std::string> values;  // serialised Datums
    std::vector<std::string> keys;
    std::vector<std::uint32_t> sums;  // of the patches' pixels
  };

  void work();
  void write();
  Result process(const FaceJob& job) const;
  std::string serialise(const std::uint8_t* planes, int channels, std::int32_t label) const;
  void fail(std::exception_ptr error);
  void stop();

  const std::vector<Box> boxes_;
  const double mouth_;
  const int size_;
  const Encoding encoding_;
  const int quality_;
  int channels_ = 0;  // planes of the source images; all faces must agree

  LmdbWriter writer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<std::uint64_t, FaceJob>> waiting_;
  std::map<std::uint64_t, Result> done_;
  std::uint64_t added_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t records_ = 0;
  std::vector<std::uint64_t> totals_;
  bool closing_ = false;
  bool finished_ = false;
  std::exception_ptr error_;
  std::size_t limit_;
  std::vector<std::thread> workers_;
  std::thread writer_thread_;
};

}  // namespace i2cnn
