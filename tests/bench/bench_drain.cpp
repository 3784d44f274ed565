// A backlog goes out: from the queue to the socket of a cloud that parses every record (bench_sink), in one process, so
// that instructions can be counted.
//   drain, drain-zstd        Queue, decoding, rendering, coding, Uploader, settling: as the daemon's loop does it, with
//                            the batches and the contract of the default configuration
//   outage-RATE              the cloud is away while messages come at that rate a second, and comes back after the last
//                            of them: how long its return goes unnoticed, and from then on until it has everything
//   fill                     only what `drain` does beforehand: the messages into the queue
//   raw, raw-zstd            bare libcurl with bodies that were made before, one after the other: the raw limit of
//                            library, loopback and cloud
//   decode, render, code-gzip, code-zstd   the stations alone, a batch at a time; what each needs is made before
#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "auth/authorizer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/topic.h"
#include "bench/load.h"
#include "bench/meter.h"
#include "contract/cloud_contract.h"
#include "contract/device_contract.h"
#include "delivery/delivery.h"
#include "format/compression/coding.h"
#include "queue/queue.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "upload/uploader.h"

namespace packhorse::bench {
namespace {

constexpr std::uint64_t kBatch = 500;
constexpr char kTopics[] = "site/{site}/dev/{device}/telemetry";

template <typename T>
T Take(Result<T> result) {
  if (!result) {
    Fail(result.error().message);
  }
  return std::move(result).value();
}

std::shared_ptr<const contract::CloudContract> CloudContract() {
  return Take(contract::FindCloudContract("packhorse-ingest@1"));
}
std::shared_ptr<const contract::DeviceContract> DeviceContract() {
  return Take(contract::FindDeviceContract("generic-json@1"));
}

RawMessage MessageAt(std::uint64_t number, StreamId stream) {
  RawMessage message;
  message.stream = stream;
  message.topic = Traffic::Shared().At(number).topic;
  message.payload = Traffic::Shared().At(number).payload;
  message.received_at = SystemClock().Wall();
  message.boot_time = SystemClock().Boot();
  message.clock = ClockState::kSynchronized;
  message.qos = 1;
  return message;
}

// --- the cloud ---

std::size_t AppendTo(char* bytes, std::size_t size, std::size_t count, void* out) {
  static_cast<std::string*>(out)->append(bytes, size * count);
  return size * count;
}

// A request by bare libcurl over a kept connection; the reply's body.
class Curl {
 public:
  explicit Curl(std::string url) : url_(std::move(url)), handle_(curl_easy_init()) {
    curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, AppendTo);
  }
  ~Curl() { curl_easy_cleanup(handle_); }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;

  std::string Get(const std::string& path) {
    curl_easy_setopt(handle_, CURLOPT_HTTPGET, 1L);
    return Perform(path);
  }
  std::string Post(const std::string& path, const std::string& body, const std::string& coding) {
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    headers = curl_slist_append(headers, ("Content-Encoding: " + coding).c_str());
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, headers);
    std::string reply = Perform(path);
    curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, nullptr);
    curl_slist_free_all(headers);
    return reply;
  }

 private:
  std::string Perform(const std::string& path) {
    std::string reply;
    curl_easy_setopt(handle_, CURLOPT_URL, (url_ + path).c_str());
    curl_easy_setopt(handle_, CURLOPT_WRITEDATA, &reply);
    const CURLcode code = curl_easy_perform(handle_);
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200) {
      Fail(std::string("bare curl: ") + curl_easy_strerror(code) + ", status " + std::to_string(status));
    }
    return reply;
  }

  std::string url_;
  CURL* handle_;
};

class Cloud {
 public:
  Cloud(const std::string& directory, int port)
      : port_(port),
        process_({std::string(BINARY_DIR) + "/bin/bench_sink", std::to_string(port_)}, directory + "/sink.log") {
    if (!test::WaitFor([this] { return test::PortOpen(port_); })) {
      Fail("the sink does not start: " + test::ReadAll(directory + "/sink.log"));
    }
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  struct Seen {
    std::uint64_t records = 0;
    std::uint64_t misplaced = 0;
    std::uint64_t wire_bytes = 0;
    std::uint64_t requests = 0;
    double cpu_seconds = 0;
  };
  Seen Look() const {
    Seen seen;
    const std::string text = Curl(url()).Get("/stats");
    if (std::sscanf(text.c_str(), "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %lf", &seen.records, &seen.misplaced,
                    &seen.wire_bytes, &seen.requests, &seen.cpu_seconds) != 5) {
      Fail("the sink says " + text);
    }
    return seen;
  }
  void PrintSeen(const std::string& name, std::uint64_t messages) const {
    const Seen seen = Look();
    if (seen.records != messages) {
      Fail("the sink has " + std::to_string(seen.records) + " of " + std::to_string(messages));
    }
    const auto count = static_cast<double>(messages);
    std::printf("name=%s wire=%.1f misplaced=%" PRIu64 " requests=%" PRIu64 " sink_cpu_us=%.2f\n", name.c_str(),
                static_cast<double>(seen.wire_bytes) / count, seen.misplaced, seen.requests,
                seen.cpu_seconds * 1e6 / count);
  }

 private:
  int port_;
  test::Process process_;
};

// --- the drain ---

struct Bridge {
  std::unique_ptr<upload::Uploader> uploader = Take(upload::MakeUploader("packhorse-bench"));
  std::unique_ptr<queue::Queue> queue;
  delivery::Streams streams;
  health::Events events;

  Bridge(const std::string& directory, const test::TempDir& runtime) {
    queue::Options options;
    options.path = directory + "/queue.db";
    options.runtime_dir = runtime.path();
    options.streams = {{"telemetry", Lane::kNormal, {"cloud"}}};
    options.destinations = {"cloud"};
    options.wake = [this] { uploader->Wake(); };
    queue = Take(queue::Open(std::move(options), SystemClock()));
    const StreamId stream = Take(queue->Stream("telemetry"));
    streams.Set(stream,
                delivery::StreamBinding{
                    "telemetry", {delivery::StreamDefinition({Take(TopicPattern::Parse(kTopics))}, DeviceContract())}});
  }

  // `per_second` 0: as fast as it goes.
  void Fill(std::uint64_t messages, std::uint64_t per_second = 0) const {
    const StreamId stream = Take(queue->Stream("telemetry"));
    const auto started = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < messages; ++i) {
      if (per_second > 0) {
        std::this_thread::sleep_until(started + i * std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second);
      }
      Take(queue->Append(MessageAt(i, stream)));
    }
  }

  std::unique_ptr<delivery::Destination> MakeDestination(const std::string& url, const std::string& coding) {
    delivery::Options options;
    options.name = "cloud";
    options.gateway_id = "bench";
    options.contract = CloudContract();
    options.endpoint.base_url = url;
    options.coding = coding;
    options.reconciled = options.contract->reconcile() != nullptr;
    return Take(delivery::MakeDestination(std::move(options), Take(auth::Authorizer::Make({})),
                                          {*queue, *queue, *uploader, events, SystemClock(), streams}));
  }
};

// One round of the daemon's loop. False: everything is delivered.
bool Turn(Bridge& bridge, delivery::Destination& destination) {
  bridge.queue->Poll();
  const MonoTime now = SystemClock().Mono();
  const MonoTime next = destination.Step(now);
  if (destination.idle() && bridge.queue->Waiting("cloud", Lane::kNormal).messages == 0) {
    return false;
  }
  Take(bridge.uploader->Poll({}, std::min(next, now + std::chrono::milliseconds(200))));
  return true;
}

void Drain(std::uint64_t messages, const std::string& name, const std::string& coding, const std::string& directory) {
  const test::TempDir runtime(kInMemory);
  Bridge bridge(directory, runtime);
  bridge.Fill(messages);
  const Cloud cloud(directory, test::FreePort());
  const auto destination = bridge.MakeDestination(cloud.url(), coding);
  const Usage before = Measure();
  while (Turn(bridge, *destination)) {
  }
  Print(name, messages, before, Measure());
  cloud.PrintSeen(name, messages);
  bridge.queue->Stop();
}

void Outage(std::uint64_t messages, std::uint64_t per_second, const std::string& directory) {
  const test::TempDir runtime(kInMemory);
  Bridge bridge(directory, runtime);
  const int port = test::FreePort();
  const auto destination = bridge.MakeDestination("http://127.0.0.1:" + std::to_string(port), "gzip");
  std::atomic<bool> arriving{true};
  std::thread arrivals([&] {
    bridge.Fill(messages, per_second);
    arriving = false;
  });
  while (arriving) {
    Turn(bridge, *destination);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // where nothing waits yet
  }
  arrivals.join();
  const Cloud cloud(directory, port);
  const auto back = std::chrono::steady_clock::now();
  auto noticed = back;
  bool seen = false;
  while (Turn(bridge, *destination)) {
    if (!seen && destination->Snapshot(SystemClock().Mono()).records_delivered > 0) {
      seen = true;
      noticed = std::chrono::steady_clock::now();
    }
  }
  const auto ms = [](auto span) { return std::chrono::duration<double, std::milli>(span).count(); };
  std::printf("name=drain/outage messages=%" PRIu64 " noticed_ms=%.0f drained_ms=%.0f\n", messages, ms(noticed - back),
              ms(std::chrono::steady_clock::now() - noticed));
  cloud.PrintSeen("drain/outage", messages);
  bridge.queue->Stop();
}

void FillOnly(std::uint64_t messages, const std::string& directory) {
  const test::TempDir runtime(kInMemory);
  const Bridge bridge(directory, runtime);
  const Usage before = Measure();
  bridge.Fill(messages);
  Print("drain/fill", messages, before, Measure());
  bridge.queue->Stop();
}

// --- the stations ---

std::vector<CanonicalRecord> Decode(const contract::DeviceContract& contract, const TopicPattern& pattern,
                                    std::uint64_t from, const RawMessage& message) {
  contract::DecodeContext context;
  context.queue_id = "bench5d1a";
  context.sequence = from + 1;
  context.stream = "telemetry";
  context.device = pattern.Device(message.topic);
  return contract.Decode(message, context).records;
}

std::vector<CanonicalRecord> DecodedBatch(std::uint64_t from) {
  const auto contract = DeviceContract();
  const TopicPattern pattern = Take(TopicPattern::Parse(kTopics));
  std::vector<CanonicalRecord> records;
  for (std::uint64_t i = from; i < from + kBatch; ++i) {
    records.push_back(Decode(*contract, pattern, i, MessageAt(i, 1)).front());
  }
  return records;
}

std::string RenderedBatch(const contract::CloudContract& contract, const std::vector<CanonicalRecord>& records) {
  std::vector<contract::RenderedRecord> rendered;
  rendered.reserve(records.size());
  for (const CanonicalRecord& record : records) {
    rendered.push_back(contract.RenderRecord(record));
  }
  contract::BatchHeader header;
  header.batch_id = std::string(26, 'a');
  header.gateway_id = "bench";
  return contract.RenderBatch(header, rendered).body;
}

// As a look at what waits decodes: each message in the memory of the one before.
void DecodeOnly(std::uint64_t messages) {
  constexpr StreamId kStream = 1;
  delivery::Streams streams;
  streams.Set(kStream,
              delivery::StreamBinding{
                  "telemetry", {delivery::StreamDefinition({Take(TopicPattern::Parse(kTopics))}, DeviceContract())}});
  std::vector<queue::StoredMessage> batch(kBatch);
  for (std::uint64_t i = 0; i < kBatch; ++i) {
    batch[i].message = MessageAt(i, kStream);
  }
  const Usage before = Measure();
  std::size_t records = 0;
  std::vector<CanonicalRecord> spare;
  for (std::uint64_t i = 0; i < messages; ++i) {
    queue::StoredMessage& stored = batch[i % kBatch];
    stored.sequence = i + 1;
    spare = delivery::Decode(streams, "bench5d1a", Lane::kNormal, stored, &spare).records;
    records += spare.size();
  }
  if (records != messages) {
    Fail("not every message is a record");
  }
  Print("drain/decode", messages, before, Measure());
}

void RenderOnly(std::uint64_t messages) {
  const auto contract = CloudContract();
  const std::vector<CanonicalRecord> batch = DecodedBatch(0);
  const Usage before = Measure();
  for (std::uint64_t done = 0; done < messages; done += kBatch) {
    if (RenderedBatch(*contract, batch).size() < kBatch) {
      Fail("nothing was rendered");
    }
  }
  Print("drain/render", messages, before, Measure());
}

void CodeOnly(std::uint64_t messages, const std::string& coding) {
  const std::string body = RenderedBatch(*CloudContract(), DecodedBatch(0));
  const Usage before = Measure();
  std::size_t bytes = 0;
  for (std::uint64_t done = 0; done < messages; done += kBatch) {
    bytes += Take(format::Encode(coding, body)).size();
  }
  Print("drain/code-" + coding, messages, before, Measure());
  std::printf("name=drain/code-%s wire=%.1f plain=%.1f\n", coding.c_str(),
              static_cast<double>(bytes) / static_cast<double>(messages),
              static_cast<double>(body.size()) / static_cast<double>(kBatch));
}

void Raw(std::uint64_t messages, const std::string& name, const std::string& coding, const std::string& directory) {
  constexpr std::uint64_t kBodies = 40;
  const auto contract = CloudContract();
  std::vector<std::string> bodies;
  for (std::uint64_t i = 0; i < kBodies; ++i) {
    bodies.push_back(Take(format::Encode(coding, RenderedBatch(*contract, DecodedBatch(i * kBatch)))));
  }
  const Cloud cloud(directory, test::FreePort());
  Curl curl(cloud.url());
  const Usage before = Measure();
  for (std::uint64_t i = 0; i * kBatch < messages; ++i) {
    curl.Post("/v1/telemetry", bodies[i % kBodies], coding);
  }
  Print(name, messages, before, Measure());
  cloud.PrintSeen(name, messages);
}

}  // namespace
}  // namespace packhorse::bench

int main(int argc, char** argv) {
  using namespace packhorse::bench;
  const Arguments arguments = ParseArguments(
      argc, argv,
      "bench_drain drain|drain-zstd|outage-RATE|fill|raw|raw-zstd|decode|render|code-gzip|code-zstd MESSAGES");
  packhorse::TuneMemory();
  const packhorse::test::TempDir directory;
  const std::string& mode = arguments.mode;
  const std::uint64_t messages = (arguments.messages + kBatch - 1) / kBatch * kBatch;
  const std::string coding = mode.ends_with("-zstd") ? "zstd" : "gzip";
  if (mode == "drain" || mode == "drain-zstd") {
    Drain(messages, "drain/" + coding, coding, directory.path());
  } else if (mode.starts_with("outage-")) {
    Outage(messages, RateOf(mode), directory.path());
  } else if (mode == "fill") {
    FillOnly(messages, directory.path());
  } else if (mode == "raw" || mode == "raw-zstd") {
    Raw(messages, "drain/raw-" + coding, coding, directory.path());
  } else if (mode == "decode") {
    DecodeOnly(messages);
  } else if (mode == "render") {
    RenderOnly(messages);
  } else if (mode.starts_with("code-")) {
    CodeOnly(messages, coding);
  } else {
    Fail("unknown mode " + mode);
  }
  return 0;
}
