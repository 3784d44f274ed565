#include "contract/cloud/parts.h"

#include "base/text.h"

namespace packhorse::contract {

void AppendPart(std::string& part, const Datum& value, JsonStyle style) {
  const bool text = std::holds_alternative<std::string>(value) || std::holds_alternative<std::string_view>(value) ||
                    std::holds_alternative<Instant>(value);
  std::string written;
  const bool there =
      !IsMissing(value) && (text ? AppendText(written, value, style) : AppendJson(written, value, style));
  if (!there) {
    written.clear();
  }
  part += !there ? 'm' : text ? 't' : 'j';
  part += std::to_string(written.size());
  part += ':';
  part += written;
}

std::vector<Datum> PartsOf(std::string_view part, std::size_t count) {
  std::vector<Datum> values;
  while (values.size() < count) {
    const std::size_t colon = part.find(':');
    std::size_t bytes = 0;
    if (colon == std::string_view::npos || colon < 2 || !ReadNumber(part.substr(1, colon - 1), bytes) ||
        bytes > part.size() - colon - 1) {
      values.resize(count, Datum(Missing{}));
      break;
    }
    const std::string text(part.substr(colon + 1, bytes));
    values.push_back(part[0] == 't' ? Datum(text) : part[0] == 'j' ? Datum(JsonText{text}) : Datum(Missing{}));
    part.remove_prefix(colon + 1 + bytes);
  }
  return values;
}

}  // namespace packhorse::contract
