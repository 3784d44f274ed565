#include "contract/cloud/record_writer.h"

#include <algorithm>
#include <utility>

#include "contract/cloud/mapping.h"
#include "contract/cloud/parts.h"
#include "contract/cloud/request_head.h"
#include "format/text/escape.h"

namespace packhorse::contract {

Renderer::Append EscapeOf(const CloudDefinition& definition) {
  if (definition.body == BodyKind::kText) {
    switch (definition.escape) {
      case Escape::kNone:
        return AppendPlain;
      case Escape::kXml:
        return format::AppendXml;
      case Escape::kJson:
        break;
    }
  }
  return AppendEscapedJson;
}

bool RecordWriter::AppendItem(Renderer& renderer, Scope& scope, std::string& out, std::string& series) const {
  if (d_.body == BodyKind::kText) {
    return renderer.Write(d_.text_item, out, EscapeOf(d_));
  }
  if (d_.body != BodyKind::kJson && d_.body != BodyKind::kNdjson) {
    return AppendMapped(d_, renderer, out, series);
  }
  std::string item;
  std::string& target = d_.body == BodyKind::kJson ? out : item;
  if (d_.item_is_record) {
    target += JsonOf(*scope.record);
  } else if (renderer.Json(d_.item, target) != Renderer::Wrote::kYes) {
    renderer.Unfit("the item has no members");
    return false;
  }
  if (d_.body == BodyKind::kJson) {
    return true;
  }
  scope.item = item;
  for (const Template& line : d_.lines) {
    if (renderer.Json(line, out) != Renderer::Wrote::kYes) {
      renderer.Unfit("a line has no members");
      return false;
    }
    out += '\n';
  }
  return true;
}

bool RecordWriter::AddGroup(Renderer& renderer, Scope& scope, RenderedRecord& out) const {
  const std::function<void(std::string&)> mark = [](std::string& text) { AppendMark(text, kGroupMark, 0); };
  scope.body = &mark;
  std::string group;
  if (renderer.Json(*d_.group_as, group) != Renderer::Wrote::kYes) {
    renderer.Unfit("the group has no members");
    return false;
  }
  group += kGroupEnd;
  for (const Text& by : d_.group_by) {
    AppendPart(group, renderer.ValueOf(by), d_.style);
  }
  out.groups.push_back(std::move(group));
  return renderer.fault().empty();
}

std::optional<RecordWriter::ItemFault> RecordWriter::AddItem(Scope scope, std::string& text, RenderedRecord& out,
                                                             std::set<std::string>& series) const {
  Renderer renderer(d_, settings_, scope);
  const std::size_t before = text.size();
  const std::size_t groups = out.groups.size();
  const auto undo = [&](const char* reason, std::string detail) {
    text.resize(before);
    out.groups.resize(groups);
    return ItemFault{reason, std::move(detail)};
  };
  std::string name;
  if (!AppendItem(renderer, scope, text, name) || (d_.group_as && !AddGroup(renderer, scope, out))) {
    return undo("missing_value", renderer.fault());
  }
  if (d_.max_item_bytes > 0 && text.size() - before > d_.max_item_bytes) {
    return undo("too_large", std::to_string(text.size() - before) + " bytes, at most " +
                                 std::to_string(d_.max_item_bytes) + " are taken");
  }
  if (!name.empty() && !series.insert(std::move(name)).second) {
    return undo("missing_value", "two measurements of the record become one series: " + scope.measurement->name);
  }
  out.item_ends.push_back(static_cast<std::uint32_t>(text.size()));
  return std::nullopt;
}

void RecordWriter::AddItems(const CanonicalRecord& record, RenderedRecord& out) const {
  std::set<std::string> series;
  std::string text;
  const auto add = [&](const Measurement* measurement) {
    Scope scope;
    scope.record = &record;
    scope.measurement = measurement;
    scope.received = received_;
    scope.keep_nan = d_.body == BodyKind::kOtlp || d_.body == BodyKind::kRemoteWrite;
    if (auto fault = AddItem(scope, text, out, series)) {
      ++out.unfit_items;
      if (out.reason.empty()) {
        out.reason = fault->reason;
        out.detail = (measurement == nullptr ? "" : measurement->name + ": ") + fault->detail;
      }
    }
  };
  if (!d_.each) {
    add(nullptr);
  } else {
    for (const Measurement& measurement : record.measurements) {
      add(&measurement);
    }
  }
  out.text = ItemText(text);
}

void RecordWriter::Condemn(RenderedRecord& out, const char* reason, std::string detail) const {
  out.fate = d_.unfit == OnUnfit::kSkip   ? RenderedRecord::Fate::kSkipped
             : d_.unfit == OnUnfit::kWait ? RenderedRecord::Fate::kWait
                                          : RenderedRecord::Fate::kDeadLetter;
  out.text = {};
  out.item_ends.clear();
  out.groups.clear();
  out.reason = reason;
  out.detail = std::move(detail);
}

std::optional<std::string> RecordWriter::PartOf(const CanonicalRecord& record, std::string& fault) const {
  Scope scope;
  scope.record = &record;
  scope.received = received_;
  Renderer renderer(d_, settings_, scope);
  std::string part;
  for (const Slot& slot : d_.slots) {
    const Datum value = renderer.ValueOf(slot.placeholder);
    if (slot.needed && IsMissing(value)) {
      renderer.Unfit(renderer.WhyMissing(slot.placeholder));
    }
    AppendPart(part, value, d_.style);
  }
  for (const Text& text : d_.split_by) {
    const Placeholder* alone = text.alone();
    AppendPart(part, alone == nullptr ? renderer.ValueOf(text) : renderer.ValueOf(*alone), d_.style);
  }
  fault = renderer.fault();
  return fault.empty() ? std::optional(std::move(part)) : std::nullopt;
}

std::string RecordWriter::FaultOfPaths(std::string_view part) const {
  const auto of_record = [](const Text& path) {
    return std::any_of(path.pieces.begin(), path.pieces.end(), [](const Piece& piece) {
      return piece.placeholder && piece.placeholder->kept && OfRecord(piece.placeholder->source);
    });
  };
  const bool confirms = d_.confirm && of_record(d_.confirm->path);
  if (!of_record(d_.path) && !confirms) {
    return "";
  }
  BatchHeader header;
  header.gateway_id = "g";
  header.batch_id = "b";
  const ConfirmKey key{"/k"};
  const std::vector<Datum> slots = PartsOf(part, d_.slots.size());
  Scope scope;
  scope.batch = &header;
  scope.slots = slots;
  scope.key = &key;
  scope.invented = true;
  Renderer renderer(d_, settings_, scope);
  WritePath(renderer, d_.path);
  if (confirms && renderer.fault().empty()) {
    WritePath(renderer, d_.confirm->path);
  }
  return renderer.fault();
}

RenderedRecord RecordWriter::Write(const CanonicalRecord& record) const {
  RenderedRecord out;
  if ((d_.kinds >> static_cast<unsigned>(record.kind) & 1U) == 0) {
    out.fate = RenderedRecord::Fate::kSkipped;
    out.reason = "kind";
    return out;
  }
  const bool parts = !d_.slots.empty() || !d_.split_by.empty();
  if (d_.item_is_record && d_.body == BodyKind::kJson && !parts && !d_.group_as) {
    out.text = ItemText(JsonOf(record));
    if (d_.max_item_bytes > 0 && out.text.size() > d_.max_item_bytes) {
      Condemn(out, "too_large", "at most " + std::to_string(d_.max_item_bytes) + " bytes are taken");
    }
    return out;
  }
  if (parts) {
    std::string fault;
    auto part = PartOf(record, fault);
    if (!part) {
      Condemn(out, "missing_value", std::move(fault));
      return out;
    }
    out.part = std::move(*part);
    if (fault = FaultOfPaths(out.part); !fault.empty()) {
      Condemn(out, "unfit_path", std::move(fault));
      return out;
    }
  }
  AddItems(record, out);
  if (out.item_ends.size() > d_.accepts.max_items) {
    Condemn(out, "too_many_items",
            std::to_string(out.item_ends.size()) + " items, at most " + std::to_string(d_.accepts.max_items) +
                " are taken");
  } else if (out.item_ends.empty()) {
    const std::string reason = out.reason.empty() ? "missing_value" : out.reason;
    Condemn(out, reason.c_str(), out.detail.empty() ? "it has no measurements" : out.detail);
  } else if (out.item_ends.size() == 1) {
    out.item_ends.clear();
  }
  return out;
}

}  // namespace packhorse::contract
