// Kind to flash (P12) and small (P14): what is written, and what is held, in relation to what arrives. Counted, not
// timed: bytes that SQLite hands to the file system, bytes that the allocator has given out.

#include <malloc.h>

#include "queue_fixture.h"
#include "support/vfs/test_vfs.h"
#include "support/walking_devices.h"

namespace packhorse::queue {
namespace {

using namespace std::chrono_literals;

class Flash : public QueueTest {
 protected:
  Flash() {
    queue_.reset();
    test::TestVfs::Install();
    Reopen();
  }

  void Arrive(int messages) {
    for (int i = 0; i < messages; ++i) {
      test::WalkingDevices::Message sent = devices_.Next(clock_.Wall().time_since_epoch().count() / 1'000);
      arrived_bytes_ += sent.payload.size();
      RawMessage message = Message(std::move(sent.payload));
      message.topic = std::move(sent.topic);
      ASSERT_TRUE(queue_->Append(std::move(message)));
      clock_.Advance(us_between_);
    }
  }

  // All that waits, in batches of 500 with a body as gzip makes it.
  void Deliver() {
    while (queue_->Waiting("cloud", Lane::kNormal).messages > 0) {
      const Result<Pending> pending = queue_->Peek("cloud", Lane::kNormal, 500, 1ULL << 30U);
      ASSERT_TRUE(pending);
      PrepareRequest request{"cloud", Lane::kNormal, pending->from, pending->through, {}, {}};
      request.batches.push_back(MakeBatch(pending->messages));
      request.batches.front()->body.resize(request.batches.front()->body.size() / 6);
      std::optional<Result<std::vector<BatchId>>> prepared;
      queue_->Prepare(std::move(request), [&](Result<std::vector<BatchId>> ids) { prepared = std::move(ids); });
      const Result<std::vector<BatchId>> ids = Await(prepared);
      ASSERT_TRUE(ids);
      ASSERT_TRUE(Settle(Delivered(ids->front())));
    }
  }

  // As the window and the minute bring it about, without waiting for them.
  void Checkpoint() {
    std::optional<Status> checkpointed;
    queue_->Checkpoint([&](const Status& status) { checkpointed = status; });
    EXPECT_TRUE(test::WaitFor([&] {
      queue_->Poll();
      return checkpointed.has_value();
    }));
    EXPECT_TRUE(checkpointed && *checkpointed);
  }

  // Bytes written per byte of payload that arrives while `work` runs, with what SQLite puts off until the
  // queue is closed.
  template <typename Work>
  double WrittenPerByte(Work work) {
    arrived_bytes_ = 0;
    const std::uint64_t before = test::TestVfs::BytesWritten();
    work();
    queue_.reset();
    const auto written = static_cast<double>(test::TestVfs::BytesWritten() - before);
    Reopen();
    return written / static_cast<double>(arrived_bytes_);
  }

  test::WalkingDevices devices_{1};
  std::chrono::microseconds us_between_{200};
  std::uint64_t arrived_bytes_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, Flash, ::testing::Values(Mode::kWindow), NameOf);

TEST_P(Flash, WhileTheLinkIsUpAlmostNothingIsWritten) {
  const double written = WrittenPerByte([this] {
    for (int minute = 0; minute < 4; ++minute) {
      for (int second = 0; second < 12; ++second) {
        Arrive(500);
        Deliver();
      }
      Checkpoint();
    }
  });
  EXPECT_LT(written, 0.1);
  EXPECT_EQ(Row().pending, 0U);
  EXPECT_EQ(Row().delivered, 24'000U);
}

TEST_P(Flash, WhileTheLinkIsDownLessIsWrittenThanArrives) {
  const double fast = WrittenPerByte([this] {
    for (int window = 0; window < 3; ++window) {
      Arrive(10'000);  // 5,000 a second
      Checkpoint();
    }
  });
  EXPECT_LT(fast, 0.25);
  us_between_ = 10ms;
  const double slow = WrittenPerByte([this] {
    for (int window = 0; window < 50; ++window) {
      Arrive(200);  // 100 a second
      Checkpoint();
    }
  });
  EXPECT_LT(slow, 0.6);
  EXPECT_EQ(Row().pending, 40'000U);
}

TEST_P(Flash, MemoryDoesNotGrowWithTheBacklog) {
  const auto fill = [this](int thousands) {
    for (int i = 0; i < thousands; ++i) {
      Arrive(1'000);
      if (i % 4 == 3) {
        Checkpoint();
      }
    }
    Checkpoint();
  };
  // Large blocks are mappings of their own or not, as the allocator likes.
  const auto held = [] {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
  };
  fill(240);  // more than SQLite's and our own caches hold
  const double small = held();
  fill(60);
  const double large = held();
  EXPECT_EQ(Row().pending, 300'000U);
  EXPECT_LT(large - small, 256.0 * 1024) << "for 60,000 messages more";
}

TEST_P(Flash, WhoLooksAtAnIdleQueueEverySecondAsksTheDatabaseOnceAfterACommit) {
  const auto locks_of_a_minute = [this] {
    const std::uint64_t before = test::TestVfs::Locks();
    for (int second = 0; second < 60; ++second) {
      clock_.Advance(1s);
      static_cast<void>(queue_->EnforceLimits(clock_.Mono()));
      static_cast<void>(queue_->Snapshot());
    }
    return test::TestVfs::Locks() - before;
  };
  Arrive(10'000);
  Checkpoint();
  EXPECT_LT(locks_of_a_minute(), 20U);
  EXPECT_EQ(locks_of_a_minute(), 0U);
}

TEST_P(Flash, OpeningReadsNoMoreOfALongBacklog) {
  const auto reopen = [this] {
    queue_.reset();
    const std::uint64_t before = test::TestVfs::BytesRead();
    Reopen();
    return static_cast<double>(test::TestVfs::BytesRead() - before);
  };
  Arrive(10'000);
  Checkpoint();
  const double small = reopen();
  for (int i = 0; i < 9; ++i) {
    Arrive(10'000);
    Checkpoint();
  }
  const double large = reopen();
  EXPECT_EQ(Row().pending, 100'000U);
  EXPECT_LT(large, 2 * small + 65'536);
}

}  // namespace
}  // namespace packhorse::queue
