#include "base/random.h"
#include "base/text.h"
#include "config_fixture.h"
#include "document/problems.h"

namespace packhorse::config {
namespace {

class MutationTest : public ConfigTest {
 protected:
  std::string Example() const {
    const std::string text = test::ReadAll(std::string(SOURCE_DIR) + "/systemd/packhorse.json");
    return Replace(text, "/etc/packhorse/cloud.token", dir_ / "token");
  }

  // Whatever the text is: an answer, each problem on one line of valid text, and an error unless all is well.
  static void ExpectAnswer(const std::string& text) {
    const Loaded loaded = Parse(text, "m.json");
    for (const document::Problem& problem : loaded.problems) {
      const std::string line = document::Describe(problem);
      ASSERT_EQ(line.find('\n'), std::string::npos) << line;
      ASSERT_TRUE(IsValidUtf8(line)) << text;
      ASSERT_FALSE(problem.message.empty());
    }
    if (loaded.ok()) {
      ASSERT_FALSE(loaded.config.gateway.id.empty());
      ASSERT_FALSE(loaded.config.streams.empty());
      ASSERT_FALSE(loaded.config.streams[0].source.empty());
      ASSERT_FALSE(loaded.config.destinations.empty());
      ASSERT_GT(loaded.config.destinations[0].timeout.count(), 0);
    }
  }
};

TEST_F(MutationTest, EveryTruncationHasAnAnswer) {
  const std::string text = Example();
  for (std::size_t length = 0; length < text.size(); ++length) {
    ExpectAnswer(text.substr(0, length));
  }
}

TEST_F(MutationTest, EveryValueReplacedByOthersHasAnAnswer) {
  const std::string text = Example();
  const std::vector<std::string> others = {
      "null",          "true",  "-1", "1e300",  "0.5",         "\"\"",
      "\"x\"",         "[]",    "{}", "[[{}]]", "\"\\u0000\"", "99999999999999999999",
      "{\"file\": 1}", "[null]"};
  for (std::size_t colon = text.find("\": "); colon != std::string::npos; colon = text.find("\": ", colon + 1)) {
    const std::size_t start = colon + 3;
    const std::size_t end = text.find_first_of(",}]\n", start);
    for (const std::string& other : others) {
      ExpectAnswer(text.substr(0, start) + other + text.substr(end));
    }
  }
}

TEST_F(MutationTest, RandomMutationsHaveAnAnswer) {
  const std::uint64_t seed = RandomSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RecordProperty("seed", std::to_string(seed));
  Random random(seed);
  const std::string original = Example();
  const std::string pieces = "{}[]\",:/*\\+#$0e-9 \n";
  for (int round = 0; round < 1000; ++round) {
    std::string text = original;
    const std::uint64_t edits = 1 + random.UpTo(4);
    for (std::uint64_t edit = 0; edit < edits && !text.empty(); ++edit) {
      const std::size_t at = random.UpTo(text.size() - 1);
      const std::size_t length = std::min<std::size_t>(random.UpTo(40), text.size() - at);
      switch (random.UpTo(4)) {
        case 0:
          text[at] = static_cast<char>(static_cast<unsigned char>(random.UpTo(255)));
          break;
        case 1:
          text[at] = pieces[random.UpTo(pieces.size() - 1)];
          break;
        case 2:
          text.erase(at, length);
          break;
        case 3:
          text.insert(at, text.substr(random.UpTo(text.size() - 1), length));
          break;
        default:
          text.insert(at, 1, pieces[random.UpTo(pieces.size() - 1)]);
      }
    }
    ExpectAnswer(text);
  }
}

}  // namespace
}  // namespace packhorse::config
