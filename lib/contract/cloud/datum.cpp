#include "contract/cloud/datum.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/text.h"
#include "format/json/writer.h"

namespace packhorse::contract {
namespace {

constexpr std::int64_t kExactInDouble = std::int64_t{1} << 53;

// What a map of numbers has of a value.
Datum AsNumber(Datum value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    return std::int64_t{*flag ? 1 : 0};
  }
  const bool number = std::holds_alternative<std::int64_t>(value) || std::holds_alternative<std::uint64_t>(value) ||
                      std::holds_alternative<double>(value);
  return number ? std::move(value) : Datum(Missing{});
}

void AppendInteger(std::string& out, std::int64_t number, JsonStyle style) {
  const bool text = style.big_integers_as_text && (number > kExactInDouble || number < -kExactInDouble);
  out += text ? "\"" : "";
  format::AppendInteger(out, number);
  out += text ? "\"" : "";
}

void AppendUnsigned(std::string& out, std::uint64_t number, JsonStyle style) {
  const bool text = style.big_integers_as_text && number > static_cast<std::uint64_t>(kExactInDouble);
  out += text ? "\"" : "";
  format::AppendUnsigned(out, number);
  out += text ? "\"" : "";
}

void AppendEntry(std::string& out, const MapEntry& entry, bool units, JsonStyle style) {
  if (!units) {
    AppendJson(out, entry.value, style);
    return;
  }
  out += "{\"value\":";
  AppendJson(out, entry.value, style);
  if (!entry.unit.empty()) {
    out += ",\"unit\":";
    format::AppendString(out, entry.unit);
  }
  out += '}';
}

// A name that is still to be written, at the level it has reached.
struct Nested {
  std::string_view rest;
  const MapEntry* entry;
};

// The objects that dotted names stand for. Where `a` and `a.b` are both there, the first wins.
void AppendNested(std::string& out, const std::vector<Nested>& names, bool units, JsonStyle style,
                  const std::vector<std::string_view>& taken, bool comma) {
  std::vector<bool> done(names.size(), false);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (done[i]) {
      continue;
    }
    const std::size_t dot = names[i].rest.find('.');
    const std::string_view head = names[i].rest.substr(0, dot);
    std::vector<Nested> below;
    for (std::size_t j = i; j < names.size(); ++j) {
      const std::size_t other = names[j].rest.find('.');
      if (names[j].rest.substr(0, other) == head) {
        done[j] = true;
        if (other != std::string_view::npos) {
          below.push_back({names[j].rest.substr(other + 1), names[j].entry});
        }
      }
    }
    if (std::find(taken.begin(), taken.end(), head) != taken.end()) {
      continue;
    }
    out += comma ? "," : "";
    comma = true;
    format::AppendString(out, head);
    out += ':';
    if (dot == std::string_view::npos) {
      AppendEntry(out, *names[i].entry, units && !names[i].entry->unit.empty(), style);
    } else {
      out += '{';
      AppendNested(out, below, units, style, {}, false);
      out += '}';
    }
  }
}

}  // namespace

Datum ToDatum(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return std::string_view(*text);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return std::isfinite(*number) ? Datum(*number) : Datum(Missing{});
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return *integer;
  }
  if (const auto* large = std::get_if<std::uint64_t>(&value)) {
    return *large;
  }
  if (const auto* flag = std::get_if<bool>(&value)) {
    return *flag;
  }
  return nullptr;
}

std::vector<MapEntry> Entries(const MapView& map) {
  std::vector<MapEntry> entries;
  std::set<std::string, std::less<>> names;
  const auto add = [&](const std::string& name, Datum value, std::string_view unit) {
    if (map.numbers) {
      value = AsNumber(std::move(value));
    }
    std::string written = map.naming == Naming::kSafe ? SafeName(name) : name;
    if (!IsMissing(value) && names.insert(written).second) {
      entries.push_back({std::move(written), std::move(value), unit});
    }
  };
  if (map.measurements != nullptr) {
    for (const Measurement& each : *map.measurements) {
      add(each.name, ToDatum(each.value), each.unit);
    }
  }
  if (map.attributes != nullptr) {
    for (const Attribute& each : *map.attributes) {
      add(each.name, ToDatum(each.value), "");
    }
  }
  if (map.texts != nullptr) {
    for (const auto& [name, text] : *map.texts) {
      add(name, std::string_view(text), "");
    }
  }
  return entries;
}

bool AppendMembers(std::string& out, const MapView& map, const std::vector<std::string_view>& taken, bool comma,
                   JsonStyle style) {
  const std::size_t before = out.size();
  const std::vector<MapEntry> entries = Entries(map);
  if (map.naming == Naming::kNested) {
    std::vector<Nested> names;
    for (const MapEntry& entry : entries) {
      names.push_back({entry.name, &entry});
    }
    AppendNested(out, names, map.units, style, taken, comma);
    return out.size() > before;
  }
  for (const MapEntry& entry : entries) {
    if (std::find(taken.begin(), taken.end(), entry.name) != taken.end()) {
      continue;
    }
    out += comma ? "," : "";
    comma = true;
    format::AppendString(out, entry.name);
    out += ':';
    AppendEntry(out, entry, map.units, style);
  }
  return out.size() > before;
}

bool AppendJson(std::string& out, const Datum& datum, JsonStyle style) {
  if (const auto* view = std::get_if<std::string_view>(&datum)) {
    format::AppendString(out, *view);
  } else if (const auto* text = std::get_if<std::string>(&datum)) {
    format::AppendString(out, *text);
  } else if (const auto* number = std::get_if<double>(&datum)) {
    format::AppendDouble(out, *number);
  } else if (const auto* integer = std::get_if<std::int64_t>(&datum)) {
    AppendInteger(out, *integer, style);
  } else if (const auto* large = std::get_if<std::uint64_t>(&datum)) {
    AppendUnsigned(out, *large, style);
  } else if (const auto* flag = std::get_if<bool>(&datum)) {
    out += *flag ? "true" : "false";
  } else if (const auto* decimal = std::get_if<Decimal>(&datum)) {
    out += decimal->text;
  } else if (const auto* json = std::get_if<JsonText>(&datum)) {
    out += json->text;
    return !json->text.empty() && json->text != "[]" && json->text != "{}";
  } else if (const auto* instant = std::get_if<Instant>(&datum)) {
    out += '"';
    AppendRfc3339(out, *instant);
    out += '"';
  } else if (const auto* map = std::get_if<MapView>(&datum)) {
    out += '{';
    const bool some = AppendMembers(out, *map, {}, false, style);
    out += '}';
    if (!some) {
      out.resize(out.size() - 2);
    }
    return some;
  } else {
    out += "null";
  }
  return true;
}

bool AppendText(std::string& out, const Datum& datum, JsonStyle style) {
  if (IsMissing(datum)) {
    return false;
  }
  if (const auto* view = std::get_if<std::string_view>(&datum)) {
    out += *view;
  } else if (const auto* text = std::get_if<std::string>(&datum)) {
    out += *text;
  } else if (const auto* instant = std::get_if<Instant>(&datum)) {
    AppendRfc3339(out, *instant);
  } else {
    style.big_integers_as_text = false;
    return AppendJson(out, datum, style);
  }
  return true;
}

std::string SafeName(std::string_view name, std::string_view also) {
  std::string safe;
  safe.reserve(name.size());
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t bytes = FirstCharacter(name.substr(at)).bytes;
    const char c = name[at];
    const bool stays = bytes == 1 && (IsAlnum(c) || c == '_' || also.find(c) != std::string_view::npos);
    safe += stays ? c : '_';
    at += bytes;
  }
  return safe;
}

}  // namespace packhorse::contract
