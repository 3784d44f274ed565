#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "damage_fixture.h"
#include "record/canonical_record.h"

namespace packhorse::queue {

// A queue whose files are kept, put back and lost between its runs, and that knows every record id it ever gave.
class Identity : public Damage {
 protected:
  bool HasRuntimeFolder() const { return GetParam() != Mode::kWithoutJournal; }
  // Appends, and notes under which record id: no two messages may have one.
  void AppendNamed(const std::string& payload) {
    const Sequence sequence = Append(payload);
    const std::string id = RecordId(queue_->ids().Of(Lane::kNormal, sequence), Lane::kNormal, sequence, std::nullopt);
    EXPECT_TRUE(payload_of_.try_emplace(id, payload).second) << id << " is " << payload_of_[id] << " and " << payload;
  }
  void AppendMany(int count, const std::string& prefix) {
    for (int i = 0; i < count; ++i) {
      AppendNamed(prefix + std::to_string(i));
    }
  }
  // Each message that waits has the record id under which it came.
  void ExpectNamesStay() {
    const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 100'000, 1ULL << 30U);
    ASSERT_TRUE(pending) << pending.error().message;
    for (const StoredMessage& stored : pending->messages) {
      const std::string id =
          RecordId(queue_->ids().Of(Lane::kNormal, stored.sequence), Lane::kNormal, stored.sequence, std::nullopt);
      EXPECT_EQ(payload_of_[id], stored.message.payload) << id;
    }
  }
  void DeliverAll() {
    while (!Waiting().empty()) {
      ASSERT_TRUE(Settle(Delivered(PrepareNext(1'000))));
    }
    ExpectVerified();
  }
  // The files of the queue: kept as they are now, and put back later.
  void Keep(const std::string& folder) const {
    std::filesystem::remove_all(dir_ / folder);
    std::filesystem::create_directory(dir_ / folder);
    for (const char* suffix : {"", "-wal", ".witness", ".ballast"}) {
      if (std::filesystem::exists(Path() + suffix)) {
        std::filesystem::copy(Path() + suffix, dir_ / folder + "/queue.db" + suffix);
      }
    }
  }
  void PutBack(const std::string& folder, std::set<std::string> suffixes = {"", "-wal"}) const {
    for (const char* suffix : {"", "-wal", "-shm", ".witness"}) {
      if (suffixes.contains(suffix) || std::string(suffix) == "-shm") {
        std::filesystem::remove(Path() + suffix);
        if (std::filesystem::exists(dir_ / folder + "/queue.db" + suffix)) {
          std::filesystem::copy(dir_ / folder + "/queue.db" + suffix, Path() + suffix);
        }
      }
    }
  }
  // The process is gone in this moment, as after kill -9: its files stay as they are.
  void Kill() {
    Keep("killed");
    if (HasRuntimeFolder()) {
      std::filesystem::remove_all(dir_ / "killed-run");
      std::filesystem::create_directory(dir_ / "killed-run");
      for (const char* name : {"intake.0", "intake.1", "queue.witness"}) {
        test::WriteAll(dir_ / "killed-run/" + name, test::ReadAll(dir_ / "run/" + name));
      }
    }
    End();
    PutBack("killed", {"", "-wal", ".witness"});
    if (HasRuntimeFolder()) {
      for (const char* name : {"intake.0", "intake.1", "queue.witness"}) {
        WriteInPlace(dir_ / "run/" + name, test::ReadAll(dir_ / "killed-run/" + name));
      }
    }
  }
  static void WriteInPlace(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file << bytes;
  }
  const std::optional<Loss>& loss() const { return queue_->start().loss; }

  std::map<std::string, std::string> payload_of_;  // by record id
};

}  // namespace packhorse::queue
