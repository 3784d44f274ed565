#include "packhorsed/same.h"

#include <gtest/gtest.h>

namespace packhorse::daemon {
namespace {

TEST(Same, EqualDestinationsAreTheSameAndEachChangeIsSeen) {
  const config::Destination original;
  EXPECT_TRUE(Same(original, original));
  const auto differs = [&](auto change) {
    config::Destination changed = original;
    change(changed);
    return !Same(original, changed);
  };
  EXPECT_TRUE(differs([](auto& d) { d.url = "x"; }));
  EXPECT_TRUE(differs([](auto& d) { d.tls.pins.push_back("p"); }));
  EXPECT_TRUE(differs([](auto& d) { d.batch.max_records = 1; }));
  EXPECT_TRUE(differs([](auto& d) { d.retry.budget = 1; }));
  EXPECT_TRUE(differs([](auto& d) { d.limits.push_back({}); }));
  EXPECT_TRUE(differs([](auto& d) { d.auth.secret.name = "x"; }));
  EXPECT_TRUE(differs([](auto& d) { d.start = "oldest"; }));
  EXPECT_TRUE(differs([](auto& d) { d.timeout = std::chrono::seconds(1); }));
}

TEST(Same, TheSecondSecretOfARotationIsComparedByValue) {
  config::SecretRef a{config::SecretRef::Kind::kFile, "one", nullptr};
  config::SecretRef b = a;
  b.next = std::make_shared<config::SecretRef>(a);
  EXPECT_FALSE(Same(a, b));
  a.next = std::make_shared<config::SecretRef>(*b.next);
  EXPECT_TRUE(Same(a, b));
  a.next->name = "two";
  EXPECT_FALSE(Same(a, b));
}

TEST(Same, AChangedSourceOrStreamIsSeen) {
  config::Source source;
  config::Source other = source;
  EXPECT_TRUE(Same(source, other));
  other.password.name = "x";
  EXPECT_FALSE(Same(source, other));
  other = source;
  other.reconnect_max = std::chrono::seconds(1);
  EXPECT_FALSE(Same(source, other));
  config::Stream stream;
  config::Stream changed = stream;
  changed.topics.emplace_back("a");
  EXPECT_TRUE(Same(stream, stream));
  EXPECT_FALSE(Same(stream, changed));
}

}  // namespace
}  // namespace packhorse::daemon
