#include "config_fixture.h"

namespace packhorse::config {
namespace {

class SettingsTest : public ConfigTest {
 protected:
  Loaded With(const std::string& settings) const {
    return ParseInDir(Minimal({.destination = R"("settings": )" + settings}));
  }
};

TEST_F(SettingsTest, TextsAndNumbersKeepHowTheyAreWritten) {
  const Loaded loaded = With(R"({"org": "acme", "shard": 7, "factor": 1.50})");
  ASSERT_TRUE(loaded.ok()) << All(loaded);
  const Destination& destination = loaded.config.destinations.front();
  EXPECT_EQ(PlainSettings(destination),
            (std::map<std::string, std::string>{{"org", "acme"}, {"shard", "7"}, {"factor", "1.50"}}));
}

TEST_F(SettingsTest, SecretsAreAPlaceWithOrWithoutAnotherOneForRotation) {
  const Loaded loaded = With(
      R"({"org": "acme", "token": {"file": "DIR/token"},
          "key": {"file": "DIR/token", "next": {"file": "DIR/no-such-file"}}})");
  ASSERT_TRUE(loaded.ok()) << All(loaded);
  const Destination& destination = loaded.config.destinations.front();
  EXPECT_EQ(PlainSettings(destination), (std::map<std::string, std::string>{{"org", "acme"}}));
  EXPECT_TRUE(destination.settings.at("token").is_secret());
  EXPECT_EQ(destination.settings.at("token").secret.name, dir_ / "token");
  EXPECT_EQ(destination.settings.at("key").secret.name, dir_ / "token");
  ASSERT_TRUE(destination.settings.at("key").secret.next);
  EXPECT_EQ(destination.settings.at("key").secret.next->name, dir_ / "no-such-file");
}

TEST_F(SettingsTest, MistakesNameTheSettingAndNeverItsValue) {
  for (const char* settings : {R"({"token": {"file": "/no/such/hunter2"}})", R"({"token": ["hunter2"]})",
                               R"({"token": true})", R"({"token": {"file": "DIR/token", "env": "HOME"}})",
                               R"({"token": {"value": "hunter2"}})", R"({"Token": "hunter2"})", R"("hunter2")",
                               R"({"key": {"next": "hunter2"}})", R"({"key": {"current": {"file": "DIR/token"}}})"}) {
    const Loaded loaded = With(settings);
    EXPECT_FALSE(loaded.ok()) << settings;
    EXPECT_NE(All(loaded).find("/destinations/0/settings"), std::string::npos) << All(loaded);
    if (std::string(settings).find("/no/such") == std::string::npos) {
      EXPECT_EQ(All(loaded).find("hunter2"), std::string::npos) << All(loaded);
    }
  }
}

TEST_F(SettingsTest, CodingIsWhatWasChosenElseGzipElseTheBest) {
  Destination destination;
  const auto coding = [&](const std::string& chosen, const std::vector<std::string>& taken) {
    destination.compression = chosen;
    const Result<std::string> found = CodingOf(destination, taken);
    return found ? *found : "refused";
  };
  EXPECT_EQ(coding("", {"zstd", "gzip"}), "gzip");
  EXPECT_EQ(coding("", {"zstd"}), "zstd");
  EXPECT_EQ(coding("", {}), "");
  EXPECT_EQ(coding("auto", {"zstd", "gzip"}), "zstd");
  EXPECT_EQ(coding("zstd", {"zstd", "gzip"}), "zstd");
  EXPECT_EQ(coding("none", {"zstd", "gzip"}), "");
  EXPECT_EQ(coding("zstd", {"gzip"}), "refused");
  EXPECT_EQ(coding("", {"snappy"}), "snappy");
  EXPECT_EQ(coding("auto", {"snappy"}), "snappy");
  EXPECT_EQ(coding("none", {"snappy"}), "refused") << "a body is always coded with it";
}

}  // namespace
}  // namespace packhorse::config
