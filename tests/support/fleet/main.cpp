#include <poll.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "message.h"
#include "publisher.h"

namespace {

using namespace packhorse::fleet;
using Steady = std::chrono::steady_clock;

volatile std::sig_atomic_t g_stop = 0;
void OnSignal(int) { g_stop = 1; }

struct Arguments {
  std::string broker = "127.0.0.1:1883";
  std::uint32_t devices = 200;
  double rate = 100;
  double duration = 0;
  std::uint64_t count = 0;
  std::uint64_t seed = 1;
  std::uint64_t first_seq = 1;
  std::uint32_t connections = 4;
  std::uint32_t window = 500;
  double grace = 30;
  std::string ack_log;
  std::string client_prefix = "fleet";
};

struct Totals {
  std::uint64_t published = 0;
  std::uint64_t acknowledged = 0;
  std::array<std::uint64_t, kShapes> by_shape{};
};

class Fleet {
 public:
  explicit Fleet(const Arguments& arguments)
      : arguments_(arguments), source_(arguments.devices, arguments.seed, arguments.first_seq) {}
  ~Fleet() {
    if (log_ != nullptr) {
      std::fclose(log_);
    }
  }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  bool Open(const std::string& host, int port) {
    if (!arguments_.ack_log.empty()) {
      log_ = std::fopen(arguments_.ack_log.c_str(), "ae");
      if (log_ == nullptr) {
        std::perror(("packhorse-fleet: " + arguments_.ack_log).c_str());
        return false;
      }
    }
    for (std::uint32_t i = 0; i < arguments_.connections; ++i) {
      PublisherOptions options{host, port, arguments_.client_prefix + "-" + std::to_string(i + 1), arguments_.window};
      publishers_.push_back(std::make_unique<Publisher>(options, [this](const Message& m) { Acknowledged(m); }));
    }
    return true;
  }

  // Until count, duration or a signal; then until everything is acknowledged or the grace is over.
  void Run() {
    const Steady::time_point begin = Steady::now();
    std::optional<Steady::time_point> deadline;
    for (;;) {
      const Steady::time_point now = Steady::now();
      const double elapsed = std::chrono::duration<double>(now - begin).count();
      if (!deadline && Ended(elapsed)) {
        deadline = now + std::chrono::milliseconds(static_cast<std::int64_t>(arguments_.grace * 1000));
      }
      if (deadline && (totals_.acknowledged == totals_.published || now >= *deadline)) {
        break;
      }
      if (!deadline) {
        PublishDue(elapsed);
      }
      Turn(now);
    }
    seconds_ = std::chrono::duration<double>(Steady::now() - begin).count();
    for (auto& publisher : publishers_) {
      publisher->Close();
    }
  }

  bool Report() const {
    std::uint64_t resent = 0;
    std::uint64_t connects = 0;
    for (const auto& publisher : publishers_) {
      resent += publisher->resent();
      connects += publisher->connects();
    }
    std::printf("{\"published\":%llu,\"acknowledged\":%llu,\"resent\":%llu,\"connects\":%llu,\"devices\":%u,",
                Wide(totals_.published), Wide(totals_.acknowledged), Wide(resent), Wide(connects), arguments_.devices);
    std::printf("\"shapes\":{\"flat\":%llu,\"nested\":%llu,\"batch\":%llu},\"seconds\":%.3f,\"rate\":%.0f}\n",
                Wide(totals_.by_shape[0]), Wide(totals_.by_shape[1]), Wide(totals_.by_shape[2]), seconds_,
                seconds_ > 0 ? static_cast<double>(totals_.acknowledged) / seconds_ : 0.0);
    return totals_.published == totals_.acknowledged;
  }

 private:
  static unsigned long long Wide(std::uint64_t value) { return value; }

  bool Ended(double elapsed) const {
    return g_stop != 0 || (arguments_.count > 0 && totals_.published >= arguments_.count) ||
           (arguments_.duration > 0 && elapsed >= arguments_.duration);
  }

  void PublishDue(double elapsed) {
    constexpr std::uint64_t kMaxPerTurn = 2000;
    std::uint64_t due = kMaxPerTurn;
    if (arguments_.rate > 0) {
      const auto target = static_cast<std::uint64_t>(arguments_.rate * elapsed);
      due = target > totals_.published ? std::min(target - totals_.published, kMaxPerTurn) : 0;
    }
    if (arguments_.count > 0) {
      due = std::min(due, arguments_.count - totals_.published);
    }
    const auto now = std::chrono::system_clock::now();
    // A device stays with one connection, so that its messages keep their order.
    while (due > 0) {
      Publisher& publisher = *publishers_[next_device_ % publishers_.size()];
      if (!publisher.CanPublish()) {
        return;
      }
      Message message = source_.Next(now);
      next_device_ = (next_device_ + 1) % arguments_.devices;
      ++totals_.by_shape[static_cast<std::size_t>(message.shape)];
      ++totals_.published;
      publisher.Publish(std::move(message));
      --due;
    }
  }

  void Turn(Steady::time_point now) {
    std::vector<pollfd> fds;
    for (auto& publisher : publishers_) {
      publisher->Work(now);
      fds.push_back({publisher->fd(), static_cast<short>(publisher->WantsWrite() ? POLLIN | POLLOUT : POLLIN), 0});
    }
    if (log_ != nullptr) {
      std::fflush(log_);
    }
    const bool can_go_on = arguments_.rate <= 0 && publishers_[next_device_ % publishers_.size()]->CanPublish();
    poll(fds.data(), fds.size(), can_go_on && g_stop == 0 ? 0 : 1);
  }

  void Acknowledged(const Message& message) {
    ++totals_.acknowledged;
    if (log_ != nullptr) {
      std::fprintf(log_, "%s %llu\n", message.topic.c_str(), Wide(message.sequence));
    }
  }

  const Arguments& arguments_;
  MessageSource source_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::size_t next_device_ = 0;
  Totals totals_;
  std::FILE* log_ = nullptr;
  double seconds_ = 0;
};

void Describe(CLI::App& app, Arguments& arguments) {
  app.add_option("--broker", arguments.broker, "ADDRESS:PORT of an MQTT broker")->capture_default_str();
  app.add_option("--devices", arguments.devices)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--rate", arguments.rate, "messages per second of all devices; 0: as fast as possible")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--duration", arguments.duration, "seconds; 0: until count or a signal")->capture_default_str();
  app.add_option("--count", arguments.count, "messages; 0: until duration or a signal")->capture_default_str();
  app.add_option("--seed", arguments.seed, "of the values that the devices send")->capture_default_str();
  app.add_option("--first-seq", arguments.first_seq, "first sequence number of every device")->capture_default_str();
  app.add_option("--connections", arguments.connections)->check(CLI::Range(1, 256))->capture_default_str();
  app.add_option("--window", arguments.window, "messages under way per connection")
      ->check(CLI::Range(1, 65'535))
      ->capture_default_str();
  app.add_option("--grace", arguments.grace, "seconds to wait for the last acknowledgements")->capture_default_str();
  app.add_option("--ack-log", arguments.ack_log, "append \"topic seq\" of every acknowledged message to this file");
  app.add_option("--client-prefix", arguments.client_prefix, "client ids are PREFIX-1, PREFIX-2, ...")
      ->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Simulated devices: publishes at QoS 1 and counts every acknowledgement.", "packhorse-fleet");
  Describe(app, arguments);
  CLI11_PARSE(app, argc, argv);
  const std::size_t colon = arguments.broker.rfind(':');
  const int port = colon == std::string::npos ? 0 : std::atoi(arguments.broker.c_str() + colon + 1);
  if (port <= 0 || port > 65'535) {
    std::fprintf(stderr, "packhorse-fleet: --broker must be ADDRESS:PORT, as 127.0.0.1:1883\n");
    return 2;
  }
  std::signal(SIGTERM, OnSignal);
  std::signal(SIGINT, OnSignal);
  Fleet fleet(arguments);
  if (!fleet.Open(arguments.broker.substr(0, colon), port)) {
    return 1;
  }
  fleet.Run();
  return fleet.Report() ? 0 : 1;
}
