#include "contract/item_text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace packhorse::contract {
namespace {

// Of every size up to several blocks.
std::vector<std::string> Texts(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < 2'000; ++i) {
    const std::size_t size = i % 100 == 0 ? random() % 100'000 : random() % 3'000;
    texts.emplace_back(size, static_cast<char>('a' + i % 26));
  }
  return texts;
}

TEST(ItemText, HasItsBytesWhateverIsWrittenAfterIt) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::vector<std::string> texts = Texts(seed);
  std::vector<ItemText> kept;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ItemText text(texts[i]);
    if (i % 3 != 0) {  // the others go at once
      kept.push_back(std::move(text));
    }
  }
  std::size_t at = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i % 3 != 0) {
      ASSERT_EQ(kept[at++].view(), texts[i]) << i;
    }
  }
}

TEST(ItemText, OutlivesTheThreadThatWroteIt) {
  std::vector<ItemText> texts;
  std::thread([&texts] {
    for (int i = 0; i < 100; ++i) {
      texts.emplace_back("text " + std::to_string(i));
    }
  }).join();
  const ItemText copy = texts[7];
  EXPECT_EQ(texts[99].view(), "text 99");
  texts.clear();
  EXPECT_EQ(copy.view(), "text 7");
}

TEST(ItemText, MayBeEmpty) {
  EXPECT_EQ(ItemText().view(), "");
  EXPECT_EQ(ItemText("").view(), "");
}

}  // namespace
}  // namespace packhorse::contract
