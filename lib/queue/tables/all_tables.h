#pragma once

#include <span>
#include <string>
#include <string_view>

#include "queue/sqlite/database.h"

namespace packhorse::queue {

// The tables of the newest format (schema.cpp makes them), and what has to be known of each to check, to salvage and to
// search them. A test compares this list with the schema.

struct QueueTable {
  const char* name;
  // Whether a row makes sense, by the columns of the newest format; null: every row does.
  bool (*holds)(const Statement& row) = nullptr;
  bool newer = false;           // than format 1.0: an old database may do without it
  bool keeps_messages = false;  // each row has a whole message, with `lane`, `sequence` and `stream`
  bool by_destination = false;  // its key begins with the destination
  // The largest number of its lane of which a row tells that it was given; null: no row does.
  const char* last_number = nullptr;
  const char* lane = "lane";  // beside `last_number`
};

std::span<const QueueTable> AllTables();

// Selects `columns` of every row with a whole message to which `condition` applies; an empty one applies to all.
std::string SelectKeptMessages(std::string_view columns, std::string_view condition);

}  // namespace packhorse::queue
