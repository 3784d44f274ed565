#pragma once

#include <string>

#include "base/clock.h"
#include "packhorse/format.h"

namespace packhorse::cli {

class JsonView;

// What people see of the daemon's JSON answers: what is wrong first, what to do next, then the rest; 80 columns.
// Members that an older or newer daemon does not send are left out. Pure functions of their arguments.

// "ok", "degraded", "down"; empty when the text is no status.
std::string StateOf(const std::string& status_json);
std::string StatusText(const std::string& json, const Style& style, WallTime now);
// Of an answer to `resume`: what was forgotten of the limits of each API.
std::string ForgottenText(const std::string& json);
std::string QueueText(const std::string& json, const Style& style, WallTime now);
std::string LedgerText(const std::string& json, const Style& style);
bool LedgerBalanced(const std::string& json);
std::string EventsText(const std::string& json, const Style& style, WallTime now);
std::string DeadListText(const std::string& json, const Style& style, WallTime now);
std::string DeadLetterText(const std::string& json, const Style& style, WallTime now);
// What became of those that were to be given up (dead_export.cpp).
std::string DroppedText(const std::string& json, const Style& style);
std::string ExchangesText(const std::string& json, const Style& style, WallTime now);
std::string QuarantineText(const std::string& json, const Style& style, WallTime now);
std::string VerifyText(const std::string& json, const Style& style);
bool VerifyOk(const std::string& json);
std::string FlushText(const std::string& json, const Style& style);
bool FlushComplete(const std::string& json);
std::string PeekText(const std::string& json, const Style& style, WallTime now);
std::string WhereText(const std::string& json, const Style& style, WallTime now);
// Whether anything is known of the record.
bool WhereKnown(const std::string& json);
// What stands above an answer that was read from the file of a stopped daemon; else empty.
std::string FromFileText(const std::string& json, const Style& style);
std::string ReplayText(const std::string& json);
// Of stored messages: one that has just begun, and all that are known.
std::string ReplayStartedText(const std::string& json, const Style& style, WallTime now);
std::string ReconcileText(const std::string& json, const Style& style, WallTime now);
// Whether no destination differs and none could not be compared.
bool ReconcileEqual(const std::string& json);
std::string ReplaysText(const std::string& json, const Style& style, WallTime now);
// Of a status: one line for each replay that runs to this destination.
std::string RunningReplays(const JsonView& status, const std::string& destination);
// The rollouts of all destinations; one of them in a line, empty where there is none.
std::string RolloutsText(const std::string& json, const Style& style);
std::string RolloutLine(const JsonView& rollout);
// Of what was in quarantine and was decoded again; complete: nothing of it stays there.
std::string RetryText(const std::string& json, const Style& style);
bool RetryComplete(const std::string& json);
bool ReplayComplete(const std::string& json);
std::string ReloadText(const std::string& json, const Style& style);
// The configuration was applied, and no contract or table refused.
bool ReloadComplete(const std::string& json);
// One canonical record, over several lines (decode) or in one (tail).
std::string RecordText(const std::string& json, const Style& style);
// Also for lines that are no records: quarantined, ignored, skipped. Empty for a sign of life.
std::string TailLine(const std::string& json, const Style& style, WallTime now);
bool IsRecord(const std::string& json);
// The daemon's own version; "" when there is none.
std::string VersionOf(const std::string& json);

}  // namespace packhorse::cli
