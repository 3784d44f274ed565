#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace packhorse::ingest {

// What brokers keep for us, remembered over restarts (docs/decisions/0021-sessions-are-remembered.md): which sessions
// of ours they have, with which subscriptions, and when we were connected last. Without it a session that is gone after
// a restart looks like the first connection ever, and what an earlier configuration left at a broker is known to
// nobody.

// One session at one broker.
struct BrokerSession {
  std::string client_id;
  std::string url;     // the broker's, as SourceStatus::url shows it
  std::string source;  // the name of the source that had it last
  std::string access;  // what the owner of the source needs to reach it once more; no secret, and opaque here
  std::string protocol;
  std::map<std::string, int> filters;   // what the broker has subscribed for us, and the QoS it granted
  std::chrono::seconds expiry{};        // how long it keeps the session while we are away, as granted; 0: not known
  std::chrono::seconds keep_alive{};    // what it asked for (MQTT 5 Server Keep Alive); 0: nothing
  WallTime alive_at{};                  // we were connected then
  bool connected = false;               // and are still, for all one knows
  int deaths = 0;                       // of the process, in a row, each while it was connected
  std::optional<WallTime> blind_since;  // the session was gone, and it is not subscribed anew yet
};

// A time in which nothing that was published reached us, because the broker had forgotten the session.
struct Blindness {
  std::uint64_t id = 0;
  std::string source;
  WallTime from{};
  WallTime to{};
};

// The memory itself: a file beside the queue's database, which is synced when something changes that a power cut must
// not undo, and a copy in the runtime directory that also knows when we were connected last. That reaches the disk at
// most once an hour. Thread-safe. Only the calls that say so touch a file: the loop may use all the others.
class Sessions {
 public:
  // At most; the one that was connected longest ago is forgotten first.
  static constexpr std::size_t kMaxSessions = 64;
  static constexpr std::size_t kMaxUntold = 100;

  // Reads what there is. A file that cannot be read, or makes no sense, is as none; problem() says so. `clock` outlives
  // the object. An empty path: not kept there.
  Sessions(std::string path, std::string runtime_path, const Clock& clock);

  const std::string& problem() const { return problem_; }
  std::vector<BrokerSession> List() const;
  std::optional<BrokerSession> Find(const std::string& client_id, const std::string& url) const;

  // Connected to session.url. `present`: the broker has the session. Takes over source, access, protocol, expiry and
  // keep-alive. True when it should have been there and was not: whatever of this client id this broker, or another one
  // of the same source, had subscribed. Writes files.
  bool Connected(const BrokerSession& session, bool present);
  // What is subscribed now: `filters` beside those that were (an earlier configuration left them). Ends blindness.
  // Writes files.
  void Subscribed(const std::string& client_id, const std::string& url, const std::map<std::string, int>& filters);
  void Unsubscribed(const std::string& client_id, const std::string& url, const std::vector<std::string>& filters);
  enum class Life {
    kStands,  // still connected
    kLasts,   // likewise, for so long that the process does not die of what comes first
    kLost,    // not any more
    kEnded,   // at an orderly end
  };
  // Writes the copy in the runtime directory and, at the end or an hour after the last time, the file.
  void Note(const std::string& client_id, const std::string& url, Life life);
  // The session is ended, or nobody can do anything about it any more. Lasts with the next call that writes.
  void Forget(const std::string& client_id, const std::string& url);
  // Writes files.
  void Write() { Save(true); }

  // Times of blindness of which the destinations have not been told, oldest first.
  std::vector<Blindness> Untold() const;
  // Lasts with the next call that writes: until then it may be told again after a crash.
  void Told(std::uint64_t id);

 private:
  BrokerSession* FindLocked(const std::string& client_id, const std::string& url);
  BrokerSession& AddLocked(const BrokerSession& session, bool present);
  void TouchLocked(BrokerSession& session);
  std::string TextLocked();
  void Save(bool durable);
  bool Read(const std::string& path);

  const std::string path_;
  const std::string runtime_path_;
  const Clock& clock_;
  const bool on_tmpfs_;
  std::string problem_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<BrokerSession> sessions_;
  std::vector<Blindness> untold_;
  std::uint64_t next_blindness_ = 1;
  std::mutex file_mutex_;  // one writer at a time; never taken by calls that do not write
  // Guarded by file_mutex_.
  MonoTime saved_at_{};
  MonoTime copied_at_{};
  bool failing_ = false;
};

}  // namespace packhorse::ingest
