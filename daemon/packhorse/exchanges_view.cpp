// What people see of `packhorse exchanges`.

#include "base/units.h"
#include "packhorse/json_view.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

std::string HeaderLines(const JsonView& headers) {
  std::string text;
  for (const JsonView& header : headers.Items()) {
    text += Wrap(header["name"].Shown() + ": " + header["value"].Shown(), "      ", 8);
  }
  return text;
}

std::string BodyLine(const char* what, std::uint64_t bytes, const std::string& start, const char* why_none) {
  if (bytes == 0) {
    return "";
  }
  return Wrap(std::string(what) + ", " + FormatBytes(bytes) + ": " + (start.empty() ? why_none : start), "      ", 8);
}

std::string OneExchange(const JsonView& exchange, const Style& style, WallTime now) {
  const std::uint64_t status = exchange["http_status"].Count();
  const std::string came = status > 0 ? "HTTP status " + std::to_string(status) : exchange["transport_error"].Shown();
  std::string text = style.Title(exchange["destination"].Shown() + ", " + When(exchange["at"], now)) + "\n";
  text += Wrap(exchange["method"].Shown() + " " + exchange["path"].Shown() + ", " +
                   Grouped(exchange["records"].Count()) + (exchange["records"].Count() == 1 ? " record" : " records"),
               "  > ", 4);
  text += HeaderLines(exchange["request_headers"]);
  text += BodyLine("body", exchange["request_bytes"].Count(), exchange["request_start"].Shown(),
                   "compressed or no text, not shown");
  text += Wrap(came + " after " + Latency(exchange["elapsed_ms"].Number().value_or(0)), "  < ", 4);
  text += HeaderLines(exchange["reply_headers"]);
  text += BodyLine("body", exchange["reply_bytes"].Count(), exchange["reply_start"].Shown(), "not shown");
  text += Wrap(exchange["verdict"].Shown(), style.Bad("  ! "), 4);
  text += Field("request id", exchange["provider_request_id"].Shown());
  text += Field("batch", exchange["batch_key"].Shown());
  return text + Field("trace", exchange["trace_id"].Shown());
}

}  // namespace

std::string ExchangesText(const std::string& json, const Style& style, WallTime now) {
  std::string text;
  for (const JsonView& exchange : JsonView(json)["exchanges"].Items()) {
    text += (text.empty() ? "" : "\n") + OneExchange(exchange, style, now);
  }
  return text.empty() ? "no exchange failed since the daemon started\n" : text;
}

}  // namespace packhorse::cli
