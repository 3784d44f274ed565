#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <thread>

#include "base/file.h"
#include "faults.h"
#include "receiver.h"
#include "support/http/server.h"

namespace {

using namespace packhorse;
using namespace packhorse::cloud;
using namespace packhorse::http;

constexpr std::size_t kMaxScriptBytes = std::size_t{1} << 20U;

struct Arguments {
  std::string listen = "127.0.0.1:0";
  int admin_port = -1;
  std::string database;
  std::string token;
  std::string token_file;
  std::string faults;
  std::string certificate;
  std::string key;
  std::vector<std::string> sums;
  std::string rate_limit = "1000000/60";
  std::uint64_t max_body_bytes = ReceiverSettings().max_body_bytes;
  std::uint64_t max_records = ReceiverSettings().max_records;
  bool full_sync = false;
};

void Describe(CLI::App& app, Arguments& arguments) {
  app.add_option("--listen", arguments.listen, "ADDRESS:PORT, port 0: any free one")->capture_default_str();
  app.add_option("--admin-port", arguments.admin_port, "second port that stays open while the cloud is down; 0: any");
  app.add_option("--database", arguments.database, "SQLite file, made when missing")->required();
  app.add_option("--token", arguments.token, "bearer token that callers must present");
  app.add_option("--token-file", arguments.token_file, "the same, from a file");
  app.add_option("--faults", arguments.faults, "fault script (JSON)");
  auto* certificate = app.add_option("--tls-cert", arguments.certificate, "certificate chain (PEM)");
  auto* key = app.add_option("--tls-key", arguments.key, "key (PEM)");
  certificate->needs(key);
  key->needs(certificate);
  app.add_option("--sum", arguments.sums, "measurement that reconciliation adds up; repeatable");
  app.add_option("--rate-limit", arguments.rate_limit, "REQUESTS/SECONDS; more is a 429")->capture_default_str();
  app.add_option("--max-body-bytes", arguments.max_body_bytes, "larger bodies are a 413")->capture_default_str();
  app.add_option("--max-records", arguments.max_records, "more records in a body are a 413")->capture_default_str();
  app.add_flag("--full-sync", arguments.full_sync, "each commit reaches the disk before its reply");
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "packhorse-cloud: %s\n", message.c_str());
  return 1;
}

// "127.0.0.1:8080" or "60/1": text or number before the separator and number behind it.
bool SplitNumber(const std::string& text, char separator, std::string& before, long& behind) {
  const std::size_t at = text.rfind(separator);
  if (at == std::string::npos) {
    return false;
  }
  before = text.substr(0, at);
  char* end = nullptr;
  behind = std::strtol(text.c_str() + at + 1, &end, 10);
  return end != text.c_str() + at + 1 && *end == '\0' && behind >= 0;
}

Status Configure(const Arguments& arguments, FaultScript& faults, RateWindow& rate) {
  if (!arguments.faults.empty()) {
    const Result<std::string> script = ReadFile(arguments.faults, kMaxScriptBytes);
    if (!script) {
      return script.error();
    }
    if (Status set = faults.Set(*script, SystemClock().Mono()); !set) {
      return set.error().With(arguments.faults);
    }
  }
  std::string requests;
  long seconds = 0;
  if (!SplitNumber(arguments.rate_limit, '/', requests, seconds) || seconds < 1 || std::atoll(requests.c_str()) < 1) {
    return Error{ErrorCode::kInvalidArgument, "--rate-limit must be REQUESTS/SECONDS, as 600/60"};
  }
  rate.Configure(static_cast<std::uint64_t>(std::atoll(requests.c_str())), std::chrono::seconds(seconds));
  return {};
}

Result<std::string> Token(const Arguments& arguments) {
  if (arguments.token_file.empty()) {
    return arguments.token;
  }
  Result<std::string> token = ReadFile(arguments.token_file, 4096);
  if (token) {
    token->erase(token->find_last_not_of(" \r\n") + 1);
  }
  return token;
}

Result<ServerOptions> Options(const Arguments& arguments) {
  ServerOptions options;
  long port = 0;
  if (!SplitNumber(arguments.listen, ':', options.address, port) || port > 65'535) {
    return Error{ErrorCode::kInvalidArgument, "--listen must be ADDRESS:PORT, as 127.0.0.1:8080"};
  }
  options.port = static_cast<int>(port);
  options.admin_port = arguments.admin_port;
  if (!arguments.certificate.empty()) {
    Result<std::shared_ptr<TlsContext>> tls = TlsContext::Load(arguments.certificate, arguments.key);
    if (!tls) {
      return tls.error();
    }
    options.tls = *tls;
  }
  return options;
}

int Serve(const Arguments& arguments, int signals) {
  const Result<std::string> token = Token(arguments);
  const Result<ServerOptions> options = Options(arguments);
  Result<std::unique_ptr<Store>> store = Store::Open(arguments.database, arguments.full_sync);
  if (!token || !options || !store) {
    return Fail(!token ? token.error().message : !options ? options.error().message : store.error().message);
  }
  FaultScript faults;
  Receiver receiver(**store, faults, SystemClock(), {*token, arguments.max_body_bytes, arguments.max_records},
                    arguments.sums);
  if (Status configured = Configure(arguments, faults, receiver.rate()); !configured) {
    return Fail(configured.error().message);
  }
  Server server(
      *options, [&](const Request& request) { return receiver.Handle(request); },
      [&](const Request& request) { return receiver.MaxBodyBytes(request); },
      [&] { return faults.Down(SystemClock().Mono()); });
  if (Status opened = server.Open(); !opened) {
    return Fail(opened.error().message);
  }
  std::printf("listening on %s:%d\n", options->address.c_str(), server.port());
  if (server.admin_port() >= 0) {
    std::printf("admin on %s:%d\n", options->address.c_str(), server.admin_port());
  }
  std::fflush(stdout);
  std::thread stopper([&] {
    signalfd_siginfo info{};
    [[maybe_unused]] const ssize_t got = read(signals, &info, sizeof info);
    server.Stop();
  });
  server.Run();
  stopper.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Reference receiver of packhorse-ingest@1, with faults on request.", "packhorse-cloud");
  Describe(app, arguments);
  CLI11_PARSE(app, argc, argv);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  const Fd signals(signalfd(-1, &stop, SFD_CLOEXEC));
  return Serve(arguments, signals.get());
}
