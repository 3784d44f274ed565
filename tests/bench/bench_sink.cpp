// A cloud that does what a receiver cannot leave out and nothing else: decodes each body, parses every record and looks
// whether the records come in order. The reference cloud also validates and stores, which costs more than the bridge.
//   bench_sink PORT
// GET /stats: what it has seen. Ends when the program that started it ends.
#include <simdjson.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "bench/meter.h"
#include "format/compression/coding.h"
#include "support/http/server.h"

namespace packhorse::bench {
namespace {

constexpr std::uint64_t kMaxBody = 64ULL << 20U;

class Sink {
 public:
  http::Reply Handle(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    return request.method == "GET" ? Stats() : Take(request);
  }

 private:
  http::Reply Stats() const {
    http::Reply reply;
    reply.content_type = "text/plain";
    reply.body = std::to_string(records_) + " " + std::to_string(misplaced_) + " " + std::to_string(wire_bytes_) + " " +
                 std::to_string(requests_) + " " + std::to_string(Measure().cpu_seconds) + "\n";
    return reply;
  }

  http::Reply Take(const http::Request& request) {
    http::Reply reply;
    const auto body = format::Decode(request.Header("content-encoding"), request.body, kMaxBody);
    simdjson::dom::array records;
    if (!body || parser_.parse(*body)["records"].get(records) != simdjson::SUCCESS) {
      reply.status = 400;
      return reply;
    }
    std::uint64_t count = 0;
    for (const simdjson::dom::element record : records) {
      std::uint64_t sequence = 0;
      if (record["sequence"].get(sequence) != simdjson::SUCCESS || sequence != last_ + 1) {
        ++misplaced_;
      }
      last_ = sequence;
      ++count;
    }
    records_ += count;
    wire_bytes_ += request.body.size();
    ++requests_;
    reply.body = "{\"accepted\":" + std::to_string(count) + "}";
    return reply;
  }

  std::mutex mutex_;
  simdjson::dom::parser parser_;
  std::uint64_t last_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t misplaced_ = 0;
  std::uint64_t wire_bytes_ = 0;
  std::uint64_t requests_ = 0;
};

int Run(int port) {
  Sink sink;
  http::ServerOptions options;
  options.port = port;
  http::Server server(
      options, [&sink](const http::Request& request) { return sink.Handle(request); },
      [](const http::Request&) { return kMaxBody; }, [] { return false; });
  if (const Status opened = server.Open(); !opened) {
    Fail(opened.error().message);
  }
  server.Run();
  return 0;
}

}  // namespace
}  // namespace packhorse::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "Usage: bench_sink PORT\n");
    return 2;
  }
  return packhorse::bench::Run(static_cast<int>(std::strtol(argv[1], nullptr, 10)));
}
