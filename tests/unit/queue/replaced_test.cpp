#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "identity_fixture.h"

// A database that is removed or replaced under the running daemon.

namespace packhorse::queue {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Replaced : public Damage {
 protected:
  void RemoveAll() const {
    for (const char* suffix : {"", "-wal", "-shm", ".witness", ".ballast", ".lock"}) {
      fs::remove(Path() + suffix);
    }
  }
  // Once it was noticed.
  bool WaitForNewFile(std::uint64_t times = 1) {
    clock_.Advance(2s);
    const bool noticed = test::WaitFor([&] {
      queue_->Poll();
      return queue_->Snapshot().replaced.times == times && fs::exists(Path() + "-wal");
    });
    queue_->Poll();  // it may have come after the last one: no checkpoint begins before the loop has it open
    return noticed;
  }
  void ExpectAll(std::size_t messages) {
    EXPECT_EQ(Waiting().size(), messages);
    ExpectVerified();
    EXPECT_EQ(Row().received, messages);
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, Replaced, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

TEST_P(Replaced, RemovedItIsNoticedAndNothingIsLost) {
  cache_bytes_ = 1'000;  // what is stored has to be read back
  Reopen();
  Fill(5, 40);
  Append("only in the journal");
  const std::string id = queue_->id();
  RemoveAll();
  ASSERT_TRUE(WaitForNewFile());
  EXPECT_EQ(queue_->Snapshot().replaced.problem, "");
  ExpectAll(201);
  for (int i = 0; i < 50; ++i) {
    Append("later");
  }
  ExpectAll(251);
  EXPECT_TRUE(fs::exists(Path() + ".witness"));
  EXPECT_TRUE(fs::exists(Path() + ".ballast"));
  EXPECT_EQ(Open(MakeOptions(), clock_).error().code, ErrorCode::kBusy) << "it is locked";
  Reopen();
  EXPECT_FALSE(queue_->start().loss);
  EXPECT_EQ(queue_->id() == id, GetParam() != Mode::kWithoutJournal);
  ExpectAll(251);
}

TEST_P(Replaced, OnlyTheMainFileRemovedTheOldLogIsNotTakenForTheNewOne) {
  Fill(5, 40);
  fs::remove(Path());
  ASSERT_TRUE(WaitForNewFile());
  ExpectAll(200);
  Reopen();
  ExpectAll(200);
}

TEST_P(Replaced, AnotherFileInItsPlaceIsSetAside) {
  Fill(2, 40);
  test::WriteAll(dir_ / "other.db", "an older copy");
  fs::rename(dir_ / "other.db", Path());
  ASSERT_TRUE(WaitForNewFile());
  EXPECT_EQ(test::ReadAll(Path() + ".replaced"), "an older copy");
  ExpectAll(80);
  Append("later");
  RemoveAll();
  ASSERT_TRUE(WaitForNewFile(2)) << queue_->Snapshot().replaced.problem;
  ExpectAll(81);
  Reopen();
  ExpectAll(81);
}

TEST_P(Replaced, FolderThatIsGoneIsMadeAnew) {
  if (GetParam() != Mode::kWindow) {
    return;
  }
  Options options = MakeOptions();
  options.path = dir_ / "var/queue.db";
  End();
  queue_ = *Open(options, clock_);
  Append("one");
  ExpectVerified();
  fs::remove_all(dir_ / "var");
  clock_.Advance(2s);
  ASSERT_TRUE(test::WaitFor([&] {
    queue_->Poll();
    return queue_->Snapshot().replaced.times == 1 && fs::exists(options.path + "-wal");
  }));
  ExpectAll(1);
}

TEST_P(Replaced, LogOrSharedMemoryAloneRemovedNothingIsLost) {
  Fill(3, 40);
  std::uint64_t times = 0;
  for (const char* suffix : {"-wal", "-shm"}) {
    SCOPED_TRACE(suffix);
    fs::remove(Path() + suffix);
    ASSERT_TRUE(WaitForNewFile(++times)) << queue_->Snapshot().replaced.problem;
    ExpectAll(120);
  }
  Reopen();
  EXPECT_FALSE(queue_->start().loss);
  ExpectAll(120);
}

class Emptied : public Identity {  // the runtime folder
 protected:
  void EmptyFolder() {
    fs::rename(dir_ / "run", dir_ / "gone");  // at once: what is removed file by file is made anew in between
    clock_.Advance(2s);
    ASSERT_TRUE(test::WaitFor([&] {
      queue_->Poll();
      return fs::exists(dir_ / "run/intake.1") && fs::exists(dir_ / "run/queue.witness") &&
             fs::exists(dir_ / "run/queue.lock");
    }));
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, Emptied, ::testing::Values(Mode::kWindow, Mode::kStrict), NameOf);

TEST_P(Emptied, KilledAfterwardsItStillHasEverything) {
  AppendMany(5, "before ");
  EmptyFolder();
  AppendMany(5, "between ");  // before that is checkpointed the journal counts for nothing
  ExpectVerified();
  AppendMany(5, "after ");
  Kill();
  Start();
  EXPECT_EQ(Waiting().size(), 15U);
  EXPECT_FALSE(loss());
  ExpectNamesStay();
}

TEST_P(Emptied, FilesThatAreMadeShorterInItAreMadeAnewAndNothingIsLost) {
  AppendMany(5, "before ");
  std::vector<Fd> files;  // of now: the first that is cut may be made anew before the last one is
  for (const char* file : {"run/intake.0", "run/intake.1", "run/queue.witness"}) {
    files.emplace_back(open((dir_ / file).c_str(), O_RDWR | O_CLOEXEC));
  }
  for (const Fd& file : files) {
    ASSERT_EQ(ftruncate(file.get(), 0), 0);
  }
  AppendMany(5, "between ");
  clock_.Advance(2s);
  ASSERT_TRUE(test::WaitFor([&] {
    queue_->Poll();
    return fs::file_size(dir_ / "run/intake.1") > 0 && fs::file_size(dir_ / "run/queue.witness") > 0;
  }));
  ExpectVerified();
  AppendMany(5, "after ");
  Kill();
  Start();
  EXPECT_EQ(Waiting().size(), 15U);
  EXPECT_FALSE(loss());
}

TEST_P(Emptied, ItIsLockedAgain) {
  fs::remove(Path() + ".lock");
  EmptyFolder();
  EXPECT_EQ(Open(MakeOptions(), clock_).error().code, ErrorCode::kBusy);
  Options other = MakeOptions();
  other.path = dir_ / "other.db";
  EXPECT_EQ(Open(other, clock_).error().code, ErrorCode::kBusy);
}

}  // namespace
}  // namespace packhorse::queue
