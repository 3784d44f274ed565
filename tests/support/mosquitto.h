#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "support/certificates.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::test {

struct MosquittoOptions {
  int max_queued_messages = 0;  // per client above those in flight; 0: no limit
  int max_inflight_messages = 1000;
  bool persistence = false;                  // sessions and queued messages survive Restart()
  std::map<std::string, std::string> users;  // name -> password; empty: anyone may connect
  std::string acl;                           // lines of an acl_file; empty: none
  bool tls = false;                          // a second listener, with a certificate for "localhost"
  bool require_client_certificate = false;   // of that listener
  bool ipv6 = false;                         // the listeners are at ::1
  std::string extra;                         // further lines for the end of the configuration
};

// A mosquitto of its own on free ports of 127.0.0.1, with everything it writes in a folder of its own. The ports stay
// the same over Restart(). Throws when it does not start. Not thread-safe.
class Mosquitto {
 public:
  explicit Mosquitto(MosquittoOptions options = {});
  ~Mosquitto();
  Mosquitto(const Mosquitto&) = delete;
  Mosquitto& operator=(const Mosquitto&) = delete;

  void Start();
  void Stop();     // SIGTERM: writes its persistence
  void Kill();     // SIGKILL
  void Restart();  // Stop and Start
  void Pause();    // SIGSTOP: a peer that is there and says nothing
  void Resume();

  int port() const { return port_; }
  int tls_port() const { return tls_port_; }
  std::string url() const;                                           // mqtt://127.0.0.1:<port>
  std::string tls_url(const std::string& host = "localhost") const;  // mqtts://<host>:<tls_port>
  // Only with MosquittoOptions::tls.
  const Certificates& certificates() const { return *certificates_; }
  void RenewServerKey() { certificates_->RenewServer(); }  // takes effect at the next start
  // What it logged so far: connections, subscriptions and every packet.
  std::string Log() const;
  // Until it has taken `count` PUBACKs since it was made. One that is still on its way when the broker stops is lost,
  // and what it was for comes again: tests that count messages over a restart wait for this first. False after the
  // usual wait.
  bool WaitForAcknowledgements(int count) const;
  std::string folder() const { return dir_.path(); }

 private:
  void WriteConfiguration();

  MosquittoOptions options_;
  TempDir dir_;
  std::unique_ptr<Certificates> certificates_;
  int port_ = 0;
  int tls_port_ = 0;
  std::optional<Process> process_;
};

}  // namespace packhorse::test
