#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "ingest/paho/connection.h"

namespace packhorse::ingest {

// The filters of a source, and what came of asking for each. Some brokers close the connection at a filter that their
// policy forbids, and do not say which one it was: then they are asked for one by one, the one that ends the connection
// twice is set aside, and the others go on. What was refused is asked for again now and then. The supervisor's thread;
// `now` is an argument.
class Subscriptions {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `again`: after how long a refused filter is asked for again. One that ends the connection: twice as long each time.
  Subscriptions(std::vector<std::string> filters, std::chrono::milliseconds again);

  // A new connection: everything is to be asked for.
  void Begin();
  // Asks for what is due at `now`. What is granted is added to `granted`, with its QoS. The refusal tells why the
  // connection did not survive it, if it did not.
  Refusal Subscribe(Connection& connection, const SourceOptions& options, Time now,
                    std::map<std::string, int>& granted);
  // The connection ended while Subscribe() asked, and nobody else took it over.
  void OnClosed(const std::string& reason, Time now);
  // When something is due again; Time::max() when nothing is.
  Time Next() const;

  std::vector<std::string> Refused() const;
  std::vector<std::string> Qos0() const;
  std::string Reason() const;  // for people, empty when all were granted

 private:
  enum class State { kUnasked, kGranted, kQos0, kRefused };
  struct Filter {
    std::string text;
    State state = State::kUnasked;
    std::string why;
    int closes = 0;  // how often in a row the connection ended at it
    std::chrono::milliseconds pause{};
    Time again{};
  };
  bool Due(const Filter& filter, Time now) const;
  Refusal Ask(Connection& connection, const SourceOptions& options, const std::vector<Filter*>& filters, Time now,
              std::map<std::string, int>& granted);
  std::vector<Filter> filters_;
  const std::chrono::milliseconds again_;
  bool one_by_one_ = false;
  Filter* asked_alone_ = nullptr;  // by the last call, if it asked for one alone at its end
};

}  // namespace packhorse::ingest
