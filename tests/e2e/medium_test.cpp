// The medium of the queue turns read-only, or may not be written any more, on real parts: while the daemon runs (the
// system refuses it all that writes there, for a real medium is not switched while files on it are open), and at its
// start (a real mount, another user).

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "site.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::size_t Count(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) {
    ++count;
  }
  return count;
}

bool Holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A site whose queue has a medium of its own.
class MediumSite : public Site {
 public:
  MediumSite() {
    config()["queue"]["path"] = QueuePath();
    // Shorter than messages wait for their batch, so that they are checkpointed although the cloud is there.
    config()["queue"]["durability"] = {{"window", "300ms"}};
    config()["destinations"][0]["batch"]["max_age"] = "1s";
    WriteConfig();
  }
  std::string Folder() const { return Path("medium"); }
  std::string QueuePath() const { return Path("medium/queue.db"); }

  // --- while the daemon runs ---
  void StartRefusable() {
    UseBridge("packhorsed-refusing");
    StartBridge({{"PACKHORSE_MEDIUM", Folder()}});
  }
  void Refuse(const std::string& error) const { WriteAll(Path("medium.refuses"), error); }
  void TakeWrites() const { std::filesystem::remove(Path("medium.refuses")); }

  std::unique_ptr<Process> StartFleet() {
    return std::make_unique<Process>(
        std::vector<std::string>{Bin("packhorse-fleet"), "--broker", "127.0.0.1:" + std::to_string(broker().port()),
                                 "--devices", "20", "--rate", "200", "--ack-log", Path("acknowledged")},
        Path("fleet.log"));
  }
  // Topic and number of every message that the broker took.
  std::set<std::string> Published() const { return Lines(ReadAll(Path("acknowledged"))); }
  // The same of what is in the cloud.
  std::set<std::string> Delivered() const {
    return Lines(test::Run({"sqlite3", "-separator", " ", Path("cloud.db"),
                            "SELECT topic, json_extract(measurements, '$.seq.value') FROM records"})
                     .out);
  }
  bool AllDelivered() const {
    return WaitFor([this] {
      std::this_thread::sleep_for(200ms);
      const std::set<std::string> delivered = Delivered();
      const std::set<std::string> published = Published();
      return std::includes(delivered.begin(), delivered.end(), published.begin(), published.end());
    });
  }
  std::size_t Acknowledged() { return Count(broker().Log(), "Received PUBACK from packhorse-test"); }
  std::string Reasons() const {
    const json status = Status();
    return status.is_object() ? status["reasons"].dump() : "";
  }
  bool FailingFor(const std::string& reason) const {
    return WaitFor([&] { return Holds(Reasons(), "the queue cannot be written since") && Holds(Reasons(), reason); });
  }

  // --- at its start ---
  bool Stored(std::size_t messages) const {
    return WaitFor([&] {
      const json queue = Status()["queue"];
      return queue["messages"] == messages && queue["at_risk"] == 0;
    });
  }
  std::vector<std::string> Daemon() const { return {Bin("packhorsed"), "--config", Path("packhorse.json")}; }
  std::vector<std::string> Tool(const std::vector<std::string>& command) const {
    std::vector<std::string> argv = {Bin("packhorse"), "--socket", socket(), "--config", Path("packhorse.json")};
    argv.insert(argv.end(), command.begin(), command.end());
    return argv;
  }
  // Runs it where the medium is mounted read-only.
  RunResult OnReadOnly(const std::vector<std::string>& argv) const { return test::Run(ReadOnlyFor(argv, "")); }
  // A daemon on it, until WritableAgain(), for at most half a minute.
  std::unique_ptr<Process> StartOnReadOnly() const {
    const char* remount = R"((for i in $(seq 300); do [ -e "$0.writable" ] && break; sleep 0.1; done
                              mount -o remount,bind,rw "$0") & )";
    return std::make_unique<Process>(ReadOnlyFor(Daemon(), remount), Path("start.log"));
  }
  void WritableAgain() const { WriteAll(Folder() + ".writable", ""); }
  std::string StartLog() const { return ReadAll(Path("start.log")); }
  bool Says(const std::string& words) const {
    return WaitFor([&] { return Holds(StartLog(), words); });
  }
  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& file : std::filesystem::directory_iterator(Folder())) {
      files[file.path().filename()] = ReadAll(file.path());
    }
    files.erase("queue.db.lock");  // who tries to take it writes who it is
    return files;
  }

 private:
  std::vector<std::string> ReadOnlyFor(const std::vector<std::string>& argv, const std::string& beside) const {
    std::vector<std::string> all = {"unshare", "--mount"};
    if (geteuid() != 0) {
      all.emplace_back("--map-root-user");
    }
    const std::string script =
        R"(mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" || exit; )" + beside + R"(exec "$@")";
    all.insert(all.end(), {"sh", "-c", script, Folder()});
    all.insert(all.end(), argv.begin(), argv.end());
    return all;
  }
  static std::set<std::string> Lines(const std::string& text) {
    std::set<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
      lines.insert(line);
    }
    return lines;
  }
};

// What the command line tool shows of a queue that is not written.
void LookAtRunning(const MediumSite& site) {
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"queue", "stats"}, {"queue", "peek"}, {"queue", "verify"}, {"queue", "export"}, {"ledger", "--check"}}) {
    const RunResult looked = site.Cli(command);
    EXPECT_EQ(looked.exit_code, 0) << command.front() << " " << command.back() << looked.out << looked.err;
  }
  // What became of one message is only said of what is stored.
  const RunResult where = site.Cli({"where", site.Status()["queue"]["id"].get<std::string>() + ".n.1"});
  EXPECT_EQ(where.exit_code, 3);
  EXPECT_TRUE(Holds(where.err, "the disk refuses: ")) << where.err;
}

// Under load the medium refuses to be written; what the system says is `words`, what to do `advice`.
void RefuseUnderLoad(MediumSite& site, const std::string& error, const std::string& words, const std::string& advice) {
  site.StartRefusable();
  const std::unique_ptr<Process> fleet = site.StartFleet();
  ASSERT_TRUE(WaitFor([&] { return site.CloudRecords() > 100; }));
  site.Refuse(error);
  ASSERT_TRUE(site.FailingFor(words)) << site.Reasons();
  EXPECT_TRUE(site.FailingFor(site.QueuePath())) << site.Reasons();
  EXPECT_TRUE(site.FailingFor(advice)) << site.Reasons();
  EXPECT_EQ(site.Status()["state"], "down");
  EXPECT_TRUE(WaitFor([&] { return Holds(site.Cli({"events"}).out, "P0 queue_store_failing"); }));
  std::this_thread::sleep_for(200ms);  // what was on its way to the broker
  const std::size_t acknowledged = site.Acknowledged();
  const std::size_t published = site.Published().size();
  if (error == "EROFS") {
    LookAtRunning(site);  // some of it waits a while for the disk
  }
  std::this_thread::sleep_for(1s);
  EXPECT_GT(site.Published().size(), published);
  EXPECT_EQ(site.Acknowledged(), acknowledged) << "acknowledged, and in no commit";
  ASSERT_TRUE(site.bridge().Running());

  site.TakeWrites();
  ASSERT_TRUE(WaitFor([&] { return site.Status()["state"] == "ok"; })) << site.Reasons();
  EXPECT_TRUE(WaitFor([&] { return site.Acknowledged() > acknowledged; }));
  fleet->Stop(20s);
  EXPECT_TRUE(site.Settled(site.Published().size()));
  EXPECT_TRUE(site.AllDelivered());
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies > 1"), 0);
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM (SELECT topic, json_extract(measurements, '$.seq.value') AS seq, part"
                       " FROM records GROUP BY topic, seq, part HAVING count(*) > 1)"),
            0)
      << "under two ids";
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
  EXPECT_FALSE(Holds(site.Status()["events"].dump(), "queue_store_failing"));
  EXPECT_FALSE(std::filesystem::exists(site.QueuePath() + ".damage")) << "taken for damaged";
}

TEST(Medium, TurnedReadOnlyUnderLoadItAcknowledgesNothingAndGoesOnByItself) {
  MediumSite site;
  RefuseUnderLoad(site, "EROFS", "Read-only file system", "dmesg");
}

TEST(Medium, ForbiddenUnderLoadItAcknowledgesNothingAndGoesOnByItself) {
  MediumSite site;
  RefuseUnderLoad(site, "EACCES", "Permission denied", "must be allowed to write it");
}

TEST(Medium, MadeImmutableUnderLoadItAcknowledgesNothingAndGoesOnByItself) {
  MediumSite site;
  site.config()["queue"]["durability"] = {{"mode", "strict"}};
  RefuseUnderLoad(site, "EPERM", "Operation not permitted", "must be allowed to write it");
}

// Then all that is left is what the medium had.
TEST(Medium, PowerCutWhileItIsReadOnlyLosesNothingAcknowledgedInModeStrict) {
  MediumSite site;
  site.config()["queue"]["durability"] = {{"mode", "strict"}};
  site.StartRefusable();
  const std::unique_ptr<Process> fleet = site.StartFleet();
  ASSERT_TRUE(WaitFor([&] { return site.CloudRecords() > 100; }));
  site.Refuse("EROFS");
  ASSERT_TRUE(site.FailingFor("Read-only file system")) << site.Reasons();
  std::this_thread::sleep_for(500ms);
  site.KillBridge();
  std::filesystem::remove_all(site.Path("run"));
  site.TakeWrites();
  site.StartRefusable();
  std::this_thread::sleep_for(500ms);
  fleet->Stop(20s);
  EXPECT_TRUE(site.AllDelivered());
  EXPECT_TRUE(site.Settled(1));
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
}

TEST(Medium, StoppedAndStartedWhileForbiddenItSaysSoWaitsAndGoesOnByItself) {
  MediumSite site;
  site.StartRefusable();
  site.KillCloud();
  site.Publish(100);
  site.Refuse("EACCES");
  ASSERT_TRUE(site.FailingFor("Permission denied")) << site.Reasons();
  EXPECT_EQ(site.StopBridge(), 0);
  EXPECT_TRUE(Holds(site.BridgeLog(), "messages are only in the journal in " + site.Path("run"))) << site.BridgeLog();
  site.LaunchBridge({{"PACKHORSE_MEDIUM", site.Folder()}});
  EXPECT_TRUE(WaitFor([&] {
    return Holds(site.BridgeLog(), "waiting_for_queue") &&
           Holds(site.BridgeLog(), "open " + site.QueuePath() + ".lock: Permission denied; uid ");
  })) << site.BridgeLog();
  EXPECT_EQ(site.Cli({"status"}).exit_code, 3);
  site.TakeWrites();
  site.StartCloud();
  EXPECT_TRUE(site.Settled(100));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 1"), 100);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
}

// The queue of a daemon that does not run, on a read-only medium: everything can be seen.
void LookAtStopped(const MediumSite& site, std::size_t messages) {
  const RunResult stats = site.OnReadOnly(site.Tool({"queue", "stats", "--json"}));
  ASSERT_EQ(stats.exit_code, 0) << stats.out << stats.err;
  const json queue = json::parse(stats.out);
  EXPECT_EQ(queue["messages"], messages) << stats.out;
  const RunResult exported = site.OnReadOnly(site.Tool({"queue", "export"}));
  EXPECT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_EQ(Count(exported.out, "\n"), messages) << exported.out;
  const std::string id = queue["id"];
  for (const auto& command : std::vector<std::vector<std::string>>{{"queue", "peek"},
                                                                   {"queue", "verify"},
                                                                   {"ledger"},
                                                                   {"ledger", "--check"},
                                                                   {"where", id + ".n.1"},
                                                                   {"dead", "list"}}) {
    const RunResult looked = site.OnReadOnly(site.Tool(command));
    EXPECT_EQ(looked.exit_code, 0) << command.front() << " " << command.back() << looked.out << looked.err;
  }
}

void WaitOnReadOnly(bool killed) {
  MediumSite site;
  site.StartBridge();
  site.KillCloud();
  site.Publish(50);
  ASSERT_TRUE(site.Stored(50));
  if (killed) {
    site.KillBridge();
  } else {
    ASSERT_EQ(site.StopBridge(), 0);
  }
  const std::map<std::string, std::string> before = site.Files();
  const RunResult checked = site.OnReadOnly(site.Tool({"check", site.Path("packhorse.json")}));
  EXPECT_EQ(checked.exit_code, 0) << checked.out;
  EXPECT_TRUE(Holds(checked.out, "Read-only file system")) << checked.out;
  EXPECT_TRUE(Holds(checked.out, "until that is over the daemon waits")) << checked.out;
  const std::unique_ptr<Process> started = site.StartOnReadOnly();
  EXPECT_TRUE(site.Says("open " + site.QueuePath() + ".lock: Read-only file system; is the medium failing"))
      << site.StartLog();
  LookAtStopped(site, 50);
  EXPECT_TRUE(site.Files() == before);
  EXPECT_TRUE(started->Running());
  EXPECT_EQ(Count(site.StartLog(), "waiting_for_queue"), 1U) << "said once";
  site.StartCloud();
  site.WritableAgain();
  EXPECT_TRUE(site.Settled(50)) << site.StartLog();
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 1"), 50);
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
  EXPECT_EQ(started->Stop(20s), 0);
}

TEST(Medium, StartOnAReadOnlyOneWaitsTheQueueCanBeLookedAtAndItGoesOnByItself) { WaitOnReadOnly(false); }

TEST(Medium, StartOnAReadOnlyOneAfterAKillWaitsTheQueueCanBeLookedAtAndItGoesOnByItself) { WaitOnReadOnly(true); }

TEST(Medium, ReadOnlyWithALogButWithoutItsIndexItSaysWhatToDo) {
  MediumSite site;
  site.StartBridge();
  site.KillBridge();
  std::filesystem::remove(site.QueuePath() + "-shm");
  const RunResult looked = site.OnReadOnly(site.Tool({"queue", "stats"}));
  EXPECT_EQ(looked.exit_code, 3);
  EXPECT_TRUE(Holds(looked.err, "copy the folder to where it can")) << looked.err;
}

// As after a restore by another user: one of the files, or their folder, may only be read.
TEST(Medium, StartWhereOneOfItsFilesMayNotBeWrittenNamesItAndChangesNothing) {
  MediumSite site;
  site.StartBridge();
  site.KillCloud();
  site.Publish(50);
  ASSERT_TRUE(site.Stored(50));
  site.KillBridge();
  std::vector<std::string> start = site.Daemon();
  if (geteuid() == 0) {  // whom no permission binds: somebody else, to whom all belongs
    ASSERT_EQ(test::Run({"chown", "-R", "65534:65534", site.Path("")}).exit_code, 0);
    start.insert(start.begin(), {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"});
  }
  const std::map<std::string, std::string> before = site.Files();
  for (const char* suffix : {".lock", "", "-wal", "-shm"}) {
    const std::string file = site.QueuePath() + suffix;
    EXPECT_EQ(chmod(file.c_str(), 0400), 0);
    Process started(start, site.Path("start.log"));
    EXPECT_TRUE(site.Says(file + ": Permission denied; uid ")) << site.StartLog();
    EXPECT_TRUE(Holds(site.StartLog(), " must be allowed to write it")) << site.StartLog();
    EXPECT_EQ(started.Stop(), 0) << "a wait ends at once";
    EXPECT_TRUE(site.Files() == before) << file;
    EXPECT_EQ(chmod(file.c_str(), 0600), 0);
  }
  std::filesystem::remove(site.QueuePath() + ".lock");
  EXPECT_EQ(chmod(site.Folder().c_str(), 0500), 0);  // as `packhorse check` says, too
  const RunResult started = test::Run(start);
  EXPECT_EQ(chmod(site.Folder().c_str(), 0750), 0);
  EXPECT_TRUE(site.Files() == before);
  EXPECT_EQ(started.exit_code, 78);
  EXPECT_TRUE(Holds(started.err, "/queue/path: this user may not write in the folder " + site.Folder())) << started.err;
  site.StartCloud();
  site.StartBridge();
  EXPECT_TRUE(site.Settled(50));
  EXPECT_EQ(site.Cloud("SELECT count(*) FROM records WHERE copies = 1"), 50);
}

}  // namespace
}  // namespace packhorse::test
