#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "identity_fixture.h"
#include "queue/sqlite/database.h"
#include "queue/state/queue_state.h"
#include "queue/tables/rows.h"

// When the queue goes on under its id, under which id each message stays, and what its witnesses say is gone.

namespace packhorse::queue {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

INSTANTIATE_TEST_SUITE_P(Modes, Identity, ::testing::Values(Mode::kWindow, Mode::kStrict, Mode::kWithoutJournal),
                         NameOf);

class IdentityOfBoot : public Identity {};  // needs a runtime folder
INSTANTIATE_TEST_SUITE_P(Modes, IdentityOfBoot, ::testing::Values(Mode::kWindow, Mode::kStrict), NameOf);

// --- when it goes on ---

TEST_P(IdentityOfBoot, GoesOnUnderItsIdWithinABootAfterAnOrderlyEndAndAfterAKill) {
  const std::string id = queue_->id();
  AppendMany(3, "a");
  Reopen();
  EXPECT_EQ(queue_->id(), id);
  AppendMany(3, "b");
  Kill();
  Start();
  EXPECT_EQ(queue_->id(), id);
  EXPECT_EQ(queue_->start().renewed_from, "");
  EXPECT_EQ(queue_->start().how, StartReport::How::kRecovered);
  AppendMany(3, "c");
  EXPECT_EQ(Waiting().size(), 9U);
  EXPECT_FALSE(loss());
  ExpectNamesStay();
}

TEST_P(IdentityOfBoot, WhatComesBehindAMessageThatTheJournalCannotHoldSurvivesAKill) {
  AppendMany(1, "before ");
  ASSERT_TRUE(queue_->Append(Message(std::string(4U << 20U, 'x'))));  // waits for a checkpoint instead
  AppendMany(3, "behind ");
  const std::string id = queue_->id();
  Kill();
  Start();
  EXPECT_EQ(queue_->id(), id);
  EXPECT_FALSE(loss());
  EXPECT_EQ(Waiting().size(), 5U);
}

TEST_P(Identity, AfterEachStartOfTheMachineItHasANewIdAndWhatIsStoredKeepsItsOwn) {
  std::set<std::string> ids;
  for (int boot = 0; boot < 30; ++boot) {
    AppendMany(2, "boot " + std::to_string(boot) + " ");
    EXPECT_TRUE(ids.insert(queue_->id()).second);
    StartMachine();
    EXPECT_FALSE(loss());
  }
  EXPECT_EQ(Waiting().size(), 60U);
  ExpectNamesStay();
  ExpectVerified();
}

TEST_P(Identity, IdUnderWhichNothingWasNumberedIsDroppedAndOneThatNothingBearsTooUntilThen) {
  AppendMany(1, "kept");
  Settlement settlement = Delivered(PrepareNext(1));
  settlement.dead.push_back(DeadRecord{1, 0, "rejected", "no", "", 422});
  ASSERT_TRUE(Settle(std::move(settlement)));
  StartMachine();
  StartMachine();
  StartMachine();
  ExpectVerified();
  AppendMany(1, "delivered");
  DeliverAll();
  StartMachine();
  AppendMany(1, "in a batch");
  PrepareNext(1);
  StartMachine();
  AppendMany(1, "in quarantine");
  ASSERT_TRUE(queue_->Quarantine(Message("huge"), "too_large", ""));
  DeliverAll();
  StartMachine();
  const std::string dead = queue_->DeadLetters(10, 0)->front().record_id;
  EXPECT_EQ(payload_of_[dead], "kept0");
  End();
  EXPECT_EQ(Query("SELECT count(*) FROM earlier_ids"), 3) << "of the dead letter, the batch and the quarantine";
}

TEST_P(Identity, SuspectKeepsTheIdUnderWhichItCame) {
  AppendMany(1, "odd");
  const std::string id = queue_->id();
  Settlement settlement = Delivered(PrepareNext(1));
  SetAsideRecord suspect;
  suspect.sequence = 1;
  suspect.suspicion.reason = "rejected";
  settlement.set_aside.push_back(suspect);
  ASSERT_TRUE(Settle(std::move(settlement)));
  StartMachine();
  StartMachine();
  EXPECT_EQ(queue_->ids().Of(Lane::kNormal, 1), id);
}

TEST_P(IdentityOfBoot, WitnessThatCannotBeUsedCostsTheIdAndNothingElse) {
  AppendMany(2, "a");
  const std::string id = queue_->id();
  End();
  fs::remove(dir_ / "run/queue.witness");
  fs::create_directory(dir_ / "run/queue.witness");
  Start();
  EXPECT_NE(queue_->id(), id);
  EXPECT_THAT(queue_->start().witness_error, HasSubstr("queue.witness"));
  AppendMany(2, "b");
  Kill();
  Start();
  EXPECT_EQ(Waiting().size(), 4U);
  ExpectNamesStay();
  ExpectVerified();
}

TEST_P(IdentityOfBoot, RuntimeFolderThatWasCopiedWithItsQueueProvesNothing) {
  AppendMany(2, "a");
  const std::string id = queue_->id();
  End();
  fs::create_directory(dir_ / "copy");
  fs::copy(dir_ / "queue.db", dir_ / "copy/queue.db");
  fs::copy(dir_ / "run", dir_ / "copy/run", fs::copy_options::recursive);
  Options options = MakeOptions();
  options.path = dir_ / "copy/queue.db";
  options.runtime_dir = dir_ / "copy/run";
  const Result<std::unique_ptr<Queue>> copy = Open(options, clock_);
  ASSERT_TRUE(copy);
  EXPECT_NE((*copy)->id(), id);
  Start();
  EXPECT_EQ(queue_->id(), id);
}

// On a folder that is no tmpfs it outlives a power cut, perhaps as it was earlier.
TEST_P(IdentityOfBoot, RuntimeFolderOfAnEarlierBootProvesNothing) {
  AppendMany(2, "a");
  const std::string id = queue_->id();
  End();
  clock_.Reboot("the next boot", clock_.Wall());
  clock_.SetSynchronized(true);
  Start();
  EXPECT_NE(queue_->id(), id);
  EXPECT_EQ(queue_->start().renewed_from, id);
  AppendMany(2, "b");
  EXPECT_EQ(Waiting().size(), 4U);
  ExpectNamesStay();
}

TEST_P(Identity, UnknownBootProvesNothing) {
  clock_.Reboot(std::string(kUnknownBoot), clock_.Wall());
  Reopen();
  AppendMany(1, "a");
  const std::string id = queue_->id();
  Reopen();
  EXPECT_NE(queue_->id(), id);
  AppendMany(1, "b");
}

// --- copies ---

TEST_P(Identity, OldCopyPutBackGivesNoRecordIdTwiceAndIsTold) {
  AppendMany(5, "first ");
  End();
  Keep("image");
  Start();
  AppendMany(300, "second ");
  DeliverAll();
  End();
  PutBack("image");
  Start();
  ASSERT_TRUE(loss());
  EXPECT_EQ(loss()->what, Loss::What::kOlder);
  EXPECT_EQ(loss()->at_most, 0U) << "all was delivered";
  AppendMany(300, "third ");
  ExpectNamesStay();
}

TEST_P(Identity, OldCopyPutBackWhileMessagesWaitIsCounted) {
  End();
  Keep("image");
  Start();
  AppendMany(40, "lost ");
  End();
  PutBack("image");
  StartMachine();
  ASSERT_TRUE(loss());
  EXPECT_EQ(loss()->what, Loss::What::kOlder);
  EXPECT_EQ(loss()->at_least, 40U);
  EXPECT_EQ(loss()->at_most, 40U);
  EXPECT_EQ(loss()->uncounted.count(), 0) << "it was an orderly end";
  AppendMany(40, "later ");
  ExpectVerified();
}

TEST_P(Identity, WholeFolderOfAnotherTimeIsAnotherQueue) {
  AppendMany(5, "first ");
  End();
  Keep("image");
  Start();
  AppendMany(50, "box a ");
  StartMachine();
  AppendMany(50, "box a again ");
  End();
  PutBack("image", {"", "-wal", ".witness"});  // the other box
  StartMachine();
  AppendMany(100, "box b ");
  EXPECT_FALSE(loss()) << "nothing tells of the first one";
  ExpectNamesStay();
}

TEST_P(Identity, MissingLogAfterAKillIsToldAndNumbersNothingTwice) {
  AppendMany(5, "first ");
  Reopen();
  AppendMany(30, "in the log ");
  ExpectVerified();  // checkpointed
  AppendMany(3, "in the journal ");
  Kill();
  fs::remove(Path() + "-wal");
  Start();
  if (GetParam() == Mode::kWindow) {
    EXPECT_FALSE(loss()) << "the journal had all of it still";
    EXPECT_EQ(Waiting().size(), 38U);
  } else {
    ASSERT_TRUE(loss());
    EXPECT_EQ(loss()->what, Loss::What::kOlder);
    EXPECT_EQ(loss()->unknown, !HasRuntimeFolder());
    EXPECT_EQ(loss()->at_least, HasRuntimeFolder() ? 33U : 0U);
  }
  AppendMany(50, "later ");
  ExpectNamesStay();
  ExpectVerified();
}

TEST_P(Identity, CopyFromTheEndBeforeThatIsPutBackAfterAPowerCutIsTold) {
  AppendMany(5, "first ");
  End();
  Keep("image");
  Start();
  AppendMany(6, "gone ");
  Kill();
  PutBack("image");
  StartMachine();
  ASSERT_TRUE(loss());
  EXPECT_EQ(loss()->what, Loss::What::kOlder);
  EXPECT_GT(loss()->uncounted.count(), 0);
  AppendMany(50, "later ");
  ExpectNamesStay();
}

TEST_P(Identity, LogWithABrokenHeaderIsTold) {
  AppendMany(5, "first ");
  Reopen();
  AppendMany(30, "in the log ");
  ExpectVerified();
  Kill();
  WriteInPlace(Path() + "-wal", "no log at all");
  StartMachine();
  ASSERT_TRUE(loss());
  EXPECT_EQ(loss()->what, Loss::What::kOlder);
  EXPECT_TRUE(loss()->unknown);
  AppendMany(50, "later ");
  ExpectNamesStay();
}

TEST_P(Identity, EmptyFileBesideItsLogIsSalvagedAndTheLogKept) {
  AppendMany(30, "a");
  ExpectVerified();
  Kill();
  test::WriteAll(Path(), "");
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  if (HasRuntimeFolder()) {
    EXPECT_EQ(queue_->start().salvaged->messages_lost, 30U - Waiting().size());
  } else {
    ASSERT_TRUE(loss());
    EXPECT_EQ(loss()->uncounted.count(), 62) << "what came after the witness was written";
  }
  EXPECT_TRUE(fs::exists(Path() + ".damaged-wal"));
}

TEST_P(Identity, DatabaseThatIsGoneBesideItsLogIsSalvaged) {
  AppendMany(30, "a");
  ExpectVerified();
  Kill();
  fs::remove(Path());
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  EXPECT_TRUE(fs::exists(Path() + ".damaged-wal"));
}

TEST_P(Identity, MainFileSaysThatItIsInUseBeforeTheFirstMessage) {
  AppendMany(5, "first ");
  Reopen();
  Kill();
  fs::remove(Path() + "-wal");
  EXPECT_EQ(Query("SELECT value FROM meta WHERE key = 'clean'"), 0);
}

// --- what is gone ---

TEST_P(Identity, DatabaseThatIsGoneIsTold) {
  for (const bool empty : {false, true}) {
    SCOPED_TRACE(empty ? "of 0 bytes" : "removed");
    AppendMany(20, empty ? "a" : "b");
    ExpectVerified();
    const std::uint64_t waited = Waiting().size();
    End();
    fs::remove(Path());
    fs::remove(Path() + "-wal");
    if (empty) {
      test::WriteAll(Path(), "");
    }
    Start();
    ASSERT_TRUE(loss());
    EXPECT_EQ(loss()->what, Loss::What::kGone);
    EXPECT_EQ(loss()->at_least, waited);
    EXPECT_EQ(loss()->at_most, waited);
    AppendMany(20, "later ");
  }
}

TEST_P(IdentityOfBoot, RuntimeFolderAloneRemembersAQueueWhoseFolderIsGone) {
  AppendMany(20, "a");
  Kill();
  for (const char* suffix : {"", "-wal", "-shm", ".witness", ".ballast", ".lock"}) {
    fs::remove(Path() + suffix);
  }
  Start();
  ASSERT_TRUE(loss());
  EXPECT_EQ(loss()->at_least, 20U);
  EXPECT_EQ(loss()->at_most, 20U);
  EXPECT_EQ(loss()->uncounted.count(), 0);
}

TEST_P(Identity, ReserveFileAloneTellsThatThereWasAQueue) {
  AppendMany(20, "a");
  End();
  for (const char* suffix : {"", "-wal", "-shm", ".witness"}) {
    fs::remove(Path() + suffix);
  }
  StartMachine();
  ASSERT_TRUE(loss());
  EXPECT_TRUE(loss()->unknown);
}

TEST_P(Identity, NewQueueHasLostNothing) {
  EXPECT_FALSE(loss());
  EXPECT_EQ(queue_->start().renewed_from, "");
}

TEST_P(Identity, FileOfZerosIsCountedByTheWitness) {
  AppendMany(20, "a");
  End();
  const auto size = FileBytes(Path());
  fs::remove(Path() + "-wal");
  test::WriteAll(Path(), std::string(size, '\0'));
  Start();
  ASSERT_TRUE(queue_->start().salvaged);
  EXPECT_EQ(queue_->start().salvaged->messages_lost, 20U);
}

TEST_P(IdentityOfBoot, DamageInTheJournalIsToldWithTheCountAndNumbersNothingTwice) {
  // A flipped bit, a tail of zeros, a file that was cut, none at all.
  for (int manner = 0; manner < 4; ++manner) {
    SCOPED_TRACE(manner);
    AppendMany(10, "stored " + std::to_string(manner) + " ");
    ExpectVerified();
    AppendMany(40, "journal " + std::to_string(manner) + " ");
    Kill();
    std::size_t newest = 0;
    for (const char* name : {"run/intake.0", "run/intake.1"}) {
      std::string bytes = test::ReadAll(dir_ / name);
      const std::size_t last = bytes.find_last_not_of('\0');
      newest = std::max(newest, last);
      const std::size_t at = last == std::string::npos ? 0 : 128 + (last - 128) / 2;
      if (last == std::string::npos || last < 128) {
        continue;
      }
      bytes[at] = static_cast<char>(bytes[at] ^ 1);
      if (manner == 0) {
        WriteInPlace(dir_ / name, bytes);
      } else if (manner == 1) {
        WriteInPlace(dir_ / name, bytes.substr(0, at) + std::string(bytes.size() - at, '\0'));
      } else if (manner == 2) {
        fs::resize_file(dir_ / name, at);
      } else {
        fs::remove(dir_ / name);
      }
    }
    const std::string before = queue_ ? queue_->id() : "";
    Start();
    const std::size_t found = Waiting().size();
    if (GetParam() == Mode::kStrict) {
      EXPECT_EQ(found, 50U) << "everything was on the disk";
    } else {
      EXPECT_LT(found, 50U);
      ASSERT_TRUE(loss());
      EXPECT_EQ(loss()->what, Loss::What::kJournal);
      EXPECT_EQ(loss()->at_least, 50U - found);
      EXPECT_EQ(loss()->at_most, 50U - found);
    }
    AppendMany(60, "later " + std::to_string(manner) + " ");
    ExpectNamesStay();
    ExpectVerified();
    DeliverAll();
  }
}

// --- the runtime folder ---

TEST_P(IdentityOfBoot, SecondQueueWithTheSameRuntimeFolderIsRefusedBeforeItTouchesAnything) {
  AppendMany(3, "a");
  Options other = MakeOptions();
  other.path = dir_ / "other.db";
  const Result<std::unique_ptr<Queue>> second = Open(other, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(getpid())));
  EXPECT_THAT(second.error().message, HasSubstr("queue.runtime_dir"));
  EXPECT_FALSE(fs::exists(other.path));
  AppendMany(3, "b");
  Kill();
  Start();
  EXPECT_EQ(Waiting().size(), 6U);
  EXPECT_FALSE(loss());
}

TEST_P(IdentityOfBoot, SecondNameOfOneQueueIsRefused) {
  AppendMany(3, "a");
  Options other = MakeOptions();
  other.path = dir_ / "link.db";
  other.runtime_dir = dir_ / "other-run";
  fs::create_symlink("queue.db", other.path);
  const Result<std::unique_ptr<Queue>> second = Open(other, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  End();
  EXPECT_TRUE(Open(other, clock_)) << "by itself it may be opened by either name";
  EXPECT_FALSE(fs::exists(other.path + ".lock"));
}

TEST_P(IdentityOfBoot, QueueThatWasKilledFindsItsMessagesThoughAnotherOneUsedItsRuntimeFolder) {
  AppendMany(3, "a");
  Kill();
  Options other = MakeOptions();
  other.path = dir_ / "other.db";
  RawMessage message;
  message.payload = "of another queue";
  for (int i = 0; i < 2; ++i) {
    const Result<std::unique_ptr<Queue>> second = Open(other, clock_);
    ASSERT_TRUE(second) << second.error().message;
    message.stream = *(*second)->Stream("telemetry");
    ASSERT_TRUE((*second)->Append(message));
  }
  Start();
  EXPECT_EQ(Waiting().size(), 3U);
  EXPECT_FALSE(loss());
  ExpectNamesStay();
}

// --- many starts ---

TEST_P(Identity, TenThousandStartsWithTheCloudAwayStaySane) {
  AppendMany(1, "first ");
  ExpectVerified();
  End();
  {
    // As if each start had stored one message since.
    Result<Database> db = Database::Open(Path(), Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(db);
    ASSERT_TRUE(db->Execute(
        "BEGIN; WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        " INSERT INTO segments SELECT (1 << 60) | i, i, 1, s.payload_bytes, s.blob FROM n, segments AS s WHERE s.id ="
        " (1 << 60) | 1;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
        " INSERT INTO earlier_ids SELECT i, printf('id%06d', i), 0, i, 0 FROM n;"
        "UPDATE lanes SET next_sequence = 10001, segments = 10000, messages = 10000, payload_bytes = payload_bytes *"
        " 10000 WHERE lane = 1; UPDATE pending SET waiting = 10000 WHERE lane = 1;"
        "UPDATE ledger SET messages = 10000 WHERE outcome < 2; COMMIT"));
  }
  const auto begin = std::chrono::steady_clock::now();
  StartMachine();
  const auto took = std::chrono::steady_clock::now() - begin;
  std::cout << "start with 10,000 ids: " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
            << " ms\n";
  EXPECT_LT(took, std::chrono::seconds(2));
  for (const Sequence sequence : {1U, 2U, 5'000U, 9'999U}) {
    char expected[16];
    std::snprintf(expected, sizeof expected, "id%06u", static_cast<unsigned>(sequence));
    EXPECT_EQ(queue_->ids().Of(Lane::kNormal, sequence), expected);
  }
  EXPECT_NE(queue_->ids().Of(Lane::kNormal, 10'000), queue_->id());
  EXPECT_EQ(queue_->ids().Of(Lane::kNormal, 10'001), queue_->id());
  ExpectVerified();
  DeliverAll();
  StartMachine();
  End();
  EXPECT_EQ(Query("SELECT count(*) FROM earlier_ids"), 0) << "nothing bears them any more";
}

}  // namespace
}  // namespace packhorse::queue
