// Batches of 500 records to the reference cloud over one kept connection, against bare libcurl.
//   raw        curl_easy_perform in a loop: the raw limit of library and cloud on this machine
//   packhorse  the same bytes through Uploader
//   gzip       only the compression of the batches, which both of the above get done beforehand
#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "bench/load.h"
#include "bench/meter.h"
#include "format/compression/gzip.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "upload/uploader.h"

namespace packhorse::bench {
namespace {

constexpr std::uint64_t kBatch = 500;

std::string Record(std::uint64_t number) {
  const std::string sequence = std::to_string(number + 1);
  return R"({"record_id":"bench.n.)" + sequence + R"(","sequence":)" + sequence +
         R"(,"kind":"telemetry","stream":"telemetry","device_id":")" + std::to_string(number % 200) +
         R"(","server_received_at":"2026-11-20T09:12:01.123456Z","gateway_clock":"synchronized","device_time":{"value":)"
         R"("2026-11-20T09:12:00.900Z","raw":"1795165920900","source":"device","quality":"ok","skew_ms":-223},)"
         R"("contract":"generic-json@1.0","topic":")" +
         Topic(number) + R"(","measurements":{"temperature":{"value":)" + std::to_string(18 + number % 10) +
         R"(.25,"unit":"Cel"},"humidity":{"value":41.5},"seq":{"value":)" + sequence +
         R"(}},"attributes":{"firmware":"1.4.2"}})";
}

std::string Body() {
  std::string body =
      R"({"contract":"packhorse-ingest@1.0","gateway":{"id":"bench"},"batch":{"id":"bench","lane":"normal",)"
      R"("records":)" +
      std::to_string(kBatch) + R"(},"records":[)";
  for (std::uint64_t i = 0; i < kBatch; ++i) {
    body += (i > 0 ? "," : "") + Record(i);
  }
  return body + "]}";
}

std::string Compressed() {
  auto compressed = format::Gzip(Body());
  if (!compressed) {
    Fail(compressed.error().message);
  }
  return std::move(compressed).value();
}

std::size_t Discard(char*, std::size_t size, std::size_t count, void*) { return size * count; }

void Raw(std::uint64_t messages, const std::string& url) {
  const std::string body = Compressed();
  CURL* handle = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_URL, (url + "/v1/telemetry").c_str());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, Discard);
  const Usage before = Measure();
  for (std::uint64_t sent = 0; sent < messages; sent += kBatch) {
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Content-Encoding: gzip");
    headers = curl_slist_append(headers, ("Idempotency-Key: \"raw-" + std::to_string(sent) + "\"").c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    const CURLcode code = curl_easy_perform(handle);
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (code != CURLE_OK || status != 200) {
      Fail(std::string("bare curl: ") + curl_easy_strerror(code) + ", status " + std::to_string(status));
    }
  }
  Print("upload/raw", messages, before, Measure());
  curl_easy_cleanup(handle);
}

void Packhorse(std::uint64_t messages, const std::string& url) {
  const std::string body = Compressed();
  auto uploader = upload::MakeUploader("packhorse-bench");
  if (!uploader) {
    Fail(uploader.error().message);
  }
  upload::Endpoint endpoint;
  endpoint.base_url = url;
  const Usage before = Measure();
  for (std::uint64_t sent = 0; sent < messages; sent += kBatch) {
    upload::Request request;
    request.path = "/v1/telemetry";
    request.headers = {{"Content-Type", "application/json"},
                       {"Content-Encoding", "gzip"},
                       {"Idempotency-Key", "\"packhorse-" + std::to_string(sent) + "\""}};
    request.body = body;
    bool done = false;
    (*uploader)->Send(endpoint, std::move(request), [&done](const upload::Response& response) {
      if (response.status != 200) {
        Fail("status " + std::to_string(response.status) + " " + response.error + response.body);
      }
      done = true;
    });
    while (!done) {
      if (const auto ready = (*uploader)->Poll({}, SystemClock().Mono() + std::chrono::seconds(30)); !ready) {
        Fail(ready.error().message);
      }
    }
  }
  Print("upload/packhorse", messages, before, Measure());
}

void Gzip(std::uint64_t messages) {
  const std::string body = Body();
  const Usage before = Measure();
  std::size_t bytes = 0;
  for (std::uint64_t done = 0; done < messages; done += kBatch) {
    const auto compressed = format::Gzip(body);
    bytes += compressed ? compressed->size() : 0;
  }
  if (bytes == 0) {
    Fail("nothing was compressed");
  }
  Print("upload/gzip", messages, before, Measure());
}

}  // namespace
}  // namespace packhorse::bench

int main(int argc, char** argv) {
  using namespace packhorse::bench;
  const Arguments arguments = ParseArguments(argc, argv, "bench_upload raw|packhorse|gzip MESSAGES");
  if (arguments.mode == "gzip") {
    Gzip(arguments.messages);
    return 0;
  }
  const packhorse::test::TempDir directory;
  const int port = packhorse::test::FreePort();
  const packhorse::test::Process cloud = StartCloud(port, directory.path());
  const std::string url = "http://127.0.0.1:" + std::to_string(port);
  if (arguments.mode == "raw") {
    Raw(arguments.messages, url);
  } else if (arguments.mode == "packhorse") {
    Packhorse(arguments.messages, url);
  } else {
    Fail("unknown mode " + arguments.mode);
  }
  return 0;
}
