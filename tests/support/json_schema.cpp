#include "support/json_schema.h"

#include <sstream>
#include <stdexcept>

#include "support/process.h"

namespace packhorse::test {

std::vector<std::string> SchemaComplaints(const std::string& file, const std::vector<std::string>& documents) {
  std::string input;
  for (const std::string& document : documents) {
    for (const char each : document) {
      input += each == '\n' ? ' ' : each;  // in JSON a line break is white space or none at all
    }
    input += '\n';
  }
  const RunResult result = Run({"python3", SOURCE_DIR "/tests/support/json_schema.py", file}, input);
  std::istringstream lines(result.out);
  std::vector<std::string> complaints;
  for (std::string line; std::getline(lines, line);) {
    complaints.push_back(line);
  }
  if (result.exit_code != 0 || complaints.size() != documents.size()) {
    throw std::runtime_error("python3-jsonschema on " + file + ": " + result.err);
  }
  return complaints;
}

}  // namespace packhorse::test
