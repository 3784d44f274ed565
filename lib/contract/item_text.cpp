#include "contract/item_text.h"

#include <cstring>

namespace packhorse::contract {
namespace {

// Of one text a whole block may be kept. A text that would fill much of one gets a block of its own.
constexpr std::size_t kBlockBytes = 32U << 10U;
constexpr std::size_t kMostInBlock = kBlockBytes / 8;

struct Block {
  std::shared_ptr<char[]> bytes;
  std::size_t used = kBlockBytes;
};

}  // namespace

ItemText::ItemText(std::string_view text) {
  thread_local Block block;
  if (text.size() > kMostInBlock) {
    const std::shared_ptr<char[]> own(new char[text.size()]);
    std::memcpy(own.get(), text.data(), text.size());
    view_ = {own.get(), text.size()};
    block_ = own;
    return;
  }
  if (text.size() > kBlockBytes - block.used) {
    block = {std::shared_ptr<char[]>(new char[kBlockBytes]), 0};
  }
  char* const begin = block.bytes.get() + block.used;
  text.copy(begin, text.size());
  block.used += text.size();
  view_ = {begin, text.size()};
  block_ = block.bytes;
}

}  // namespace packhorse::contract
