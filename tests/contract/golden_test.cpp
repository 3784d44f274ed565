// Every published sample renders as it did when it was published (contracts/golden/).
#include "golden.h"

#include <gtest/gtest.h>

#include <string>

#include "repository_file.h"

namespace packhorse::test {
namespace {

TEST(Golden, EverySampleRendersByteForByte) {
  const auto files = GoldenFiles();
  EXPECT_GE(files.size(), 20U);
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    const Golden golden = ParseGolden(RepositoryFile(file));
    EXPECT_EQ(RenderGolden(golden), golden.body);
  }
}

}  // namespace
}  // namespace packhorse::test
