#include "database/patch_writer.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "encoding/datum.hpp"

namespace i2cnn {

namespace {

// A raw Datum has the three planes that the network reads; a gray one repeats its plane.
constexpr std::size_t kRawChannels = 3;

char* append_bytes(char* out, const void* data, std::size_t bytes) {
  std::memcpy(out, data, bytes);
  return out + bytes;
}

}  // namespace

// What a thread keeps between faces.
struct PatchWriter::Worker {
  explicit Worker(int quality) : jpeg(quality) {}
  PngEncoder png;
  JpegEncoder jpeg;
  MeanSum mean;
  Bytes patch;
  Bytes mirrored;
  Bytes pixels;
};

PatchWriter::PatchWriter(const std::string& folder, std::vector<Box> boxes, double mouth, int size,
                         Encoding encoding, int quality, int threads)
    : boxes_(std::move(boxes)),
      mouth_(mouth),
      size_(size),
      encoding_(encoding),
      writer_(folder),
      limit_(2 * static_cast<std::size_t>(threads)) {
  for (int i = 0; i < threads; ++i) workers_.push_back(std::make_unique<Worker>(quality));
  try {
    for (const auto& worker : workers_) {
      threads_.emplace_back([this, w = worker.get()] { work(*w); });
    }
    writer_thread_ = std::thread([this] { write(); });
  } catch (...) {
    stop();
    throw;
  }
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
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (writer_thread_.joinable()) writer_thread_.join();
}

void PatchWriter::close() {
  stop();
  writer_.close();
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
  if (closing_) throw std::logic_error("the writer is finished");
  if (channels_ == 0) channels_ = job.window->channels();
  if (job.window->channels() != channels_) {
    throw std::invalid_argument("gray and colour images are mixed in one database");
  }
  changed_.wait(lock, [this] { return error_ || added_ - written_ < limit_; });
  if (error_) std::rethrow_exception(error_);
  waiting_.emplace_back(added_++, std::move(job));
  lock.unlock();
  changed_.notify_all();
}

void PatchWriter::work(Worker& worker) {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return error_ || closing_ || !waiting_.empty(); });
    if (error_ || waiting_.empty()) return;
    auto [number, job] = std::move(waiting_.front());
    waiting_.pop_front();
    Result result = take_result();
    lock.unlock();
    try {
      process(job, worker, result);
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

PatchWriter::Result PatchWriter::take_result() {
  if (spare_.empty()) return {};
  Result result = std::move(spare_.back());
  spare_.pop_back();
  result.images.clear();
  result.ends.clear();
  return result;
}

// Writes faces in the order they were added, whichever thread was quicker, so that the file is
// the same for any number of threads.
void PatchWriter::write() {
  try {
    write_faces();
  } catch (...) {
    fail(std::current_exception());
  }
  writer_.abort();
}

void PatchWriter::write_faces() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] {
      return error_ || done_.count(written_) != 0 || (closing_ && written_ == added_);
    });
    if (error_) return;
    const auto found = done_.find(written_);
    if (found == done_.end()) {
      lock.unlock();
      writer_.finish();
      return;
    }
    Result result = std::move(found->second);
    done_.erase(found);
    lock.unlock();
    put(result);
    lock.lock();
    spare_.push_back(std::move(result));
    ++written_;
    lock.unlock();
    changed_.notify_all();
  }
}

// Copies a face's images straight into the pages of the database.
void PatchWriter::put(const Result& result) {
  const bool raw = encoding_ == Encoding::kRaw;
  const std::string trailer = datum_trailer(result.label, !raw);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < result.ends.size(); ++i) {
    const std::uint8_t* image = result.images.data() + begin;
    const std::size_t bytes = result.ends[i] - begin;
    const std::size_t area = static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_);
    const std::size_t stored = raw ? kRawChannels * area : bytes;
    const std::string header =
        raw ? raw_datum_header(kRawChannels, size_, size_, stored) : encoded_datum_header(stored);
    char* out = writer_.reserve(result.keys[i], header.size() + stored + trailer.size());
    out = append_bytes(out, header.data(), header.size());
    for (std::size_t copy = 0; copy < stored; copy += bytes) out = append_bytes(out, image, bytes);
    append_bytes(out, trailer.data(), trailer.size());
    begin = result.ends[i];
  }
}

void PatchWriter::process(const FaceJob& job, Worker& worker, Result& result) const {
  const int channels = job.window->channels();
  const std::size_t area = static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_);
  const std::size_t bytes = area * static_cast<std::size_t>(channels);
  result.keys = job.keys;
  result.label = job.label;
  worker.patch.resize(bytes);
  for (std::size_t i = 0; i < job.patches.size();) {
    const int patch = job.patches[i];
    // Both copies of a mirror pair come from one sampling.
    const bool plain = patch % 2 == 0;
    const bool pair = plain && i + 1 < job.patches.size() && job.patches[i + 1] == patch + 1;
    const Copies copies{plain, pair || !plain};
    sample_patch(*job.window, job.samplings[static_cast<std::size_t>(patch / 2)], size_,
                 worker.patch.data());
    worker.mean.add(worker.patch.data(), bytes, copies.plain, copies.mirrored);
    encode(channels, copies, worker, result);
    i += pair ? 2 : 1;
  }
}

// Appends the images of the worker's patch.
void PatchWriter::encode(int channels, Copies copies, Worker& worker, Result& result) const {
  if (encoding_ == Encoding::kPng) worker.png.load(worker.patch.data(), channels, size_);
  for (const bool mirrored : {false, true}) {
    if (!(mirrored ? copies.mirrored : copies.plain)) continue;
    append(channels, mirrored, worker, result.images);
    result.ends.push_back(result.images.size());
  }
}

void PatchWriter::append(int channels, bool mirrored, Worker& worker, Bytes& out) const {
  if (encoding_ == Encoding::kPng) {
    worker.png.append(mirrored, out);
    return;
  }
  const std::size_t area = static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_);
  const std::uint8_t* planes = worker.patch.data();
  if (mirrored) {
    worker.mirrored.resize(worker.patch.size());
    for (std::size_t c = 0; c < worker.patch.size(); c += area) {
      mirror_plane(planes + c, size_, worker.mirrored.data() + c);
    }
    planes = worker.mirrored.data();
  }
  if (encoding_ == Encoding::kRaw) {
    out.insert(out.end(), planes, planes + worker.patch.size());
    return;
  }
  if (channels == 3) {
    const std::uint8_t* bgr[3] = {planes, planes + area, planes + 2 * area};
    worker.pixels.resize(3 * area);
    interleave(bgr, area, worker.pixels.data());
    planes = worker.pixels.data();
  }
  worker.jpeg.append(planes, channels, size_, out);
}

std::vector<float> PatchWriter::finish() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) throw std::logic_error("the writer is finished");
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  writer_thread_.join();
  if (error_) std::rethrow_exception(error_);
  finished_ = true;
  std::vector<std::uint64_t> totals;
  std::uint64_t count = 0;
  for (const auto& worker : workers_) worker->mean.collect(size_, totals, count);
  std::vector<float> mean;
  mean.reserve(totals.size());
  for (const std::uint64_t total : totals) {
    mean.push_back(static_cast<float>(static_cast<double>(total) / static_cast<double>(count)));
  }
  return mean;
}

}  // namespace i2cnn
