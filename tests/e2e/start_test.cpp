// A destination that is added while the daemon runs, on real parts.

#include <gtest/gtest.h>

#include "site.h"

namespace packhorse::test {
namespace {

using nlohmann::json;

TEST(Start, ADestinationAddedByReloadGetsWhatIsKeptOrWhatComesByChoice) {
  Site site;
  site.config()["streams"][0]["retain_delivered"] = "1h";
  site.StartBridge();
  site.Publish(20);
  ASSERT_TRUE(site.Settled(20));
  json& destinations = site.config()["destinations"];
  for (const char* start : {"oldest", "now"}) {
    json added = destinations[0];
    added["name"] = std::string("from_") + start;
    added["start"] = start;
    destinations.push_back(added);
  }
  site.config()["streams"][0]["destinations"] = {"cloud", "from_oldest", "from_now"};
  site.WriteConfig();
  const RunResult reloaded = site.Cli({"reload"});
  ASSERT_EQ(reloaded.exit_code, 0) << reloaded.err;
  EXPECT_TRUE(site.Settled(40));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 2"), 20);
  site.Publish(10);
  EXPECT_TRUE(site.Settled(70));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 3"), 10);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 2"), 20);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
}

}  // namespace
}  // namespace packhorse::test
