#include "contract/json_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "contract/cloud_library.h"

namespace packhorse::contract {
namespace {

constexpr std::string_view kExtension = ".json";

}  // namespace

JsonFiles JsonFilesOf(const std::string& folder, const std::string& what) {
  JsonFiles files;
  std::error_code failed;
  std::filesystem::directory_iterator at(folder, failed);
  if (failed == std::errc::no_such_file_or_directory) {
    return files;
  }
  for (const std::filesystem::directory_iterator end; !failed && at != end; at.increment(failed)) {
    std::error_code ignored;
    const std::string name = at->path().filename().string();
    if (at->path().extension() == kExtension && !name.starts_with('.') &&
        !std::filesystem::is_directory(at->path(), ignored)) {
      files.paths.push_back(at->path().string());
    }
  }
  if (failed) {
    files.problems.push_back(FileProblem(folder, ErrnoError("the folder cannot be read", failed.value()).message));
  }
  std::sort(files.paths.begin(), files.paths.end());
  if (files.paths.size() > kMaxContractFiles) {
    files.problems.push_back(FileProblem(folder, "holds " + std::to_string(files.paths.size()) + " " + what,
                                         "at most " + std::to_string(kMaxContractFiles)));
    files.paths.resize(kMaxContractFiles);
  }
  return files;
}

document::Problem FileProblem(const std::string& file, std::string message, std::string allowed) {
  document::Problem problem;
  problem.file = file;
  problem.message = std::move(message);
  problem.allowed = std::move(allowed);
  return problem;
}

RefusedFile Refused(std::string name, const std::string& file, const std::vector<document::Problem>& problems) {
  const auto is_error = [](const document::Problem& problem) {
    return problem.severity == document::Problem::Severity::kError;
  };
  RefusedFile refused{std::move(name), file, "", 0, false};
  refused.mistakes = static_cast<std::size_t>(std::count_if(problems.begin(), problems.end(), is_error));
  refused.first = document::Describe(*std::find_if(problems.begin(), problems.end(), is_error));
  return refused;
}

bool HasError(const std::vector<document::Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const document::Problem& problem) {
    return problem.severity == document::Problem::Severity::kError;
  });
}

}  // namespace packhorse::contract
