// `packhorse dead export` and `packhorse dead drop`.

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "packhorse/ask.h"
#include "packhorse/commands.h"
#include "packhorse/json_view.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string TextOf(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

void SayOnError(const std::string& text) { std::fputs(text.c_str(), stderr); }

struct Exported {
  std::uint64_t entries = 0;
  std::uint64_t left_out = 0;
};

// False when the file takes no more.
bool WriteEntries(const OrderedJson& page, std::FILE* out, Exported& written) {
  for (const OrderedJson& entry : page.value("dead_letters", OrderedJson::array())) {
    written.left_out += entry.contains("payload_left_out") ? 1U : 0U;
    ++written.entries;
    const std::string line = TextOf(entry) + "\n";
    if (std::fwrite(line.data(), 1, line.size(), out) != line.size()) {
      return false;
    }
  }
  return true;
}

int WritePages(const Globals& globals, const std::string& destination, std::FILE* out, Exported& written, bool& whole) {
  int exit_code = kExitFine;
  std::optional<Answerer> answerer = Answerer::Find(globals, "dead_export", exit_code, kPatience);
  if (!answerer) {
    return exit_code;
  }
  OrderedJson args = {{"destination", destination}, {"after", 0}};
  while (true) {
    const Reply reply = answerer->Ask("dead_export", TextOf(args));
    if (!reply.ok()) {
      return reply.exit_code;
    }
    const OrderedJson page = OrderedJson::parse(reply.json, nullptr, false);
    if (args["after"] == 0) {
      SayOnError(FromFileText(reply.json, Style(false)));
    }
    whole = page.is_object() && WriteEntries(page, out, written);
    const OrderedJson next = page.is_object() ? page.value("next", OrderedJson()) : OrderedJson();
    if (!whole || !next.is_number_integer()) {
      return kExitFine;
    }
    args["after"] = next;
  }
}

}  // namespace

int DeadExport(const Globals& globals, const std::string& destination, const std::string& file) {
  const bool to_file = file != "-";
  std::FILE* out = to_file ? std::fopen(file.c_str(), "we") : stdout;
  if (out == nullptr) {
    SayOnError("packhorse: cannot write " + Printable(file) + "\n");
    return kExitProblem;
  }
  Exported written;
  bool whole = false;
  const int exit_code = WritePages(globals, destination, out, written, whole);
  const bool flushed = std::fflush(out) == 0 && std::ferror(out) == 0;
  const bool closed = !to_file || std::fclose(out) == 0;
  if (exit_code != kExitFine) {
    return exit_code;
  }
  if (!whole || !flushed || !closed) {
    SayOnError("packhorse: the export could not be written to its end: is the disk full?\n");
    return kExitProblem;
  }
  SayOnError(Grouped(written.entries) + " written\n");
  if (written.left_out > 0) {
    SayOnError("packhorse: " + Grouped(written.left_out) +
               " payloads are too large for the control socket and were left out: stop packhorsed and export again\n");
    return kExitProblem;
  }
  return kExitFine;
}

std::string DroppedText(const std::string& json, const Style& style) {
  const JsonView report(json);
  std::string text;
  for (const JsonView& id : report["dropped"].Items()) {
    text += id.Shown() + " is given up: it ended as rejected, and is not kept\n";
  }
  for (const JsonView& failure : report["failures"].Items()) {
    text += Wrap(failure.Shown(), style.Bad("  ! "), 4);
  }
  return text;
}

}  // namespace packhorse::cli
