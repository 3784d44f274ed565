#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "stage.h"
#include "view.h"

namespace {

using namespace packhorse;
using namespace packhorse::demo;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock;

struct Arguments {
  int duration = 60;
  int outage_at = 10;
  int outage_for = 10;
  StageOptions stage;
  bool plain = false;
};

// Waits for Ctrl-C and its relatives, or for the time to pass.
class Interrupt {
 public:
  Interrupt() {
    sigset_t stop;
    sigemptyset(&stop);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      sigaddset(&stop, signal);
    }
    sigprocmask(SIG_BLOCK, &stop, nullptr);
    fd_ = Fd(signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  // True when a signal came.
  bool WaitUntil(Steady::time_point when) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(when - Steady::now()).count();
    pollfd fd{fd_.get(), POLLIN, 0};
    poll(&fd, 1, static_cast<int>(std::max<long long>(left, 0)));
    signalfd_siginfo info{};
    return read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info);
  }

 private:
  Fd fd_;
};

class Demonstration {
 public:
  explicit Demonstration(const Arguments& arguments)
      : arguments_(arguments), stage_(arguments.stage), view_(!arguments.plain && isatty(STDOUT_FILENO) == 1) {}

  // The exit code.
  int Run() {
    view_.Tell(seconds(0), "starting mosquitto, the cloud (" + arguments_.stage.cloud + ") and packhorsed; files in " +
                               arguments_.stage.work);
    if (packhorse::Status started = stage_.Start(); !started) {
      return NotBalanced(0, 0, 0, started.error().message);
    }
    begin_ = Steady::now();
    if (packhorse::Status started = stage_.StartFleet(); !started) {
      return NotBalanced(0, 0, 0, started.error().message);
    }
    view_.Tell(seconds(0), std::to_string(arguments_.stage.devices) + " devices publish three payload shapes, QoS 1");
    Watch();
    return Prove();
  }

 private:
  seconds At() const { return std::chrono::duration_cast<seconds>(Steady::now() - begin_); }

  void Show() { view_.Show(At(), stage_.AskBridge(), cloud_there_ ? "is there" : "TAKEN AWAY"); }

  // Until the time is over, a signal, or a part that ended by itself.
  void Watch() {
    for (seconds next(1); arguments_.duration == 0 || next.count() <= arguments_.duration; ++next) {
      if (interrupt_.WaitUntil(begin_ + next)) {
        view_.Tell(At(), "interrupted: ending in order, a second Ctrl-C ends at once");
        return;
      }
      if (trouble_ = stage_.DeadPart(cloud_there_); !trouble_.empty()) {
        return;
      }
      PlayOutage(next.count());
      Show();
    }
  }

  void PlayOutage(std::int64_t second) {
    if (arguments_.outage_for <= 0) {
      return;
    }
    if (second == arguments_.outage_at) {
      stage_.TakeCloudAway();
      cloud_there_ = false;
      view_.Tell(At(), "the cloud is taken away for " + std::to_string(arguments_.outage_for) +
                           " s: what arrives now is kept");
    } else if (second == arguments_.outage_at + arguments_.outage_for) {
      ReturnCloud("the cloud is back: the backlog drains");
    }
  }

  void ReturnCloud(const std::string& sentence) {
    if (packhorse::Status back = stage_.BringCloudBack(); !back) {
      trouble_ = back.error().message;
    }
    cloud_there_ = true;
    view_.Tell(At(), sentence);
  }

  // Until everything has arrived; gives up after 30 s without any progress.
  std::optional<demo::Status> Settle(std::uint64_t acknowledged) {
    constexpr seconds kPatience{30};
    Steady::time_point progress = Steady::now();
    std::uint64_t before = 0;
    std::optional<demo::Status> status;
    while (Steady::now() < progress + kPatience) {
      status = stage_.AskBridge();
      view_.Show(At(), status, "is there");
      if (status && status->received >= acknowledged && status->pending == 0) {
        return status;
      }
      if (status && status->received + status->delivered > before) {
        before = status->received + status->delivered;
        progress = Steady::now();
      }
      trouble_ = stage_.DeadPart(true);
      if (!trouble_.empty() || interrupt_.WaitUntil(Steady::now() + seconds(1))) {
        break;
      }
    }
    return status;
  }

  int Prove() {
    if (!cloud_there_) {
      ReturnCloud("the cloud is brought back for the end");
    }
    if (!trouble_.empty()) {
      return NotBalanced(0, 0, 0, trouble_);
    }
    const Result<std::uint64_t> acknowledged = stage_.StopFleet();
    if (!acknowledged) {
      return NotBalanced(0, 0, 0, acknowledged.error().message);
    }
    view_.Tell(At(), "the devices stop after " + std::to_string(*acknowledged) + " acknowledged messages; draining");
    const std::optional<demo::Status> status = Settle(*acknowledged);
    if (!status || !trouble_.empty()) {
      return NotBalanced(0, 0, 0, trouble_.empty() ? "packhorsed does not answer" : trouble_);
    }
    const Result<std::uint64_t> cloud = stage_.StopAndCount();
    if (!cloud) {
      return NotBalanced(status->received, status->delivered, 0, cloud.error().message);
    }
    view_.Finish();
    std::printf("\ndevices: %llu messages acknowledged by the broker\n",
                static_cast<unsigned long long>(*acknowledged));
    std::printf("bridge:  %llu messages received, %llu delivered as %llu records, %llu requests retried\n",
                Wide(status->received), Wide(status->delivered), Wide(status->records_delivered),
                Wide(status->retries));
    std::printf("cloud:   %llu different messages in its database\n\n", Wide(*cloud));
    const std::string gap = Gap(*acknowledged, *status, *cloud);
    if (!gap.empty()) {
      return NotBalanced(status->received, status->delivered, *cloud, gap);
    }
    std::printf("received=%llu delivered=%llu cloud=%llu balanced\n", Wide(status->received), Wide(status->delivered),
                Wide(*cloud));
    return 0;
  }

  // Why it does not balance; empty when it does.
  static std::string Gap(std::uint64_t acknowledged, const demo::Status& status, std::uint64_t cloud) {
    if (acknowledged == 0) {
      return "no message was sent";
    }
    if (status.received != acknowledged) {
      return "the broker acknowledged " + std::to_string(acknowledged) + " messages to the devices";
    }
    if (!status.ledger_balanced) {
      return "the ledger's outcomes do not add up to what was received";
    }
    if (status.pending > 0) {
      return std::to_string(status.pending) + " messages are still pending";
    }
    if (status.delivered != status.received) {
      return std::to_string(status.otherwise) + " messages ended otherwise than delivered";
    }
    return cloud == status.delivered ? "" : "the cloud's database has another number of messages";
  }

  int NotBalanced(std::uint64_t received, std::uint64_t delivered, std::uint64_t cloud, const std::string& reason) {
    view_.Finish();
    std::printf("received=%llu delivered=%llu cloud=%llu NOT BALANCED: %s\n", Wide(received), Wide(delivered),
                Wide(cloud), reason.c_str());
    return 1;
  }

  static unsigned long long Wide(std::uint64_t value) { return value; }

  const Arguments& arguments_;
  Interrupt interrupt_;
  Stage stage_;
  View view_;
  Steady::time_point begin_ = Steady::now();
  bool cloud_there_ = true;
  std::string trouble_;
};

void Describe(CLI::App& app, Arguments& arguments) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  arguments.stage.bin = self.parent_path().string();
  arguments.stage.work = (self.parent_path().parent_path() / "demo").string();
  app.add_option("--duration", arguments.duration, "seconds; 0: until Ctrl-C")
      ->check(CLI::Range(0, 100'000'000))
      ->capture_default_str();
  app.add_option("--outage-at", arguments.outage_at, "second at which the cloud goes away")->capture_default_str();
  app.add_option("--outage-for", arguments.outage_for, "seconds until it is back; 0: no outage")->capture_default_str();
  app.add_option("--bin", arguments.stage.bin, "folder of the programs")->capture_default_str();
  app.add_option("--work", arguments.stage.work, "folder for everything that is written")->capture_default_str();
  app.add_option("--cloud", arguments.stage.cloud, "what stands for the cloud")
      ->check(CLI::IsMember({"reference", "influxdb"}))
      ->capture_default_str();
  app.add_option("--devices", arguments.stage.devices)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--rate", arguments.stage.rate, "messages per second of the whole fleet")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--plain", arguments.plain, "plain lines also on a terminal");
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Runs the bridge on real parts and proves that nothing was lost.", "packhorse-demo");
  Describe(app, arguments);
  CLI11_PARSE(app, argc, argv);
  std::error_code error;
  arguments.stage.work = std::filesystem::absolute(arguments.stage.work, error).lexically_normal().string();
  Demonstration demonstration(arguments);
  return demonstration.Run();
}
