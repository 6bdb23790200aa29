#include "patch_writer.hpp"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "datum.hpp"
#include "encode.hpp"

namespace i2cnn {

namespace {

// A raw Datum has the three planes that the network reads; a gray one repeats its plane.
constexpr int kRawChannels = 3;

}  // namespace

PatchWriter::PatchWriter(const std::string& folder, std::vector<Box> boxes, double mouth, int size,
                         Encoding encoding, int quality, int threads)
    : boxes_(std::move(boxes)),
      mouth_(mouth),
      size_(size),
      encoding_(encoding),
      quality_(quality),
      writer_(folder),
      limit_(2 * static_cast<std::size_t>(threads)) {
  for (int i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
  writer_thread_ = std::thread([this] { write(); });
}

PatchWriter::~PatchWriter() { stop(); }

void PatchWriter::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    if (!finished_ && !error_) {
      error_ = std::make_exception_ptr(std::runtime_error("the writer was closed early"));
    }
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  if (writer_thread_.joinable()) writer_thread_.join();
}

void PatchWriter::fail(std::exception_ptr error) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  changed_.notify_all();
}

void PatchWriter::add(FaceJob job) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (finished_) throw std::logic_error("the writer is finished");
  if (channels_ == 0) channels_ = job.source->channels();
  if (job.source->channels() != channels_) {
    throw std::invalid_argument("gray and colour images are mixed in one database");
  }
  changed_.wait(lock, [this] { return error_ || added_ - written_ < limit_; });
  if (error_) std::rethrow_exception(error_);
  waiting_.emplace_back(added_++, std::move(job));
  lock.unlock();
  changed_.notify_all();
}

void PatchWriter::work() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return error_ || closing_ || !waiting_.empty(); });
    if (error_ || (closing_ && waiting_.empty())) return;
    auto [number, job] = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try {
      Result result = process(job);
      lock.lock();
      done_.emplace(number, std::move(result));
      lock.unlock();
      changed_.notify_all();
    } catch (...) {
      fail(std::current_exception());
      return;
    }
  }
}

// Writes faces in the order they were added, whichever thread was quicker, so that the file is
// the same for any number of threads.
void PatchWriter::write() {
  try {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] {
        return error_ || done_.count(written_) != 0 || (closing_ && written_ == added_);
      });
      if (error_) return;
      if (done_.count(written_) == 0) {
        lock.unlock();
        writer_.finish();
        return;
      }
      const Result result = std::move(done_.at(written_));
      done_.erase(written_);
      lock.unlock();
      for (std::size_t i = 0; i < result.values.size(); ++i) {
        const std::string& value = result.values[i];
        std::memcpy(writer_.reserve(result.keys[i], value.size()), value.data(), value.size());
      }
      totals_.resize(result.sums.size());
      for (std::size_t i = 0; i < totals_.size(); ++i) totals_[i] += result.sums[i];
      records_ += result.values.size();
      lock.lock();
      ++written_;
      lock.unlock();
      changed_.notify_all();
    }
  } catch (...) {
    fail(std::current_exception());
  }
}

PatchWriter::Result PatchWriter::process(const FaceJob& job) const {
  const int channels = job.source->channels();
  const std::size_t area = static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_);
  const std::size_t bytes = area * static_cast<std::size_t>(channels);
  Result result;
  result.keys = job.keys;
  result.sums.assign(bytes, 0);
  std::vector<std::uint8_t> patch(bytes);
  std::vector<std::uint8_t> mirrored(bytes);
  int sampled = -1;  // both copies of a mirror pair come from one sampling
  for (const int index : job.patches) {
    const int box = index / 2;
    if (box != sampled) {
      const Sampling sampling =
          make_sampling(job.face, job.points, boxes_[static_cast<std::size_t>(box)], size_);
      for (int c = 0; c < channels; ++c) {
        sample_plane(*job.source, c, sampling, size_,
                     patch.data() + static_cast<std::size_t>(c) * area);
      }
      sampled = box;
    }
    const std::uint8_t* planes = patch.data();
    if (index % 2 == 1) {
      for (int c = 0; c < channels; ++c) {
        const std::size_t offset = static_cast<std::size_t>(c) * area;
        mirror_plane(patch.data() + offset, size_, mirrored.data() + offset);
      }
      planes = mirrored.data();
    }
    for (std::size_t i = 0; i < bytes; ++i) result.sums[i] += planes[i];
    result.values.push_back(serialise(planes, channels, job.label));
  }
  return result;
}

std::string PatchWriter::serialise(const std::uint8_t* planes, int channels,
                                   std::int32_t label) const {
  const std::size_t area = static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_);
  if (encoding_ == Encoding::kRaw) {
    std::string out = raw_datum_header(kRawChannels, size_, size_, kRawChannels * area);
    for (int c = 0; c < kRawChannels; ++c) {
      const std::size_t plane = channels == 1 ? 0 : static_cast<std::size_t>(c);
      out.append(reinterpret_cast<const char*>(planes + plane * area), area);
    }
    return out + datum_trailer(label, false);
  }
  const std::string file = encoding_ == Encoding::kPng
                               ? encode_png(planes, channels, size_)
                               : encode_jpeg(planes, channels, size_, quality_);
  return encoded_datum_header(file.size()) + file + datum_trailer(label, true);
}

std::vector<float> PatchWriter::finish() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (finished_) throw std::logic_error("the writer is finished");
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  writer_thread_.join();
  if (error_) std::rethrow_exception(error_);
  finished_ = true;
  std::vector<float> mean;
  for (const std::uint64_t total : totals_) {
    mean.push_back(static_cast<float>(static_cast<double>(total) / static_cast<double>(records_)));
  }
  return mean;
}

}  // namespace i2cnn
