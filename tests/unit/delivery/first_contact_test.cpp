#include "delivery/first_contact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class FirstContactTest : public DeliveryTest {
 protected:
  // Steps after `time`; whether a connection is being made then.
  bool ConnectsAfter(std::chrono::seconds time) {
    clock_.Advance(time);
    destination_->Step(clock_.Mono());
    return !uploader_.connecting.empty();
  }
  void Answer(const upload::Response& response) {
    const auto done = uploader_.connecting.front();
    uploader_.connecting.clear();
    done(response);
  }
  DestinationStatus Status() { return destination_->Snapshot(clock_.Mono()); }
};

TEST_F(FirstContactTest, WithNothingToSendAConnectionIsTriedUntilThereIsOne) {
  EXPECT_FALSE(ConnectsAfter(0s));
  EXPECT_FALSE(ConnectsAfter(4s));
  ASSERT_TRUE(ConnectsAfter(1s));
  EXPECT_FALSE(Status().reached);
  EXPECT_EQ(Status().unreachable, "");
  Answer(Broken(upload::Transport::kResolve));
  EXPECT_FALSE(Status().reached);
  EXPECT_EQ(Status().unreachable, "broken");
  EXPECT_FALSE(ConnectsAfter(29s));
  ASSERT_TRUE(ConnectsAfter(1s));
  Answer(upload::Response());
  EXPECT_TRUE(Status().reached);
  EXPECT_EQ(Status().unreachable, "");
  EXPECT_FALSE(ConnectsAfter(3'600s)) << "once is enough";
  EXPECT_EQ(Status().requests, 0U);
}

TEST_F(FirstContactTest, WhoHasSomethingToSendNeedsNoConnectionBesides) {
  Append(R"({"a":1})");
  const FakeUploader::Sent sent = Next();
  EXPECT_FALSE(ConnectsAfter(5s));
  EXPECT_FALSE(ConnectsAfter(60s));
  EXPECT_FALSE(Status().reached);
  sent.done(Reply(503));
  EXPECT_TRUE(Status().reached) << "a refusal comes from somebody who is there";
}

TEST_F(FirstContactTest, AConnectionThatEndsAfterTheDestinationDoesNothing) {
  ConnectsAfter(0s);
  ASSERT_TRUE(ConnectsAfter(5s));
  const auto done = uploader_.connecting.front();
  Rebuild();
  done(upload::Response());
  EXPECT_FALSE(Status().reached);
}

TEST_F(FirstContactTest, APausedDestinationIsLeftAlone) {
  destination_->Pause(std::nullopt, clock_.Mono());
  EXPECT_FALSE(ConnectsAfter(0s));
  EXPECT_FALSE(ConnectsAfter(60s));
}

}  // namespace
}  // namespace packhorse::delivery
