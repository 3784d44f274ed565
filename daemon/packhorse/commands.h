#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "packhorse/globals.h"

namespace packhorse::cli {

// The commands that ask the daemon. Each prints its answer (with --json the daemon's own JSON) and answers the exit
// code.

int ShowStatus(const Globals& globals);
int ShowQueueStats(const Globals& globals);
int ShowLedger(const Globals& globals, bool check);
int ShowEvents(const Globals& globals);
// Of one that is open: it no longer makes the bridge degraded.
int AcknowledgeEvent(const Globals& globals, const std::string& name, const std::string& subject);
// Of one destination, or of all where it is empty.
int ShowExchanges(const Globals& globals, const std::string& destination);
int ShowVersion(const Globals& globals);
int Reload(const Globals& globals);

// Exit code 1 when nothing is known of the record.
int ShowWhere(const Globals& globals, const std::string& record_id);

// Exit code 1 when something is wrong.
int VerifyQueue(const Globals& globals);

struct ExportOptions {
  std::string stream;      // empty: all
  std::string lane;        // empty: all
  std::string from;        // RFC 3339, of arrival, included; empty: from the beginning
  std::string to;          // likewise, not included; empty: to the end
  std::int64_t limit = 0;  // 0: all
};
// Stored messages as JSON lines, whatever `globals` say (export.cpp). Exit code 1 when not all of it could be written.
int ExportQueue(const Globals& globals, const ExportOptions& options);

struct QuarantineOptions {
  std::int64_t limit = 100;
  std::int64_t after = 0;
};
int ShowQuarantine(const Globals& globals, const QuarantineOptions& options);

struct RetryOptions {
  std::string stream;       // empty: of all
  std::string destination;  // empty: of all
};
int RetryQuarantine(const Globals& globals, const RetryOptions& options);

struct PeekOptions {
  std::string destination;  // empty: all
  std::string lane;         // empty: all
  std::int64_t limit = 10;
};
int PeekQueue(const Globals& globals, const PeekOptions& options);

struct DeadListOptions {
  std::int64_t limit = 100;
  std::int64_t after = 0;
};
int DeadList(const Globals& globals, const DeadListOptions& options);
int DeadShow(const Globals& globals, std::int64_t id);

struct DeadReplayOptions {
  std::vector<std::int64_t> ids;
  std::string destination;
  bool all = false;
  std::string payload_file;  // of one: what goes out instead of its payload; empty: its own
};
// Dead letters and suspects; exit code 1 when not all could be given up.
int DeadDrop(const Globals& globals, const std::vector<std::int64_t>& ids);
// As JSON lines with their payloads, to a file or, with "-", to standard output (dead_export.cpp). Exit code 1 when not
// all of it could be written.
int DeadExport(const Globals& globals, const std::string& destination, const std::string& file);
int DeadReplay(const Globals& globals, const DeadReplayOptions& options);

struct ReplayOptions {
  std::string stream;
  std::string destination;
  std::string from;  // RFC 3339, of arrival, included; or a duration: so long ago
  std::string to;    // likewise, not included
  std::int64_t rate = 100;
};
int StartReplay(const Globals& globals, const ReplayOptions& options);
int ListReplays(const Globals& globals);
int CancelReplay(const Globals& globals, std::int64_t id);

// `words`: a destination, an action (status, pause, resume, advance, rollback), or both in this order.
int Rollout(const Globals& globals, std::vector<std::string> words);
struct ReconcileOptions {
  std::string destination;  // empty: all
  std::string from;         // as ReplayOptions has it; empty: as far back as the cloud tells of
  std::string to;           // empty: up to the present hour
};
// Compares what the clouds have with what was delivered. Exit code 1 when something differs or could not be compared.
int Reconcile(const Globals& globals, const ReconcileOptions& options);

// `duration` as in the configuration ("2h"), empty: until resumed. An empty destination means all.
int Pause(const Globals& globals, const std::string& destination, const std::string& duration);
int Resume(const Globals& globals, const std::string& destination);
// Exit code 1 when something of what waited is still pending after `timeout` (a duration as in the configuration).
int Flush(const Globals& globals, const std::string& destination, const std::string& timeout);

struct TailOptions {
  std::string stream;
  std::string device;
  std::uint64_t count = 0;  // ends after so many lines; 0: never
};
int Tail(const Globals& globals, const TailOptions& options);

}  // namespace packhorse::cli
