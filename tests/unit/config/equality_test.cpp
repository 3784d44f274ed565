// What a reload compares, so that it leaves alone what did not change.

#include <gtest/gtest.h>

#include "config/config.h"

namespace packhorse::config {
namespace {

TEST(Equality, EqualDestinationsAreTheSameAndEachChangeIsSeen) {
  const Destination original;
  EXPECT_TRUE(original == Destination());
  const auto differs = [&](auto change) {
    Destination changed = original;
    change(changed);
    return original != changed;
  };
  EXPECT_TRUE(differs([](auto& d) { d.url = "x"; }));
  EXPECT_TRUE(differs([](auto& d) { d.tls.pins.push_back("p"); }));
  EXPECT_TRUE(differs([](auto& d) { d.batch.max_records = 1; }));
  EXPECT_TRUE(differs([](auto& d) { d.retry.budget = 1; }));
  EXPECT_TRUE(differs([](auto& d) { d.limits.push_back({}); }));
  EXPECT_TRUE(differs([](auto& d) { d.auth.secrets["token"].name = "x"; }));
  EXPECT_TRUE(differs([](auto& d) { d.accepts.oldest = std::chrono::hours(48); }));
  EXPECT_TRUE(differs([](auto& d) { d.start = "oldest"; }));
  EXPECT_TRUE(differs([](auto& d) { d.timeout = std::chrono::seconds(1); }));
}

TEST(Equality, TheSecondSecretOfARotationIsComparedByValue) {
  SecretRef a{SecretRef::Kind::kFile, "one", nullptr};
  SecretRef b = a;
  b.next = std::make_shared<SecretRef>(a);
  EXPECT_TRUE(a != b);
  a.next = std::make_shared<SecretRef>(*b.next);
  EXPECT_TRUE(a == b);
  a.next->name = "two";
  EXPECT_TRUE(a != b);
}

TEST(Equality, AChangedSourceOrStreamIsSeen) {
  Source source;
  Source other = source;
  EXPECT_TRUE(source == other);
  other.password.name = "x";
  EXPECT_TRUE(source != other);
  other = source;
  other.reconnect_max = std::chrono::seconds(1);
  EXPECT_TRUE(source != other);
  Stream stream;
  Stream changed = stream;
  changed.topics.emplace_back("a");
  EXPECT_TRUE(stream == Stream());
  EXPECT_TRUE(stream != changed);
}

}  // namespace
}  // namespace packhorse::config
