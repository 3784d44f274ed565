#pragma once

#include <string>

#include "store.h"
#include "support/http/message.h"

namespace packhorse::cloud {

using http::Reply;
using http::Request;

// GET /v1/reconciliation?gateway=&from=&to=&cursor=&limit=: what arrived, by stream and hour of server_received_at, so
// that a gateway can compare its ledger with ours without reading records. Windows that overlap [from, to) are
// answered, whole.
Reply Reconcile(const Request& request, Store& store);

// Opaque to clients: where the next page begins.
std::string EncodeCursor(const std::string& hour, const std::string& stream);
bool DecodeCursor(const std::string& cursor, std::string& hour, std::string& stream);

}  // namespace packhorse::cloud
