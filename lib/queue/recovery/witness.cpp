#include "queue/recovery/witness.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/crc32c.h"
#include "queue/journal/bytes.h"
#include "queue/sqlite/writable.h"

namespace packhorse::queue {
namespace {

constexpr std::string_view kMagic = "PKHWITN1";
constexpr std::size_t kWitnessPageBytes = 4'096;
constexpr std::size_t kSlots = 2;
constexpr std::size_t kMaxPlaceBytes = 200;

// What a slot begins with: the checksum of what follows, its size, the magic, the generation and the moment. The rest
// changes with a checkpoint only.
constexpr std::size_t kSizeAt = 4;
constexpr std::size_t kMagicAt = 8;
constexpr std::size_t kGenerationAt = 16;
constexpr std::size_t kRestAt = 64;

void SetProgress(std::string& bytes, const Progress& progress, std::uint64_t generation) {
  std::size_t at = kGenerationAt;
  for (const std::uint64_t number :
       {generation, progress.position, progress.last[0], progress.last[1], progress.last[2], progress.pending}) {
    SetFixed64(bytes, at, number);
    at += sizeof(number);
  }
}

void SetChecksum(std::string& bytes) { SetFixed32(bytes, 0, Crc32c(std::string_view(bytes).substr(kSizeAt))); }

Witness TakeWitness(ByteReader& in) {
  Witness witness;
  witness.progress.position = in.Fixed64();
  for (Sequence& last : witness.progress.last) {
    last = in.Fixed64();
  }
  witness.progress.pending = in.Fixed64();
  witness.checkpoint = in.Fixed64();
  witness.next_checkpoint = in.Fixed64();
  witness.at = static_cast<std::int64_t>(in.Fixed64());
  witness.clean = in.Fixed64() != 0;
  witness.queue_id = in.Text();
  witness.next_queue_id = in.Text();
  witness.boot_id = in.Text();
  return witness;
}

std::optional<FoundWitness> Decode(std::string_view slot, std::string_view place) {
  if (slot.size() < kWitnessBytes) {
    return std::nullopt;
  }
  ByteReader in(slot);
  const std::uint32_t crc = in.Fixed32();
  const std::uint32_t size = in.Fixed32();
  if (size > kWitnessBytes || size < kRestAt || crc != Crc32c(slot.substr(kSizeAt, size - kSizeAt)) ||
      in.Take(kMagic.size()) != kMagic) {
    return std::nullopt;
  }
  FoundWitness found;
  found.generation = in.Fixed64();
  found.witness = TakeWitness(in);
  return in.Text() == place && in.ok() ? std::optional(std::move(found)) : std::nullopt;
}

}  // namespace

std::string EncodeWitness(const Witness& witness, std::uint64_t generation, std::string_view place) {
  std::string bytes(kRestAt, '\0');
  bytes.reserve(kWitnessBytes);
  std::copy(kMagic.begin(), kMagic.end(), bytes.begin() + kMagicAt);
  SetProgress(bytes, witness.progress, generation);
  for (const std::uint64_t number : {witness.checkpoint, witness.next_checkpoint,
                                     static_cast<std::uint64_t>(witness.at), std::uint64_t{witness.clean ? 1U : 0U}}) {
    PutFixed64(bytes, number);
  }
  for (const std::string_view text : {std::string_view(witness.queue_id), std::string_view(witness.next_queue_id),
                                      std::string_view(witness.boot_id), place}) {
    PutText(bytes, text);
  }
  SetFixed32(bytes, kSizeAt, static_cast<std::uint32_t>(bytes.size()));
  SetChecksum(bytes);
  return bytes;
}

std::optional<FoundWitness> NewestWitness(std::string_view bytes, std::size_t stride, std::string_view place) {
  std::optional<FoundWitness> newest;
  for (std::size_t at = 0; at + kWitnessBytes <= bytes.size(); at += stride) {
    std::optional<FoundWitness> found = Decode(bytes.substr(at, kWitnessBytes), place);
    if (found && (!newest || found->generation > newest->generation)) {
      newest = std::move(found);
    }
  }
  return newest;
}

// --- in the runtime folder ---

namespace {

std::string FileIn(const std::string& directory) { return directory + "/queue.witness"; }

// A folder that was copied with its queue proves nothing: this file is another one there.
std::string PlaceOf(const struct stat& file, const std::string& database) {
  return (std::to_string(file.st_dev) + "/" + std::to_string(file.st_ino) + " " + database).substr(0, kMaxPlaceBytes);
}

}  // namespace

Result<RuntimeWitness> RuntimeWitness::Open(const std::string& directory, const std::string& database) {
  const std::string path = FileIn(directory);
  const Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid()) {
    return ErrnoError("open " + path, errno);
  }
  // Allocated, for a page that the tmpfs has no room for would end the process when it is written.
  if (const int error = posix_fallocate(fd.get(), 0, kWitnessPageBytes); error != 0) {
    return ErrnoError("allocate " + path, error);
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) {
    return ErrnoError("stat " + path, errno);
  }
  Result<Mapping> page = Mapping::Map(fd, 0, kWitnessPageBytes, path);
  RETURN_IF_ERROR(page);
  RuntimeWitness witness(*std::move(page), directory, database, PlaceOf(status, database));
  const std::optional<FoundWitness> found = NewestWitness(witness.page_.bytes(), kWitnessBytes, witness.place_);
  witness.generation_ = found ? found->generation : 0;
  return witness;
}

std::optional<Witness> RuntimeWitness::Read() const {
  std::optional<FoundWitness> found = NewestWitness(page_.bytes(), kWitnessBytes, place_);
  return found ? std::optional(std::move(found->witness)) : std::nullopt;
}

bool RuntimeWitness::InPlace() const {
  struct stat there {};
  return !page_.lost() && stat(FileIn(directory_).c_str(), &there) == 0 && PlaceOf(there, database_) == place_ &&
         there.st_size >= static_cast<off_t>(kWitnessPageBytes);
}

void RuntimeWitness::Write(const Witness& witness) {
  written_ = EncodeWitness(witness, ++generation_, place_);
  Put();
}

void RuntimeWitness::WriteProgress(const Witness& witness) {
  if (written_.empty()) {
    Write(witness);
    return;
  }
  SetProgress(written_, witness.progress, ++generation_);
  SetChecksum(written_);
  Put();
}

void RuntimeWitness::Put() {
  char* slot = page_.data() + (generation_ % kSlots) * kWitnessBytes;
  // Killed in the middle, the process leaves the other slot.
  std::copy(written_.begin(), written_.end(), slot);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

// --- on the disk ---

std::optional<Witness> DiskWitness::Read() {
  const Result<std::string> bytes = ReadFile(path_, kSlots * kWitnessPageBytes);
  std::optional<FoundWitness> found = bytes ? NewestWitness(*bytes, kWitnessPageBytes, "") : std::nullopt;
  generation_ = found ? found->generation : 0;
  return found ? std::optional(std::move(found->witness)) : std::nullopt;
}

Status DiskWitness::Write(const Witness& witness) {
  const bool there = FileBytes(path_) >= kSlots * kWitnessPageBytes;
  const Fd fd(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid()) {
    return WriteError("open " + path_, errno);
  }
  if (!there) {
    if (const int error = posix_fallocate(fd.get(), 0, kSlots * kWitnessPageBytes); error != 0) {
      return WriteError("allocate " + path_, error);
    }
  }
  const std::uint64_t next = generation_ + 1;
  const std::string bytes = EncodeWitness(witness, next, "");
  const auto at = static_cast<off_t>((next % kSlots) * kWitnessPageBytes);
  if (pwrite(fd.get(), bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size()) ||
      fdatasync(fd.get()) != 0) {
    return WriteError("write " + path_, errno);
  }
  generation_ = next;
  return there ? Status() : SyncDirectoryOf(path_);
}

// --- both ---

void WitnessKeeper::Begin(const std::string& queue_id, const std::string& boot_id) {
  const std::lock_guard lock(mutex_);
  queue_id_ = queue_id;
  boot_id_ = boot_id;
}

void WitnessKeeper::Announce(std::uint64_t checkpoint) {
  const std::lock_guard lock(mutex_);
  state_.next_queue_id = queue_id_;
  state_.next_checkpoint = checkpoint;
  if (runtime_) {
    runtime_->Write(state_);
  }
}

void WitnessKeeper::Committed(std::uint64_t checkpoint, const Progress& progress) {
  const std::lock_guard lock(mutex_);
  state_.queue_id = queue_id_;
  state_.boot_id = boot_id_;
  state_.checkpoint = checkpoint;
  if (progress.position > state_.progress.position || committed_checkpoint_ == 0) {
    state_.progress = progress;
  }
  committed_ = progress;
  committed_checkpoint_ = checkpoint;
  if (runtime_) {
    runtime_->Write(state_);
  }
}

void WitnessKeeper::Note(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  if (!runtime_ || progress == state_.progress) {
    return;
  }
  state_.progress = progress;
  runtime_->WriteProgress(state_);
}

void WitnessKeeper::PutBack() {
  const std::lock_guard lock(mutex_);
  if (!runtime_ || runtime_->InPlace()) {
    return;
  }
  if (Result<RuntimeWitness> again = runtime_->Again(); again) {
    *runtime_ = *std::move(again);
    runtime_->Write(state_);
  }
}

bool WitnessKeeper::unsaved() const {
  const std::lock_guard lock(mutex_);
  return committed_checkpoint_ != 0 && (!saved_ || saved_->progress != committed_);
}

Status WitnessKeeper::Save(std::int64_t at, bool clean) {
  Witness witness;
  {
    const std::lock_guard lock(mutex_);
    witness.queue_id = queue_id_;
    witness.boot_id = boot_id_;
    witness.checkpoint = committed_checkpoint_;
    witness.progress = committed_;
  }
  witness.at = at;
  witness.clean = clean;
  Status written = disk_.Write(witness);  // without the lock: whoever acknowledges does not wait for the disk
  if (written) {
    const std::lock_guard lock(mutex_);
    saved_ = std::move(witness);
  }
  return written;
}

}  // namespace packhorse::queue
