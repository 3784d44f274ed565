#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace packhorse::contract {

// The text of a record's items. Its bytes lie in a block that its thread fills with one text after the other, so that
// a batch of records takes few blocks of memory and gives few back, also where another thread does that. A block lives
// as long as the last text in it. Copies share the bytes. Any thread.
class ItemText {
 public:
  ItemText() = default;
  explicit ItemText(std::string_view text);

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }

 private:
  std::shared_ptr<const char[]> block_;
  std::string_view view_;
};

}  // namespace packhorse::contract
