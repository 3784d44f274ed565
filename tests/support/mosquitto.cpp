#include "support/mosquitto.h"

#include <csignal>
#include <stdexcept>
#include <utility>

namespace packhorse::test {

Mosquitto::Mosquitto(MosquittoOptions options) : options_(std::move(options)) {
  if (options_.tls) {
    certificates_ = std::make_unique<Certificates>();
  }
  port_ = FreePort();
  do {
    tls_port_ = FreePort();
  } while (tls_port_ == port_);
  WriteConfiguration();
  Start();
}

Mosquitto::~Mosquitto() {
  if (process_) {
    process_->Kill();
  }
}

void Mosquitto::WriteConfiguration() {
  // Started as root, mosquitto would become the user `mosquitto`, who could not write here.
  std::string text = "user root\npersistence " + std::string(options_.persistence ? "true" : "false") + "\n" +
                     "persistence_location " + dir_.path() + "/\n" + "max_queued_messages " +
                     std::to_string(options_.max_queued_messages) + "\nmax_inflight_messages " +
                     std::to_string(options_.max_inflight_messages) + "\nset_tcp_nodelay true\nlog_type all\n";
  text += options_.users.empty() ? "allow_anonymous true\n" : "allow_anonymous false\n";
  if (!options_.users.empty()) {
    WriteAll(dir_ / "passwords", "");
    for (const auto& [name, password] : options_.users) {
      if (Run({"mosquitto_passwd", "-b", dir_ / "passwords", name, password}).exit_code != 0) {
        throw std::runtime_error("mosquitto_passwd failed");
      }
    }
    text += "password_file " + (dir_ / "passwords") + "\n";
  }
  if (!options_.acl.empty()) {
    WriteAll(dir_ / "acl", options_.acl);
    text += "acl_file " + (dir_ / "acl") + "\n";
  }
  const std::string address = options_.ipv6 ? "::1" : "127.0.0.1";
  text += "listener " + std::to_string(port_) + " " + address + "\n";
  if (options_.tls) {
    text += "listener " + std::to_string(tls_port_) + " " + address + "\ncertfile " +
            certificates_->server_certificate() + "\nkeyfile " + certificates_->server_key() + "\ncafile " +
            certificates_->ca() + "\n";
    text += options_.require_client_certificate ? "require_certificate true\n" : "";
  }
  WriteAll(dir_ / "mosquitto.conf", text + options_.extra);
}

void Mosquitto::Start() {
  process_.emplace(std::vector<std::string>{"mosquitto", "-c", dir_ / "mosquitto.conf"}, dir_ / "mosquitto.log");
  const auto listens = [this] {
    return options_.ipv6 ? Log().find(" running\n") != std::string::npos : PortOpen(port_);
  };
  if (!WaitFor([&] { return listens() || !process_->Running(); }) || !process_->Running()) {
    throw std::runtime_error("mosquitto did not start: " + Log());
  }
}

void Mosquitto::Stop() {
  if (process_) {
    process_->Stop();
    process_.reset();
  }
}

void Mosquitto::Kill() {
  if (process_) {
    process_->Kill();
    process_.reset();
  }
}

void Mosquitto::Restart() {
  Stop();
  Start();
}

void Mosquitto::Pause() { process_->Signal(SIGSTOP); }
void Mosquitto::Resume() { process_->Signal(SIGCONT); }

std::string Mosquitto::url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }
std::string Mosquitto::tls_url(const std::string& host) const {
  return "mqtts://" + host + ":" + std::to_string(tls_port_);
}
std::string Mosquitto::Log() const { return ReadAll(dir_ / "mosquitto.log"); }

bool Mosquitto::WaitForAcknowledgements(int count) const {
  return WaitFor([&] {
    int seen = 0;
    const std::string log = Log();
    for (std::size_t at = 0; (at = log.find("Received PUBACK from", at)) != std::string::npos; ++at) {
      ++seen;
    }
    return seen >= count;
  });
}

}  // namespace packhorse::test
