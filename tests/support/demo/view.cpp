#include "view.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

#include "base/units.h"

namespace packhorse::demo {
namespace {

constexpr std::size_t kColumns = 79;
constexpr std::size_t kMaxSentences = 6;
constexpr std::size_t kBarCells = 40;

[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...) {
  std::array<char, 256> text{};
  va_list values;
  va_start(values, format);
  std::vsnprintf(text.data(), text.size(), format, values);
  va_end(values);
  return text.data();
}

unsigned long long Wide(std::uint64_t value) { return value; }

std::string Time(std::chrono::seconds at) {
  return Format("%02lld:%02lld", static_cast<long long>(at.count() / 60), static_cast<long long>(at.count() % 60));
}

std::string Bar(std::uint64_t part, std::uint64_t whole) {
  const std::size_t cells = whole == 0 ? 0 : std::min(kBarCells, static_cast<std::size_t>(part * kBarCells / whole));
  return std::string(cells, '#') + std::string(kBarCells - cells, '.');
}

// What the link to the cloud is like, as the bridge sees it.
std::string Link(const Status& status) {
  std::string text = status.destination_state;
  if (!status.destination_reason.empty()) {
    text += ": " + status.destination_reason;
  }
  if (status.next_attempt_ms && *status.next_attempt_ms > 0) {
    text += Format(" (next try in %.1f s)", static_cast<double>(*status.next_attempt_ms) / 1000.0);
  }
  return text;
}

std::string Latency(const Status& status) {
  return status.p50_ms && status.p95_ms ? Format("p50 %.1f ms, p95 %.1f ms", *status.p50_ms, *status.p95_ms) : "-";
}

}  // namespace

void View::Tell(std::chrono::seconds at, const std::string& sentence) {
  const std::string line = Time(at) + "  " + sentence;
  if (!terminal_) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
    return;
  }
  sentences_.push_back(Shorten(line, kColumns));
  if (sentences_.size() > kMaxSentences) {
    sentences_.pop_front();
  }
  Redraw();
}

void View::Show(std::chrono::seconds at, const std::optional<Status>& status, std::string_view cloud) {
  if (!status) {
    Tell(at, "packhorsed does not answer");
    return;
  }
  if (terminal_) {
    panel_ = Panel(at, *status, cloud);
    Redraw();
  } else {
    std::printf("%s  received %llu  pending %llu  delivered %llu  retried %llu  broker %s  cloud %s\n",
                Time(at).c_str(), Wide(status->received), Wide(status->pending), Wide(status->delivered),
                Wide(status->retries), status->source_state.c_str(), Shorten(Link(*status), 60).c_str());
    std::fflush(stdout);
  }
  received_before_ = status->received;
  delivered_before_ = status->delivered;
}

std::string View::Panel(std::chrono::seconds at, const Status& status, std::string_view cloud) const {
  const auto rate = [](std::uint64_t now, std::uint64_t before) { return Wide(now > before ? now - before : 0); };
  std::string panel;
  const auto line = [&panel](const std::string& text) { panel += Shorten(text, kColumns) + "\n"; };
  line("Packhorse  " + Time(at) + "  devices -> mosquitto -> packhorsed -> cloud");
  line("");
  line("  broker     " + status.source_state + (status.protocol.empty() ? "" : " (MQTT " + status.protocol + ")"));
  line("  cloud      " + std::string(cloud));
  line("  link       " + Link(status));
  line("");
  line(Format("  received   %10llu   %+6lld /s", Wide(status.received),
              static_cast<long long>(rate(status.received, received_before_))));
  line(Format("  delivered  %10llu   %+6lld /s   %s", Wide(status.delivered),
              static_cast<long long>(rate(status.delivered, delivered_before_)), Latency(status).c_str()));
  line(Format("  pending    %10llu   [%s]", Wide(status.pending), Bar(status.pending, status.received).c_str()));
  line(Format("  retried    %10llu   requests; %s in the queue file", Wide(status.retries),
              FormatBytes(status.queue_bytes).c_str()));
  line("");
  return panel;
}

void View::Redraw() {
  std::string screen;
  if (drawn_lines_ > 0) {
    screen = Format("\x1b[%zuA", drawn_lines_);  // up to the first line of the panel
  }
  std::string text = panel_;
  for (const std::string& sentence : sentences_) {
    text += sentence + "\n";
  }
  drawn_lines_ = 0;
  for (const char c : text) {
    if (c == '\n') {
      screen += "\x1b[K";  // clear the rest of the line
      ++drawn_lines_;
    }
    screen += c;
  }
  screen += "\x1b[J";  // and everything below
  std::fputs(screen.c_str(), stdout);
  std::fflush(stdout);
}

void View::Finish() { drawn_lines_ = 0; }

}  // namespace packhorse::demo
