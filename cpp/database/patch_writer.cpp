#include "database/patch_writer.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "encoding/datum.hpp"

namespace i2cnn {

namespace {

// A raw Datum has the three planes that the network reads; a gray patch is stored three times.
constexpr std::size_t kRawChannels = 3;

char* append_bytes(char* out, const void* data, std::size_t bytes) {
  std::memcpy(out, data, bytes);
  return out + bytes;
}

PatchScheme checked(PatchScheme scheme) {
  check_size(scheme.size);
  return scheme;
}

// Moves the samplings by the jitter of each box, if there is any.
void apply(const std::vector<Jitter>& jitters, std::vector<Sampling>& samplings, int size) {
  if (jitters.empty()) return;
  if (jitters.size() != samplings.size()) {
    throw std::invalid_argument("jitter needs one row for each box of the scheme");
  }
  for (std::size_t i = 0; i < jitters.size(); ++i) {
    check_jitter(jitters[i]);
    samplings[i] = jittered(samplings[i], jitters[i], size);
  }
}

}  // namespace

// What a sampling thread keeps between faces.
struct PatchWriter::Worker {
  std::unique_ptr<PatchEncoder> encoder;
  MeanSum mean;
  Bytes patch;
};

PatchWriter::PatchWriter(const std::string& folder, PatchScheme scheme, Encoding encoding,
                         int quality, int threads)
    : scheme_(checked(std::move(scheme))),
      encoding_(encoding),
      writer_(folder),
      max_queued_(2 * static_cast<std::size_t>(threads)) {
  if (threads < 1) throw std::invalid_argument("at least one thread must sample");
  for (int i = 0; i < threads; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->encoder = make_encoder(encoding, quality);
  }
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

void PatchWriter::add(const ImageView& view, const Points& points,
                      std::vector<std::int64_t> patches, std::vector<std::string> keys,
                      std::int32_t label, std::vector<Jitter> jitters) {
  check_patches(patches, scheme_);
  if (patches.size() != keys.size()) throw std::invalid_argument("each patch needs one key");
  std::vector<Sampling> samplings = make_samplings(points, scheme_);
  apply(jitters, samplings, scheme_.size);
  auto window = std::make_unique<const Window>(view, bounds_of(samplings, scheme_.size));
  FaceTask task{std::move(window),  std::move(samplings), std::move(jitters),
                std::move(patches), std::move(keys),      label};
  std::unique_lock<std::mutex> lock(mutex_);
  if (closing_) throw std::logic_error("the writer is finished");
  if (channels_ == 0) channels_ = task.window->channels();
  if (task.window->channels() != channels_) {
    throw std::invalid_argument("gray and colour images are mixed in one database");
  }
  changed_.wait(lock, [this] { return error_ || added_ - written_ < max_queued_; });
  if (error_) std::rethrow_exception(error_);
  waiting_.emplace_back(added_++, std::move(task));
  lock.unlock();
  changed_.notify_all();
}

void PatchWriter::work(Worker& worker) {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return error_ || closing_ || !waiting_.empty(); });
    if (error_ || waiting_.empty()) return;
    auto [number, task] = std::move(waiting_.front());
    waiting_.pop_front();
    Result result = take_result();
    lock.unlock();
    try {
      process(task, worker, result);
      const std::lock_guard<std::mutex> done(mutex_);
      done_.emplace(number, std::move(result));
    } catch (...) {
      fail(std::current_exception());
      return;
    }
    changed_.notify_all();
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

// Writes the faces in the order in which they were added, whichever was finished first, so the file
// is the same for any number of threads.
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

// Copies a face's images directly into the pages of the database.
void PatchWriter::put(const Result& result) {
  const bool raw = encoding_ == Encoding::kRaw;
  const std::string trailer = datum_trailer(result.label, !raw);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < result.ends.size(); ++i) {
    const std::uint8_t* image = result.images.data() + begin;
    const std::size_t bytes = result.ends[i] - begin;
    const std::size_t stored = raw ? kRawChannels * scheme_.area() : bytes;
    const std::string header =
        raw ? raw_datum_header(kRawChannels, scheme_.size, scheme_.size, stored)
            : encoded_datum_header(stored);
    char* out = writer_.reserve(result.keys[i], header.size() + stored + trailer.size());
    out = append_bytes(out, header.data(), header.size());
    for (std::size_t copy = 0; copy < stored; copy += bytes) out = append_bytes(out, image, bytes);
    append_bytes(out, trailer.data(), trailer.size());
    begin = result.ends[i];
  }
}

void PatchWriter::process(const FaceTask& task, Worker& worker, Result& result) const {
  const int channels = task.window->channels();
  const std::size_t bytes = scheme_.area() * static_cast<std::size_t>(channels);
  result.keys = task.keys;
  result.label = task.label;
  worker.patch.resize(bytes);
  for (std::size_t i = 0; i < task.patches.size();) {
    const std::int64_t patch = task.patches[i];
    // A patch and its mirror image come from one sampling.
    const bool plain = patch % 2 == 0;
    const bool pair = plain && i + 1 < task.patches.size() && task.patches[i + 1] == patch + 1;
    const bool with_mirror = pair || !plain;
    const auto box = static_cast<std::size_t>(patch / 2);
    sample_patch(*task.window, task.samplings[box], scheme_.size, worker.patch.data());
    if (!task.jitters.empty()) change_tone(task.jitters[box], worker.patch.data(), bytes);
    worker.mean.add(worker.patch.data(), bytes, plain, with_mirror);
    worker.encoder->load(worker.patch.data(), channels, scheme_.size);
    for (const bool mirrored : {false, true}) {
      if (!(mirrored ? with_mirror : plain)) continue;
      worker.encoder->append(mirrored, result.images);
      result.ends.push_back(result.images.size());
    }
    i += pair ? 2 : 1;
  }
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
  for (const auto& worker : workers_) worker->mean.collect(scheme_.size, totals, count);
  std::vector<float> mean;
  mean.reserve(totals.size());
  for (const std::uint64_t total : totals) {
    mean.push_back(static_cast<float>(static_cast<double>(total) / static_cast<double>(count)));
  }
  return mean;
}

}  // namespace i2cnn
