// From a real broker into the queue, against a subscriber that only counts. The publisher is a process of its own.
//   raw               Paho C++, QoS 1, MQTT 5, the callback adds one: the raw limit of broker and library on this
//   machine raw-RATE          the same at that many messages a second: the raw limit of bench_bridge at that rate
//   packhorse         Source, Intake and Queue in mode window
//   packhorse-strict  the same in mode strict: each message synced to the disk before its acknowledgement
// With BENCH_SYNC_MS=10 every sync takes ten milliseconds longer, as on a memory card.
#include <mqtt/async_client.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "base/topic.h"
#include "bench/load.h"
#include "bench/meter.h"
#include "ingest/ingest.h"
#include "queue/queue.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::bench {
namespace {

constexpr std::chrono::minutes kPatience{10};
constexpr char kFilter[] = "site/+/dev/+/telemetry";

class Counter : public mqtt::callback {
 public:
  void message_arrived(mqtt::const_message_ptr) override { count_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

void Raw(const std::string& mode, std::uint64_t messages, const std::string& directory) {
  const Broker broker(directory);
  Counter counter;
  mqtt::async_client client("tcp://127.0.0.1:" + std::to_string(broker.port()), "bench-raw",
                            mqtt::create_options(MQTTVERSION_5));
  client.set_callback(counter);
  auto options = mqtt::connect_options_builder().mqtt_version(MQTTVERSION_5).clean_start(true).finalize();
  client.connect(options)->wait();
  client.subscribe(kFilter, 1)->wait();

  const Usage before = Measure();
  const test::Process publisher = StartPublisher(broker.port(), messages, RateOf(mode), directory);
  if (!test::WaitFor([&] { return counter.count() >= messages; }, kPatience)) {
    Fail("only " + std::to_string(counter.count()) + " messages came");
  }
  Print("ingest/" + mode, messages, before, Measure());
  client.disconnect()->wait();
}

std::unique_ptr<queue::Queue> OpenQueue(const std::string& directory, const test::TempDir& runtime, bool strict) {
  queue::Options options;
  options.path = directory + "/queue.db";
  options.runtime_dir = runtime.path();
  options.strict = strict;
  options.streams = {{"telemetry", Lane::kNormal, {"cloud"}}};
  options.destinations = {"cloud"};
  auto opened = queue::Open(std::move(options), SystemClock());
  if (!opened) {
    Fail(opened.error().message);
  }
  return std::move(opened).value();
}

std::vector<ingest::Route> Routes(const queue::Queue& queue) {
  auto pattern = TopicPattern::Parse("site/{site}/dev/{device}/telemetry");
  const auto stream = queue.Stream("telemetry");
  if (!pattern || !stream) {
    Fail("the stream cannot be set up");
  }
  ingest::Route route;
  route.stream = *stream;
  route.patterns.push_back(std::move(pattern).value());
  return {route};
}

void Packhorse(std::uint64_t messages, const std::string& directory, bool strict) {
  const Broker broker(directory);
  const test::TempDir runtime(kInMemory);
  const auto queue = OpenQueue(directory, runtime, strict);
  ingest::Intake intake(Routes(*queue), {}, *queue, SystemClock());
  ingest::SourceOptions options;
  options.name = "bench";
  options.urls = {broker.url()};
  options.client_id = "bench-packhorse";
  options.filters = {kFilter};
  auto source = ingest::MakeSource(options, intake, SystemClock(), [] {});
  if (!source) {
    Fail(source.error().message);
  }
  if (const Status started = (*source)->Start(); !started) {
    Fail(started.error().message);
  }
  if (!test::WaitFor([&] { return (*source)->Snapshot().state == ingest::SourceState::kConnected; })) {
    Fail("not connected: " + (*source)->Snapshot().reason);
  }

  const Usage before = Measure();
  const test::Process publisher = StartPublisher(broker.port(), messages, 0, directory);
  if (!test::WaitFor([&] { return intake.Stats().received >= messages; }, kPatience)) {
    Fail("only " + std::to_string(intake.Stats().received) + " messages came");
  }
  Print(strict ? "ingest/packhorse-strict" : "ingest/packhorse", messages, before, Measure());
  (*source)->Stop(std::chrono::seconds(5));
  queue->Stop();
}

}  // namespace
}  // namespace packhorse::bench

int main(int argc, char** argv) {
  using namespace packhorse::bench;
  const Arguments arguments =
      ParseArguments(argc, argv, "bench_ingest raw|raw-RATE|packhorse|packhorse-strict MESSAGES");
  packhorse::TuneMemory();
  const packhorse::test::TempDir directory;
  if (arguments.mode == "raw" || (arguments.mode.starts_with("raw-") && RateOf(arguments.mode) > 0)) {
    Raw(arguments.mode, arguments.messages, directory.path());
  } else if (arguments.mode == "packhorse" || arguments.mode == "packhorse-strict") {
    Packhorse(arguments.messages, directory.path(), arguments.mode == "packhorse-strict");
  } else {
    Fail("unknown mode " + arguments.mode);
  }
  return 0;
}
